// The Fréchet distance between samples.
#pragma once

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"

namespace lipschitz {

// Float64, on the CPU.
struct GaussianMoments {
  at::Tensor mean;        // (dim)
  at::Tensor covariance;  // (dim, dim), symmetric positive semi-definite
};

// Mean and unbiased covariance of samples, (n, dim), n ≥ 2, of any floating
// type. InvalidArgument for other shapes and values that are not finite.
absl::StatusOr<GaussianMoments> MomentsOf(const at::Tensor& samples);

// ‖m_p − m_q‖² + tr(C_p + C_q − 2 (C_p^{1/2} C_q C_p^{1/2})^{1/2}): the squared
// Wasserstein-2 distance of the Gaussians with these moments (D. C. Dowson and
// B. V. Landau, "The Fréchet distance between multivariate normal
// distributions", 1982). It is this square that M. Heusel et al. (2017) take in
// the features of Inception and that is known as FID; in other features it is
// another number. At least 0, and right to about 1e-8 of the traces (rounded
// eigenvalues near zero have large roots); where the covariances are estimated
// from n samples, biased upwards by about dim/n of their trace.
//
// InvalidArgument for moments of different dimensions or that are not finite.
absl::StatusOr<double> SquaredFrechetDistance(const GaussianMoments& p,
                                              const GaussianMoments& q);

}  // namespace lipschitz
