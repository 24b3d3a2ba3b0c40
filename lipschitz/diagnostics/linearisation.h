// The Jacobians of a function at a batch of inputs, as linear maps.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "lipschitz/base/layer.h"

namespace lipschitz {

// (n, ...) → (n, ...), where example b of the result depends, differentiably
// almost everywhere, on example b of the argument alone (no batch
// normalisation in training). Both are flattened to (n, d) and (n, m) below.
using BatchFunction = std::function<at::Tensor(const at::Tensor&)>;

// A layer as such a function, in the mode and type in which it is when called;
// valid as long as the layer is.
BatchFunction ForwardOf(LayerImpl& layer);

// J_b, (m, d), for every example b. Where the function has a kink J_b is what
// autograd answers there, which may be no limit of Jacobians nearby.
//
// Products are computed in the type of x, with a graph that is kept as long as
// this object; they throw a c10::Error where the function's own derivatives do.
class Linearisation {
 public:
  // InvalidArgument where x is not (n, d...) of float32 or float64 with at
  // least one example and one entry each, or the function answers with another
  // number of examples, none at all, or with something that does not depend on
  // x as far as autograd knows.
  static absl::StatusOr<Linearisation> At(const BatchFunction& function,
                                          const at::Tensor& x);

  int64_t examples() const { return outputs_.size(0); }
  int64_t inputs() const { return inputs_; }
  int64_t outputs() const { return outputs_.size(1); }

  // f(x), (n, m), without a graph.
  at::Tensor Values() const { return outputs_.detach(); }

  // J_b v_b: (n, d) → (n, m). By differentiating w ↦ J_bᵀ w, which is linear.
  at::Tensor Times(const at::Tensor& v) const;

  // J_bᵀ w_b: (n, m) → (n, d). One reverse pass.
  at::Tensor TransposedTimes(const at::Tensor& w) const;

  // ∇ₓ of w_bᵀ J_b(x) v_b at fixed v and w: (n, d). Zero where f is piecewise
  // affine.
  at::Tensor SlopeGradient(const at::Tensor& w, const at::Tensor& v) const;

  // All J_b, (n, m, d), by min(m, d) passes.
  at::Tensor Jacobians() const;

 private:
  Linearisation() = default;

  int64_t inputs_ = 0;
  at::Tensor x_;           // (n, d...), a leaf
  at::Tensor outputs_;     // (n, m)
  at::Tensor w_;           // (n, m), zeros, a leaf
  at::Tensor transposed_;  // J_bᵀ w_b as a function of w, (n, d)
};

}  // namespace lipschitz
