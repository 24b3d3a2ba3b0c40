// The gate that a classifier's certificates pass before they are recorded.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "experiments/common/experiment.h"
#include "experiments/common/record.h"
#include "experiments/common/table.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/certify/certificate.h"

namespace lipschitz::experiments {

struct GateSettings {
  // Of PGD and of Auto-PGD.
  int64_t steps = 5;
  // Of the attacks' random starts.
  uint64_t seed = 0;
  // See GateOptions.
  bool float32_search = false;
  std::function<bool()> stop_requested;
};

// Attacks every certified image (of `images`, those that were certified, in [0,
// 1]) inside its radius, with PGD and then Auto-PGD, and adds gate_attacked,
// gate_broken and gate_least_margin to the metrics.
//
// Cancelled when a stop was requested. FailedPrecondition when a certificate
// broke: the first counterexample (the image, the attacked input, logits and
// distances, as JSON) is then kept in `counterexample_path`.
absl::Status PassGate(LayerImpl& network, const torch::Tensor& images,
                      const Certificates& certificates,
                      const GateSettings& settings,
                      const std::string& counterexample_path, Metrics* metrics);

// "0 of 29320": certificates that broke, of all that were attacked, over the
// records, failed ones too (a run in which one broke is a failed one); "–"
// where none came to the gate.
Cell GateCell(const VariantRecords& group);

}  // namespace lipschitz::experiments
