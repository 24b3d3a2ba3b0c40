#include "lipschitz/transport/wasserstein_estimate.h"

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/evaluation_mode.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/batches.h"
#include "lipschitz/losses/dual_wasserstein.h"
#include "lipschitz/optim/optimizer.h"
#include "lipschitz/transport/best_so_far.h"
#include "lipschitz/transport/empirical_measure.h"

namespace lipschitz {
namespace {

// Independent streams of random numbers of one seed: of samplers ...
constexpr uint64_t kTrainingStream = 1;
constexpr uint64_t kTestStream = 2;
constexpr uint64_t kValidationStream = 3;
constexpr uint64_t kStandardiseStream = 5;
// ... and of fixed samples.
constexpr uint64_t kPBatchStream = 1;
constexpr uint64_t kQBatchStream = 3;
constexpr uint64_t kSplitStream = 4;

constexpr int64_t kStandardiseSamples = 4096;

// Undefined samples are none.
bool IsEmpty(const TwoSamples& samples) { return !samples.p.defined(); }

// Where samples are kept, split and standardised, whatever the critic's device.
// They are constants: no gradient reaches them.
TwoSamples OnCpu(const TwoSamples& samples) {
  if (IsEmpty(samples)) return samples;
  return {samples.p.detach().to(torch::kCPU),
          samples.q.detach().to(torch::kCPU)};
}

// x ↦ (x − shift) / scale.
struct Standardisation {
  torch::Tensor shift;
  double scale = 1.0;

  torch::Tensor Apply(const torch::Tensor& x) const {
    // In place, in a copy of its own: x may be large.
    return x.to(torch::kDouble, /*non_blocking=*/false, /*copy=*/true)
        .sub_(shift)
        .div_(scale);
  }
  TwoSamples Apply(const TwoSamples& samples) const {
    if (IsEmpty(samples)) return samples;
    return {Apply(samples.p), Apply(samples.q)};
  }
};

absl::StatusOr<Standardisation> MakeStandardisation(const TwoSamples& samples,
                                                    bool standardise) {
  const int64_t dim = samples.p.size(1);
  Standardisation result;
  result.shift = torch::zeros({dim}, torch::kDouble);
  if (!standardise) return result;
  // The one copy in float64, worked on in place: samples may be large.
  const int64_t n = samples.p.size(0);
  const int64_t m = samples.q.size(0);
  torch::Tensor all = torch::empty({n + m, dim}, torch::kDouble);
  all.narrow(0, 0, n).copy_(samples.p);
  all.narrow(0, n, m).copy_(samples.q);
  result.shift = all.mean(0);
  result.scale = all.sub_(result.shift).square_().mean().sqrt().item<double>();
  if (result.scale == 0.0) result.scale = 1.0;  // all samples are the same
  if (!std::isfinite(result.scale)) {
    return absl::InvalidArgumentError(
        "the samples' mean squared distance from their mean overflows");
  }
  return result;
}

// What the estimate is made from, standardised.
struct Source {
  int64_t dim = 0;
  Standardisation standardisation;
  // The samples of a step.
  std::function<TwoSamples(int64_t step, const RandomSource& random)> training;
  TwoSamples validation;  // may be empty
  TwoSamples test;
  bool held_out = true;
};

absl::Status CheckFinite(const TwoSamples& samples) {
  return NormalisedPair({samples.p, {}}, {samples.q, {}}).status();
}

absl::StatusOr<Source> FromSamplers(const Sampler& p, const Sampler& q,
                                    const WassersteinConfig& config) {
  if (config.batch_size < 1 || config.test_samples < 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "samplers need a batch_size and test_samples of at least 1, got ",
        config.batch_size, " and ", config.test_samples));
  }
  const auto draw = [p, q](int64_t n,
                           const RandomSource& random) -> TwoSamples {
    const torch::Tensor from_p = p(n, random);
    return OnCpu({from_p, q(n, random)});
  };
  const auto draw_fresh = [&](int64_t n, uint64_t stream) -> TwoSamples {
    if (n == 0) return {};
    return draw(n, RandomSource(StreamSeed(config.seed, stream)));
  };
  Source source;
  const TwoSamples test = draw_fresh(config.test_samples, kTestStream);
  const TwoSamples validation =
      draw_fresh(config.validation_samples, kValidationStream);
  LIPSCHITZ_RETURN_IF_ERROR(CheckFinite(test));
  if (!IsEmpty(validation)) LIPSCHITZ_RETURN_IF_ERROR(CheckFinite(validation));
  LIPSCHITZ_ASSIGN_OR_RETURN(
      source.standardisation,
      MakeStandardisation(config.standardise ? draw_fresh(kStandardiseSamples,
                                                          kStandardiseStream)
                                             : test,
                          config.standardise));
  source.dim = test.p.size(1);
  source.test = source.standardisation.Apply(test);
  source.validation = source.standardisation.Apply(validation);
  source.training = [draw, batch_size = config.batch_size,
                     standardisation = source.standardisation](
                        int64_t /*step*/, const RandomSource& random) {
    return standardisation.Apply(draw(batch_size, random));
  };
  return source;
}

