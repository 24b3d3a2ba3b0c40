// benchmarks/README.md and its figure, from the results alone.
#pragma once

#include <string>

#include "benchmarks/results.h"
#include "experiments/common/figure.h"

namespace lipschitz::benchmarks {

// The whole text. What was not measured is a dash.
std::string MakeDocument(const Results& results);

// How the cost grows with width, batch and group size.
experiments::Figure MakeScalingFigure(const Results& results);

}  // namespace lipschitz::benchmarks
