#include "experiments/activation_statistics/report.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "experiments/common/cost.h"
#include "experiments/common/experiment.h"
#include "experiments/common/figure.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

// From the tightest constraint on.
constexpr std::array<const char*, 6> kColours = {
    "#440154", "#3B528B", "#21918C", "#5EC962", "#E69F00", "#D55E00"};
constexpr char kFreeColour[] = "#999999";

std::string Text(const VariantRecords& group, const char* key) {
  return group.variant.value(key, "");
}

// By dataset.
std::vector<VariantRecords> Ordered(const std::vector<Record>& records) {
  std::vector<VariantRecords> groups = GroupByVariant(records);
  std::stable_sort(groups.begin(), groups.end(),
                   [](const VariantRecords& a, const VariantRecords& b) {
                     return a.config.value("dataset", "") <
                            b.config.value("dataset", "");
                   });
  return groups;
}

// Of one layer of a record, over the threshold.
Series RateSeries(const Record& record, const std::string& when, size_t layer) {
  Series series;
  const Json& rates = record.curves.at("rates_" + when);
  series.x = rates.at("threshold").get<std::vector<double>>();
  series.y = rates.at("undead").at(layer).get<std::vector<double>>();
  return series;
}

// Over the epochs, the start included.
Series TrainingSeries(const Record& record, const std::string& metric) {
  Series series;
  series.x.push_back(0.0);
  series.y.push_back(record.metrics.at(metric + "_initial"));
  for (const HistoryEntry& entry : record.history) {
    const auto value = entry.metrics.find(metric);
    if (value == entry.metrics.end()) continue;
    series.x.push_back(entry.metrics.at("epoch"));
    series.y.push_back(value->second);
  }
  return series;
}

// The groups with an activation, and how their lines look.
struct Styled {
  const Record* record = nullptr;
  std::string label;
  std::string colour;
};

std::vector<Styled> StyledOf(const std::vector<VariantRecords>& groups,
                             const std::string& activation) {
  std::vector<Styled> styled;
  for (const VariantRecords& group : groups) {
    if (group.ok.empty() || Text(group, "activation") != activation) continue;
    const std::string constant = Text(group, "lipschitz_constant");
    const bool is_free = constant == "free";
    styled.push_back(
        {group.ok[0], is_free ? constant : absl::StrCat("K = ", constant),
         is_free ? kFreeColour
                 : kColours[std::min(styled.size(), kColours.size() - 1)]});
  }
  return styled;
}

Panel UndeadPanel(const std::vector<Styled>& lines, size_t layer) {
  Panel panel;
  panel.title = absl::StrCat("ReLU, layer ", layer + 1, ", trained");
  panel.x = {"share of inputs", 0.0, 1.0};
  panel.y = {"units active on at least that share", 0.0, 1.0};
  if (!lines.empty()) {
    Series start = RateSeries(*lines[0].record, "initial", layer);
    start.label = absl::StrCat("at the start, ", lines[0].label);
    start.style = LineStyle::kDashed;
    panel.series.push_back(std::move(start));
  }
  for (const Styled& line : lines) {
    Series series = RateSeries(*line.record, "trained", layer);
    series.label = line.label;
    series.colour = line.colour;
    panel.series.push_back(std::move(series));
  }
  return panel;
}

Panel TrainingPanel(const std::vector<Styled>& lines, const std::string& metric,
                    const std::string& title) {
  Panel panel;
  panel.title = title;
  panel.x = {"epoch"};
  panel.y = {"share, mean over layers", 0.0, 1.0};
  for (const Styled& line : lines) {
    Series series = TrainingSeries(*line.record, metric);
    series.label = line.label;
    series.colour = line.colour;
    panel.series.push_back(std::move(series));
  }
  return panel;
}

