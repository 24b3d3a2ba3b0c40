// Certified radii of a user's images under a saved model, as text.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/certify/arithmetic.h"

namespace lipschitz::tools {

struct ReportSettings {
  // Paths: of a file of SaveModel, and of .npy files. Without labels, the
  // predicted class takes their place.
  std::string model;
  std::string images;
  std::string labels;
  // At which images are certified or not; 0: radii only.
  double radius = 0.0;
  Norm norm = Norm::kL2;
  Arithmetic arithmetic = Arithmetic::kFloat64;
  // Accepts pixels outside [0, 1].
  bool any_range = false;
};

struct Report {
  // A header and a line for each image:
  //   index,label,predicted,margin,forward_error,naive_radius,pairwise_radius
  // and, where there is a radius, certified: yes or no. See Certificates. The
  // label is empty where none was given. Numbers have as many digits as it
  // takes to read back the same float64: none is rounded up.
  std::string csv;
  // Lines for a person: the model's metadata, how many images, the constant
  // (rounded upwards), accuracy and certified accuracy.
  std::string summary;
};

// Errors name the file, the image or the layer at fault.
absl::StatusOr<Report> MakeReport(const ReportSettings& settings);

}  // namespace lipschitz::tools
