#include "experiments/common/certificate_gate.h"

#include <vector>

#include "absl/strings/str_format.h"
#include "lipschitz/attacks/gate.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

std::vector<double> AsVector(const torch::Tensor& tensor) {
  const torch::Tensor flat =
      tensor.detach().flatten().to(torch::kDouble).contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

absl::Status KeepCounterexample(const std::string& path,
                                const torch::Tensor& images,
                                const Counterexample& found) {
  const Json json = {{"index", found.index},
                     {"label", found.label},
                     {"radius", found.radius},
                     {"distance", found.distance},
                     {"logits", AsVector(found.logits)},
                     {"image", AsVector(images[found.index])},
                     {"input", AsVector(found.input)}};
  return WriteFileAtomically(path, json.dump() + "\n");
}

}  // namespace

absl::Status PassGate(LayerImpl& network, const torch::Tensor& images,
                      const Certificates& certificates,
                      const GateSettings& settings,
                      const std::string& counterexample_path,
                      Metrics* metrics) {
  GateOptions gate;
  gate.pgd.steps = settings.steps;
  gate.pgd.step_fraction = 2.5 / static_cast<double>(settings.steps);
  gate.pgd.seed = settings.seed;
  gate.auto_pgd.steps = settings.steps;
  gate.auto_pgd.seed = settings.seed;
  gate.float32_search = settings.float32_search;
  gate.stop_requested = settings.stop_requested;
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const GateReport report,
      AttackCertificates(network, images, certificates, gate));
  (*metrics)["gate_attacked"] = static_cast<double>(report.attacked);
  (*metrics)["gate_broken"] =
      static_cast<double>(report.counterexamples.size());
  if (report.attacked > 0) {
    (*metrics)["gate_least_margin"] = report.least_margin;
  }
  if (report.counterexamples.empty()) return absl::OkStatus();
  const Counterexample& first = report.counterexamples.front();
  std::string where = "it could not be written";
  if (KeepCounterexample(counterexample_path, images, first).ok()) {
    where = counterexample_path.substr(counterexample_path.rfind('/') + 1);
  }
  return absl::FailedPreconditionError(absl::StrFormat(
      "certificate broken: test image %d, certified within %.9g, is "
      "misclassified at the distance %.9g (%d images in all; the first: %s)",
      first.index, first.radius, first.distance, report.counterexamples.size(),
      where));
}

Cell GateCell(const VariantRecords& group) {
  const auto total = [&group](const char* metric) {
    const Summary summary = SummariseWithFailed(group, metric);
    return summary.mean * summary.count;
  };
  if (SummariseWithFailed(group, "gate_attacked").count == 0) return "–";
  return absl::StrFormat("%.0f of %.0f", total("gate_broken"),
                         total("gate_attacked"));
}

}  // namespace lipschitz::experiments
