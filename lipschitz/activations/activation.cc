#include "lipschitz/activations/activation.h"

#include <torch/types.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ostream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "lipschitz/activations/functional.h"

namespace lipschitz {
namespace {

constexpr std::array<std::pair<ActivationKind, const char*>, 9> kNames = {{
    {ActivationKind::kIdentity, "identity"},
    {ActivationKind::kRelu, "relu"},
    {ActivationKind::kLeakyRelu, "leaky_relu"},
    {ActivationKind::kAbs, "abs"},
    {ActivationKind::kCRelu, "crelu"},
    {ActivationKind::kMaxOut, "maxout"},
    {ActivationKind::kMaxMin, "maxmin"},
    {ActivationKind::kGroupSort, "groupsort"},
    {ActivationKind::kFullSort, "fullsort"},
}};

// "maxout3" or "groupsort4": the name of a family and its group size.
bool ParseFamily(const std::string& name, const std::string& family,
                 int64_t* group_size) {
  if (!absl::StartsWith(name, family)) return false;
  const std::string digits = name.substr(family.size());
  // SimpleAtoi alone takes signs and spaces too.
  return digits.find_first_not_of("0123456789") == std::string::npos &&
         absl::SimpleAtoi(digits, group_size);
}

}  // namespace

std::string ActivationSpec::Name() const {
  std::string name = "unknown";
  for (const auto& [value, known] : kNames) {
    if (value == kind) name = known;
  }
  if (kind == ActivationKind::kGroupSort ||
      (kind == ActivationKind::kMaxOut && group_size != 2)) {
    absl::StrAppend(&name, group_size);
  }
  if (kind == ActivationKind::kLeakyRelu &&
      negative_slope != ActivationSpec().negative_slope) {
    absl::StrAppend(&name, absl::StrFormat("%.17g", negative_slope));
  }
  return name;
}

absl::Status ActivationSpec::Validate() const {
  const bool grouped = kind == ActivationKind::kGroupSort ||
                       kind == ActivationKind::kMaxOut ||
                       kind == ActivationKind::kMaxMin;
  if (grouped && group_size < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("activation ", Name(),
                     ": group_size must be at least 2, got ", group_size));
  }
  if (kind == ActivationKind::kMaxMin && group_size != 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("activation maxmin sorts pairs; for groups of ",
                     group_size, " use groupsort", group_size));
  }
  if (kind == ActivationKind::kLeakyRelu && !std::isfinite(negative_slope)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "activation leaky_relu: the slope ", negative_slope, " is not finite"));
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> ActivationSpec::OutputWidth(int64_t width) const {
  const absl::Status valid = Validate();
  if (!valid.ok()) return valid;
  const bool grouped = kind == ActivationKind::kGroupSort ||
                       kind == ActivationKind::kMaxOut ||
                       kind == ActivationKind::kMaxMin;
  if (grouped && width % group_size != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("activation ", Name(), ": the width ", width,
                     " is not a multiple of its group size ", group_size));
  }
  if (kind == ActivationKind::kMaxOut) return width / group_size;
  if (kind == ActivationKind::kCRelu) return 2 * width;
  return width;
}

double ActivationSpec::LipschitzConstant(Norm) const {
  // A permutation, a selection of coordinates or an elementwise 1-Lipschitz
  // map has constant 1 in every p-norm. So has CReLU:
  // |x⁺ − y⁺| + |x⁻ − y⁻| = |x − y| for numbers.
  if (kind == ActivationKind::kLeakyRelu) {
    // float32 tensors are multiplied by the slope as rounded to float32.
    const double slope = std::abs(negative_slope);
    return std::max(
        {1.0, slope, static_cast<double>(static_cast<float>(slope))});
  }
  return 1.0;
}

