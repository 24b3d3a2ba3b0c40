// What is measured of a model's layers, as a figure.
#pragma once

#include <string>
#include <vector>

#include "experiments/common/figure.h"
#include "lipschitz/diagnostics/layer_gradients.h"
#include "lipschitz/diagnostics/weight_spectrum.h"

namespace lipschitz::tools {

// Two panels: the norms of gradients from the input to the output (mean, least
// and largest over the inputs), and the singular values of every weight, from
// the largest to the smallest, over the share of them.
experiments::Figure InspectionFigure(
    const std::string& title, const std::vector<LayerGradient>& gradients,
    const std::vector<WeightSpectrum>& spectra);

}  // namespace lipschitz::tools
