#include "lipschitz/base/norm.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/rounding.h"

namespace lipschitz {
namespace {

using rounding::kInfinity;
using rounding::ProductUp;
using rounding::Up;

}  // namespace

std::string NormName(Norm norm) {
  switch (norm) {
    case Norm::kL1:
      return "l1";
    case Norm::kL2:
      return "l2";
    case Norm::kLinf:
      return "linf";
  }
  return "unknown";
}

absl::StatusOr<Norm> ParseNorm(const std::string& name) {
  for (Norm norm : kAllNorms) {
    if (name == NormName(norm)) return norm;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown norm '", name, "'; known: l1, l2, linf"));
}

BoundTable::BoundTable() {
  for (auto& row : value_) row.fill(kInfinity);
}

BoundTable BoundTable::SameNorm(double bound) {
  BoundTable table;
  for (Norm in : kAllNorms) {
    for (Norm out : kAllNorms) {
      if (static_cast<int>(in) <= static_cast<int>(out)) {
        table.Set(in, out, bound);
      }
    }
  }
  return table;
}

BoundTable BoundTable::Then(const BoundTable& next) const {
  BoundTable table;
  for (Norm in : kAllNorms) {
    for (Norm out : kAllNorms) {
      double least = kInfinity;
      for (Norm between : kAllNorms) {
        least =
            std::min(least, ProductUp(At(in, between), next.At(between, out)));
      }
      table.Set(in, out, least);
    }
  }
  return table;
}

BoundTable BoundTable::Plus(const BoundTable& other) const {
  BoundTable table;
  for (Norm in : kAllNorms) {
    for (Norm out : kAllNorms) {
      const double a = At(in, out);
      const double b = other.At(in, out);
      table.Set(in, out, a == 0.0 ? b : b == 0.0 ? a : Up(a + b));
    }
  }
  return table;
}

BoundTable BoundTable::Times(double factor) const {
  BoundTable table;
  for (Norm in : kAllNorms) {
    for (Norm out : kAllNorms) {
      table.Set(in, out, ProductUp(At(in, out), std::abs(factor)));
    }
  }
  return table;
}

}  // namespace lipschitz
