#include "lipschitz/diagnostics/layer_gradients.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"
#include "lipschitz/diagnostics/dual_vectors.h"

namespace lipschitz {
namespace {

absl::Status Invalid(const std::string& message) {
  return absl::InvalidArgumentError(absl::StrCat("layer gradients: ", message));
}

// (n): the output that is differentiated for every example.
absl::StatusOr<at::Tensor> Chosen(const at::Tensor& outputs,
                                  const at::Tensor& targets, int64_t n) {
  if (outputs.dim() < 1 || outputs.size(0) != n || outputs.numel() == 0) {
    return Invalid(absl::StrCat("the network answers ", n, " examples with ",
                                outputs.numel(), " numbers"));
  }
  const at::Tensor flat = outputs.reshape({n, -1});
  const int64_t width = flat.size(1);
  if (!targets.defined()) {
    if (width == 1) return flat.squeeze(1);
    return Invalid(absl::StrCat("the network has ", width,
                                " outputs; targets must say which of them"));
  }
  if (targets.scalar_type() != at::kLong || targets.dim() != 1 ||
      targets.size(0) != n) {
    return Invalid(absl::StrCat("targets must be ", n,
                                " int64 numbers, one an example, "
                                "they are ",
                                targets.numel(), " of type ",
                                c10::toString(targets.scalar_type())));
  }
  const int64_t least = targets.min().item<int64_t>();
  const int64_t largest = targets.max().item<int64_t>();
  if (least < 0 || largest >= width) {
    return Invalid(absl::StrCat("targets from ", least, " to ", largest,
                                ", but the outputs are 0 to ", width - 1));
  }
  return flat.gather(1, targets.unsqueeze(1)).squeeze(1);
}

}  // namespace

absl::StatusOr<std::vector<LayerGradient>> LayerGradients(
    LayerImpl& network, const at::Tensor& x, const at::Tensor& targets,
    Norm norm) {
  return LayerGradients(FunctionsOf(network), x, targets, norm);
}

absl::StatusOr<std::vector<LayerGradient>> LayerGradients(
    const std::vector<NamedFunction>& chain, const at::Tensor& x,
    const at::Tensor& targets, Norm norm) {
  if (!x.defined() || !x.is_floating_point() || x.dim() < 2 || x.numel() == 0) {
    return Invalid(
        "the inputs must be (n, ...), floating point, with at least one "
        "example");
  }
  using Gradients = std::vector<LayerGradient>;
  return CatchTorch("layer gradients", [&]() -> absl::StatusOr<Gradients> {
    const c10::AutoGradMode with_gradients(true);
    std::vector<at::Tensor> values = {x.detach().clone().requires_grad_(true)};
    std::vector<std::string> names = {"input"};
    for (const NamedFunction& item : chain) {
      values.push_back(item.function(values.back()));
      names.push_back(item.name);
    }
    LIPSCHITZ_ASSIGN_OR_RETURN(const at::Tensor chosen,
                               Chosen(values.back(), targets, x.size(0)));
    if (!chosen.requires_grad()) {
      return Invalid("the output does not depend on the input");
    }
    const auto gradients = torch::autograd::grad({chosen.sum()}, values);
    Gradients result;
    for (size_t i = 0; i < values.size(); ++i) {
      const at::Tensor norms =
          RowNorms(gradients[i].reshape({x.size(0), -1}).to(at::kDouble),
                   DualNorm(norm));
      LayerGradient layer;
      layer.layer = names[i];
      layer.norms = norms;
      layer.mean = norms.mean().item<double>();
      layer.min = norms.min().item<double>();
      layer.max = norms.max().item<double>();
      result.push_back(layer);
    }
    return result;
  });
}

}  // namespace lipschitz