bool ActivationSpec::PreservesGradientNorm() const {
  switch (kind) {
    case ActivationKind::kIdentity:
    case ActivationKind::kAbs:
    case ActivationKind::kMaxOut:
    case ActivationKind::kMaxMin:
    case ActivationKind::kGroupSort:
    case ActivationKind::kFullSort:
      return true;
    case ActivationKind::kLeakyRelu:
      return std::abs(negative_slope) == 1.0;
    case ActivationKind::kRelu:
    case ActivationKind::kCRelu:
      return false;
  }
  return false;
}

bool operator==(const ActivationSpec& a, const ActivationSpec& b) {
  return a.Name() == b.Name() && (a.kind != ActivationKind::kLeakyRelu ||
                                  a.negative_slope == b.negative_slope);
}

absl::StatusOr<ActivationSpec> ParseActivation(const std::string& name) {
  for (const auto& [kind, known] : kNames) {
    if (name == known && kind != ActivationKind::kGroupSort) {
      return ActivationSpec{kind};
    }
  }
  for (const ActivationSpec& family :
       {ActivationSpec::GroupSort(2), ActivationSpec::MaxOut()}) {
    ActivationSpec spec = family;
    const std::string stem =
        spec.kind == ActivationKind::kMaxOut ? "maxout" : "groupsort";
    if (ParseFamily(name, stem, &spec.group_size)) {
      const absl::Status valid = spec.Validate();
      if (!valid.ok()) return valid;
      return spec;
    }
  }
  const std::string leaky = "leaky_relu";
  double slope = 0.0;
  if (absl::StartsWith(name, leaky) &&
      absl::SimpleAtod(name.substr(leaky.size()), &slope)) {
    const ActivationSpec spec = ActivationSpec::LeakyRelu(slope);
    const absl::Status valid = spec.Validate();
    if (!valid.ok()) return valid;
    return spec;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown activation '", name,
                   "'; known: ", absl::StrJoin(ActivationNames(), ", ")));
}

std::vector<std::string> ActivationNames() {
  std::vector<std::string> names;
  for (const auto& [kind, name] : kNames) {
    names.push_back(kind == ActivationKind::kGroupSort
                        ? "groupsortN (N neurons per group)"
                        : name);
  }
  return names;
}

ActivationImpl::ActivationImpl(ActivationSpec spec, int64_t dim)
    : LayerImpl("Activation"), spec_(std::move(spec)), dim_(dim) {
  const absl::Status valid = spec_.Validate();
  TORCH_CHECK(valid.ok(), std::string(valid.message()));
}

torch::Tensor ActivationImpl::forward(const torch::Tensor& x) {
  TORCH_CHECK(x.dim() < 2 || (dim_ != 0 && dim_ != -x.dim()), "activation ",
              spec_.Name(), " along dimension ", dim_, " of the shape ",
              x.sizes(), " would mix examples");
  switch (spec_.kind) {
    case ActivationKind::kIdentity:
      return x;
    case ActivationKind::kRelu:
      return x.relu();
    case ActivationKind::kLeakyRelu:
      return torch::where(x > 0, x, x * spec_.negative_slope);
    case ActivationKind::kAbs:
      return x.abs();
    case ActivationKind::kCRelu:
      return functional::CRelu(x, dim_);
    case ActivationKind::kMaxOut:
      return functional::MaxOut(x, spec_.group_size, dim_);
    case ActivationKind::kMaxMin:
    case ActivationKind::kGroupSort:
      return functional::GroupSort(x, spec_.group_size, dim_);
    case ActivationKind::kFullSort:
      return functional::GroupSort(x, std::max<int64_t>(1, x.size(dim_)), dim_);
  }
  TORCH_CHECK(false, "activation of unknown kind");
}

absl::StatusOr<BoundTable> ActivationImpl::LipschitzBounds() {
  // The constant is the same in every norm.
  return BoundTable::SameNorm(spec_.LipschitzConstant(Norm::kL2));
}

void ActivationImpl::pretty_print(std::ostream& stream) const {
  stream << "lipschitz::Activation(" << spec_.Name() << ", dim=" << dim_ << ")";
}

}  // namespace lipschitz