// The rows of one side by what they are for.
struct Parts {
  torch::Tensor training;
  torch::Tensor validation;
  torch::Tensor test;
};

absl::StatusOr<Parts> SplitRows(const torch::Tensor& rows,
                                const WassersteinConfig& config,
                                const RandomSource& random,
                                const std::string& name) {
  const int64_t n = rows.size(0);
  const auto share = [n](double of) {
    return static_cast<int64_t>(std::llround(of * static_cast<double>(n)));
  };
  const int64_t test = share(config.test_share);
  const int64_t validation = share(config.validation_share);
  const bool too_few = (config.test_share > 0.0 && test == 0) ||
                       (config.validation_share > 0.0 && validation == 0) ||
                       test + validation >= n;
  if (too_few) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": ", n, " samples are too few for the shares ",
                     config.validation_share, " (validation) and ",
                     config.test_share, " (test)"));
  }
  if (test + validation == 0) return Parts{rows, {}, {}};
  const torch::Tensor order = torch::randperm(n, random.generator());
  const auto take = [&](int64_t first, int64_t count) {
    return count == 0 ? torch::Tensor()
                      : rows.index_select(0, order.narrow(0, first, count));
  };
  return Parts{take(test + validation, n - test - validation),
               take(test, validation), take(0, test)};
}

// Draws batches from the rows of one side and standardises them: a batch at a
// time, since all rows in float64 take twice the memory, but once where every
// batch has all of them.
absl::StatusOr<std::function<torch::Tensor(int64_t)>> BatchesOf(
    const torch::Tensor& rows, const Standardisation& standardisation,
    int64_t batch_size, uint64_t seed) {
  if (batch_size == 0 || batch_size >= rows.size(0)) {
    return [all = standardisation.Apply(rows)](int64_t) { return all; };
  }
  BatchesConfig config;
  config.size = rows.size(0);
  config.batch_size = batch_size;
  config.seed = seed;
  config.drop_last = true;
  LIPSCHITZ_ASSIGN_OR_RETURN(Batches batches, Batches::Create(config));
  const auto shared = std::make_shared<Batches>(std::move(batches));
  return [rows, standardisation, shared](int64_t step) {
    return standardisation.Apply(rows.index_select(0, shared->At(step)));
  };
}

