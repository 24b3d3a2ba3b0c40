// What a trained classifier withstands: certified and attacked accuracy, and
// the gate that attacks every certificate.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/common/record.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/data/labelled_images.h"
#include "lipschitz/layers/sequential.h"

namespace lipschitz::experiments {

struct RobustnessOptions {
  Norm norm = Norm::kL2;
  // Ascending, the first one 0; every curve is over them.
  std::vector<double> epsilons;
  // Test images that are certified and pass the gate; 0: all.
  int64_t images = 0;
  // Of these, the first so many are attacked at every epsilon; 0: all.
  int64_t attacked_images = 1000;
  int64_t pgd_steps = 50;
  int64_t auto_pgd_steps = 50;
  int64_t restarts = 1;
  // Of each of the two attacks on a certificate.
  int64_t gate_steps = 10;

  Json ToJson() const;
};

struct RobustnessResult {
  Metrics metrics;
  Json curves = Json::object();
  LipschitzRecord lipschitz;
  // Not ok when an attack succeeded inside a certified radius.
  absl::Status verdict;
};

// The network in evaluation mode, on `test`. `seed` is that of the attacks'
// random starts. When a certificate breaks, the counterexample (the image, the
// attacked input, logits and distances) is kept in `counterexample_path`.
// Metrics named certified are shares of all images, those named
// certified_attacked of the attacked ones, to compare with the attacks'.
// Cancelled when `stop_requested`, which may be empty, says so between attacks.
absl::StatusOr<RobustnessResult> EvaluateRobustness(
    Sequential& network, const LabelledImages& test,
    const RobustnessOptions& options, uint64_t seed,
    const std::string& counterexample_path,
    const std::function<bool()>& stop_requested = {});

// "certified_0.3".
std::string MetricAt(const std::string& metric, double epsilon);

}  // namespace lipschitz::experiments
