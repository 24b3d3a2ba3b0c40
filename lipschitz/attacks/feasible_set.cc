#include "lipschitz/attacks/feasible_set.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <vector>

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
                .clamp_min(0)
                .unsqueeze(1);
}

at::Tensor FeasibleSet::Project(const at::Tensor& z) const {
  if (norm_ == Norm::kLinf) {
    return at::maximum(at::minimum(z, upper_), lower_);
  }
  // All in float64 and with one row for each example.
  const at::Tensor centre = x_.flatten(1).to(at::kDouble);
  const at::Tensor step = z.flatten(1).to(at::kDouble) - centre;
  const at::Tensor lowest = lower_.to(at::kDouble) - centre;
  const at::Tensor highest = upper_.to(at::kDouble) - centre;
  const at::Tensor squared_radius = radius_.square();
  // A step of zero, or one that is not finite, goes nowhere.
  const at::Tensor length = step.norm(2, 1, /*keepdim=*/true);
  const at::Tensor usable = (length > 0).logical_and(at::isfinite(length));
  at::Tensor scale = at::where(usable, (radius_ / length).clamp_max(1.0),
                               at::zeros({}, length.options()));
  at::Tensor inside;
  for (int iteration = 0;; ++iteration) {
    const at::Tensor scaled = step * scale;
    inside = at::minimum(at::maximum(scaled, lowest), highest);
    if (iteration == 16) break;
    // What the box cut off may be spent on the coordinates that it did not cut:
    // they grow until the ball is reached. Those that are cut stay cut, so the
    // step stays in the ball.
    const at::Tensor squares = inside.square();
    const at::Tensor all = squares.sum(1, /*keepdim=*/true);
    const at::Tensor free =
        (squares * (scaled == inside)).sum(1, /*keepdim=*/true);
    const at::Tensor growth =
        ((squared_radius - (all - free)) / free).clamp_min(1.0).sqrt();
    // Not a number where nothing is free.
    const at::Tensor larger =
        at::minimum(at::where(free > 0, scale * growth, scale),
                    at::ones({}, scale.options()));
    const bool settled = (larger <= scale * (1.0 + 1e-9)).all().item<bool>();
    if (settled) break;
    scale = larger;
  }
  const at::Tensor point =
      at::where(usable, centre + inside, centre).to(x_.scalar_type());
  return at::minimum(at::maximum(point, lower_), upper_).reshape(x_.sizes());
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
