#include "lipschitz/data/spherical_shells.h"

#include <ATen/ATen.h>

#include <cmath>

#include "absl/strings/str_cat.h"

namespace lipschitz {

absl::Status SphericalShells::Validate() const {
  if (dim < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("spherical shells: dim must be at least 1, got ", dim));
  }
  if (!(radius >= 0.0) || !std::isfinite(radius)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "spherical shells: the radius must not be negative, got ", radius));
  }
  if (centres.empty()) {
    return absl::InvalidArgumentError(
        "spherical shells: needs at least one centre");
  }
  for (const double centre : centres) {
    if (!std::isfinite(centre)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "spherical shells: the centre ", centre, " is not finite"));
    }
  }
  return absl::OkStatus();
}

at::Tensor SphericalShells::Sample(int64_t samples,
                                   const RandomSource& random) const {
  const auto options = at::TensorOptions().dtype(at::kFloat);
  at::Tensor x;
  if (dim == 1) {
    x = at::randint(2, {samples, 1}, random.generator(), options) * 2 - 1;
  } else {
    x = at::randn({samples, dim}, random.generator(), options);
    x = x / x.norm(2, /*dim=*/1, /*keepdim=*/true);
  }
  x = x * radius;
  // One centre needs no draw.
  if (centres.size() == 1) {
    x.select(1, 0).add_(centres[0]);
  } else {
    const auto count = static_cast<int64_t>(centres.size());
    const at::Tensor index =
        balanced ? at::arange(samples, options.dtype(at::kLong)) % count
                 : at::randint(count, {samples}, random.generator(),
                               options.dtype(at::kLong));
    x.select(1, 0).add_(at::tensor(at::ArrayRef<double>(centres), options)
                            .index_select(0, index));
  }
  return x;
}

}  // namespace lipschitz
