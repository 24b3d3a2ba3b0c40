#include "lipschitz/diagnostics/jacobian_spectrum.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/random.h"

namespace lipschitz {
namespace {

absl::Status Check(const JacobianSpectrumOptions& options, int64_t side) {
  if (options.count < 0 || options.count > side) {
    return absl::InvalidArgumentError(
        absl::StrCat("Jacobian spectrum: a Jacobian whose smaller side is ",
                     side, " has no ", options.count, " singular values"));
  }
  if (options.max_passes < 0 || options.oversampling < 0 ||
      options.iterations < 1 || !(options.tolerance >= 0.0)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "Jacobian spectrum: max_passes and oversampling must not be negative, "
        "iterations at least 1, the tolerance not negative, got ",
        options.max_passes, ", ", options.oversampling, ", ",
        options.iterations, ", ", options.tolerance));
  }
  return absl::OkStatus();
}

// The product with every column of `block` (n, ..., p), in float64.
at::Tensor ByColumns(
    const std::function<at::Tensor(const at::Tensor&)>& product,
    const at::Tensor& block, at::ScalarType type) {
  std::vector<at::Tensor> columns;
  for (int64_t i = 0; i < block.size(2); ++i) {
    columns.push_back(product(block.select(2, i).to(type)).to(at::kDouble));
  }
  return at::stack(columns, 2);
}

JacobianSpectrum SubspaceIteration(const Linearisation& jacobian,
                                   const at::Tensor& x,
                                   const JacobianSpectrumOptions& options) {
  const int64_t k = options.count;
  const int64_t width = k + options.oversampling;
  const RandomSource random(options.seed);
  at::Tensor v = std::get<0>(at::linalg_qr(
      at::randn({jacobian.examples(), jacobian.inputs(), width},
                random.generator(), at::TensorOptions(at::kDouble))
          .to(x.device())));
  JacobianSpectrum spectrum;
  spectrum.exact = false;
  at::Tensor u;       // (n, m, width): Jᵀ u_i = value_i v_i
  at::Tensor values;  // (n, width)
  for (int i = 0; i < options.iterations + 1; ++i) {
    const at::Tensor image = ByColumns(
        [&](const at::Tensor& column) { return jacobian.Times(column); }, v,
        x.scalar_type());
    if (u.defined()) {
      spectrum.residuals = at::linalg_vector_norm(
          image - u * values.unsqueeze(1), 2, at::IntArrayRef{1});
      const at::Tensor now = values.narrow(1, 0, k);
      const bool first = !spectrum.values.defined();
      const bool settled = !first && ((now - spectrum.values).abs() <=
                                      options.tolerance * now.narrow(1, 0, 1))
                                         .all()
                                         .item<bool>();
      spectrum.values = now;
      if (settled || i == options.iterations) break;
    }
    const at::Tensor q = std::get<0>(at::linalg_qr(image));
    const at::Tensor back = ByColumns(
        [&](const at::Tensor& column) {
          return jacobian.TransposedTimes(column);
        },
        q, x.scalar_type());
    const auto [left, singular, right] = at::linalg_svd(back, false);
    v = left;
    values = singular;
    u = at::matmul(q, right.transpose(1, 2));
  }
  spectrum.residuals = spectrum.residuals.narrow(1, 0, k);
  return spectrum;
}

}  // namespace

absl::StatusOr<JacobianSpectrum> JacobianSingularValues(
    const BatchFunction& function, const at::Tensor& x,
    const JacobianSpectrumOptions& options) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const Linearisation jacobian,
                             Linearisation::At(function, x));
  const int64_t side = std::min(jacobian.inputs(), jacobian.outputs());
  LIPSCHITZ_RETURN_IF_ERROR(Check(options, side));
  return CatchTorch("Jacobian spectrum", [&]() -> JacobianSpectrum {
    const bool all = options.count == 0;
    if (!all && side > options.max_passes &&
        options.count + options.oversampling < side) {
      return SubspaceIteration(jacobian, x, options);
    }
    JacobianSpectrum spectrum;
    const at::Tensor values =
        at::linalg_svdvals(jacobian.Jacobians().to(at::kDouble));
    spectrum.values = all ? values : values.narrow(1, 0, options.count);
    spectrum.residuals = at::zeros_like(spectrum.values);
    return spectrum;
  });
}

}  // namespace lipschitz
