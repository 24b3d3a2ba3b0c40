#include "experiments/function_fitting/report.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "experiments/common/cost.h"
#include "experiments/common/experiment.h"
#include "experiments/common/figure.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

// The order of rows, panels and lines; what is not listed comes last.
const std::vector<std::string> kFunctions = {
    "triangle2",   "triangle4", "triangle8",     "triangle16",
    "triangle32",  "random8",   "random16",      "sine",
    "distance_l2", "peak_l2",   "distance_linf", "peak_linf"};
const std::vector<std::string> kConstraints = {
    "stiefel",    "polar",     "bjorck", "spectral",
    "l2_to_linf", "linf_rows", "linf"};
const std::vector<std::string> kActivations = {"relu", "abs", "maxmin",
                                               "groupsort4", "fullsort"};

std::string Text(const VariantRecords& group, const char* key) {
  return group.variant.at(key).get<std::string>();
}

int64_t Number(const VariantRecords& group, const char* key) {
  return group.variant.at(key).get<int64_t>();
}

int64_t Rank(const std::vector<std::string>& order, const std::string& name) {
  return std::find(order.begin(), order.end(), name) - order.begin();
}

std::vector<VariantRecords> SortedGroups(const std::vector<Record>& records) {
  std::vector<VariantRecords> groups = GroupByVariant(records);
  const auto key = [](const VariantRecords& group) {
    return std::make_tuple(
        Rank(kFunctions, Text(group, "function")), Text(group, "function"),
        Rank(kConstraints, Text(group, "constraint")),
        Number(group, "hidden_layers"), Number(group, "width"),
        Rank(kActivations, Text(group, "activation")));
  };
  std::stable_sort(groups.begin(), groups.end(),
                   [&](const VariantRecords& a, const VariantRecords& b) {
                     return key(a) < key(b);
                   });
  return groups;
}

double Metric(const Record& record, const char* name) {
  const auto found = record.metrics.find(name);
  return found == record.metrics.end() ? std::nan("") : found->second;
}

// (hidden layers, width).
using Size = std::pair<int64_t, int64_t>;

Size SizeOf(const VariantRecords& group) {
  return {Number(group, "hidden_layers"), Number(group, "width")};
}

