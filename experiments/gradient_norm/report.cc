#include "experiments/gradient_norm/report.h"

#include <algorithm>
#include <array>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "experiments/common/cost.h"
#include "experiments/common/experiment.h"
#include "experiments/common/figure.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

constexpr int kBins = 41;

// Below it gradients are drawn as if they were so large.
constexpr double kLeastDrawn = 1e-6;

std::string Text(const VariantRecords& group, const char* key) {
  return group.variant.value(key, "");
}

int64_t Depth(const VariantRecords& group) {
  return group.variant.value("hidden_layers", int64_t{0});
}

std::vector<VariantRecords> Ordered(const std::vector<Record>& records) {
  std::vector<VariantRecords> groups = GroupByVariant(records);
  static constexpr std::array<const char*, 5> kActivations = {
      "relu", "maxmin", "groupsort4", "fullsort", "abs"};
  const auto place = [](const std::string& activation) {
    return std::find(kActivations.begin(), kActivations.end(), activation);
  };
  // The critics first.
  const auto key = [&place](const VariantRecords& group) {
    return std::make_tuple(Text(group, "task") != "critic",
                           group.config.value("dataset", ""),
                           Text(group, "constraint"), Depth(group),
                           place(Text(group, "activation")));
  };
  std::stable_sort(groups.begin(), groups.end(),
                   [&key](const VariantRecords& a, const VariantRecords& b) {
                     return key(a) < key(b);
                   });
  return groups;
}

// "critic" or "mnist".
std::string TaskName(const VariantRecords& group) {
  return Text(group, "task") == "critic" ? "critic"
                                         : group.config.value("dataset", "");
}

// The largest that occurred, in either state; `type`: "" (float64) or "own_".
std::string LargestDeviation(const VariantRecords& group,
                             const std::string& type) {
  double largest = -1.0;
  for (const Record* record : group.ok) {
    for (const char* when : {"initial", "trained"}) {
      const auto found =
          record->metrics.find(absl::StrCat("keeping_deviation_", type, when));
      // Records of earlier versions lack some.
      if (found == record->metrics.end()) continue;
      largest = std::max(largest, found->second);
    }
  }
  return largest < 0.0 ? "" : absl::StrFormat("%.0e", largest);
}

Series GradientSeries(const Record& record, const std::string& when) {
  Series series;
  const std::string name = "gradient_norm_" + when;
  if (!record.curves.contains(name)) return series;
  for (const Json& mean : record.curves.at(name).at("mean")) {
    series.x.push_back(static_cast<double>(series.x.size()));
    series.y.push_back(std::max(kLeastDrawn, mean.get<double>()));
  }
  return series;
}

// The outline of the bars.
Series HistogramSeries(const Record& record, const std::string& when) {
  Series series;
  const std::string name = "jacobian_" + when;
  if (!record.curves.contains(name)) return series;
  const Json& histogram = record.curves.at(name);
  const auto centres = histogram.at("sigma").get<std::vector<double>>();
  const auto shares = histogram.at("share").get<std::vector<double>>();
  for (size_t i = 0; i < centres.size() && i < shares.size(); ++i) {
    for (const double side : {-0.5, 0.5}) {
      series.x.push_back(centres[i] + side / (kBins - 1));
      series.y.push_back(shares[i]);
    }
  }
  return series;
}

// Lines that lie on each other still show, the later ones thinner; ReLU's lies
// on none.
double LineWidth(const std::string& activation, size_t index) {
  if (activation == "relu") return 2.0;
  return std::max(1.2, 7.0 - 1.4 * static_cast<double>(index));
}

// All panels show the norms from the least to 1, so that they compare.
void ShowOneRange(Figure* figure) {
  double least = 1.0;
  for (const Panel& panel : figure->panels) {
    for (const Series& series : panel.series) {
      for (const double y : series.y) least = std::min(least, y);
    }
  }
  for (Panel& panel : figure->panels) {
    panel.y.minimum = least / 1.5;
    panel.y.maximum = 1.5;
    double layers = 1.0;
    for (const Series& series : panel.series) {
      if (!series.x.empty()) layers = std::max(layers, series.x.back());
    }
    panel.x.maximum = layers;
  }
}

enum class Kind { kLayers, kJacobian };

Panel PanelOf(Kind kind, int64_t depth, const std::string& when) {
  Panel panel;
  panel.title = absl::StrCat(depth, " hidden layers, ",
                             when == "initial" ? "at the start" : "trained");
  if (kind == Kind::kLayers) {
    panel.x = {"layers and activations from the input"};
    panel.y = {"mean norm of the output's gradient", 0.0, 0.0, true};
  } else {
    panel.x = {"singular value of the input Jacobian", 0.0, 1.05};
    panel.y = {"share", 0.0, 1.0};
  }
  return panel;
}

