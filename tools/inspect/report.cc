#include "tools/inspect/report.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "experiments/common/figure.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/random.h"
#include "lipschitz/diagnostics/activation_statistics.h"
#include "lipschitz/diagnostics/exact_lipschitz.h"
#include "lipschitz/diagnostics/jacobian_spectrum.h"
#include "lipschitz/diagnostics/layer_gradients.h"
#include "lipschitz/diagnostics/linearisation.h"
#include "lipschitz/diagnostics/lipschitz_lower_bound.h"
#include "lipschitz/diagnostics/weight_spectrum.h"
#include "lipschitz/layers/chain.h"
#include "lipschitz/models/network.h"
#include "lipschitz/models/saved_model.h"
#include "tools/certify/inputs.h"
#include "tools/decimal.h"
#include "tools/inspect/figure.h"

namespace lipschitz::tools {
namespace {

constexpr char kRangeKey[] = "input_range";

// Units that are positive on at least, at most such a share of the inputs, as
// in the experiment activation_statistics.
constexpr double kUndead = 0.95;
constexpr double kDead = 0.05;

struct Inputs {
  at::Tensor x;  // (n, input_dim), of the model's type
  std::string description;
};

absl::StatusOr<std::pair<double, double>> InputRange(
    const InspectSettings& settings, const ModelMetadata& metadata) {
  const auto stated = metadata.find(kRangeKey);
  if (stated == metadata.end()) return std::make_pair(0.0, 1.0);
  const std::vector<std::string> limits = absl::StrSplit(stated->second, ',');
  double lower = 0.0;
  double upper = 0.0;
  if (limits.size() != 2 || !absl::SimpleAtod(limits[0], &lower) ||
      !absl::SimpleAtod(limits[1], &upper) || !(lower < upper) ||
      !std::isfinite(upper - lower)) {
    return absl::InvalidArgumentError(
        absl::StrCat(settings.model, ": the metadata's ", kRangeKey,
                     " must be \"lower,upper\", it is \"", stated->second,
                     "\"; give images instead"));
  }
  return std::make_pair(lower, upper);
}

absl::StatusOr<Inputs> MakeInputs(const InspectSettings& settings,
                                  const SavedModel& model,
                                  at::ScalarType type) {
  Inputs inputs;
  const int64_t dim = InputDim(model.config);
  if (!settings.images.empty()) {
    LIPSCHITZ_ASSIGN_OR_RETURN(
        const at::Tensor images,
        ReadImages(settings.images, dim, /*any_range=*/true));
    inputs.x =
        images.narrow(0, 0, std::min(settings.inputs, images.size(0))).to(type);
    inputs.description =
        absl::StrCat(inputs.x.size(0), " of ", settings.images);
    return inputs;
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(const auto range,
                             InputRange(settings, model.metadata));
  const RandomSource random(settings.seed);
  inputs.x =
      (range.first + (range.second - range.first) *
                         at::rand({settings.inputs, dim}, random.generator(),
                                  at::TensorOptions(at::kDouble)))
          .to(type);
  inputs.description = absl::StrCat(settings.inputs, " random, uniform in [",
                                    range.first, ", ", range.second, "]");
  return inputs;
}

std::string Short(double value) { return absl::StrFormat("%.4g", value); }

std::string Bound(const BoundTable& bounds, Norm norm) {
  const double bound = bounds.At(norm, norm);
  return std::isfinite(bound) ? NineDigitsUp(bound) : "-";
}

using Row = std::vector<std::string>;

// Columns as wide as they need to be.
std::string Aligned(const std::vector<Row>& rows) {
  std::vector<size_t> width;
  for (const Row& row : rows) {
    width.resize(std::max(width.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) {
      width[i] = std::max(width[i], row[i].size());
    }
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      absl::StrAppend(&line, i == 0 ? "" : "  ");
      const std::string padding(width[i] - row[i].size(), ' ');
      // Names to the left, numbers to the right.
      absl::StrAppend(&line, i == 0 ? row[i] : padding,
                      i == 0 ? padding : row[i]);
    }
    absl::StripTrailingAsciiWhitespace(&line);
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

// Of the Jacobian's singular values, where it has too many for all of them.
constexpr int64_t kLargestValues = 16;
constexpr int64_t kMostValues = 64;

absl::StatusOr<LayerMeasurements> MeasureLayers(LayerImpl& network,
                                                const at::Tensor& x,
                                                int64_t outputs) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const at::Tensor targets,
                             CatchTorch("the model", [&]() -> at::Tensor {
                               return network.forward(x).detach().argmax(1);
                             }));
  LayerMeasurements measured;
  LIPSCHITZ_ASSIGN_OR_RETURN(measured.gradients,
                             LayerGradients(network, x, targets));
  LIPSCHITZ_ASSIGN_OR_RETURN(measured.spectra, WeightSpectra(network));
  LIPSCHITZ_ASSIGN_OR_RETURN(measured.statistics,
                             CollectActivationStatistics(network, x));
  JacobianSpectrumOptions options;
  if (std::min(outputs, x.size(1)) > kMostValues) {
    options.count = kLargestValues;
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(
      measured.jacobian,
      JacobianSingularValues(ForwardOf(network), x, options));
  return measured;
}

absl::StatusOr<std::string> LayerTable(LayerImpl& network,
                                       const LayerMeasurements& measured) {
  std::map<std::string, WeightSpectrum> singular;
  for (const WeightSpectrum& spectrum : measured.spectra) {
    singular[spectrum.layer] = spectrum;
  }
  std::map<std::string, const ActivationStatistics*> activations;
  for (const ActivationStatistics& activation : measured.statistics) {
    activations[activation.layer] = &activation;
  }
  std::vector<Row> rows = {{"layer", "K l2", "K linf", "sigma min", "sigma max",
                            "grad mean", "grad min", "grad max", "active",
                            "undead", "dead"}};
  const std::vector<NamedLayer> chain = ChainOf(network);
  for (size_t i = 0; i <= chain.size(); ++i) {
    const LayerGradient& gradient = measured.gradients[i];
    Row row = {gradient.layer, "", "", "", ""};
    if (i > 0) {
      LIPSCHITZ_ASSIGN_OR_RETURN(const BoundTable bounds,
                                 chain[i - 1].layer->LipschitzBounds());
      row[1] = Bound(bounds, Norm::kL2);
      row[2] = Bound(bounds, Norm::kLinf);
    }
    const auto values = singular.find(gradient.layer);
    if (values != singular.end()) {
      const WeightSpectrum& spectrum = values->second;
      row[3] =
          spectrum.complete ? Short(spectrum.values.min().item<double>()) : "-";
      row[4] = Short(spectrum.values.max().item<double>());
    }
    row.push_back(Short(gradient.mean));
    row.push_back(Short(gradient.min));
    row.push_back(Short(gradient.max));
    const auto found = activations.find(gradient.layer);
    if (found != activations.end()) {
      const ActivationStatistics& activation = *found->second;
      row.push_back(Short(ActiveShare(activation).mean().item<double>()));
      if (!activation.moved.defined()) {
        row.push_back(Short(activation.UndeadRate(kUndead)));
        row.push_back(Short((activation.positive <= kDead)
                                .to(at::kDouble)
                                .mean()
                                .item<double>()));
      }
    }
    rows.push_back(row);
  }
  return Aligned(rows);
}

// Of the singular values of the Jacobian at every input.
std::string JacobianTable(const JacobianSpectrum& jacobian) {
  const at::Tensor values = jacobian.values;
  std::vector<Row> rows = {
      {"jacobian, over inputs", "least", "median", "largest"}};
  const auto add = [&](const std::string& name, const at::Tensor& column) {
    rows.push_back({name, Short(column.min().item<double>()),
                    Short(column.median().item<double>()),
                    Short(column.max().item<double>())});
  };
  add("largest singular value", values.select(1, 0));
  add(jacobian.exact ? "median singular value"
                     : absl::StrCat("median of the largest ", values.size(1)),
      std::get<0>(values.median(1)));
  if (jacobian.exact) {
    add("least singular value", values.select(1, values.size(1) - 1));
  }
  return Aligned(rows);
}

absl::StatusOr<std::string> NetworkTable(LayerImpl& network,
                                         const Inputs& inputs,
                                         const InspectSettings& settings) {
  std::vector<Row> rows = {{"network", "proven K", "lower bound", "tightness",
                            "local min", "local median"}};
  const bool small = inputs.x.size(1) <= 2;
  if (small) rows[0].push_back("exact");
  for (const Norm norm : {Norm::kL2, Norm::kLinf}) {
    LowerBoundOptions options;
    options.input_norm = norm;
    options.output_norm = norm;
    options.steps = settings.steps;
    options.seed = settings.seed;
    LIPSCHITZ_ASSIGN_OR_RETURN(const LipschitzTightness measured,
                               MeasureTightness(network, inputs.x, options));
    Row row = {NormName(norm),
               NineDigitsUp(measured.proven),
               Short(measured.lower.value),
               Short(measured.tightness),
               Short(measured.lower.local.min().item<double>()),
               Short(measured.lower.local.median().item<double>())};
    if (small) {
      ExactLipschitzOptions exact;
      exact.norm = norm;
      const auto constant = ComputeExactLipschitz(network, exact);
      if (constant.ok()) {
        row.push_back(NineDigits(constant->constant));
      } else if (absl::IsResourceExhausted(constant.status())) {
        row.push_back("too many pieces");
      } else {
        return constant.status();
      }
    }
    rows.push_back(row);
  }
  return Aligned(rows);
}

}  // namespace

absl::StatusOr<Inspection> MakeInspection(const InspectSettings& settings) {
  if (settings.inputs < 1 || settings.steps < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("inputs must be at least 1 and steps not negative, got ",
                     settings.inputs, " and ", settings.steps));
  }
  if (!settings.figure.empty()) {
    LIPSCHITZ_RETURN_IF_ERROR(experiments::CheckFigureName(settings.figure));
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(SavedModel model, LoadModel(settings.model));
  LayerImpl& network = *model.network;
  const at::ScalarType type = network.parameters().front().scalar_type();
  LIPSCHITZ_ASSIGN_OR_RETURN(const Inputs inputs,
                             MakeInputs(settings, model, type));
  std::string text = absl::StrCat("model: ", settings.model, "\n");
  for (const auto& [name, value] : model.metadata) {
    absl::StrAppend(&text, "  ", name, ": ", value, "\n");
  }
  absl::StrAppend(&text, "inputs: ", inputs.description, "\n\n");
  const auto measured =
      MeasureLayers(network, inputs.x, OutputDim(model.config));
  if (!measured.ok()) return WithContext(measured.status(), settings.model);
  const auto layers = LayerTable(network, *measured);
  if (!layers.ok()) return WithContext(layers.status(), settings.model);
  const auto whole = NetworkTable(network, inputs, settings);
  if (!whole.ok()) return WithContext(whole.status(), settings.model);
  absl::StrAppend(&text, *layers, "\n", JacobianTable(measured->jacobian), "\n",
                  *whole);
  Inspection inspection = {std::move(text), absl::OkStatus()};
  if (!settings.figure.empty()) {
    const size_t name = settings.model.rfind('/') + 1;
    inspection.figure = experiments::DrawFigure(
        settings.figure,
        InspectionFigure(settings.model.substr(name), *measured));
  }
  return inspection;
}

}  // namespace lipschitz::tools
