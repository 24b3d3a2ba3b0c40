#include "lipschitz/linalg/power_iteration.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <limits>

namespace lipschitz {
namespace {

// cos(1), cos(2), cos(3), ...: no structure that a weight could be orthogonal
// to by design, and the same on every machine.
at::Tensor FixedStart(int64_t size, const at::TensorOptions& options) {
  return at::arange(1, size + 1, options.dtype(at::kDouble).device(at::kCPU))
      .cos()
      .to(options);
}

at::Tensor Normalised(const at::Tensor& x) {
  // By the largest entry first: squares of tiny and huge ones are not
  // representable. The smallest normal number keeps 0/0 at 0.
  const double tiny = x.scalar_type() == at::kDouble
                          ? std::numeric_limits<double>::min()
                          : std::numeric_limits<float>::min();
  const at::Tensor scaled = x / x.abs().max().clamp_min(tiny);
  return scaled / scaled.norm().clamp_min(tiny);
}

}  // namespace

PowerIterationResult PowerIteration(const LinearMap& map, int iterations,
                                    const at::Tensor& u) {
  c10::NoGradGuard no_grad;
  PowerIterationResult result;
  result.u = Normalised(u.detach());
  result.v = Normalised(map.adjoint(result.u));
  for (int i = 0; i < iterations; ++i) {
    if (i > 0) result.v = Normalised(map.adjoint(result.u));
    result.u = Normalised(map.apply(result.v));
  }
  result.sigma =
      at::dot(result.u.reshape({-1}), map.apply(result.v).reshape({-1}))
          .item<double>();
  return result;
}

PowerIterationResult PowerIteration(const at::Tensor& w, int iterations,
                                    const at::Tensor& u) {
  const at::Tensor weight = w.detach();
  const LinearMap map = {
      [&](const at::Tensor& v) { return at::mv(weight, v); },
      [&](const at::Tensor& v) { return at::mv(weight.t(), v); }};
  return PowerIteration(
      map, iterations,
      u.defined() ? u : FixedStart(weight.size(0), weight.options()));
}

}  // namespace lipschitz