// `test` may be empty: then it is the config's share of `all`, or all of them.
absl::StatusOr<Source> FromSamples(const TwoSamples& all,
                                   const TwoSamples& test,
                                   const WassersteinConfig& config) {
  LIPSCHITZ_RETURN_IF_ERROR(CheckFinite(all));
  const RandomSource random(StreamSeed(config.seed, kSplitStream));
  LIPSCHITZ_ASSIGN_OR_RETURN(const Parts of_p,
                             SplitRows(all.p, config, random, "P"));
  LIPSCHITZ_ASSIGN_OR_RETURN(const Parts of_q,
                             SplitRows(all.q, config, random, "Q"));
  Source source;
  source.dim = all.p.size(1);
  LIPSCHITZ_ASSIGN_OR_RETURN(
      source.standardisation,
      MakeStandardisation({of_p.training, of_q.training}, config.standardise));
  source.validation = source.standardisation.Apply(
      TwoSamples{of_p.validation, of_q.validation});
  const TwoSamples held_out =
      IsEmpty(test) ? TwoSamples{of_p.test, of_q.test} : test;
  source.held_out = !IsEmpty(held_out);
  source.test = source.standardisation.Apply(source.held_out ? held_out : all);
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const auto batch_p,
      BatchesOf(of_p.training, source.standardisation, config.batch_size,
                StreamSeed(config.seed, kPBatchStream)));
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const auto batch_q,
      BatchesOf(of_q.training, source.standardisation, config.batch_size,
                StreamSeed(config.seed, kQBatchStream)));
  source.training = [batch_p, batch_q](int64_t step, const RandomSource&) {
    return TwoSamples{batch_p(step), batch_q(step)};
  };
  return source;
}

absl::StatusOr<WassersteinEstimate> Estimate(const Source& source,
                                             const WassersteinConfig& config,
                                             const WassersteinHooks& hooks) {
  if (source.held_out) {
    for (const auto& [name, samples] :
         {std::pair("P", source.test.p), std::pair("Q", source.test.q)}) {
      if (samples.size(0) < 2) {
        return absl::InvalidArgumentError(absl::StrCat(
            name, " has ", samples.size(0),
            " held-out sample, and an interval needs two of each side: give "
            "more samples or a larger test share, or a test share of 0 for a "
            "statement about the samples alone; of samplers, more "
            "test_samples"));
      }
    }
  }
  if (config.patience > 0 && IsEmpty(source.validation)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a patience of ", config.patience,
        " needs validation samples to lose it over: give a validation share "
        "(of samplers, validation_samples), or leave the patience out"));
  }
  NetworkConfig network = config.network;
  if (auto* mlp = std::get_if<MlpConfig>(&network);
      mlp != nullptr && mlp->input_dim == 0) {
    mlp->input_dim = source.dim;
  }
  if (InputDim(network) != source.dim) {
    return absl::InvalidArgumentError(
        absl::StrCat("the critic takes inputs of dimension ", InputDim(network),
                     ", the samples have ", source.dim));
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(Sequential critic, MakeNetwork(network));
  const torch::Device device(config.device);
  const auto on_device = [&](const torch::Tensor& x) { return x.to(device); };
  critic->to(device);
  if (hooks.initial) {
    const EvaluationMode evaluation(*critic);
    LIPSCHITZ_RETURN_IF_ERROR(hooks.initial(*critic));
  }
  BestSoFar model(critic.ptr());
  const auto optimizer = MakeOptimizer(config.optimizer, critic->parameters(),
                                       config.learning_rate);
  RandomSource random(StreamSeed(config.seed, kTrainingStream));

  const auto estimate_on = [&](const TwoSamples& samples) {
    return EstimateWithCritic(*critic, on_device(samples.p),
                              on_device(samples.q), config.ground_norm);
  };

  TrainingOptions options;
  options.steps = config.steps;
  options.learning_rate = config.learning_rate;
  options.schedule = config.schedule;
  options.max_grad_norm = config.max_grad_norm;
  options.report_every = config.report_every;
  options.checkpoint = config.checkpoint;

  TrainingHooks training_hooks;
  training_hooks.loss = [&](int64_t step) -> absl::StatusOr<torch::Tensor> {
    const TwoSamples samples = source.training(step, random);
    const int64_t n = samples.p.size(0);
    // One forward pass: the constrained weights are computed once.
    const torch::Tensor values =
        critic
            ->forward(
                on_device(torch::cat({samples.p, samples.q}).to(torch::kFloat)))
            .squeeze(1);
    return DualWassersteinLoss(values.narrow(0, 0, n),
                               values.narrow(0, n, samples.q.size(0)));
  };
  if (!IsEmpty(source.validation)) {
    training_hooks.report = [&](int64_t step) -> absl::StatusOr<Metrics> {
      LIPSCHITZ_ASSIGN_OR_RETURN(const DualEstimate validated,
                                 estimate_on(source.validation));
      model.Score(validated.value, step);
      return Metrics{{"validation_estimate",
                      validated.value * source.standardisation.scale}};
    };
    training_hooks.converged = [&] {
      return config.patience > 0 &&
             model.scores_since_best() >= config.patience;
    };
  }
  training_hooks.progress = hooks.progress;
  training_hooks.notice = hooks.notice;
  training_hooks.stop_requested = hooks.stop_requested;

  WassersteinEstimate result;
  LIPSCHITZ_ASSIGN_OR_RETURN(result.training, Train(model, *optimizer, random,
                                                    options, training_hooks));
  result.step = result.training.steps;
  if (model.best_step() > 0) {
    model.Restore();
    model.AfterTraining();
    result.step = model.best_step();
  }

  LIPSCHITZ_ASSIGN_OR_RETURN(result.estimate, estimate_on(source.test));
  const double scale = source.standardisation.scale;
  result.estimate.Rescale(scale);
  const Interval interval = IntervalOf(result.estimate, config.confidence);
  result.lower = interval.lower - result.estimate.rounding;
  result.upper = interval.upper + result.estimate.rounding;
  result.held_out = source.held_out;
  result.p_samples = source.test.p.size(0);
  result.q_samples = source.test.q.size(0);
  if (!IsEmpty(source.validation)) {
    result.p_validation_samples = source.validation.p.size(0);
    result.q_validation_samples = source.validation.q.size(0);
  }
  critic->eval();
  result.critic = critic;
  result.shift = source.standardisation.shift;
  result.scale = scale;
  return result;
}

}  // namespace

