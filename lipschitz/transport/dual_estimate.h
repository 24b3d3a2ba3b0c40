// The Wasserstein-1 distance from below, by a critic of proven constant.
#pragma once

#include <torch/types.h>

#include <limits>

#include "absl/status/statusor.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/base/norm.h"

namespace lipschitz {

struct DualEstimate {
  // (mean f(P) − mean f(Q)) / K, computed in float64.
  double value = 0.0;
  // How far the rounding of float64, in the critic, in the means and in up to
  // two operations on every entry of a sample before (as standardisation takes)
  // can have put `value` from what exact arithmetic gives, at most. Infinite
  // for a critic with layers whose rounding errors are not known
  // (certify/rounded_map.h lists those that are).
  double rounding = 0.0;
  // Of `value` as an estimate for the distributions that the samples are from;
  // infinite with a single sample of a side, which says nothing about how they
  // vary.
  double standard_error = 0.0;
  // Of the smaller side's variance, one less than its samples; infinite where
  // the standard error is known exactly.
  double degrees_of_freedom = std::numeric_limits<double>::infinity();
  // K: the critic's proven constant from the ground norm to |·|.
  double lipschitz_constant = 0.0;

  // value − rounding: never above W1 of the samples.
  double LowerBound() const;

  // In a unit that is `scale` times as small, rounding accounted for.
  void Rescale(double scale);
};

// `p` and `q`: (samples, dim), a sample or more each. The critic maps to
// (samples, 1). It is evaluated and bounded in float64 and in evaluation mode,
// and left as it was found.
//
// Errors: a critic with more outputs than one, or that states no bound; values
// that are not finite. A bound of 0 (a constant critic) gives the value 0.
absl::StatusOr<DualEstimate> EstimateWithCritic(LayerImpl& critic,
                                                const torch::Tensor& p,
                                                const torch::Tensor& q,
                                                Norm ground_norm);

// The values, (n), at `samples`, (n, dim) on the critic's device, of a critic
// with one output, evaluated as above.
torch::Tensor CriticValues(LayerImpl& critic, const torch::Tensor& samples);

struct Interval {
  double lower = 0.0;
  double upper = 0.0;
};

// Of the expectation of `estimate.value`, with probability `confidence` in (0,
// 1) or more: value ± t · standard error, t the quantile of Student's
// distribution with these degrees of freedom. Where the critic's values are
// normally distributed it covers at least so often with any number of samples
// (M. R. Mickey and M. B. Brown, "Bounds on the distribution functions of the
// Behrens-Fisher statistic", 1966; Welch's degrees of freedom would promise too
// much with two or three on one side), else in the limit of many. With half of
// the remaining probability for an error, its lower end is a lower bound on W1
// of the distributions that the samples are from, where the critic does not
// depend on the samples. Of float64's rounding it knows nothing.
Interval IntervalOf(const DualEstimate& estimate, double confidence);

}  // namespace lipschitz
