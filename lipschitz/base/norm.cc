#include "lipschitz/base/norm.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace lipschitz {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The next double above a correctly rounded result is above the exact one.
double Up(double value) { return std::nextafter(value, kInfinity); }

// 0 · ∞ is a map that is constant followed or preceded by anything: 0.
double ProductUp(double a, double b) {
  if (a == 0.0 || b == 0.0) return 0.0;
  // A product by one is exact.
  if (a == 1.0) return b;
  if (b == 1.0) return a;
  return Up(a * b);
}

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
