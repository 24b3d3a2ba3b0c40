// What is measured of a model's layers, as a figure.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "experiments/common/figure.h"
#include "lipschitz/diagnostics/activation_statistics.h"
#include "lipschitz/diagnostics/jacobian_spectrum.h"
#include "lipschitz/diagnostics/layer_gradients.h"
#include "lipschitz/diagnostics/weight_spectrum.h"

namespace lipschitz::tools {

struct LayerMeasurements {
  std::vector<LayerGradient> gradients;  // of the largest output
  std::vector<WeightSpectrum> spectra;
  std::vector<ActivationStatistics> statistics;
  JacobianSpectrum jacobian;  // of the network
};

// On how many of the inputs every unit is at work, (units): moved where the
// activation sorts, the largest for maxout, positive for others.
const at::Tensor& ActiveShare(const ActivationStatistics& statistics);

// Four panels: the norms of gradients from the input to the output (mean, least
// and largest over the inputs); and, from the largest to the smallest over the
// share of them, the singular values of every weight, those of the network's
// Jacobian at all inputs, and how often the units of every activation are at
// work.
experiments::Figure InspectionFigure(const std::string& title,
                                     const LayerMeasurements& measured);

}  // namespace lipschitz::tools
