#include "experiments/mnist_robustness/evaluation.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "experiments/common/certificate_gate.h"
#include "experiments/common/image_data.h"
#include "lipschitz/attacks/attack.h"
#include "lipschitz/attacks/auto_pgd.h"
#include "lipschitz/attacks/fgsm.h"
#include "lipschitz/attacks/objective.h"
#include "lipschitz/attacks/pgd.h"
#include "lipschitz/base/float64_evaluation.h"
#include "lipschitz/base/status.h"
#include "lipschitz/certify/certificate.h"
#include "lipschitz/certify/certified_accuracy.h"
#include "lipschitz/layers/convolution.h"

namespace lipschitz::experiments {
namespace {

// A curve over the epsilons, with its abscissa's name.
Json Curve(Norm norm, const char* abscissa, const std::vector<double>& epsilons,
           const std::vector<double>& values) {
  return {{"norm", NormName(norm)}, {abscissa, epsilons}, {"value", values}};
}

void AddMetrics(const std::string& name, const std::vector<double>& epsilons,
                const std::vector<double>& values, Metrics* metrics) {
  for (size_t i = 0; i < epsilons.size(); ++i) {
    if (epsilons[i] > 0.0) (*metrics)[MetricAt(name, epsilons[i])] = values[i];
  }
}

absl::StatusOr<Certificates> CertifyIn(Sequential& network,
                                       const torch::Tensor& x,
                                       const torch::Tensor& y, Norm norm,
                                       Arithmetic arithmetic) {
  CertificationOptions options;
  options.norm = norm;
  options.arithmetic = arithmetic;
  return Certify(*network, x, y, options);
}

using Attack = std::function<absl::StatusOr<AttackResult>(
    const torch::Tensor& x, const torch::Tensor& y, const ThreatModel&)>;

// The accuracy under an attack at every epsilon. What broke an image at one
// epsilon breaks it at a larger one as well, so only the others go on.
absl::StatusOr<std::vector<double>> AttackedAccuracy(
    const Attack& attack, const torch::Tensor& x, const torch::Tensor& y,
    const RobustnessOptions& options,
    const std::function<bool()>& stop_requested) {
  std::vector<double> accuracy;
  torch::Tensor standing = torch::arange(x.size(0), y.options());
  for (const double epsilon : options.epsilons) {
    if (stop_requested && stop_requested()) {
      return absl::CancelledError("stopped while the network was attacked");
    }
    if (standing.numel() > 0) {
      LIPSCHITZ_ASSIGN_OR_RETURN(
          const AttackResult result,
          attack(x.index_select(0, standing), y.index_select(0, standing),
                 MakeThreat(options.norm, epsilon)));
      standing = standing.index_select(
          0, result.success.logical_not().nonzero().squeeze(1));
    }
    accuracy.push_back(static_cast<double>(standing.numel()) /
                       static_cast<double>(x.size(0)));
  }
  return accuracy;
}

// The largest quotient ‖f(x') − f(x)‖ / ‖x' − x‖ over pairs that differ by a
// short step in the direction in which the margin grows most, in float64.
double LowerBound(Sequential& network, const torch::Tensor& x,
                  const torch::Tensor& y, Norm norm) {
  constexpr double kStep = 1e-3;
  // Of images: convolutions in float64 take megabytes for each.
  constexpr int64_t kBatch = 128;
  const Float64Evaluation evaluation(*network);
  const Classifier classifier = [&network](const torch::Tensor& input) {
    return network->forward(input);
  };
  double largest = 0.0;
  for (int64_t first = 0; first < x.size(0); first += kBatch) {
    const int64_t count = std::min(kBatch, x.size(0) - first);
    const torch::Tensor start = x.narrow(0, first, count).to(torch::kDouble);
    const torch::Tensor gradient =
        EvaluateObjective(classifier, AttackObjective::kMargin, start,
                          y.narrow(0, first, count))
            .gradient;
    const torch::Tensor direction =
        norm == Norm::kL2 ? gradient / gradient.norm(2, 1, /*keepdim=*/true)
                          : gradient.sign();
    torch::NoGradGuard no_grad;
    const torch::Tensor change =
        network->forward(start + kStep * direction) - network->forward(start);
    const torch::Tensor size =
        norm == Norm::kL2 ? change.norm(2, 1) : change.abs().amax(1);
    largest = std::max(largest, size.nan_to_num().max().item<double>() / kStep);
  }
  return largest;
}

// Whose rounding errors in float32 are not known (RoundedMapOf says why).
bool HasConvolutions(const SequentialImpl& network) {
  const auto modules = network.modules();
  return std::any_of(modules.begin(), modules.end(), [](const auto& module) {
    return module->template as<Conv2dImpl>() != nullptr;
  });
}

}  // namespace

Json RobustnessOptions::ToJson() const {
  return {{"norm", NormName(norm)}, {"epsilons", epsilons},
          {"images", images},       {"attacked_images", attacked_images},
          {"pgd_steps", pgd_steps}, {"auto_pgd_steps", auto_pgd_steps},
          {"restarts", restarts},   {"gate_steps", gate_steps}};
}

std::string MetricAt(const std::string& metric, double epsilon) {
  return absl::StrFormat("%s_%g", metric, epsilon);
}

absl::StatusOr<RobustnessResult> EvaluateRobustness(
    Sequential& network, const LabelledImages& test,
    const RobustnessOptions& options, uint64_t seed,
    const std::string& counterexample_path,
    const std::function<bool()>& stop_requested) {
  const LabelledImages images = FirstImages(test, options.images);
  const torch::Device device = network->parameters().front().device();
  const torch::Tensor x = FlatPixels(images).to(device);
  const torch::Tensor y = images.labels.to(device);
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const Certificates certificates,
      CertifyIn(network, x, y, options.norm, Arithmetic::kFloat64));

