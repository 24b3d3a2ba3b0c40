#include "lipschitz/linalg/orthogonalise.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "lipschitz/linalg/gram.h"
#include "lipschitz/linalg/minimax_polynomial.h"
#include "lipschitz/linalg/singular_value_map.h"

namespace lipschitz {
namespace {

constexpr double kSmallestRatio = 1e-3;
// Rounding must not take a singular value above the interval, where the
// polynomial leaves 1.
constexpr double kAllowance = 1.001;

// The best polynomials for [kSmallestRatio, 1] and its images, one after the
// other.
class Polynomials {
 public:
  OddQuintic Next() {
    const OddQuintic p = ClosestToOne(lower_, upper_);
    // The extreme values are at both ends and alike between.
    lower_ = p(lower_);
    upper_ = 2.0 - lower_;
    return p;
  }

  // Of what is behind: the image is 1 ± this.
  double Error() const { return 1.0 - lower_; }

 private:
  double lower_ = kSmallestRatio;
  double upper_ = 1.0;
};

}  // namespace

at::Tensor Orthogonalise(const at::Tensor& w, int iterations) {
  c10::NoGradGuard no_grad;
  const at::Tensor weight = w.detach();
  const double norm = weight.norm().item<double>();
  if (norm == 0.0) return at::zeros_like(weight);
  // A vector's only singular value is its norm.
  if (weight.size(0) == 1 || weight.size(1) == 1) return weight / norm;
  at::Tensor x = weight / (kAllowance * norm);
  Polynomials polynomials;
  for (int i = 0; i < iterations; ++i) {
    x = MapSingularValues(polynomials.Next(), x, SmallerGram(x));
  }
  return x;
}

double OrthogonaliseError(int iterations) {
  Polynomials polynomials;
  for (int i = 0; i < iterations; ++i) polynomials.Next();
  return polynomials.Error();
}

}  // namespace lipschitz
