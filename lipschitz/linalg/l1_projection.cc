#include "lipschitz/linalg/l1_projection.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <tuple>

#include "lipschitz/linalg/l1_rows_kernel.h"

namespace lipschitz {
namespace composed {
namespace {

// The threshold τ of every row, (rows, 1): with a the magnitudes in descending
// order and S_k their partial sums, k* is the largest k with
// S_k < radius + k a_k, and τ = (S_k* − radius) / k*. Negative for a row of
// norm below the radius. The set {k ≤ k*} is piecewise constant, so gradients
// flow through the sum alone.
at::Tensor Threshold(const at::Tensor& magnitude, double radius) {
  const at::Tensor descending =
      std::get<0>(magnitude.sort(/*dim=*/1, /*descending=*/true));
  const at::Tensor count = at::arange(1, magnitude.size(1) + 1,
                                      magnitude.options().requires_grad(false));
  const at::Tensor sums = descending.cumsum(1);
  const at::Tensor holds = sums.detach() < radius + count * descending.detach();
  // The largest k, not the number of k: rounding may break the order of the
  // conditions near ties.
  const at::Tensor last = (holds.to(count.scalar_type()) * count)
                              .amax(1, /*keepdim=*/true)
                              .clamp_min(1);
  return (sums.gather(1, last.to(at::kLong) - 1) - radius) / last;
}

// ±1, with +1 at zero.
at::Tensor SignOf(const at::Tensor& w) {
  return at::where(w.detach() < 0, -at::ones_like(w), at::ones_like(w));
}

// sign · max(|w| − tau, 0), from magnitude = sign · w. relu, not clamp_min: an
// entry at the threshold is cut off for the derivative too.
at::Tensor SoftThreshold(const at::Tensor& sign, const at::Tensor& magnitude,
                         const at::Tensor& tau) {
  return sign * (magnitude - tau).relu();
}

}  // namespace

at::Tensor ProjectRowsOntoL1Ball(const at::Tensor& w, double radius) {
  const at::Tensor sign = SignOf(w);
  const at::Tensor magnitude = sign * w;
  const at::Tensor tau = Threshold(magnitude, radius);
  // Inside, w itself: |w| has no derivative at zero, the identity has.
  return at::where(tau.detach() <= 0, w, SoftThreshold(sign, magnitude, tau));
}

at::Tensor ProjectRowsOntoL1Sphere(const at::Tensor& w, double radius) {
  const at::Tensor sign = SignOf(w);
  // sign·w instead of |w|: the derivative at zero is then that of the side
  // which the zero counts to.
  const at::Tensor magnitude = sign * w;
  return SoftThreshold(sign, magnitude, Threshold(magnitude, radius));
}

at::Tensor ScaleRowsToL1Norm(const at::Tensor& w, RowScaling scaling,
                             double radius) {
  const at::Tensor norm = w.abs().sum(1, /*keepdim=*/true);
  // A zero row divides zeros by the radius.
  const at::Tensor divisor =
      scaling == RowScaling::kOnlyDown
          ? norm.clamp_min(radius)
          : at::where(norm > 0, norm, at::full_like(norm, radius));
  return w / divisor * radius;
}

}  // namespace composed

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

void CheckArguments(const at::Tensor& w, double radius) {
  TORCH_CHECK(w.dim() == 2, "L1 norms are of the rows of a matrix; got ",
              w.dim(), " dimensions");
  TORCH_CHECK(radius > 0, "an L1 radius must be positive; got ", radius);
}

bool HasKernel(const at::Tensor& w) {
  return w.is_cpu() &&
         (w.scalar_type() == at::kFloat || w.scalar_type() == at::kDouble);
}

// Calls body(kernel, first row, number of rows) in parallel, until all rows of
// w are done.
template <typename T, typename Body>
void ForRows(const at::Tensor& w, const Body& body) {
  // Fewer entries are not worth a thread.
  constexpr int64_t kEntries = 32768;
  const int64_t rows = kEntries / std::max<int64_t>(1, w.size(1));
  at::parallel_for(0, w.size(0), std::max<int64_t>(1, rows),
                   [&](int64_t begin, int64_t end) {
                     body(GetL1RowsKernel<T>(), begin, end - begin);
                   });
}

// The beginning of a row of a contiguous tensor.
template <typename T>
T* RowAt(const at::Tensor& tensor, int64_t row) {
  return tensor.data_ptr<T>() + row * tensor.stride(0);
}

// The Jacobian of the projection, times a matrix of the shape of w. It is
// symmetric and piecewise constant: its own derivative.
class ProjectionDerivative
    : public torch::autograd::Function<ProjectionDerivative> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& gradient,
                          const Variable& projected, const Variable& kept) {
    ctx->save_for_backward({projected, kept});
    const at::Tensor g = gradient.contiguous();
    at::Tensor out = at::empty_like(g);
    AT_DISPATCH_FLOATING_TYPES(g.scalar_type(), "ProjectionDerivative", [&] {
      using T = scalar_t;
      ForRows<T>(g, [&](const auto& kernel, int64_t first, int64_t rows) {
        kernel.project_derivative(RowAt<T>(projected, first),
                                  RowAt<bool>(kept, first), RowAt<T>(g, first),
                                  rows, g.size(1), RowAt<T>(out, first));
      });
    });
    return out;
  }

  static variable_list backward(AutogradContext* ctx,
                                const variable_list& gradients) {
    const variable_list saved = ctx->get_saved_variables();
    return {apply(gradients[0], saved[0], saved[1]), Variable(), Variable()};
  }
};