  RobustnessResult result;
  Metrics& metrics = result.metrics;
  metrics["test_accuracy"] = (certificates.predicted == certificates.labels)
                                 .to(torch::kDouble)
                                 .mean()
                                 .item<double>();
  metrics["mean_radius"] = MeanRadius(certificates.pairwise_radius);
  metrics["median_radius"] = MedianRadius(certificates.pairwise_radius);
  const auto certify = [&](const char* name, const torch::Tensor& radii) {
    const std::vector<double> values =
        CertifiedAccuracy(radii, options.epsilons);
    result.curves[absl::StrCat(name, "_accuracy")] =
        Curve(options.norm, "radius", options.epsilons, values);
    AddMetrics(name, options.epsilons, values, &metrics);
  };
  certify("certified", certificates.pairwise_radius);
  certify("certified_naive", certificates.naive_radius);
  if (!HasConvolutions(*network)) {
    LIPSCHITZ_ASSIGN_OR_RETURN(
        const Certificates in_float32,
        CertifyIn(network, x, y, options.norm, Arithmetic::kFloat32));
    metrics["float32_forward_error"] =
        in_float32.forward_error.max().item<double>();
    certify("certified_float32", in_float32.pairwise_radius);
  }

  const int64_t attacked = options.attacked_images == 0
                               ? x.size(0)
                               : std::min(options.attacked_images, x.size(0));
  const torch::Tensor attacked_x = x.narrow(0, 0, attacked);
  const torch::Tensor attacked_y = y.narrow(0, 0, attacked);
  metrics["attacked_images"] = static_cast<double>(attacked);
  AddMetrics(
      "certified_attacked", options.epsilons,
      CertifiedAccuracy(certificates.pairwise_radius.narrow(0, 0, attacked),
                        options.epsilons),
      &metrics);
  const Classifier classifier = [&network](const torch::Tensor& input) {
    return network->forward(input);
  };
  PgdOptions pgd;
  pgd.steps = options.pgd_steps;
  pgd.step_fraction = 2.5 / static_cast<double>(options.pgd_steps);
  pgd.restarts = options.restarts;
  pgd.seed = seed;
  AutoPgdOptions auto_pgd;
  auto_pgd.steps = options.auto_pgd_steps;
  auto_pgd.restarts = options.restarts;
  auto_pgd.seed = seed;
  const std::vector<std::pair<std::string, Attack>> attacks = {
      {"fgsm",
       [&](const auto& images_in, const auto& labels, const auto& threat) {
         return Fgsm(classifier, images_in, labels, threat);
       }},
      {"pgd",
       [&](const auto& images_in, const auto& labels, const auto& threat) {
         return Pgd(classifier, images_in, labels, threat, pgd);
       }},
      {"auto_pgd",
       [&](const auto& images_in, const auto& labels, const auto& threat) {
         return AutoPgd(classifier, images_in, labels, threat, auto_pgd);
       }}};
  for (const auto& [name, attack] : attacks) {
    LIPSCHITZ_ASSIGN_OR_RETURN(const std::vector<double> values,
                               AttackedAccuracy(attack, attacked_x, attacked_y,
                                                options, stop_requested));
    result.curves[name + "_accuracy"] =
        Curve(options.norm, "epsilon", options.epsilons, values);
    AddMetrics(name, options.epsilons, values, &metrics);
  }

  GateSettings gate;
  gate.steps = options.gate_steps;
  gate.seed = seed;
  gate.float32_search = true;
  gate.stop_requested = stop_requested;
  result.verdict =
      PassGate(*network, x, certificates, gate, counterexample_path, &metrics);
  if (absl::IsCancelled(result.verdict)) return result.verdict;
  result.lipschitz = {
      options.norm, certificates.lipschitz_constant,
      LowerBound(network, attacked_x, attacked_y, options.norm)};
  return result;
}

}  // namespace lipschitz::experiments
