#include "lipschitz/certify/rounded_map.h"

#include <ATen/ATen.h>

#include <cmath>
#include <memory>
#include <typeinfo>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/rounding.h"
#include "lipschitz/base/status.h"
#include "lipschitz/certify/dual_norms.h"
#include "lipschitz/layers/convolution.h"
#include "lipschitz/layers/image_shape.h"
#include "lipschitz/layers/pooling.h"
#include "lipschitz/linalg/convolution.h"
#include "lipschitz/linalg/convolution_norm_bound.h"
#include "lipschitz/linalg/matrix_check.h"
#include "lipschitz/linalg/norm_bound.h"

namespace lipschitz {
namespace {

using rounding::Gamma;
using rounding::Up;

// `layer` as it is in evaluation, as a function.
std::function<at::Tensor(const at::Tensor&)> Forward(
    std::shared_ptr<LayerImpl> layer) {
  layer->eval();
  return [layer = std::move(layer)](const at::Tensor& h) {
    return layer->forward(h);
  };
}

RoundedMap Exact(std::shared_ptr<LayerImpl> layer, const BoundTable& bounds) {
  RoundedMap map;
  map.bounds = bounds;
  map.apply = Forward(std::move(layer));
  return map;
}

absl::StatusOr<RoundedMap> LinearMap(LinearImpl& layer,
                                     const BoundTable& bounds) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const LinearParts parts, LinearPartsOf(layer));
  RoundedMap map;
  map.bounds = bounds;
  SpectralNormOptions cheap;
  cheap.max_squarings = 0;
  LIPSCHITZ_ASSIGN_OR_RETURN(map.magnitude,
                             OperatorNormBounds(parts.magnitude_t.t(), cheap));
  // n products, the bias and the scale.
  map.operations = static_cast<double>(parts.weight_t.size(0)) + 2.0;
  map.scale = layer.AppliedScale();
  if (parts.bias.defined()) {
    const at::Tensor norms = VectorNorms(parts.bias);
    for (int64_t q = 0; q < 3; ++q) {
      map.bias_norms[static_cast<size_t>(q)] = norms[q].item<double>();
    }
  }
  map.apply = [parts, scale = map.scale](const at::Tensor& h) {
    at::Tensor z = at::mm(h, parts.weight_t);
    if (parts.bias.defined()) z.add_(parts.bias);
    return scale == 1.0 ? z : z.mul_(scale);
  };
  map.magnitudes = [magnitude_t = parts.magnitude_t,
                    operations = map.operations](const at::Tensor& h) {
    return at::mm(h.abs(), magnitude_t) * (1.0 + Gamma(operations + 4.0));
  };
  return map;
}

