#include "experiments/gradient_norm/flow.h"

#include "lipschitz/activations/activation.h"
#include "lipschitz/base/float64_evaluation.h"
#include "lipschitz/base/status.h"
#include "lipschitz/diagnostics/jacobian_spectrum.h"
#include "lipschitz/diagnostics/linearisation.h"
#include "lipschitz/layers/chain.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/linear.h"

namespace lipschitz::experiments {

bool KeepsGradientNorm(const LayerImpl& layer) {
  if (const auto* linear = dynamic_cast<const LinearImpl*>(&layer)) {
    const LinearConfig& config = linear->config();
    const ConstraintKind kind = config.constraint.kind;
    const bool is_orthonormal = kind == ConstraintKind::kStiefel ||
                                kind == ConstraintKind::kPolar ||
                                kind == ConstraintKind::kBjorck;
    return is_orthonormal && config.scale == 1.0 &&
           config.out_features <= config.in_features;
  }
  const auto* activation = dynamic_cast<const ActivationImpl*>(&layer);
  return activation != nullptr && activation->spec().PreservesGradientNorm();
}

absl::StatusOr<GradientFlow> MeasureGradientFlow(SequentialImpl& network,
                                                 const torch::Tensor& x,
                                                 const torch::Tensor& targets) {
  using Result = absl::StatusOr<GradientFlow>;
  return CatchTorch("gradient flow", [&]() -> Result {
    const Float64Evaluation evaluation(network);
    const torch::Tensor inputs = x.to(torch::kDouble);
    GradientFlow flow;
    LIPSCHITZ_ASSIGN_OR_RETURN(flow.layers,
                               LayerGradients(network, inputs, targets));
    const std::vector<NamedLayer> chain = ChainOf(network);
    for (size_t i = chain.size(); i-- > 0;) {
      if (!KeepsGradientNorm(*chain[i].layer)) break;
      ++flow.keeping_layers;
      const double deviation =
          (flow.layers[i].norms - 1.0).abs().max().item<double>();
      // What is not a number stays.
      if (!(deviation <= flow.keeping_deviation)) {
        flow.keeping_deviation = deviation;
      }
    }
    LIPSCHITZ_ASSIGN_OR_RETURN(
        const JacobianSpectrum spectrum,
        JacobianSingularValues(ForwardOf(network), inputs));
    flow.singular_values = spectrum.values.cpu();
    return flow;
  });
}

}  // namespace lipschitz::experiments