MlpConfig CriticNetwork(Norm norm, const std::vector<int64_t>& hidden,
                        const ActivationSpec& activation) {
  MlpConfig network;
  network.hidden = hidden;
  network.activation = activation;
  network.constraint.kind =
      norm == Norm::kL2 ? ConstraintKind::kStiefel : ConstraintKind::kLinfRows;
  if (norm == Norm::kL1) {
    network.constraints.assign(hidden.size() + 1, network.constraint);
    network.constraints[0].kind = ConstraintKind::kL1ToLinf;
  }
  return network;
}

torch::Tensor WassersteinEstimate::Standardised(const torch::Tensor& x) const {
  return Standardisation{shift, scale}.Apply(x.to(torch::kCPU));
}

absl::StatusOr<TransformedPotentials> TransformCritic(
    const WassersteinEstimate& estimate, const torch::Tensor& p,
    const torch::Tensor& q, Norm ground_norm,
    const std::function<bool()>& stop_requested) {
  return CatchTorch(
      "c-transform of the critic",
      [&]() -> absl::StatusOr<TransformedPotentials> {
        LIPSCHITZ_RETURN_IF_ERROR(CheckFinite({p, q}));
        if (q.size(1) != estimate.shift.size(0)) {
          return absl::InvalidArgumentError(absl::StrCat(
              "the critic takes inputs of dimension ", estimate.shift.size(0),
              ", the samples have ", q.size(1)));
        }
        Sequential critic = estimate.critic;
        const double constant = estimate.estimate.lipschitz_constant;
        const auto parameters = critic->parameters();
        const torch::Device device =
            parameters.empty() ? torch::kCPU : parameters[0].device();
        const auto values_at = [&](const torch::Tensor& x) {
          const torch::Tensor values =
              CriticValues(*critic, estimate.Standardised(x).to(device));
          // A constant critic has K = 0.
          return constant > 0.0 ? values * (estimate.scale / constant) : values;
        };
        LIPSCHITZ_ASSIGN_OR_RETURN(
            TransformedPotentials from_q,
            TransformPotentials({p, {}}, {q, {}}, values_at(q), ground_norm,
                                stop_requested));
        // −f is a critic of Q and P.
        LIPSCHITZ_ASSIGN_OR_RETURN(
            TransformedPotentials from_p,
            TransformPotentials({q, {}}, {p, {}}, -values_at(p), ground_norm,
                                stop_requested));
        if (from_q.lower_bound >= from_p.lower_bound) return from_q;
        std::swap(from_p.p, from_p.q);
        from_p.p.neg_();
        from_p.q.neg_();
        return from_p;
      });
}

