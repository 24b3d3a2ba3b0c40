// Figures whose x axis is of names: one place for every constraint, one colour
// for every activation.
#pragma once

#include <string>
#include <vector>

#include "experiments/common/experiment.h"
#include "experiments/common/figure.h"

namespace lipschitz::experiments {

struct CategoryPanel {
  std::string title;
  // Keys of the variants: of the places on the x axis, in the order in which
  // `groups` have them first, and of the colours (activations).
  std::string place_key = "constraint";
  std::string colour_key = "activation";
  std::string metric;
  Axis y;
};

// A dot at the mean of the metric for every variant, with a line of one
// standard deviation up and down where there is more than one seed.
Panel DrawCategories(const CategoryPanel& categories,
                     const std::vector<VariantRecords>& groups);

}  // namespace lipschitz::experiments
