#include "experiments/transport_accuracy/transport_accuracy.h"

#include <torch/types.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "experiments/common/image_data.h"
#include "lipschitz/base/status.h"
#include "lipschitz/optim/optimizer.h"
#include "lipschitz/transport/c_transform.h"
#include "lipschitz/transport/exact_wasserstein.h"

namespace lipschitz::experiments {
namespace {

constexpr uint64_t kSampleStream = 21;

// A mixture of so many Gaussians, all equally likely. The centres are standard
// normal and follow from the seed alone.
constexpr int64_t kComponents = 4;
constexpr double kComponentDeviation = 0.5;

torch::Tensor MixtureSamples(int64_t n, int64_t dim,
                             const RandomSource& random) {
  const torch::Tensor centres =
      torch::randn({kComponents, dim}, random.generator());
  const torch::Tensor component = torch::randint(
      kComponents, {n}, random.generator(), torch::TensorOptions(torch::kLong));
  return centres.index_select(0, component) +
         kComponentDeviation * torch::randn({n, dim}, random.generator());
}

// n of the images whose class is below 5, or of the others, (n, pixels).
absl::StatusOr<torch::Tensor> HalfOf(const LabelledImages& images, bool lower,
                                     int64_t n, const RandomSource& random) {
  const torch::Tensor mine =
      (lower ? images.labels < 5 : images.labels >= 5).nonzero().squeeze(1);
  if (mine.numel() < n) {
    return absl::InvalidArgumentError(absl::StrCat(
        "needs ", n, " training images of the classes ",
        lower ? "0 to 4" : "5 to 9", ", there are ", mine.numel()));
  }
  const torch::Tensor chosen = mine.index_select(
      0, torch::randperm(mine.numel(), random.generator()).narrow(0, 0, n));
  LabelledImages half;
  half.images = images.images.index_select(0, chosen);
  half.labels = images.labels.index_select(0, chosen);
  return FlatPixels(half);
}

absl::StatusOr<CriticProblem> WithExact(torch::Tensor p, torch::Tensor q) {
  CriticProblem problem;
  problem.p_samples = std::move(p);
  problem.q_samples = std::move(q);
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const OptimalTransport optimum,
      SolveTransport({problem.p_samples, {}}, {problem.q_samples, {}},
                     Norm::kL2));
  problem.exact = optimum.value;
  return problem;
}

// How far a transform's bound may be above the exact value, relative to it: the
// gap of the latter is below 1e-9 of the largest distance.
constexpr double kExactAllowance = 1e-8;

constexpr char kOfCritic[] = "c_transform_over_exact";
constexpr char kOfZero[] = "c_transform_of_zero_over_exact";

// What the c-transform of the critic proves about the samples, and, to judge
// that by, what the one of no critic at all does.
absl::Status AddTransforms(const CriticProblem& problem,
                           const WassersteinEstimate& estimate,
                           RunOutcome* outcome) {
  const torch::Tensor& p = problem.p_samples;
  const torch::Tensor& q = problem.q_samples;
  LIPSCHITZ_ASSIGN_OR_RETURN(const TransformedPotentials of_critic,
                             TransformCritic(estimate, p, q, Norm::kL2));
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const TransformedPotentials of_zero,
      TransformPotentials({p, {}}, {q, {}}, torch::zeros({q.size(0)}),
                          Norm::kL2));
  for (const auto& [metric, transformed] :
       {std::pair(kOfCritic, &of_critic), std::pair(kOfZero, &of_zero)}) {
    const double share = transformed->lower_bound / problem.exact;
    outcome->metrics[metric] = share;
    if (!(share <= 1.0 + kExactAllowance)) {
      outcome->verdict = absl::FailedPreconditionError(
          absl::StrFormat("certificate broken: %s is %.12g", metric, share));
    }
  }
  return absl::OkStatus();
}

std::vector<int64_t> Layers(size_t count, int64_t width) {
  return std::vector<int64_t>(count, width);
}

struct Data {
  std::string name;
  std::string dataset;
  // Of the paper preset; few inputs want small steps.
  std::vector<int64_t> paper_hidden;
  double paper_rate = 0.0;
  std::function<absl::StatusOr<CriticProblem>(uint64_t seed)> problem;
};

