#include "lipschitz/diagnostics/weight_spectrum.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "absl/status/status.h"
#include "lipschitz/base/evaluation_mode.h"
#include "lipschitz/base/status.h"
#include "lipschitz/layers/linear.h"

namespace lipschitz {
namespace {

absl::StatusOr<WeightSpectrum> SpectrumOf(const std::string& name,
                                          LinearImpl& layer) {
  WeightSpectrum spectrum;
  spectrum.layer = name;
  spectrum.constraint = layer.config().constraint.kind;
  LIPSCHITZ_ASSIGN_OR_RETURN(const at::Tensor weight,
                             layer.ConstrainedWeight());
  spectrum.values = at::linalg_svdvals(weight.detach().to(at::kDouble)) *
                    std::abs(layer.AppliedScale());
  return spectrum;
}

}  // namespace

absl::StatusOr<std::vector<WeightSpectrum>> WeightSpectra(
    torch::nn::Module& network) {
  using Spectra = std::vector<WeightSpectrum>;
  return CatchTorch("weight spectra", [&]() -> absl::StatusOr<Spectra> {
    const c10::NoGradGuard no_grad;
    const EvaluationMode evaluation(network);
    Spectra spectra;
    const auto add = [&](const std::string& name,
                         torch::nn::Module& module) -> absl::Status {
      auto* linear = dynamic_cast<LinearImpl*>(&module);
      if (linear == nullptr) return absl::OkStatus();
      LIPSCHITZ_ASSIGN_OR_RETURN(WeightSpectrum spectrum,
                                 SpectrumOf(name, *linear));
      spectra.push_back(spectrum);
      return absl::OkStatus();
    };
    LIPSCHITZ_RETURN_IF_ERROR(add(network.name(), network));
    for (const auto& item : network.named_modules("", /*include_self=*/false)) {
      LIPSCHITZ_RETURN_IF_ERROR(add(item.key(), *item.value()));
    }
    return spectra;
  });
}

}  // namespace lipschitz
