// The promise that every layer makes: it knows its own Lipschitz constant.
#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "lipschitz/base/norm.h"

namespace lipschitz {

// A module with one input and one output that states an upper bound on its
// Lipschitz constant. A layer that cannot bound itself answers with an error;
// it is never taken for 1-Lipschitz.
class LayerImpl : public torch::nn::Module {
 public:
  explicit LayerImpl(std::string name) : torch::nn::Module(std::move(name)) {}

  virtual torch::Tensor forward(const torch::Tensor& x) = 0;

  // Bounds for every pair of norms, proven for the weights as stored, in
  // evaluation, in exact arithmetic: the computation of the bound is rounded
  // upwards in float64; how forward itself rounds is not part of it. The
  // default is an error.
  virtual absl::StatusOr<BoundTable> LipschitzBounds();

  // ‖f(x) − f(y)‖_out ≤ bound · ‖x − y‖_in. An error where no finite bound is
  // known.
  absl::StatusOr<double> LipschitzBound(Norm in, Norm out);
  // The same norm on both sides.
  absl::StatusOr<double> LipschitzBound(Norm norm) {
    return LipschitzBound(norm, norm);
  }

  // Called after every optimiser step; constraints that act on the stored
  // weight (Parseval) do so here. The default does nothing.
  virtual void AfterOptimizerStep() {}

  // Called once after the last step: constraints whose stored weight drifts
  // while it is trained (Stiefel) make it exact. The default does nothing.
  virtual void AfterTraining() {}
};

}  // namespace lipschitz
