#include "lipschitz/transport/frechet_distance.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"

namespace lipschitz {
namespace {

absl::Status Check(const GaussianMoments& moments) {
  const bool fits = moments.mean.defined() && moments.covariance.defined() &&
                    moments.mean.dim() == 1 && moments.mean.size(0) >= 1 &&
                    moments.covariance.dim() == 2 &&
                    moments.covariance.size(0) == moments.mean.size(0) &&
                    moments.covariance.size(1) == moments.mean.size(0);
  if (!fits) {
    return absl::InvalidArgumentError(
        "Fréchet distance: a mean must be (dim) and its covariance (dim, dim)");
  }
  if (!at::isfinite(moments.mean).all().item<bool>() ||
      !at::isfinite(moments.covariance).all().item<bool>()) {
    return absl::InvalidArgumentError(
        "Fréchet distance: the moments are not finite");
  }
  return absl::OkStatus();
}

// Of a symmetric positive semi-definite matrix. Rounding may leave eigenvalues
// just below zero.
at::Tensor Root(const at::Tensor& matrix) {
  const auto [values, vectors] = at::linalg_eigh(matrix);
  return at::mm(vectors * values.clamp_min(0).sqrt(), vectors.t());
}

}  // namespace

absl::StatusOr<GaussianMoments> MomentsOf(const at::Tensor& samples) {
  return CatchTorch(
      "moments of samples", [&]() -> absl::StatusOr<GaussianMoments> {
        if (samples.dim() != 2 || samples.size(0) < 2 || samples.size(1) < 1 ||
            !samples.is_floating_point()) {
          std::ostringstream shape;
          shape << samples.sizes();
          return absl::InvalidArgumentError(
              absl::StrCat("moments: samples must be (n, dim) of a floating "
                           "type with n at least 2, got the shape ",
                           shape.str()));
        }
        const at::Tensor x = samples.detach().to(at::kCPU, at::kDouble);
        if (!at::isfinite(x).all().item<bool>()) {
          return absl::InvalidArgumentError(
              "moments: the samples are not finite");
        }
        GaussianMoments moments;
        moments.mean = x.mean(0);
        const at::Tensor centred = x - moments.mean;
        moments.covariance =
            at::mm(centred.t(), centred) / static_cast<double>(x.size(0) - 1);
        return moments;
      });
}

absl::StatusOr<double> SquaredFrechetDistance(const GaussianMoments& p,
                                              const GaussianMoments& q) {
  return CatchTorch("Fréchet distance", [&]() -> absl::StatusOr<double> {
    LIPSCHITZ_RETURN_IF_ERROR(Check(p));
    LIPSCHITZ_RETURN_IF_ERROR(Check(q));
    if (p.mean.size(0) != q.mean.size(0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("Fréchet distance: moments of dimensions ",
                       p.mean.size(0), " and ", q.mean.size(0)));
    }
    const at::Tensor root = Root(p.covariance.to(at::kDouble));
    const at::Tensor product =
        at::mm(at::mm(root, q.covariance.to(at::kDouble)), root);
    const double cross = at::linalg_eigvalsh((product + product.t()) / 2)
                             .clamp_min(0)
                             .sqrt()
                             .sum()
                             .item<double>();
    const double distance =
        (p.mean - q.mean).to(at::kDouble).square().sum().item<double>() +
        p.covariance.trace().item<double>() +
        q.covariance.trace().item<double>() - 2.0 * cross;
    return std::max(0.0, distance);
  });
}

}  // namespace lipschitz
