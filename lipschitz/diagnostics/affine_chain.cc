#include "lipschitz/diagnostics/affine_chain.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <typeinfo>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/evaluation_mode.h"
#include "lipschitz/base/status.h"
#include "lipschitz/diagnostics/activation_groups.h"
#include "lipschitz/layers/chain.h"
#include "lipschitz/layers/dropout.h"
#include "lipschitz/layers/linear.h"

namespace lipschitz {
namespace {

std::vector<double> Numbers(const at::Tensor& tensor) {
  const at::Tensor flat =
      tensor.detach().to(at::kCPU, at::kDouble).contiguous();
  const double* data = flat.data_ptr<double>();
  return std::vector<double>(data, data + flat.numel());
}

absl::StatusOr<AffineMap> MapOf(LinearImpl& layer) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const at::Tensor weight,
                             layer.ConstrainedWeight());
  AffineMap map;
  map.rows = weight.size(0);
  map.columns = weight.size(1);
  const double scale = layer.AppliedScale();
  map.weight = Numbers(weight.detach().to(at::kDouble) * scale);
  map.bias = layer.bias.defined()
                 ? Numbers(layer.bias.detach().to(at::kDouble) * scale)
                 : std::vector<double>(static_cast<size_t>(map.rows), 0.0);
  const auto finite = [](double value) { return std::isfinite(value); };
  if (!std::all_of(map.weight.begin(), map.weight.end(), finite) ||
      !std::all_of(map.bias.begin(), map.bias.end(), finite)) {
    return absl::InvalidArgumentError("its weight or bias is not finite");
  }
  return map;
}

absl::StatusOr<ChainStep> StepOf(LayerImpl& layer, bool is_float32,
                                 int64_t width) {
  ChainStep step;
  step.width = width;
  if (typeid(layer) == typeid(LinearImpl)) {
    step.is_affine = true;
    LIPSCHITZ_ASSIGN_OR_RETURN(step.affine,
                               MapOf(static_cast<LinearImpl&>(layer)));
    if (width != 0 && step.affine.columns != width) {
      return absl::InvalidArgumentError(absl::StrCat(
          "it takes ", step.affine.columns, " inputs, and gets ", width));
    }
    step.width = step.affine.columns;
    return step;
  }
  if (typeid(layer) != typeid(ActivationImpl)) {
    return absl::FailedPreconditionError(
        "only Linear layers and activations can be divided into affine "
        "pieces");
  }
  const auto& activation = static_cast<const ActivationImpl&>(layer);
  if (activation.dim() != -1 && activation.dim() != 1) {
    return absl::FailedPreconditionError(
        absl::StrCat("an activation along dimension ", activation.dim(),
                     " of a matrix mixes examples"));
  }
  if (width == 0) {
    return absl::FailedPreconditionError("the first layer must be a Linear");
  }
  step.activation = activation.spec();
  if (is_float32) {
    step.activation.negative_slope =
        static_cast<double>(static_cast<float>(step.activation.negative_slope));
  }
  return step;
}

bool TypeIsFloat32(const LayerImpl& network) {
  const auto parameters = network.parameters();
  return !parameters.empty() && parameters.front().scalar_type() == at::kFloat;
}

}  // namespace

absl::StatusOr<std::vector<ChainStep>> AffineChainOf(LayerImpl& network) {
  using Steps = std::vector<ChainStep>;
  return CatchTorch("affine chain", [&]() -> absl::StatusOr<Steps> {
    const EvaluationMode evaluation(network);
    const bool is_float32 = TypeIsFloat32(network);
    Steps steps;
    int64_t width = 0;
    for (const NamedLayer& item : ChainOf(network)) {
      if (typeid(*item.layer) == typeid(DropoutImpl)) continue;
      const std::string context = absl::StrCat("layer '", item.name, "'");
      auto step = StepOf(*item.layer, is_float32, width);
      if (!step.ok()) return WithContext(step.status(), context);
      step->layer = item.name;
      if (step->is_affine) {
        width = step->affine.rows;
      } else {
        const auto after = step->activation.OutputWidth(width);
        if (!after.ok()) return WithContext(after.status(), context);
        width = *after;
      }
      steps.push_back(*std::move(step));
    }
    if (steps.empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat("network '", network.name(), "' has no layers"));
    }
    return steps;
  });
}

std::vector<Selection> SelectionsAt(const ActivationSpec& activation,
                                    const std::vector<double>& values) {
  const auto width = static_cast<int64_t>(values.size());
  std::vector<Selection> selections;
  if (const int64_t size = UnitsPerGroup(activation, width); size > 0) {
    const auto below = [&](int64_t a, int64_t b) {
      return values[static_cast<size_t>(a)] < values[static_cast<size_t>(b)];
    };
    std::vector<int64_t> order(static_cast<size_t>(size));
    for (int64_t begin = 0; begin < width; begin += size) {
      std::iota(order.begin(), order.end(), begin);
      if (activation.kind == ActivationKind::kMaxOut) {
        selections.push_back(
            {*std::max_element(order.begin(), order.end(), below), 1.0});
        continue;
      }
      std::stable_sort(order.begin(), order.end(), below);
      for (const int64_t source : order) selections.push_back({source, 1.0});
    }
    return selections;
  }
  // Each unit by its own sign.
  const auto by_sign = [&](double positive, double zero, double negative) {
    for (int64_t i = 0; i < width; ++i) {
      const double value = values[static_cast<size_t>(i)];
      const double factor =
          value > 0.0 ? positive : (value < 0.0 ? negative : zero);
      selections.push_back({i, factor});
    }
  };
  switch (activation.kind) {
    case ActivationKind::kRelu:
      by_sign(1.0, 0.0, 0.0);
      break;
    case ActivationKind::kLeakyRelu:
      by_sign(1.0, activation.negative_slope, activation.negative_slope);
      break;
    case ActivationKind::kAbs:
      by_sign(1.0, 0.0, -1.0);
      break;
    case ActivationKind::kCRelu:
      by_sign(1.0, 0.0, 0.0);
      by_sign(0.0, 0.0, -1.0);
      break;
    case ActivationKind::kIdentity:
    case ActivationKind::kMaxOut:
    case ActivationKind::kMaxMin:
    case ActivationKind::kGroupSort:
    case ActivationKind::kFullSort:
      by_sign(1.0, 1.0, 1.0);
      break;
  }
  return selections;
}

std::vector<std::pair<int64_t, int64_t>> DecidingPairs(
    const ActivationSpec& activation, int64_t width) {
  std::vector<std::pair<int64_t, int64_t>> pairs;
  if (activation.kind == ActivationKind::kIdentity) return pairs;
  const int64_t size = UnitsPerGroup(activation, width);
  for (int64_t i = 0; i < width; ++i) {
    if (size == 0) {
      pairs.emplace_back(i, -1);
      continue;
    }
    const int64_t end = i - i % size + size;
    for (int64_t j = i + 1; j < end; ++j) pairs.emplace_back(i, j);
  }
  return pairs;
}

}  // namespace lipschitz
