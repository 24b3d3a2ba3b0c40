#include "lipschitz/diagnostics/weight_spectrum.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "lipschitz/base/evaluation_mode.h"
#include "lipschitz/base/status.h"
#include "lipschitz/diagnostics/convolution_spectrum.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/convolution.h"
#include "lipschitz/layers/convolution_constraint.h"
#include "lipschitz/layers/linear.h"

namespace lipschitz {
namespace {

absl::StatusOr<WeightSpectrum> SpectrumOf(LinearImpl& layer) {
  WeightSpectrum spectrum;
  spectrum.constraint = ConstraintName(layer.config().constraint.kind);
  LIPSCHITZ_ASSIGN_OR_RETURN(const at::Tensor weight,
                             layer.ConstrainedWeight());
  spectrum.values = at::linalg_svdvals(weight.detach().to(at::kDouble)) *
                    std::abs(layer.AppliedScale());
  return spectrum;
}

absl::StatusOr<WeightSpectrum> SpectrumOf(Conv2dImpl& layer) {
  WeightSpectrum spectrum;
  spectrum.constraint =
      ConvolutionConstraintName(layer.config().constraint.kind);
  LIPSCHITZ_ASSIGN_OR_RETURN(const at::Tensor kernel,
                             layer.ConstrainedKernel());
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const ConvolutionSpectrum convolution,
      ConvolutionSingularValues(kernel, layer.config().geometry));
  spectrum.values = convolution.values * std::abs(layer.AppliedScale());
  spectrum.complete = convolution.complete;
  return spectrum;
}

// Appends the spectrum where the module is a layer with a weight.
absl::Status Append(const std::string& name, torch::nn::Module& module,
                    std::vector<WeightSpectrum>* spectra) {
  absl::StatusOr<WeightSpectrum> spectrum;
  if (auto* linear = dynamic_cast<LinearImpl*>(&module)) {
    spectrum = SpectrumOf(*linear);
  } else if (auto* convolution = dynamic_cast<Conv2dImpl*>(&module)) {
    spectrum = SpectrumOf(*convolution);
  } else {
    return absl::OkStatus();
  }
  if (!spectrum.ok()) return spectrum.status();
  spectrum->layer = name;
  spectra->push_back(*std::move(spectrum));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<WeightSpectrum>> WeightSpectra(
    torch::nn::Module& network) {
  using Spectra = std::vector<WeightSpectrum>;
  return CatchTorch("weight spectra", [&]() -> absl::StatusOr<Spectra> {
    const c10::NoGradGuard no_grad;
    const EvaluationMode evaluation(network);
    Spectra spectra;
    LIPSCHITZ_RETURN_IF_ERROR(Append(network.name(), network, &spectra));
    for (const auto& item : network.named_modules("", /*include_self=*/false)) {
      LIPSCHITZ_RETURN_IF_ERROR(Append(item.key(), *item.value(), &spectra));
    }
    return spectra;
  });
}

}  // namespace lipschitz
