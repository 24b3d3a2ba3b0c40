#include "lipschitz/attacks/feasible_set.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include <cmath>
#include <limits>
#include <vector>

#include "lipschitz/attacks/l2_ball_kernel.h"

namespace lipschitz {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

at::Tensor Next(const at::Tensor& values, double towards) {
  return at::nextafter(values, at::full({}, towards, values.options()));
}

// Float64 values as the next of the type that are not below (not above) them.
at::Tensor RoundUp(const at::Tensor& values, at::ScalarType type) {
  const at::Tensor rounded = values.to(type);
  return at::where(rounded.to(at::kDouble) < values, Next(rounded, kInfinity),
                   rounded);
}
at::Tensor RoundDown(const at::Tensor& values, at::ScalarType type) {
  return -RoundUp(-values, type);
}

// (n) to (n, 1, ...), to be multiplied with x.
at::Tensor PerExample(const at::Tensor& values, const at::Tensor& x) {
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  shape[0] = values.size(0);
  return values.reshape(shape);
}

at::Tensor Normal(at::IntArrayRef shape, const at::TensorOptions& options,
                  const RandomSource& random) {
  return at::randn(shape, random.generator(), options.device(at::kCPU))
      .to(options.device());
}

}  // namespace

FeasibleSet::FeasibleSet(const at::Tensor& x, const ThreatModel& threat)
    : norm_(threat.norm), x_(x.detach()) {
  const at::ScalarType type = x.scalar_type();
  const auto wide = x.options().dtype(at::kDouble).requires_grad(false);
  const at::Tensor epsilon =
      threat.epsilon.to(wide).expand({x.size(0)}).contiguous();
  const double dim = static_cast<double>(x.numel() / x.size(0));
  const double side = threat.box.upper - threat.box.lower;
  const double width = norm_ == Norm::kL2 ? side * std::sqrt(dim) : side;
  reach_ = PerExample(epsilon.clamp_max(width), x).to(type);
  const at::Tensor lowest = at::full({}, threat.box.lower, wide);
  const at::Tensor highest = at::full({}, threat.box.upper, wide);
  const at::Tensor centre = x_.to(at::kDouble);
  if (norm_ == Norm::kLinf) {
    const at::Tensor half = PerExample(epsilon, x);
    // The subtraction rounds, too; x itself always is in the ball.
    lower_ = RoundUp(at::minimum(Next(centre - half, kInfinity), centre)
                         .clamp_min(threat.box.lower),
                     type);
    upper_ = RoundDown(at::maximum(Next(centre + half, -kInfinity), centre)
                           .clamp_max(threat.box.upper),
                       type);
    return;
  }
  lower_ = RoundUp(lowest, type);
  upper_ = RoundDown(highest, type);
  // Rounding x + step to its type moves it by a unit roundoff of its length,
  // the float64 sums below by (d + 20) · 2⁻⁵¹ relatively.
  const double unit = type == at::kFloat ? 0x1p-24 : 0x1p-53;
  const at::Tensor length = centre.flatten(1).norm(2, 1);
  radius_ = (epsilon * (1.0 - (dim + 20.0) * 0x1p-50) -
             (length + epsilon) * (2.0 * unit))
                .clamp_min(0);
}

at::Tensor FeasibleSet::Project(const at::Tensor& z) const {
  if (norm_ == Norm::kLinf) {
    return at::maximum(at::minimum(z, upper_), lower_);
  }
  const at::Tensor centres = x_.to(at::kCPU).contiguous();
  const at::Tensor points = z.to(centres.options()).contiguous();
  const at::Tensor radii = radius_.to(at::kCPU).contiguous();
  at::Tensor result = at::empty_like(centres);
  AT_DISPATCH_FLOATING_TYPES(centres.scalar_type(), "projection", [&] {
    GetProjectOnL2Balls<scalar_t>()(
        centres.data_ptr<scalar_t>(), points.data_ptr<scalar_t>(),
        radii.data_ptr<double>(), static_cast<size_t>(centres.size(0)),
        static_cast<size_t>(centres.numel() / centres.size(0)),
        lower_.item<scalar_t>(), upper_.item<scalar_t>(),
        result.data_ptr<scalar_t>());
  });
  return result.to(x_.device());
}

at::Tensor FeasibleSet::Direction(const at::Tensor& gradient,
                                  const RandomSource& random) const {
  at::Tensor rows = gradient.flatten(1);
  at::Tensor largest = rows.abs().amax(1, /*keepdim=*/true);
  const at::Tensor zero = largest == 0;
  if (zero.any().item<bool>()) {
    rows = at::where(zero, Normal(rows.sizes(), rows.options(), random), rows);
    largest = rows.abs().amax(1, /*keepdim=*/true);
  }
  if (norm_ == Norm::kLinf) return rows.sign().reshape(gradient.sizes());
  // By the largest entry first: the squares of tiny gradients would vanish.
  const at::Tensor scaled = rows / largest;
  return (scaled / scaled.norm(2, 1, /*keepdim=*/true))
      .reshape(gradient.sizes());
}

at::Tensor FeasibleSet::RandomPoint(const RandomSource& random) const {
  const auto cpu = x_.options().device(at::kCPU);
  if (norm_ == Norm::kLinf) {
    const at::Tensor offset =
        at::rand(x_.sizes(), random.generator(), cpu).to(x_.device());
    return Project(x_ + reach_ * (2 * offset - 1));
  }
  const at::Tensor direction =
      Direction(Normal(x_.sizes(), x_.options(), random), random);
  const at::Tensor share =
      at::rand({x_.size(0)}, random.generator(), cpu).to(x_.device());
  return Project(x_ + reach_ * PerExample(share, x_) * direction);
}

FeasibleSet FeasibleSet::Select(const at::Tensor& index) const {
  FeasibleSet chosen;
  chosen.norm_ = norm_;
  chosen.x_ = x_.index_select(0, index);
  chosen.reach_ = reach_.index_select(0, index);
  const bool linf = norm_ == Norm::kLinf;
  chosen.radius_ = linf ? radius_ : radius_.index_select(0, index);
  chosen.lower_ = linf ? lower_.index_select(0, index) : lower_;
  chosen.upper_ = linf ? upper_.index_select(0, index) : upper_;
  return chosen;
}

}  // namespace lipschitz
