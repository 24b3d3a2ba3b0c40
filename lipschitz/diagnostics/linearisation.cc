#include "lipschitz/diagnostics/linearisation.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <sstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"

namespace lipschitz {
namespace {

std::string Shape(const at::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.sizes();
  return text.str();
}

absl::Status CheckInputs(const at::Tensor& x) {
  if (!x.defined() ||
      (x.scalar_type() != at::kFloat && x.scalar_type() != at::kDouble)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "Jacobians: the inputs must be float32 or float64, they are ",
        x.defined() ? c10::toString(x.scalar_type()) : "undefined"));
  }
  if (x.dim() < 2 || x.numel() == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "Jacobians: the inputs must be (n, d) or (n, ...) with at least one "
        "example of at least one entry, their shape is ",
        Shape(x)));
  }
  return absl::OkStatus();
}

// The gradient of ⟨of, with⟩ with respect to `by`; zeros where there is none.
at::Tensor Gradient(const at::Tensor& of, const at::Tensor& by,
                    const at::Tensor& with, bool create_graph) {
  if (!of.requires_grad()) return at::zeros_like(by);
  const at::Tensor gradient =
      torch::autograd::grad({of}, {by}, {with}, /*retain_graph=*/true,
                            create_graph, /*allow_unused=*/true)[0];
  return gradient.defined() ? gradient : at::zeros_like(by);
}

}  // namespace

BatchFunction ForwardOf(LayerImpl& layer) {
  return [&layer](const at::Tensor& x) { return layer.forward(x); };
}

absl::StatusOr<Linearisation> Linearisation::At(const BatchFunction& function,
                                                const at::Tensor& x) {
  LIPSCHITZ_RETURN_IF_ERROR(CheckInputs(x));
  return CatchTorch("Jacobians", [&]() -> absl::StatusOr<Linearisation> {
    const c10::AutoGradMode with_gradients(true);
    Linearisation result;
    result.x_ = x.detach().clone().requires_grad_(true);
    const at::Tensor outputs = function(result.x_);
    if (!outputs.defined() || outputs.dim() < 1 ||
        outputs.size(0) != x.size(0) || outputs.numel() == 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "Jacobians: for ", x.size(0),
          " examples the function must answer with as many, of at least one "
          "output each, the answer's shape is ",
          outputs.defined() ? Shape(outputs) : "undefined"));
    }
    if (!outputs.requires_grad()) {
      return absl::InvalidArgumentError(
          "Jacobians: the function's outputs do not depend on its inputs as "
          "far as autograd knows");
    }
    result.inputs_ = x.numel() / x.size(0);
    result.outputs_ = outputs.reshape({x.size(0), -1});
    result.w_ = at::zeros(result.outputs_.sizes(),
                          result.outputs_.options().requires_grad(false))
                    .requires_grad_(true);
    result.transposed_ = Gradient(result.outputs_, result.x_, result.w_,
                                  /*create_graph=*/true)
                             .reshape({x.size(0), -1});
    return result;
  });
}

at::Tensor Linearisation::Times(const at::Tensor& v) const {
  return Gradient(transposed_, w_, v.reshape_as(transposed_),
                  /*create_graph=*/false)
      .detach();
}

at::Tensor Linearisation::TransposedTimes(const at::Tensor& w) const {
  return Gradient(outputs_, x_, w.reshape_as(outputs_), /*create_graph=*/false)
      .detach()
      .reshape({examples(), -1});
}

at::Tensor Linearisation::SlopeGradient(const at::Tensor& w,
                                        const at::Tensor& v) const {
  const c10::AutoGradMode with_gradients(true);
  const at::Tensor slopes = Gradient(outputs_, x_, w.reshape_as(outputs_),
                                     /*create_graph=*/true);
  return Gradient(slopes, x_, v.reshape_as(slopes), /*create_graph=*/false)
      .detach()
      .reshape({examples(), -1});
}

at::Tensor Linearisation::Jacobians() const {
  const bool by_rows = outputs() <= inputs();
  const int64_t passes = by_rows ? outputs() : inputs();
  std::vector<at::Tensor> slices;
  for (int64_t i = 0; i < passes; ++i) {
    at::Tensor unit = at::zeros({examples(), passes},
                                outputs_.options().requires_grad(false));
    unit.select(1, i).fill_(1.0);
    slices.push_back(by_rows ? TransposedTimes(unit) : Times(unit));
  }
  return at::stack(slices, by_rows ? 1 : 2);
}

}  // namespace lipschitz