std::vector<Data> AllData(std::shared_ptr<const ImageDataset> images,
                          int64_t n) {
  std::vector<Data> all;
  for (const int64_t dim : {2, 16}) {
    all.push_back({absl::StrCat("mixtures_", dim, "d"), "",
                   dim == 2 ? Layers(7, 128) : Layers(8, 256),
                   dim == 2 ? 0.01 : 0.02, [dim, n](uint64_t seed) {
                     const RandomSource random(StreamSeed(seed, kSampleStream));
                     const torch::Tensor p = MixtureSamples(n, dim, random);
                     return WithExact(p, MixtureSamples(n, dim, random));
                   }});
  }
  all.push_back({absl::StrCat(images->name, "_halves"), images->name,
                 Layers(8, 256), /*paper_rate=*/0.05,
                 [images, n](uint64_t seed) -> absl::StatusOr<CriticProblem> {
                   const RandomSource random(StreamSeed(seed, kSampleStream));
                   LIPSCHITZ_ASSIGN_OR_RETURN(
                       torch::Tensor p, HalfOf(images->train, true, n, random));
                   LIPSCHITZ_ASSIGN_OR_RETURN(
                       torch::Tensor q,
                       HalfOf(images->train, false, n, random));
                   return WithExact(std::move(p), std::move(q));
                 }});
  return all;
}

void SetSizes(Preset preset, const Data& data, WassersteinConfig* config) {
  config->batch_size = 0;
  config->optimizer = OptimizerKind::kMuon;
  config->learning_rate = 0.1;
  switch (preset) {
    case Preset::kSmoke:
      config->mlp().hidden = {16, 16};
      config->steps = 40;
      break;
    case Preset::kQuick:
      config->mlp().hidden = Layers(3, 256);
      config->steps = 200;
      break;
    case Preset::kPaper:
      config->mlp().hidden = data.paper_hidden;
      config->steps = 1000;
      config->learning_rate = data.paper_rate;
      break;
  }
}

}  // namespace

absl::StatusOr<std::vector<CriticRun>> TransportAccuracyExperiment::Runs(
    const CommonSettings& common) const {
  struct Variant {
    const char* constraint;
    const char* activation;
  };
  static constexpr Variant kVariants[] = {
      {"stiefel", "relu"},       {"stiefel", "maxmin"},
      {"stiefel", "groupsort4"}, {"stiefel", "fullsort"},
      {"spectral", "fullsort"},  {"none", "relu"}};
  const bool smoke = common.preset == Preset::kSmoke;
  const int64_t samples = smoke ? 32 : 512;
  LIPSCHITZ_ASSIGN_OR_RETURN(const auto images, LoadImages(common));
  std::vector<CriticRun> runs;
  for (const Data& data : AllData(images, samples)) {
    for (const Variant& variant : kVariants) {
      CriticRun run;
      run.variant = {{"activation", variant.activation},
                     {"constraint", variant.constraint},
                     {"samples", data.name}};
      run.slug = absl::StrCat(data.name, "-", variant.constraint, "-",
                              variant.activation);
      run.dataset = data.dataset;
      if (!data.dataset.empty()) run.notes = images->notes;
      run.problem_config = {{"samples", samples}};
      run.problem = data.problem;
      run.examine = AddTransforms;
      SetSizes(common.preset, data, &run.config);
      LIPSCHITZ_ASSIGN_OR_RETURN(run.config.mlp().activation,
                                 ParseActivation(variant.activation));
      LIPSCHITZ_ASSIGN_OR_RETURN(run.config.mlp().constraint.kind,
                                 ParseConstraint(variant.constraint));
      runs.push_back(std::move(run));
    }
  }
  return runs;
}

std::vector<std::pair<std::string, Column>>
TransportAccuracyExperiment::more_metrics() const {
  return {{kOfCritic, {"c-transform / exact", {5, true}, Better::kHigher}},
          {kOfZero, {"c-transform of 0 / exact", {5, true}}}};
}

std::string TransportAccuracyExperiment::more_notes() const {
  return "c-transform: the bound on W1 of these samples that the critic's "
         "values at those of Q or of P lead to, and, of 0, the values of no "
         "critic. ";
}

}  // namespace lipschitz::experiments