class Projection : public torch::autograd::Function<Projection> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& w, L1Set set,
                          double radius) {
    const at::Tensor from = w.contiguous();
    at::Tensor out = at::empty_like(from);
    at::Tensor kept = at::empty({w.size(0)}, w.options().dtype(at::kBool));
    AT_DISPATCH_FLOATING_TYPES(w.scalar_type(), "Projection", [&] {
      using T = scalar_t;
      ForRows<T>(from, [&](const auto& kernel, int64_t first, int64_t rows) {
        kernel.project(RowAt<T>(from, first), rows, from.size(1), radius, set,
                       RowAt<T>(out, first), RowAt<bool>(kept, first));
      });
    });
    ctx->save_for_backward({out, kept});
    return out;
  }

  static variable_list backward(AutogradContext* ctx,
                                const variable_list& gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const Variable projected = saved[0].detach();
    return {ProjectionDerivative::apply(gradients[0], projected, saved[1]),
            Variable(), Variable()};
  }
};

class Scaling : public torch::autograd::Function<Scaling> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& w,
                          bool only_down, double radius) {
    ctx->save_for_backward({w});
    ctx->saved_data["only_down"] = only_down;
    ctx->saved_data["radius"] = radius;
    const at::Tensor from = w.contiguous();
    at::Tensor out = at::empty_like(from);
    AT_DISPATCH_FLOATING_TYPES(w.scalar_type(), "Scaling", [&] {
      using T = scalar_t;
      ForRows<T>(from, [&](const auto& kernel, int64_t first, int64_t rows) {
        kernel.scale(RowAt<T>(from, first), rows, from.size(1), radius,
                     only_down, RowAt<T>(out, first));
      });
    });
    return out;
  }

  static variable_list backward(AutogradContext* ctx,
                                const variable_list& gradients) {
    const Variable w = ctx->get_saved_variables()[0];
    const bool only_down = ctx->saved_data["only_down"].toBool();
    const double radius = ctx->saved_data["radius"].toDouble();
    // The loop has no derivative of its own.
    return {c10::GradMode::is_enabled()
                ? ComposedGradient(w, gradients[0], only_down, radius)
                : Gradient(w, gradients[0], only_down, radius),
            Variable(), Variable()};
  }

 private:
  static at::Tensor Gradient(const at::Tensor& w, const at::Tensor& gradient,
                             bool only_down, double radius) {
    const at::Tensor from = w.contiguous();
    const at::Tensor g = gradient.contiguous();
    at::Tensor out = at::empty_like(g);
    AT_DISPATCH_FLOATING_TYPES(w.scalar_type(), "ScalingGradient", [&] {
      using T = scalar_t;
      ForRows<T>(from, [&](const auto& kernel, int64_t first, int64_t rows) {
        kernel.scale_backward(RowAt<T>(from, first), RowAt<T>(g, first), rows,
                              from.size(1), radius, only_down,
                              RowAt<T>(out, first));
      });
    });
    return out;
  }

  // The same, differentiable with respect to both matrices.
  static at::Tensor ComposedGradient(const at::Tensor& w,
                                     const at::Tensor& gradient, bool only_down,
                                     double radius) {
    const at::Tensor x = w.to(at::kDouble);
    const at::Tensor g = gradient.to(at::kDouble);
    const at::Tensor norm = x.abs().sum(1, /*keepdim=*/true);
    const at::Tensor scaled =
        only_down ? norm > radius : (radius / norm).isfinite();
    // Rows that stay must not divide by zero: 0 · ∞ would reach their gradient.
    const at::Tensor divisor = at::where(scaled, norm, at::ones_like(norm));
    const at::Tensor along =
        x.sign() * ((g * x).sum(1, /*keepdim=*/true) / divisor);
    return at::where(scaled, radius / divisor * (g - along), g)
        .to(gradient.scalar_type());
  }
};

}  // namespace

at::Tensor ProjectRowsOntoL1Ball(const at::Tensor& w, double radius) {
  CheckArguments(w, radius);
  if (!HasKernel(w)) return composed::ProjectRowsOntoL1Ball(w, radius);
  return Projection::apply(w, L1Set::kBall, radius);
}

at::Tensor ProjectRowsOntoL1Sphere(const at::Tensor& w, double radius) {
  CheckArguments(w, radius);
  if (!HasKernel(w)) return composed::ProjectRowsOntoL1Sphere(w, radius);
  return Projection::apply(w, L1Set::kSphere, radius);
}

at::Tensor ScaleRowsToL1Norm(const at::Tensor& w, RowScaling scaling,
                             double radius) {
  CheckArguments(w, radius);
  if (!HasKernel(w)) return composed::ScaleRowsToL1Norm(w, scaling, radius);
  return Scaling::apply(w, scaling == RowScaling::kOnlyDown, radius);
}

}  // namespace lipschitz
