// Penalties on the Jacobian of a network with respect to its input.
//
// All take `outputs` (batch, ...), computed from `inputs` (batch, ...) that
// required a gradient, where example b of the outputs depends on example b of
// the inputs alone (no batch normalisation): one forward serves the loss and
// the penalty.
//
//   \code
//   x.requires_grad_(true);
//   const torch::Tensor logits = network->forward(x);
//   loss = CrossEntropy(logits, y) +
//          0.05 * SpectralJacobianPenalty(logits, x, generator);
//   \endcode
//
// With J_b the Jacobian of example b, both sides flattened. The results can be
// differentiated with respect to whatever else `outputs` were computed from.
// `generator`, on the CPU, draws the random directions. A c10::Error where the
// batches do not fit or are empty, or no gradient flows from outputs to inputs.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

namespace lipschitz {

// ‖J_bᵀ u_b‖₂ for each example, (batch): `iterations` ≥ 0 steps of the power
// iteration u ← J Jᵀ u / ‖J Jᵀ u‖ from a random u. At most ‖J_b‖₂, and nearly
// that after a few; never a certificate. The gradient is that at fixed u, which
// for the u of the limit is the gradient of ‖J_b‖₂ itself.
//
// A step costs three backward passes, the result one, its gradient two.
at::Tensor JacobianSpectralNorms(const at::Tensor& outputs,
                                 const at::Tensor& inputs,
                                 const at::Generator& generator,
                                 int iterations = 3);

// Their mean over the batch: the spectral Jacobian regularisation that Anil et
// al. (2019) compare with. (Their code takes the norm of the mean over the
// batch of J_b v_b, which directions that cancel make too small.)
at::Tensor SpectralJacobianPenalty(const at::Tensor& outputs,
                                   const at::Tensor& inputs,
                                   const at::Generator& generator,
                                   int iterations = 3);

// An unbiased estimate of ‖J_b‖_F² for each example, (batch): with m outputs
// an example, m times the mean of ‖J_bᵀ u‖² over `projections` ≥ 1 random unit
// vectors u. 0 projections: exact, by a backward pass for each output. Source:
// J. Hoffman, D. A. Roberts and S. Yaida, "Robust Learning with Jacobian
// Regularization" (2019).
at::Tensor JacobianSquaredFrobeniusNorms(const at::Tensor& outputs,
                                         const at::Tensor& inputs,
                                         const at::Generator& generator,
                                         int projections = 1);

// Their mean over the batch. (Hoffman et al. penalise half of it.)
at::Tensor FrobeniusJacobianPenalty(const at::Tensor& outputs,
                                    const at::Tensor& inputs,
                                    const at::Generator& generator,
                                    int projections = 1);

}  // namespace lipschitz