// Of the groups of one task and constraint: a row at the start and one after
// training, a column for every depth.
Figure FigureOf(Kind kind, const std::vector<VariantRecords>& groups) {
  std::set<int64_t> depths;
  for (const VariantRecords& group : groups) depths.insert(Depth(group));
  Figure figure;
  figure.title = absl::StrCat(
      kind == Kind::kLayers ? "Gradient norms layer by layer, "
                            : "Singular values of the Jacobian, ",
      TaskName(groups[0]), ", ", Text(groups[0], "constraint"), " weights");
  figure.columns = static_cast<int>(depths.size());
  figure.legend_below = true;
  for (const std::string when : {"initial", "trained"}) {
    for (const int64_t depth : depths) {
      Panel panel = PanelOf(kind, depth, when);
      for (const VariantRecords& group : groups) {
        if (Depth(group) != depth || group.ok.empty()) continue;
        Series series = kind == Kind::kLayers
                            ? GradientSeries(*group.ok[0], when)
                            : HistogramSeries(*group.ok[0], when);
        series.label = Text(group, "activation");
        series.colour = ActivationColour(series.label);
        series.width = LineWidth(series.label, panel.series.size());
        panel.series.push_back(std::move(series));
      }
      figure.panels.push_back(std::move(panel));
    }
  }
  if (kind == Kind::kLayers) ShowOneRange(&figure);
  return figure;
}

}  // namespace

Json HistogramOf(const torch::Tensor& values) {
  const torch::Tensor bins = (values.flatten() * (kBins - 1))
                                 .round()
                                 .clamp(0, kBins - 1)
                                 .to(torch::kLong);
  const torch::Tensor counts = torch::bincount(bins, {}, kBins);
  Json histogram = {{"sigma", Json::array()}, {"share", Json::array()}};
  for (int i = 0; i < kBins; ++i) {
    histogram["sigma"].push_back(static_cast<double>(i) / (kBins - 1));
    histogram["share"].push_back(
        static_cast<double>(counts[i].item<int64_t>()) /
        static_cast<double>(values.numel()));
  }
  return histogram;
}

Table GradientNormTable(const std::vector<Record>& records) {
  Table table;
  table.title = "Gradient norms in backpropagation";
  table.columns = {{"task"},
                   {"constraint"},
                   {"hidden layers"},
                   {"activation"},
                   {"score", {4, true}, Better::kHigher},
                   {"input gradient at start"},
                   {"expected", {4, false}},
                   {"trained"},
                   {"hidden gradient at start"},
                   {"trained hidden"},
                   {"sigma median at start"},
                   {"trained sigma"},
                   {"trained sigma min"},
                   {"deviation"},
                   {"in float32"},
                   {"tightness"}};
  AddCostColumns(1, &table);
  table.compared_within = 3;
  for (const VariantRecords& group : Ordered(records)) {
    std::vector<Cell> row = {TaskName(group), Text(group, "constraint"),
                             absl::StrCat(Depth(group)),
                             Text(group, "activation")};
    const bool keeps = Text(group, "activation") != "relu";
    for (const char* metric :
         {"score", "input_gradient_initial", "input_gradient_expected",
          "input_gradient_trained", "hidden_gradient_initial",
          "hidden_gradient_trained", "sigma_median_initial",
          "sigma_median_trained", "sigma_min_trained"}) {
      // What a widening layer alone would leave; ReLU takes more.
      if (metric == std::string("input_gradient_expected") && !keeps) {
        row.emplace_back("");
      } else {
        row.emplace_back(SummariseMetric(group, metric));
      }
    }
    for (const char* type : {"", "own_"}) {
      row.emplace_back(keeps ? LargestDeviation(group, type) : std::string());
    }
    row.emplace_back(SummariseMetric(group, "tightness"));
    AddCostCells(group, &row);
    table.rows.push_back(std::move(row));
  }
  table.notes = {absl::StrCat(
      "Score: estimate over exact distance (critic), test accuracy "
      "(classifier). Input and hidden gradient: mean l2 norm of the output's "
      "gradient with respect to the input and to the first layer's output. "
      "Expected: at the start, √(inputs / width) where the first layer widens "
      "its input, else 1. Sigma: singular values of the input Jacobian. "
      "Deviation: the largest |norm − 1| in front of any layer behind which "
      "only layers of orthonormal rows and gradient norm preserving "
      "activations follow, over all points, before and after training, in "
      "float64 and as the network computes it. "
      "Tightness: largest slope found over the proven K. Mean ± standard "
      "deviation over seeds. Preset: ",
      records.empty() ? "none" : records[0].preset, ".")};
  return table;
}

absl::Status WriteGradientNormReport(const std::string& results_dir,
                                     const std::string& stem,
                                     const std::vector<Record>& records) {
  LIPSCHITZ_RETURN_IF_ERROR(
      WriteTable(results_dir, stem, GradientNormTable(records)));
  std::vector<std::pair<std::string, std::vector<VariantRecords>>> parts;
  for (const VariantRecords& group : Ordered(records)) {
    const std::string name =
        absl::StrCat(Text(group, "constraint"), "_", TaskName(group));
    if (parts.empty() || parts.back().first != name) {
      parts.push_back({name, {}});
    }
    parts.back().second.push_back(group);
  }
  for (const auto& [name, groups] : parts) {
    const std::string base = absl::StrCat(stem, "_", name);
    LIPSCHITZ_RETURN_IF_ERROR(WriteFigure(results_dir, base + "_layers",
                                          FigureOf(Kind::kLayers, groups)));
    LIPSCHITZ_RETURN_IF_ERROR(WriteFigure(results_dir, base + "_jacobian",
                                          FigureOf(Kind::kJacobian, groups)));
  }
  return absl::OkStatus();
}

}  // namespace lipschitz::experiments
