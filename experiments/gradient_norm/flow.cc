#include "experiments/gradient_norm/flow.h"

#include "lipschitz/activations/activation.h"
#include "lipschitz/base/evaluation_mode.h"
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

namespace {

struct Keeping {
  int64_t layers = 0;
  double deviation = 0.0;
};

// See GradientFlow; `gradients` has the input before the chain's layers.
Keeping KeepingOf(const std::vector<NamedLayer>& chain,
                  const std::vector<LayerGradient>& gradients) {
  Keeping keeping;
  for (size_t i = chain.size(); i-- > 0;) {
    if (!KeepsGradientNorm(*chain[i].layer)) break;
    ++keeping.layers;
    const double deviation =
        (gradients[i].norms - 1.0).abs().max().item<double>();
    // What is not a number stays.
    if (!(deviation <= keeping.deviation)) keeping.deviation = deviation;
  }
  return keeping;
}

}  // namespace

absl::StatusOr<GradientFlow> MeasureGradientFlow(SequentialImpl& network,
                                                 const torch::Tensor& x,
                                                 const torch::Tensor& targets) {
  using Result = absl::StatusOr<GradientFlow>;
  return CatchTorch("gradient flow", [&]() -> Result {
    GradientFlow flow;
    const std::vector<NamedLayer> chain = ChainOf(network);
    {
      const EvaluationMode evaluation(network);
      LIPSCHITZ_ASSIGN_OR_RETURN(const std::vector<LayerGradient> own,
                                 LayerGradients(network, x, targets));
      flow.keeping_deviation_own = KeepingOf(chain, own).deviation;
    }
    const Float64Evaluation evaluation(network);
    const torch::Tensor inputs = x.to(torch::kDouble);
    LIPSCHITZ_ASSIGN_OR_RETURN(flow.layers,
                               LayerGradients(network, inputs, targets));
    const Keeping keeping = KeepingOf(chain, flow.layers);
    flow.keeping_layers = keeping.layers;
    flow.keeping_deviation = keeping.deviation;
    LIPSCHITZ_ASSIGN_OR_RETURN(
        const JacobianSpectrum spectrum,
        JacobianSingularValues(ForwardOf(network), inputs));
    flow.singular_values = spectrum.values.cpu();
    return flow;
  });
}

}  // namespace lipschitz::experiments
