#include "lipschitz/certify/certified_accuracy.h"

#include <ATen/ATen.h>

namespace lipschitz {

std::vector<double> CertifiedAccuracy(const at::Tensor& radii,
                                      const std::vector<double>& epsilons) {
  const at::Tensor r = radii.to(at::kDouble);
  std::vector<double> shares;
  for (double epsilon : epsilons) {
    shares.push_back(at::logical_and(r > 0, r >= epsilon)
                         .to(at::kDouble)
                         .mean()
                         .item<double>());
  }
  return shares;
}

double MeanRadius(const at::Tensor& radii) {
  return radii.to(at::kDouble).mean().item<double>();
}

double MedianRadius(const at::Tensor& radii) {
  const at::Tensor sorted = std::get<0>(radii.to(at::kDouble).sort(0));
  const int64_t n = sorted.size(0);
  return (sorted[(n - 1) / 2].item<double>() + sorted[n / 2].item<double>()) /
         2.0;
}

}  // namespace lipschitz
