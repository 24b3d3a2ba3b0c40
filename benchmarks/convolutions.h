// What benchmarks/README.md says of convolutions.
#pragma once

#include <string>

#include "benchmarks/results.h"
#include "experiments/common/figure.h"

namespace lipschitz::benchmarks {

// The measurement's name for 32 channels to 32, 3×3, 28×28, batch 64.
std::string ConvolutionStep(const std::string& constraint);

// The measurement's name for the proven constant of a LeNet.
std::string ConvolutionBound(const std::string& constraint);

// Prices and qualities of the constraints, side by side.
std::string ConvolutionSection(const Results& results);

// What is left of a gradient's norm through networks of growing depth.
experiments::Figure MakeGradientFigure(const Results& results);

}  // namespace lipschitz::benchmarks
