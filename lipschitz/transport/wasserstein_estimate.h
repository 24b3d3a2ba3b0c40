// The Wasserstein-1 distance of two distributions from samples, from below, by
// a critic that is trained for it.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/data/random.h"
#include "lipschitz/layers/sequential.h"
#include "lipschitz/models/mlp.h"
#include "lipschitz/models/network.h"
#include "lipschitz/optim/optimizer.h"
#include "lipschitz/training/schedule.h"
#include "lipschitz/training/train.h"
#include "lipschitz/transport/c_transform.h"
#include "lipschitz/transport/dual_estimate.h"

namespace lipschitz {

// n samples, (n, dim), of any floating type, on any device.
using Sampler =
    std::function<torch::Tensor(int64_t n, const RandomSource& random)>;

// The layers of a critic of constant 1 from `norm` to |·|, whose GroupSort
// versions are universal (Anil et al. 2019, theorems 3 and 4): l2: orthonormal
// weights; linf: rows in the L1 ball; l1: entries within ±1, then rows in the
// L1 ball.
MlpConfig CriticNetwork(Norm norm, const std::vector<int64_t>& hidden,
                        const ActivationSpec& activation);

struct WassersteinConfig {
  // Of the distance between samples.
  Norm ground_norm = Norm::kL2;
  // One output. The input_dim of an MLP may be 0: that of the samples.
  NetworkConfig network =
      CriticNetwork(Norm::kL2, {128, 128, 128}, ActivationSpec::GroupSort(4));

  // The critic sees (x − c) / s: c the mean of the samples that it is trained
  // on, s the root of their mean squared distance from it over the dimension.
  // The result is in the units of the samples either way.
  bool standardise = false;

  int64_t steps = 1500;
  // Samples of each side in a step; 0: all of them, for fixed samples.
  int64_t batch_size = 256;
  OptimizerKind optimizer = OptimizerKind::kAdam;
  double learning_rate = 1e-2;
  LearningRateSchedule schedule = {ScheduleKind::kCosine, 0.1, {}, 0.0};
  double max_grad_norm = 0.0;
  // A history entry every so many steps.
  int64_t report_every = 100;

  // Shares of fixed samples: those that choose among the critics that the
  // training passes through (0: the last one it is), and those that the result
  // is estimated on. With test_share 0 the result is about the samples
  // themselves, all of them, those that trained and chose too: at most their
  // exact W1.
  double validation_share = 0.0;
  double test_share = 0.0;
  // The same of samplers, in fresh samples of each side.
  int64_t validation_samples = 0;
  int64_t test_samples = 10000;
  // The training ends where so many validations in a row, one every
  // `report_every` steps, were no better than the best; 0: never.
  int64_t patience = 0;

  // Of the interval around the estimate.
  double confidence = 0.95;
  std::string device = "cpu";
  uint64_t seed = 0;
  CheckpointOptions checkpoint;

  // The network, where it is an MLP.
  MlpConfig& mlp() { return std::get<MlpConfig>(network); }
  const MlpConfig& mlp() const { return std::get<MlpConfig>(network); }

  absl::Status Validate() const;
};

// See TrainingHooks.
struct WassersteinHooks {
  std::function<void(const TrainingProgress&)> progress;
  std::function<void(const std::string&)> notice;
  std::function<bool()> stop_requested;
  // Optional: looks at the critic, in evaluation mode, before its first step.
  std::function<absl::Status(SequentialImpl& critic)> initial;
};

struct WassersteinEstimate {
  // On the samples of the test, in their units; `estimate.LowerBound()` never
  // exceeds the exact W1 of these samples, and the expectation of the exact
  // value never that of the distributions.
  DualEstimate estimate;
  // IntervalOf `estimate` at the config's confidence, wider by its rounding.
  double lower = 0.0;
  double upper = 0.0;
  // Whether the estimate is about samples that the critic was not trained on.
  bool held_out = false;
  int64_t p_samples = 0;  // of the test
  int64_t q_samples = 0;
  int64_t p_validation_samples = 0;
  int64_t q_validation_samples = 0;

  // In evaluation mode, (n, dim) → (n, 1), of (x − shift) / scale; times scale
  // it is a critic of x with the same constant. Without standardising 0 and 1.
  Sequential critic{nullptr};
  torch::Tensor shift;  // (dim), float64
  double scale = 1.0;
  // Samples, (n, dim), as the critic takes them: float64, on the CPU.
  torch::Tensor Standardised(const torch::Tensor& x) const;

  TrainingResult training;
  // Of the critic that was chosen.
  int64_t step = 0;
};

// A bound on W1 of the samples `p`, (n, dim), and `q`, (m, dim), from the
// potentials that the critic's values, over K, lead to
// (transport/c_transform.h): those at `q` or those at `p`, whichever bound is
// the higher. In the ground norm of the estimate it is no worse than the
// critic's own, but for rounding. Any samples, in their units. Errors: as of
// TransformPotentials, and where the critic takes another dimension.
absl::StatusOr<TransformedPotentials> TransformCritic(
    const WassersteinEstimate& estimate, const torch::Tensor& p,
    const torch::Tensor& q, Norm ground_norm,
    const std::function<bool()>& stop_requested = {});

// Of two distributions: every step draws anew. The seed rules the samples; the
// critic's weights are drawn from LibTorch's default generator.
//
// Errors: a config that makes no sense; samples that are not finite or do not
// fit; what Train and EstimateWithCritic return.
absl::StatusOr<WassersteinEstimate> EstimateWasserstein(
    const Sampler& p, const Sampler& q, const WassersteinConfig& config,
    const WassersteinHooks& hooks = {});

// Of fixed samples, (n, dim) and (m, dim).
absl::StatusOr<WassersteinEstimate> EstimateWasserstein(
    const torch::Tensor& p, const torch::Tensor& q,
    const WassersteinConfig& config, const WassersteinHooks& hooks = {});

// Samples of both distributions, (n, dim) and (m, dim).
struct TwoSamples {
  torch::Tensor p;
  torch::Tensor q;
};

// Of distributions with samples for the test that are chosen already, such as
// the test images of a dataset: none of `training` are held out for it, and the
// config's test_share must be 0.
absl::StatusOr<WassersteinEstimate> EstimateWasserstein(
    const TwoSamples& training, const TwoSamples& test,
    const WassersteinConfig& config, const WassersteinHooks& hooks = {});

}  // namespace lipschitz
