// Vector norms, and tables of operator norm bounds between them.
#pragma once

#include <array>
#include <string>

#include "absl/status/statusor.h"

namespace lipschitz {

// The p-norms in which distances, gradients and Lipschitz constants are stated.
enum class Norm { kL1 = 0, kL2 = 1, kLinf = 2 };

inline constexpr std::array<Norm, 3> kAllNorms = {Norm::kL1, Norm::kL2,
                                                  Norm::kLinf};

// "l1", "l2", "linf".
std::string NormName(Norm norm);

// The inverse of NormName; an unknown name is an error that lists the known
// ones.
absl::StatusOr<Norm> ParseNorm(const std::string& name);

// Upper bounds on the Lipschitz constant of one map, for every pair of norms:
// ‖f(x) − f(y)‖_out ≤ At(in, out) · ‖x − y‖_in for all x and y.
// Infinity stands for "no finite bound known".
class BoundTable {
 public:
  // Every entry infinite.
  BoundTable();

  // The table of a map that is `bound`-Lipschitz in every p-norm. Because
  // ‖·‖_∞ ≤ ‖·‖₂ ≤ ‖·‖₁, the same bound holds from a norm to a smaller one;
  // the other pairs depend on the width and stay infinite.
  static BoundTable SameNorm(double bound);

  double At(Norm in, Norm out) const {
    return value_[static_cast<int>(in)][static_cast<int>(out)];
  }
  void Set(Norm in, Norm out, double bound) {
    value_[static_cast<int>(in)][static_cast<int>(out)] = bound;
  }

  // The table of x ↦ next(this(x)): for every pair of norms the least product
  // over the norm between the two maps. Rounded upwards.
  BoundTable Then(const BoundTable& next) const;

  // The table of x ↦ this(x) + other(x). Rounded upwards.
  BoundTable Plus(const BoundTable& other) const;

  // The table of x ↦ factor · this(x). Rounded upwards.
  BoundTable Times(double factor) const;

 private:
  std::array<std::array<double, 3>, 3> value_;
};

}  // namespace lipschitz
