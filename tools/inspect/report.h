// What a saved model does with its Lipschitz constant, as text and figure.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lipschitz::tools {

struct InspectSettings {
  // Paths: of a file of SaveModel, and of an .npy file with inputs as
  // ReadImages takes them, in any range. Without images, `inputs` random ones,
  // uniform in the range that the model's metadata state as "input_range":
  // "lower,upper", or in [0, 1].
  std::string model;
  std::string images;
  // How many inputs are looked at, the first ones of the images.
  int64_t inputs = 200;
  // Of each ascent of the lower bounds.
  int steps = 30;
  uint64_t seed = 0;
  // Path of a .png or .svg file that takes InspectionFigure; empty: none.
  std::string figure;
};

// Lines for a person: the metadata and the inputs; a table with a line for each
// layer,
//
//   K l2, K linf       the layer's own bounds, rounded upwards, "-": none
//   sigma min, max     of the weight of a linear layer or a convolution, its
//                      scale included, "-": not computed
//   grad mean, min, max of the gradient of the largest output with respect to
//                      the layer's output, in l2, over the inputs
//   active             the mean over units of the share of inputs on which the
//                      unit is moved (activations that sort), is the largest
//                      (maxout) or is positive (others)
//   undead, dead       of the others: the share of units that are positive on
//   at
//                      least 95 %, at most 5 % of the inputs
//
// the singular values of the network's Jacobian at the inputs (all of them, or
// the largest 16 where there are more than 64), and for l2 and linf the
// network's proven constant, the lower bound found by search
// (LipschitzLowerBound), their ratio, and the least and median of the bounds
// found around each input; for networks of one or two inputs the constant
// itself.
struct Inspection {
  std::string text;
  // Why there is no figure, where one was asked for and could not be drawn.
  absl::Status figure;
};

// Errors name the file or the layer at fault. A figure's name that ends in
// neither .png nor .svg is one before anything is measured.
absl::StatusOr<Inspection> MakeInspection(const InspectSettings& settings);

}  // namespace lipschitz::tools
