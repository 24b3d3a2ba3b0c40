#include "lipschitz/linalg/orthogonalise.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <utility>

#include "lipschitz/linalg/gram.h"
#include "lipschitz/linalg/minimax_polynomial.h"
#include "lipschitz/linalg/singular_value_map.h"

namespace lipschitz {
namespace {

// Rounding must not take a singular value above the interval, where the
// polynomial leaves 1.
constexpr double kAllowance = 1.001;

// The best polynomials for [smallest, 1] and its images, one after the other.
class Polynomials {
 public:
  explicit Polynomials(double smallest) : lower_(smallest) {}

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
  double lower_;
  double upper_ = 1.0;
};

}  // namespace

at::Tensor Orthogonalise(const at::Tensor& w,
                         const OrthogonaliseOptions& options) {
  c10::NoGradGuard no_grad;
  const at::Tensor weight = w.detach();
  const double norm = weight.norm().item<double>();
  if (norm == 0.0) return at::zeros_like(weight);
  // A vector's only singular value is its norm.
  if (weight.size(0) == 1 || weight.size(1) == 1) return weight / norm;
  at::Tensor x = weight / (kAllowance * norm);
  Polynomials polynomials(options.smallest);
  for (int i = 0; i < options.iterations; ++i) {
    at::Tensor gram = SmallerGram(x);
    at::Tensor square = SymmetricSquare(gram);
    if (i == 0 && options.schatten) {
      // (Σ σ⁸)^¼ of x, whose Frobenius norm is 1.
      const double schatten2 =
          kAllowance * kAllowance * std::sqrt(square.norm().item<double>());
      x /= std::sqrt(schatten2);
      gram /= schatten2;
      square /= schatten2 * schatten2;
    }
    x = MapSingularValues(polynomials.Next(), x, gram, std::move(square));
  }
  return x;
}

double OrthogonaliseError(const OrthogonaliseOptions& options) {
  Polynomials polynomials(options.smallest);
  for (int i = 0; i < options.iterations; ++i) polynomials.Next();
  return polynomials.Error();
}

}  // namespace lipschitz