Figure FigureOf(const std::string& dataset,
                const std::vector<VariantRecords>& groups) {
  Figure figure;
  figure.title =
      absl::StrCat("Units that do the same on nearly all inputs, ", dataset);
  figure.columns = 3;
  figure.legend_below = true;
  const std::vector<Styled> relu = StyledOf(groups, "relu");
  const std::vector<Styled> maxmin = StyledOf(groups, "maxmin");
  const size_t layers =
      relu.empty()
          ? 0
          : relu[0].record->curves.at("rates_trained").at("undead").size();
  // As many as there are columns, of the layers next to the input.
  for (size_t layer = 0; layer < std::min<size_t>(layers, 3); ++layer) {
    figure.panels.push_back(UndeadPanel(relu, layer));
  }
  while (figure.panels.size() % 3 != 0) figure.panels.emplace_back();
  figure.panels.push_back(TrainingPanel(
      relu, "undead_rate", "ReLU: units active on 95 % of the inputs"));
  figure.panels.push_back(
      TrainingPanel(relu, "fixed_rate", "ReLU: ... on 95 % or on 5 % of them"));
  figure.panels.push_back(TrainingPanel(maxmin, "fixed_rate",
                                        "MaxMin: pairs in one order on 95 %"));
  return figure;
}

}  // namespace

Table ActivationStatisticsTable(const std::vector<Record>& records) {
  Table table;
  table.title = "Active units under a Lipschitz constraint";
  table.columns = {{"dataset"},
                   {"activation"},
                   {"K"},
                   {"test accuracy", {4, true}, Better::kHigher},
                   {"undead at start"},
                   {"undead"},
                   {"dead"},
                   {"active"},
                   {"first of pair"},
                   {"fixed at start"},
                   {"fixed"},
                   {"Jacobian variation at start"},
                   {"Jacobian variation"},
                   {"gradient / K"}};
  AddCostColumns(1, &table);
  table.compared_within = 1;
  for (const VariantRecords& group : Ordered(records)) {
    const bool is_relu = Text(group, "activation") == "relu";
    const auto metric = [&](const char* name, bool has = true) {
      return has ? Cell(SummariseMetric(group, name)) : Cell(std::string());
    };
    table.rows.push_back(
        {group.config.value("dataset", ""), Text(group, "activation"),
         Text(group, "lipschitz_constant"), metric("test_accuracy"),
         metric("undead_rate_initial", is_relu),
         metric("undead_rate_trained", is_relu),
         metric("dead_rate_trained", is_relu),
         metric("active_share_trained", is_relu),
         metric("first_share_trained", !is_relu), metric("fixed_rate_initial"),
         metric("fixed_rate_trained"), metric("jacobian_variation_initial"),
         metric("jacobian_variation_trained"),
         metric("input_gradient_over_k")});
    AddCostCells(group, &table.rows.back());
  }
  table.notes = {absl::StrCat(
      "Undead, dead: share of units that are active on at least 95 %, at most "
      "5 % of the test images. Active: mean share of images on which a unit is "
      "active. First of pair: share on which the first unit of a pair is the "
      "larger one. Fixed: share of units (ReLU) that are undead or dead, of "
      "pairs (MaxMin) in one order on at least 95 %. All are means over the "
      "layers. Jacobian variation: 1 − ‖mean J‖² / mean ‖J‖², 0 for an affine "
      "map. Gradient / K: mean norm of the label's logit's gradient, over the "
      "proven constant. Mean ± standard deviation over seeds. Preset: ",
      records.empty() ? "none" : records[0].preset, ".")};
  return table;
}

absl::Status WriteActivationStatisticsReport(
    const std::string& results_dir, const std::string& stem,
    const std::vector<Record>& records) {
  LIPSCHITZ_RETURN_IF_ERROR(
      WriteTable(results_dir, stem, ActivationStatisticsTable(records)));
  std::vector<std::pair<std::string, std::vector<VariantRecords>>> parts;
  for (const VariantRecords& group : Ordered(records)) {
    const std::string dataset = group.config.value("dataset", "");
    if (parts.empty() || parts.back().first != dataset) {
      parts.push_back({dataset, {}});
    }
    parts.back().second.push_back(group);
  }
  for (const auto& [dataset, groups] : parts) {
    LIPSCHITZ_RETURN_IF_ERROR(WriteFigure(results_dir,
                                          absl::StrCat(stem, "_", dataset),
                                          FigureOf(dataset, groups)));
  }
  return absl::OkStatus();
}

}  // namespace lipschitz::experiments
