// Certified radii of a test set in a few numbers.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace lipschitz {

// For every epsilon the share of the images that are certified at it: whose
// radius is positive and at least epsilon. `radii`: (n), n ≥ 1; wrong images
// count, with radius 0. At epsilon 0: correct beyond rounding.
std::vector<double> CertifiedAccuracy(const at::Tensor& radii,
                                      const std::vector<double>& epsilons);

// Of all images, the wrong ones with 0. An even number of images has the mean
// of the middle two as median.
double MeanRadius(const at::Tensor& radii);
double MedianRadius(const at::Tensor& radii);

}  // namespace lipschitz