// The size in which the functions are compared: the one of most variants.
Size CommonSize(const std::vector<VariantRecords>& groups) {
  std::map<Size, int> count;
  for (const VariantRecords& group : groups) ++count[SizeOf(group)];
  const auto most = std::max_element(
      count.begin(), count.end(),
      [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == count.end() ? Size{} : most->first;
}

// A row of panels per constraint, a panel per function on the line: what ReLU
// and GroupSort made of it with the first seed there is.
Figure FitsFigure(const std::vector<VariantRecords>& groups) {
  static const std::set<std::string> kDrawn = {"relu", "groupsort4"};
  const Size size = CommonSize(groups);
  Figure figure;
  figure.title =
      absl::StrCat("1-Lipschitz functions fitted by networks of constant 1, ",
                   size.first, " hidden layers of ", size.second);
  figure.legend_below = true;
  std::map<int64_t, int> columns;
  // Groups are sorted by function first.
  for (const std::string& constraint : kConstraints) {
    for (const VariantRecords& group : groups) {
      if (Text(group, "constraint") != constraint || SizeOf(group) != size ||
          kDrawn.count(Text(group, "activation")) == 0 || group.ok.empty() ||
          !group.ok[0]->curves.contains("fit")) {
        continue;
      }
      const Json& fit = group.ok[0]->curves.at("fit");
      const auto x = fit.at("x").get<std::vector<double>>();
      const std::string title =
          absl::StrCat(Text(group, "function"), ", ", constraint);
      if (figure.panels.empty() || figure.panels.back().title != title) {
        ++columns[Rank(kConstraints, constraint)];
        Panel panel;
        panel.title = title;
        panel.x = {"x", x.front(), x.back()};
        panel.y = {"f(x)"};
        panel.series.push_back({"target", x,
                                fit.at("target").get<std::vector<double>>(),
                                "#c0c0c0", LineStyle::kSolid, 6.0});
        figure.panels.push_back(std::move(panel));
      }
      const std::string activation = Text(group, "activation");
      figure.panels.back().series.push_back(
          {activation, x, fit.at("value").get<std::vector<double>>(),
           ActivationColour(activation), LineStyle::kSolid, 1.5});
    }
  }
  for (const auto& [constraint, count] : columns) {
    figure.columns = std::max(figure.columns, count);
  }
  return figure;
}

// For one function and constraint: a panel per depth, a line per activation
// that has several widths, the mean largest error over seeds against the width.
Figure ScalingFigure(const std::vector<VariantRecords>& groups,
                     const std::string& function,
                     const std::string& constraint) {
  std::map<int64_t, std::vector<Series>> lines_of_depth;
  double least = 1.0;
  double narrowest = std::numeric_limits<double>::infinity();
  double widest = 0.0;
  for (const VariantRecords& group : groups) {
    if (Text(group, "function") != function ||
        Text(group, "constraint") != constraint || group.ok.empty()) {
      continue;
    }
    const auto [depth, width] = SizeOf(group);
    std::vector<Series>& lines = lines_of_depth[depth];
    const std::string activation = Text(group, "activation");
    auto line = std::find_if(
        lines.begin(), lines.end(),
        [&](const Series& other) { return other.label == activation; });
    if (line == lines.end()) {
      Series series;
      series.label = activation;
      series.colour = ActivationColour(activation);
      line = lines.insert(lines.end(), std::move(series));
    }
    line->x.push_back(static_cast<double>(width));
    line->y.push_back(SummariseMetric(group, "sup_error").mean);
    // An error of zero has no place on a logarithmic axis.
    least = std::min(least, std::max(line->y.back(), 1e-9));
    narrowest = std::min(narrowest, line->x.back());
    widest = std::max(widest, line->x.back());
  }
  Figure figure;
  figure.title = absl::StrCat("Error over width: ", function, ", ", constraint);
  figure.legend_below = true;
  for (auto& [depth, lines] : lines_of_depth) {
    lines.erase(
        std::remove_if(lines.begin(), lines.end(),
                       [](const Series& line) { return line.x.size() < 2; }),
        lines.end());
    if (lines.empty()) continue;
    // Whole decades, which gnuplot labels, and one range for all, so that
    // panels compare.
    Panel panel;
    panel.title = absl::StrCat("hidden layers: ", depth);
    panel.x = {"width", std::pow(10.0, std::floor(std::log10(narrowest))),
               std::pow(10.0, std::ceil(std::log10(widest))),
               /*logarithmic=*/true};
    panel.y = {"largest error", std::pow(10.0, std::floor(std::log10(least))),
               1.0, /*logarithmic=*/true};
    panel.series = std::move(lines);
    figure.panels.push_back(std::move(panel));
  }
  figure.columns = static_cast<int>(figure.panels.size());
  return figure;
}

}  // namespace

Table FittingTable(const std::vector<Record>& records) {
  Table table;
  table.title = "1-Lipschitz functions fitted by networks of proven constant 1";
  table.columns = {{"function"},
                   {"constraint"},
                   {"hidden"},
                   {"activation"},
                   {"largest error", {4, true}, Better::kLower},
                   {"proven bound", {4, false}, Better::kLower},
                   {"rms error", {4, false}},
                   {"K", {7, false}},
                   {"steepest slope", {5, false}}};
  AddCostColumns(1, &table);
  table.compared_within = 1;
  for (const VariantRecords& group : SortedGroups(records)) {
    table.rows.push_back(
        {Text(group, "function"), Text(group, "constraint"),
         absl::StrCat(Number(group, "hidden_layers"), " × ",
                      Number(group, "width")),
         Text(group, "activation"), SummariseMetric(group, "sup_error"),
         SummariseMetric(group, "sup_error_bound"),
         SummariseRecords(group,
                          [](const Record& record) {
                            return std::sqrt(
                                Metric(record, "mean_squared_error"));
                          }),
         SummariseUpperBound(group), SummariseLowerBound(group)});
    AddCostCells(group, &table.rows.back());
  }
  table.notes = {absl::StrCat(
      "Largest error: on a grid, mean ± standard deviation over seeds. Proven "
      "bound: of the error on the whole domain, from the grid and K. The name "
      "of a function on the square ends with the norm in which it and K are "
      "1-Lipschitz. Preset: ",
      records.empty() ? "none" : records[0].preset, ".")};
  return table;
}

absl::Status WriteFittingReport(const std::string& results_dir,
                                const std::string& stem,
                                const std::vector<Record>& records) {
  LIPSCHITZ_RETURN_IF_ERROR(
      WriteTable(results_dir, stem, FittingTable(records)));
  const std::vector<VariantRecords> groups = SortedGroups(records);
  const Figure fits = FitsFigure(groups);
  if (!fits.panels.empty()) {
    LIPSCHITZ_RETURN_IF_ERROR(
        WriteFigure(results_dir, absl::StrCat(stem, "_fits"), fits));
  }
  std::set<std::pair<std::string, std::string>> studies;
  for (const VariantRecords& group : groups) {
    studies.emplace(Text(group, "function"), Text(group, "constraint"));
  }
  for (const auto& [function, constraint] : studies) {
    const Figure scaling = ScalingFigure(groups, function, constraint);
    if (scaling.panels.empty()) continue;
    LIPSCHITZ_RETURN_IF_ERROR(WriteFigure(
        results_dir, absl::StrCat(stem, "_scaling_", function, "_", constraint),
        scaling));
  }
  return absl::OkStatus();
}

}  // namespace lipschitz::experiments
