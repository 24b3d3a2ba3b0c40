// How well generated samples cover real ones, and are like them, by nearest
// neighbours.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/statusor.h"

namespace lipschitz {

// The ball of a sample reaches to its k-th nearest neighbour among the other
// samples of its own side, in l2, and is closed.
//
// Precision and recall are those of T. Kynkäänniemi et al., "Improved Precision
// and Recall Metric for Assessing Generative Models" (NeurIPS 2019); density
// and coverage, less sensitive to outliers, those of M. F. Naeem et al.,
// "Reliable Fidelity and Diversity Metrics for Generative Models" (ICML 2020).
struct SampleCoverage {
  // The share of the generated samples that are in the ball of a real one, and
  // of the real samples that are in the ball of a generated one.
  double precision = 0.0;
  double recall = 0.0;
  // In how many balls of real samples a generated one is, on average, over k:
  // about 1 where both are of one distribution, and possibly more.
  double density = 0.0;
  // The share of the real samples whose ball has a generated one. For samples
  // of equal number of one distribution it is near 1 − 2^−k.
  double coverage = 0.0;
};

// `real`: (n, dim), `generated`: (m, dim), finite, more than k ≥ 1 samples
// each; else InvalidArgument. In float64; O((n + m)² dim) operations, and
// memory for a thousand rows of distances at a time.
absl::StatusOr<SampleCoverage> MeasureCoverage(const at::Tensor& real,
                                               const at::Tensor& generated,
                                               int64_t k = 5);

}  // namespace lipschitz
