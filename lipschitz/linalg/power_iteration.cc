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

PowerIterationResult PowerIteration(const at::Tensor& w, int iterations,
                                    const at::Tensor& u) {
  c10::NoGradGuard no_grad;
  const at::Tensor weight = w.detach();
  PowerIterationResult result;
  result.u =
      Normalised(u.defined() ? u.detach() : FixedStart(w.size(0), w.options()));
  result.v = Normalised(at::mv(weight.t(), result.u));
  for (int i = 0; i < iterations; ++i) {
    if (i > 0) result.v = Normalised(at::mv(weight.t(), result.u));
    result.u = Normalised(at::mv(weight, result.v));
  }
  result.sigma = at::dot(result.u, at::mv(weight, result.v)).item<double>();
  return result;
}

}  // namespace lipschitz
