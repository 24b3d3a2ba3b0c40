// How far two vectors agree on which of their entries are large.
#pragma once

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"

namespace lipschitz {

// The ranks, from 1, of the entries of every row of values (n, d): (n, d),
// float64. Equal entries share the mean of their ranks.
at::Tensor AverageRanks(const at::Tensor& values);

// Spearman's correlation of every row of a with the same row of b, both (n, d),
// n and d at least 1: (n), float64, in [−1, 1]. That is Pearson's correlation
// of their ranks (C. Spearman, "The Proof and Measurement of Association
// between Two Things", 1904; ties as M. G. Kendall, "The Treatment of Ties in
// Ranking Problems", Biometrika 33, 1945). NaN where all entries of a row are
// equal.
//
// InvalidArgument for other shapes, and where an entry is not a number.
absl::StatusOr<at::Tensor> RankCorrelations(const at::Tensor& a,
                                            const at::Tensor& b);

}  // namespace lipschitz
