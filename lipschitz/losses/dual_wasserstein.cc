#include "lipschitz/losses/dual_wasserstein.h"

#include <ATen/ATen.h>

namespace lipschitz {

at::Tensor DualWassersteinObjective(const at::Tensor& critic_on_p,
                                    const at::Tensor& critic_on_q) {
  TORCH_CHECK(critic_on_p.numel() > 0 && critic_on_q.numel() > 0,
              "dual Wasserstein objective: needs samples of both "
              "distributions, got ",
              critic_on_p.numel(), " and ", critic_on_q.numel());
  return critic_on_p.mean() - critic_on_q.mean();
}

at::Tensor DualWassersteinLoss(const at::Tensor& critic_on_p,
                               const at::Tensor& critic_on_q) {
  return -DualWassersteinObjective(critic_on_p, critic_on_q);
}

}  // namespace lipschitz
