#include "lipschitz/transport/sample_coverage.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/pairwise_distances.h"
#include "lipschitz/base/status.h"

namespace lipschitz {
namespace {

constexpr int64_t kRowsAtATime = 1000;

absl::Status Check(const at::Tensor& samples, int64_t k,
                   const std::string& name) {
  if (samples.dim() != 2 || samples.size(1) < 1 ||
      !samples.is_floating_point()) {
    std::ostringstream shape;
    shape << samples.sizes();
    return absl::InvalidArgumentError(absl::StrCat(
        "coverage: the ", name,
        " samples must be (n, dim) of a floating type, got the shape ",
        shape.str()));
  }
  if (k < 1 || samples.size(0) <= k) {
    return absl::InvalidArgumentError(absl::StrCat(
        "coverage: needs k of at least 1 and more samples than k, got ", k,
        " and ", samples.size(0), " ", name, " ones"));
  }
  if (!at::isfinite(samples).all().item<bool>()) {
    return absl::InvalidArgumentError(
        absl::StrCat("coverage: the ", name, " samples are not finite"));
  }
  return absl::OkStatus();
}

// (n): the distance of each sample from its k-th nearest other one.
at::Tensor Radii(const at::Tensor& x, int64_t k) {
  std::vector<at::Tensor> radii;
  for (int64_t first = 0; first < x.size(0); first += kRowsAtATime) {
    const int64_t rows = std::min(kRowsAtATime, x.size(0) - first);
    at::Tensor distances =
        PairwiseDistances(x.narrow(0, first, rows), x, Norm::kL2);
    // Not itself, whatever else is at the same place.
    distances.diagonal(first).fill_(-1.0);
    radii.push_back(std::get<0>(distances.kthvalue(k + 1, /*dim=*/1)));
  }
  return at::cat(radii);
}

}  // namespace

absl::StatusOr<SampleCoverage> MeasureCoverage(const at::Tensor& real,
                                               const at::Tensor& generated,
                                               int64_t k) {
  return CatchTorch("coverage", [&]() -> absl::StatusOr<SampleCoverage> {
    LIPSCHITZ_RETURN_IF_ERROR(Check(real, k, "real"));
    LIPSCHITZ_RETURN_IF_ERROR(Check(generated, k, "generated"));
    if (real.size(1) != generated.size(1)) {
      return absl::InvalidArgumentError(
          absl::StrCat("coverage: samples of dimensions ", real.size(1),
                       " and ", generated.size(1)));
    }
    const at::Tensor x = real.detach().to(at::kCPU, at::kDouble);
    const at::Tensor y = generated.detach().to(at::kCPU, at::kDouble);
    const at::Tensor real_radii = Radii(x, k);
    const at::Tensor generated_radii = Radii(y, k);
    // Of every generated sample: in how many balls it is.
    at::Tensor balls = at::zeros({y.size(0)}, at::kLong);
    int64_t covered = 0;
    int64_t recalled = 0;
    for (int64_t first = 0; first < x.size(0); first += kRowsAtATime) {
      const int64_t rows = std::min(kRowsAtATime, x.size(0) - first);
      const at::Tensor distances =
          PairwiseDistances(x.narrow(0, first, rows), y, Norm::kL2);
      const at::Tensor inside =
          distances <= real_radii.narrow(0, first, rows).unsqueeze(1);
      balls += inside.sum(0);
      covered += inside.any(1).sum().item<int64_t>();
      recalled += (distances <= generated_radii.unsqueeze(0))
                      .any(1)
                      .sum()
                      .item<int64_t>();
    }
    const auto n = static_cast<double>(x.size(0));
    const auto m = static_cast<double>(y.size(0));
    SampleCoverage result;
    result.precision =
        static_cast<double>((balls > 0).sum().item<int64_t>()) / m;
    result.recall = static_cast<double>(recalled) / n;
    result.density = static_cast<double>(balls.sum().item<int64_t>()) /
                     (static_cast<double>(k) * m);
    result.coverage = static_cast<double>(covered) / n;
    return result;
  });
}

}  // namespace lipschitz
