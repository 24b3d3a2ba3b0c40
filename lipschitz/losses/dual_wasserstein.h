// The dual of the Wasserstein-1 distance.
#pragma once

#include <ATen/core/Tensor.h>

namespace lipschitz {

// mean f(p) − mean f(q), a scalar, from the critic's values on samples of P and
// of Q (one value a sample, any shape). Divided by the critic's constant K it
// is at most W1 of the two samples (Kantorovich-Rubinstein duality). A
// c10::Error when either is empty.
at::Tensor DualWassersteinObjective(const at::Tensor& critic_on_p,
                                    const at::Tensor& critic_on_q);

// Its negative, to be minimised.
at::Tensor DualWassersteinLoss(const at::Tensor& critic_on_p,
                               const at::Tensor& critic_on_q);

}  // namespace lipschitz
