// What rounding does to the logits, from above.
//
// A computed dot product of n terms, summed in any order, with or without fused
// multiplications, satisfies |fl(xᵀw) − xᵀw| ≤ γ_n |x|ᵀ|w|, γ_n = n u/(1 − n u)
// (N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition,
// section 3.1). Adding the bias and multiplying by the scale are two operations
// more. The bound follows these errors, and those of the layers before,
// through the network, in three norms at a time.
//
// The arithmetic is IEEE 754 with round to nearest and gradual underflow:
// LibTorch on the CPU, where neither at::set_flush_denormal nor a lower
// precision of float32 products has been switched on.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/certify/arithmetic.h"
#include "lipschitz/certify/network_parts.h"
#include "lipschitz/certify/rounded_map.h"

namespace lipschitz {

class ForwardErrorBound {
 public:
  // A batch of images x, followed through the network in float64.
  struct Centres {
    // (n, classes): f(x) up to the errors that PairErrors includes.
    at::Tensor logits;
    // Per layer that rounds: the norms of its RoundedMap's magnitudes at the
    // computed input, (n, 3), and how many outputs an example has.
    std::vector<at::Tensor> magnitudes;
    std::vector<int64_t> widths;
    // The same for each logit, (n, classes); undefined without a last Linear.
    at::Tensor head_magnitudes;
  };

  // The network is in evaluation mode, its parameters of the type of
  // `arithmetic`, kFloat64 or kFloat32 (ArithmeticEvaluation sees to it); the
  // weights are those that it applies there. Not bound to the network
  // afterwards. An error that names it for a layer that RoundedMapOf does not
  // know.
  static absl::StatusOr<ForwardErrorBound> Create(const NetworkParts& parts,
                                                  Arithmetic arithmetic);

  // `images`: (n, d) float64, finite, exact in the type of the arithmetic.
  Centres Evaluate(const at::Tensor& images) const;

  // (n, classes), float64: for every x' with ‖x' − x‖_norm ≤ radius,
  //   |(f̂_y − f̂_j)(x') − (f_y − f_j)(x')| + |(logits_y − logits_j)(x) −
  //   (f_y − f_j)(x)|
  // is at most entry j, where f̂ is the network in its arithmetic, f in exact
  // arithmetic, and x' is exact in the arithmetic's type. Infinite where
  // something may overflow. `labels` y: (n) int64; `radii`: (n) float64, ≥ 0.
  at::Tensor PairErrors(const Centres& centres, const at::Tensor& labels,
                        Norm norm, const at::Tensor& radii) const;

  // Without an evaluation. `norms`: (n, 3) float64, of inputs x in the norms of
  // kAllNorms, from above. For every x' that is off by `relative_error` of an
  // entry of x at most, (n, 3) bounds on the norms of f̂(x') − f(x). Larger than
  // what PairErrors, which knows every entry, finds. Infinite where something
  // may overflow.
  at::Tensor ErrorsByNorms(const at::Tensor& norms,
                           double relative_error) const;

 private:
  struct Errors;

  Arithmetic arithmetic_ = Arithmetic::kFloat64;
  std::vector<RoundedMap> body_;
  // The last Linear, when has_head_.
  RoundedMap head_;
  bool has_head_ = false;
  at::Tensor head_bias_;        // (classes): its magnitudes
  at::Tensor head_row_norms_;   // (classes, 3): dual norms of |w_j|
  at::Tensor head_pair_norms_;  // (classes, classes, 3): of scale (w_y − w_j)
};

}  // namespace lipschitz
