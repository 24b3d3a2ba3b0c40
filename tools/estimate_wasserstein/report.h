// What an estimate came to, as a table for a person and as JSON.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "lipschitz/transport/wasserstein_estimate.h"
#include "tools/estimate_wasserstein/exact.h"
#include "tools/estimate_wasserstein/inputs.h"

namespace lipschitz::tools {

struct Report {
  // The files of the samples.
  std::string p;
  std::string q;
  WassersteinConfig config;

  SamplePair samples;
  WassersteinEstimate estimate;
  double estimate_seconds = 0.0;

  // With --exact: the value, or why there is none.
  std::optional<ExactDistance> exact;
  absl::Status exact_status;
  double exact_seconds = 0.0;

  // With --c_transform: the lower bound on W1 of all samples, or why there is
  // none.
  std::optional<double> transform_bound;
  absl::Status transform_status;
  double transform_seconds = 0.0;
};

// "at least 4.98 on the held-out samples; 95 % interval 4.9 to 5.06".
std::string EstimateText(const Report& report);

// A Markdown table of two columns. K is rounded upwards.
std::string ReportTable(const Report& report);

// Everything, with all digits, in the units of the samples.
std::string ReportJson(const Report& report);

}  // namespace lipschitz::tools
