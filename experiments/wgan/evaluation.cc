#include "experiments/wgan/evaluation.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "experiments/common/settings.h"
#include "experiments/common/verdict.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/random.h"
#include "lipschitz/transport/dual_estimate.h"
#include "lipschitz/transport/exact_wasserstein.h"
#include "lipschitz/transport/frechet_distance.h"
#include "lipschitz/transport/sample_coverage.h"
#include "lipschitz/transport/wasserstein_estimate.h"

namespace lipschitz::experiments {
namespace {

constexpr uint64_t kCriticStream = 32;
constexpr double kValidationShare = 0.1;
constexpr double kTestShare = 0.3;
constexpr double kConfidence = 0.95;

double MeanVariance(const torch::Tensor& images) {
  return images.to(torch::kDouble).var(0).mean().item<double>();
}

absl::Status Transport(const torch::Tensor& images,
                       const torch::Tensor& reference,
                       const EvaluationSizes& sizes, const RunContext& context,
                       Evaluation* evaluation) {
  WassersteinConfig config;
  config.network = CriticNetwork(Norm::kL2, sizes.critic_hidden,
                                 ActivationSpec::GroupSort(4));
  config.steps = sizes.critic_steps;
  config.report_every = std::max<int64_t>(1, sizes.critic_steps / 10);
  config.validation_share = kValidationShare;
  config.test_share = kTestShare;
  config.confidence = kConfidence;
  config.device = context.device;
  config.seed = StreamSeed(context.seed, kCriticStream);
  WassersteinHooks hooks;
  hooks.progress = context.progress;
  hooks.stop_requested = context.stop_requested;
  // The critic's first weights.
  SetSeed(config.seed);
  LIPSCHITZ_ASSIGN_OR_RETURN(
      WassersteinEstimate estimated,
      EstimateWasserstein(reference, images, config, hooks));
  evaluation->metrics["certified_wasserstein"] = estimated.estimate.value;
  evaluation->metrics["certified_standard_error"] =
      estimated.estimate.standard_error;
  evaluation->metrics["interval_lower"] = estimated.lower;
  evaluation->metrics["interval_upper"] = estimated.upper;

  const int64_t n = std::min(sizes.exact_images, images.size(0));
  const torch::Tensor p = reference.narrow(0, 0, n);
  const torch::Tensor q = images.narrow(0, 0, n);
  LIPSCHITZ_ASSIGN_OR_RETURN(const OptimalTransport exact,
                             SolveTransport({p, {}}, {q, {}}, Norm::kL2));
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const DualEstimate certified,
      EstimateWithCritic(*estimated.critic, p.to(context.device),
                         q.to(context.device), Norm::kL2));
  evaluation->metrics["exact_wasserstein"] = exact.value;
  evaluation->verdict = ExpectUnitConstant(certified.lipschitz_constant);
  evaluation->verdict.Update(ExpectEstimateWithin(
      certified.value, certified.lipschitz_constant, exact.value));
  evaluation->metrics["certified_over_exact"] =
      exact.value > 0.0 ? certified.value / exact.value : 1.0;
  return absl::OkStatus();
}

absl::Status InFeatures(const torch::Tensor& images,
                        const torch::Tensor& reference, int64_t neighbours,
                        Evaluation* evaluation) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const GaussianMoments real, MomentsOf(reference));
  LIPSCHITZ_ASSIGN_OR_RETURN(const GaussianMoments generated,
                             MomentsOf(images));
  LIPSCHITZ_ASSIGN_OR_RETURN(evaluation->metrics["frechet_distance"],
                             SquaredFrechetDistance(real, generated));
  LIPSCHITZ_ASSIGN_OR_RETURN(const SampleCoverage coverage,
                             MeasureCoverage(reference, images, neighbours));
  evaluation->metrics["precision"] = coverage.precision;
  evaluation->metrics["recall"] = coverage.recall;
  evaluation->metrics["density"] = coverage.density;
  evaluation->metrics["coverage"] = coverage.coverage;
  return absl::OkStatus();
}

}  // namespace

Json EvaluationSizes::ToJson() const {
  return {{"images", images},
          {"exact_images", exact_images},
          {"fresh_critic", absl::StrJoin(critic_hidden, "-")},
          {"fresh_critic_steps", critic_steps},
          {"neighbours", neighbours}};
}

absl::StatusOr<Evaluation> EvaluateImages(const torch::Tensor& images,
                                          const torch::Tensor& reference,
                                          const FeatureNetwork& features,
                                          const EvaluationSizes& sizes,
                                          const RunContext& context) {
  if (images.sizes() != reference.sizes()) {
    return absl::InvalidArgumentError(
        absl::StrCat("as many images are needed as there are real ones to "
                     "compare them with, got ",
                     images.size(0), " and ", reference.size(0)));
  }
  Evaluation evaluation;
  LIPSCHITZ_RETURN_IF_ERROR(
      Transport(images, reference, sizes, context, &evaluation));
  LIPSCHITZ_RETURN_IF_ERROR(InFeatures(features.Features(images),
                                       features.Features(reference),
                                       sizes.neighbours, &evaluation));
  evaluation.metrics["variance_ratio"] =
      MeanVariance(images) / MeanVariance(reference);
  return evaluation;
}

}  // namespace lipschitz::experiments