absl::Status WassersteinConfig::Validate() const {
  const auto is_share = [](double share) {
    return share >= 0.0 && share < 1.0;
  };
  if (!is_share(validation_share) || !is_share(test_share) ||
      validation_share + test_share >= 1.0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "validation_share and test_share must be in [0, 1) and leave samples "
        "to train on, got ",
        validation_share, " and ", test_share));
  }
  if (batch_size < 0 || validation_samples < 0 || patience < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "batch_size, validation_samples and patience must not be negative, "
        "got ",
        batch_size, ", ", validation_samples, " and ", patience));
  }
  if (!(confidence > 0.0 && confidence < 1.0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("confidence must be between 0 and 1, got ", confidence));
  }
  if (!(learning_rate > 0.0) || !std::isfinite(learning_rate)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "learning_rate must be positive and finite, got ", learning_rate));
  }
  if (OutputDim(network) != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a critic has one output, the network has ", OutputDim(network)));
  }
  return absl::OkStatus();
}

absl::StatusOr<WassersteinEstimate> EstimateWasserstein(
    const Sampler& p, const Sampler& q, const WassersteinConfig& config,
    const WassersteinHooks& hooks) {
  LIPSCHITZ_RETURN_IF_ERROR(config.Validate());
  return CatchTorch("Wasserstein estimate",
                    [&]() -> absl::StatusOr<WassersteinEstimate> {
                      LIPSCHITZ_ASSIGN_OR_RETURN(const Source source,
                                                 FromSamplers(p, q, config));
                      return Estimate(source, config, hooks);
                    });
}

absl::StatusOr<WassersteinEstimate> EstimateWasserstein(
    const torch::Tensor& p, const torch::Tensor& q,
    const WassersteinConfig& config, const WassersteinHooks& hooks) {
  LIPSCHITZ_RETURN_IF_ERROR(config.Validate());
  return CatchTorch("Wasserstein estimate",
                    [&]() -> absl::StatusOr<WassersteinEstimate> {
                      LIPSCHITZ_ASSIGN_OR_RETURN(
                          const Source source,
                          FromSamples(OnCpu({p, q}), /*test=*/{}, config));
                      return Estimate(source, config, hooks);
                    });
}

absl::StatusOr<WassersteinEstimate> EstimateWasserstein(
    const TwoSamples& training, const TwoSamples& test,
    const WassersteinConfig& config, const WassersteinHooks& hooks) {
  LIPSCHITZ_RETURN_IF_ERROR(config.Validate());
  if (config.test_share != 0.0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "test_share must be 0 where the samples of the test are given, got ",
        config.test_share));
  }
  return CatchTorch(
      "Wasserstein estimate", [&]() -> absl::StatusOr<WassersteinEstimate> {
        LIPSCHITZ_RETURN_IF_ERROR(WithContext(CheckFinite(test), "test"));
        LIPSCHITZ_RETURN_IF_ERROR(CheckFinite(training));
        if (test.p.size(1) != training.p.size(1)) {
          return absl::InvalidArgumentError(absl::StrCat(
              "the samples of the training have dimension ", training.p.size(1),
              ", those of the test ", test.p.size(1)));
        }
        LIPSCHITZ_ASSIGN_OR_RETURN(
            const Source source,
            FromSamples(OnCpu(training), OnCpu(test), config));
        return Estimate(source, config, hooks);
      });
}

}  // namespace lipschitz
