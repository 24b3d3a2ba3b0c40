// How a layer's weight is bounded: from the raw parameter to the weight that
// the layer applies.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/linalg/bjorck.h"

namespace lipschitz {

enum class ConstraintKind {
  // The raw weight itself.
  kNone,
  // Orthonormal rows or columns by Björck iteration on the raw weight,
  // differentiated through its iterations (Anil et al. 2019).
  kBjorck,
  // W / ‖W‖₂, the norm estimated by power iteration during training (T. Miyato
  // et al., "Spectral Normalization for GANs", ICLR 2018); in evaluation
  // divided by the proven upper bound instead.
  kSpectral,
  // The raw weight, pulled towards orthonormality after every optimiser step:
  // W ← (1 + β) W − β W WᵀW (M. Cisse et al., "Parseval Networks", ICML 2017).
  kParseval,
  // Rows projected on the L1 ball: 1-Lipschitz from linf to linf (Anil et al.
  // 2019).
  kLinfProjection,
  // Rows divided by their L1 norm: the same bound, attained by every row.
  kLinfRows,
  // First layers of networks that are universal for 1-Lipschitz functions in a
  // p-norm: from that norm to linf, rows of unit dual norm at most.
  kL1ToLinf,  // every entry clamped to [−1, 1]
  kL2ToLinf,  // rows scaled down to length 1
};

// "none", "bjorck", "spectral", "parseval", "linf", "linf_rows", "l1_to_linf",
// "l2_to_linf".
std::string ConstraintName(ConstraintKind kind);
absl::StatusOr<ConstraintKind> ParseConstraint(const std::string& name);
std::vector<std::string> ConstraintNames();

struct ConstraintOptions {
  ConstraintKind kind = ConstraintKind::kBjorck;

  // For kBjorck. Until converged, 30 iterations at most.
  BjorckOptions bjorck = {/*order=*/1,
                          /*beta=*/0.5,
                          BjorckScaling::kUpperBound,
                          /*iterations=*/30,
                          /*tolerance=*/1e-4,
                          /*power_iterations=*/10,
                          /*report=*/false};
  // For kSpectral: steps of the power iteration in every training forward.
  int power_iterations = 1;
  // For kBjorck (with a scaling that follows the weight), kSpectral and
  // kLinfRows, whose constrained weight does not depend on the raw weight's
  // length: divide the raw weight by its norm after every step. The layer stays
  // the same, and so does the step size relative to the weight. Without it the
  // raw weight grows with every step (its gradient is orthogonal to it) and the
  // training slows down as if the learning rate decayed.
  bool rescale_raw = true;
  // For kParseval: β of the pull after every step.
  double parseval_beta = 0.5;

  absl::Status Validate() const;
};

// A constraint with its state (spectral normalisation keeps u and v as buffers,
// so that they are saved and moved with the model and never trained).
class WeightConstraint : public torch::nn::Module {
 public:
  explicit WeightConstraint(std::string name)
      : torch::nn::Module(std::move(name)) {}

  // The weight to apply, (rows, columns) like `raw`, differentiable with
  // respect to it. In training mode it may update its state.
  virtual absl::StatusOr<torch::Tensor> Constrain(const torch::Tensor& raw) = 0;

  // Mends the raw weight in place after an optimiser step (rescaling,
  // Parseval's pull).
  virtual void AfterOptimizerStep(torch::Tensor /*raw*/) {}
};

// A constraint for a raw weight of the given shape.
absl::StatusOr<std::shared_ptr<WeightConstraint>> MakeWeightConstraint(
    const ConstraintOptions& options, int64_t rows, int64_t columns);

}  // namespace lipschitz