absl::StatusOr<RoundedMap> ConvolutionMap(Conv2dImpl& layer,
                                          const BoundTable& bounds,
                                          Arithmetic arithmetic) {
  if (arithmetic == Arithmetic::kFloat32) {
    // LibTorch may take algorithms (Winograd's) that do not sum products.
    return absl::FailedPreconditionError(
        absl::StrCat("the rounding errors of the convolution '", layer.name(),
                     "' in float32 are not known; certify in float64"));
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(const at::Tensor applied,
                             layer.ConstrainedKernel());
  const at::Tensor kernel = applied.detach().to(at::kDouble);
  const at::Tensor magnitude = kernel.abs();
  const ConvolutionGeometry geometry = layer.config().geometry;
  RoundedMap map;
  map.bounds = bounds;
  ConvolutionNormOptions cheap;
  cheap.max_operations = 0.0;
  LIPSCHITZ_ASSIGN_OR_RETURN(map.magnitude,
                             ConvolutionNormBounds(magnitude, geometry, cheap));
  // The products of a window, the bias and the scale.
  map.operations = static_cast<double>(kernel[0].numel()) + 2.0;
  map.scale = layer.AppliedScale();
  at::Tensor bias;
  if (layer.bias.defined()) {
    bias = layer.bias.detach().to(at::kDouble);
    LIPSCHITZ_RETURN_IF_ERROR(
        CheckFinite(bias.unsqueeze(0),
                    absl::StrCat("the bias of layer '", layer.name(), "'")));
    bias = bias.view({-1, 1, 1});
    const at::Tensor norms = VectorNorms(
        bias.expand({-1, geometry.OutputHeight(), geometry.OutputWidth()})
            .flatten());
    for (int64_t q = 0; q < 3; ++q) {
      map.bias_norms[static_cast<size_t>(q)] = norms[q].item<double>();
    }
  }
  map.apply = [kernel, bias, geometry, scale = map.scale](const at::Tensor& h) {
    at::Tensor z = Convolve(h, kernel, geometry);
    if (bias.defined()) z.add_(bias);
    return scale == 1.0 ? z : z.mul_(scale);
  };
  map.magnitudes = [magnitude, geometry,
                    operations = map.operations](const at::Tensor& h) {
    return Convolve(h.abs(), magnitude, geometry) *
           (1.0 + Gamma(operations + 4.0));
  };
  return map;
}

absl::StatusOr<RoundedMap> ActivationMap(const ActivationImpl& layer,
                                         const BoundTable& bounds,
                                         Arithmetic arithmetic) {
  if (layer.dim() != -1 && layer.dim() != 1) {
    return absl::FailedPreconditionError(
        absl::StrCat("activation ", layer.spec().Name(), " along dimension ",
                     layer.dim(), " may mix examples; known are 1 and -1"));
  }
  ActivationSpec spec = layer.spec();
  // All others choose among the values and their negatives, without rounding.
  const bool rounds = spec.kind == ActivationKind::kLeakyRelu;
  if (rounds && arithmetic == Arithmetic::kFloat32) {
    spec.negative_slope = static_cast<float>(spec.negative_slope);
  }
  RoundedMap map =
      Exact(std::make_shared<ActivationImpl>(spec, layer.dim()), bounds);
  if (rounds) {
    const double slope = std::abs(spec.negative_slope);
    map.operations = 1.0;
    map.magnitude = BoundTable::SameNorm(slope);
    map.magnitudes = [slope](const at::Tensor& h) {
      return h.abs() * (slope * (1.0 + Gamma(8.0)));
    };
  }
  return map;
}

absl::StatusOr<RoundedMap> AverageMap(const AveragePool2dImpl& layer,
                                      const BoundTable& bounds) {
  const AveragePool2dConfig& config = layer.config();
  const PoolWindows& windows = config.windows;
  const double area = static_cast<double>(windows.kernel * windows.kernel);
  RoundedMap map = Exact(std::make_shared<AveragePool2dImpl>(config), bounds);
  // The sum, a division or a product by a rounded reciprocal, and the scale.
  map.operations = area + 4.0;
  map.scale = Up(layer.AppliedScale() / area);
  // T: the sum over the window.
  AveragePool2dConfig means = config;
  means.scaled = false;
  LIPSCHITZ_ASSIGN_OR_RETURN(const BoundTable of_means,
                             AveragePool2dImpl(means).LipschitzBounds());
  map.magnitude = of_means.Times(area);
  map.magnitudes = [windows, operations = map.operations](const at::Tensor& h) {
    return at::avg_pool2d(h.abs(), windows.kernel, windows.stride,
                          /*padding=*/0, /*ceil_mode=*/false,
                          /*count_include_pad=*/true, /*divisor_override=*/1) *
           (1.0 + Gamma(operations + 4.0));
  };
  return map;
}

}  // namespace

absl::StatusOr<LinearParts> LinearPartsOf(LinearImpl& layer) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const at::Tensor applied,
                             layer.ConstrainedWeight());
  LinearParts parts;
  const at::Tensor weight = applied.detach().to(at::kDouble);
  parts.weight_t = weight.t();
  parts.magnitude_t = weight.abs().t();
  if (layer.bias.defined()) {
    parts.bias = layer.bias.detach().to(at::kDouble);
    LIPSCHITZ_RETURN_IF_ERROR(
        CheckFinite(parts.bias.unsqueeze(0),
                    absl::StrCat("the bias of layer '", layer.name(), "'")));
  }
  return parts;
}

absl::StatusOr<RoundedMap> RoundedMapOf(LayerImpl& layer,
                                        const BoundTable& bounds,
                                        Arithmetic arithmetic) {
  // Of exactly these types: a class derived from them may compute something
  // else.
  const auto is = [&layer](const std::type_info& type) {
    return typeid(layer) == type;
  };
  if (is(typeid(LinearImpl))) {
    return LinearMap(static_cast<LinearImpl&>(layer), bounds);
  }
  if (is(typeid(Conv2dImpl))) {
    return ConvolutionMap(static_cast<Conv2dImpl&>(layer), bounds, arithmetic);
  }
  if (is(typeid(ActivationImpl))) {
    return ActivationMap(static_cast<ActivationImpl&>(layer), bounds,
                         arithmetic);
  }
  if (is(typeid(AveragePool2dImpl))) {
    return AverageMap(static_cast<AveragePool2dImpl&>(layer), bounds);
  }
  // These move entries or choose among them.
  if (is(typeid(ToImageImpl))) {
    return Exact(std::make_shared<ToImageImpl>(
                     static_cast<ToImageImpl&>(layer).config()),
                 bounds);
  }
  if (is(typeid(FlattenImpl))) {
    return Exact(std::make_shared<FlattenImpl>(layer.name()), bounds);
  }
  if (is(typeid(SpaceToDepthImpl))) {
    return Exact(std::make_shared<SpaceToDepthImpl>(
                     static_cast<SpaceToDepthImpl&>(layer).config()),
                 bounds);
  }
  if (is(typeid(MaxPool2dImpl))) {
    return Exact(std::make_shared<MaxPool2dImpl>(
                     static_cast<MaxPool2dImpl&>(layer).config()),
                 bounds);
  }
  return absl::FailedPreconditionError(
      absl::StrCat("the rounding errors of layer '", layer.name(),
                   "' are not known, so no certificate can account for them"));
}

}  // namespace lipschitz
