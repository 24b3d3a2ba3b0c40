#include "experiments/wasserstein_estimation/report.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "experiments/common/cost.h"
#include "experiments/common/experiment.h"
#include "experiments/common/figure.h"
#include "experiments/wasserstein_estimation/critics.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

constexpr char kEstimate[] = "wasserstein_estimate";

std::string Text(const VariantRecords& group, const char* key) {
  return group.variant.value(key, "");
}

int64_t Depth(const VariantRecords& group) {
  return group.variant.value("depth", int64_t{0});
}

std::string Dataset(const VariantRecords& group) {
  return group.config.value("dataset", "");
}

bool IsFree(const VariantRecords& group) {
  const std::string constraint = Text(group, "constraint");
  return constraint == "gradient_penalty" || constraint == "clipping";
}

// All that variants have in common which differ in the activation alone.
using CellKey = std::tuple<std::string, std::string, std::string, std::string,
                           std::string, int64_t>;

CellKey KeyOf(const VariantRecords& group) {
  return {
      Dataset(group),         Text(group, "generator"),  Text(group, "samples"),
      Text(group, "network"), Text(group, "constraint"), Depth(group)};
}

size_t ActivationRank(const std::string& activation) {
  const std::vector<std::string>& names = CriticActivations();
  return std::find(names.begin(), names.end(), activation) - names.begin();
}

std::vector<VariantRecords> Ordered(const std::vector<Record>& records) {
  std::vector<VariantRecords> groups = GroupByVariant(records);
  const auto key = [](const VariantRecords& group) {
    // Bounds before what is none.
    return std::make_tuple(Dataset(group), Text(group, "generator"),
                           IsFree(group), KeyOf(group),
                           ActivationRank(Text(group, "activation")));
  };
  std::stable_sort(groups.begin(), groups.end(),
                   [&key](const VariantRecords& a, const VariantRecords& b) {
                     return key(a) < key(b);
                   });
  return groups;
}

// Whether the mean difference bounds W1 without being divided by the proven
// constant.
std::string BoundText(const VariantRecords& group) {
  if (group.ok.empty()) return "–";
  if (!IsFree(group)) return "yes";
  const bool small =
      std::all_of(group.ok.begin(), group.ok.end(), [](const Record* record) {
        return record->lipschitz && record->lipschitz->upper_bound <= 1.0;
      });
  return small ? "not by itself" : "not a bound";
}

std::optional<double> Metric(const Record& record, const std::string& name) {
  const auto found = record.metrics.find(name);
  if (found == record.metrics.end()) return std::nullopt;
  return found->second;
}

using Activations = std::vector<const VariantRecords*>;

// The activation's records in a cell; none: null.
const VariantRecords* Find(const Activations& cell,
                           const std::string& activation) {
  for (const VariantRecords* group : cell) {
    if (Text(*group, "activation") == activation && !group->ok.empty()) {
      return group;
    }
  }
  return nullptr;
}

// The one whose mean is the largest among those that are there.
const VariantRecords* Best(const Activations& cell,
                           const std::vector<std::string>& activations) {
  const VariantRecords* best = nullptr;
  for (const std::string& activation : activations) {
    const VariantRecords* const group = Find(cell, activation);
    if (group == nullptr) continue;
    if (best == nullptr || SummariseMetric(*group, kEstimate).mean >
                               SummariseMetric(*best, kEstimate).mean) {
      best = group;
    }
  }
  return best;
}

std::map<CellKey, Activations> Cells(
    const std::vector<VariantRecords>& groups) {
  std::map<CellKey, Activations> cells;
  for (const VariantRecords& group : groups) {
    if (!IsFree(group)) cells[KeyOf(group)].push_back(&group);
  }
  return cells;
}

std::string EstimateText(const VariantRecords& group) {
  const std::string interval = IntervalText(group);
  const double mean = SummariseMetric(group, kEstimate).mean;
  return interval.empty() ? absl::StrFormat("%.3f", mean)
                          : absl::StrFormat("%.3f (%s)", mean, interval);
}

// Whether fullsort or groupsort ≥ maxmin > relu.
std::string OrderingText(const VariantRecords& larger,
                         const VariantRecords& maxmin,
                         const VariantRecords& relu) {
  const auto mean = [](const VariantRecords& group) {
    return SummariseMetric(group, kEstimate).mean;
  };
  if (!(mean(maxmin) > mean(relu))) return "no: maxmin ≤ relu";
  if (!(mean(larger) >= mean(maxmin))) return "no: larger groups < maxmin";
  return "yes";
}

const std::vector<std::string>& LargerGroups() {
  static const auto* const names =
      new std::vector<std::string>{"groupsort4", "groupsort9", "fullsort"};
  return *names;
}

// A bar over the interval with a mark at the estimate, at x.
void AddBar(const VariantRecords& group, double x, double half_width,
            const Series& style, Panel* panel) {
  const Summary estimate = SummariseMetric(group, kEstimate);
  const Summary lower = SummariseMetric(group, "interval_lower");
  const Summary upper = SummariseMetric(group, "interval_upper");
  Series mark = style;
  mark.x = {x - half_width, x + half_width};
  mark.y = {estimate.mean, estimate.mean};
  mark.width = 4.0;
  panel->series.push_back(mark);
  Series bar = style;
  bar.label.clear();
  bar.style = LineStyle::kSolid;
  bar.x = {x, x};
  bar.y = {lower.mean, upper.mean};
  bar.width = 1.5;
  if (lower.count > 0) panel->series.push_back(bar);
}

// Estimates of the activations, side by side at every depth of `cells`.
Panel PanelOf(const std::string& title,
              const std::vector<const Activations*>& cells) {
  const std::vector<std::string>& activations = CriticActivations();
  const double step = 1.4 / static_cast<double>(activations.size());
  Panel panel;
  panel.title = title;
  panel.x = {"hidden layers"};
  panel.y = {"W1 at least"};
  std::set<int64_t> depths;
  std::set<std::string> in_legend;
  std::vector<double> linear;
  for (const Activations* cell : cells) {
    for (const VariantRecords* group : *cell) {
      if (group->ok.empty()) continue;
      const std::string activation = Text(*group, "activation");
      const double place = static_cast<double>(ActivationRank(activation)) -
                           0.5 * static_cast<double>(activations.size() - 1);
      Series style;
      style.colour = ActivationColour(activation);
      if (activation == "groupsort9") style.style = LineStyle::kDotted;
      if (in_legend.insert(activation).second) style.label = activation;
      AddBar(*group, static_cast<double>(Depth(*group)) + step * place,
             0.4 * step, style, &panel);
      depths.insert(Depth(*group));
      linear.push_back(SummariseMetric(*group, "linear_estimate").mean);
    }
  }
  if (depths.empty()) return panel;
  panel.x.minimum = static_cast<double>(*depths.begin()) - 1.0;
  panel.x.maximum = static_cast<double>(*depths.rbegin()) + 1.0;
  panel.x.tics.assign(depths.begin(), depths.end());
  Series level;
  level.label = "best linear critic";
  level.x = {panel.x.minimum, panel.x.maximum};
  level.y.assign(2, Summarise(linear).mean);
  level.style = LineStyle::kDashed;
  level.width = 1.0;
  panel.series.push_back(level);
  return panel;
}

Figure EstimationFigure(const std::vector<VariantRecords>& groups) {
  const std::map<CellKey, Activations> cells = Cells(groups);
  Figure figure;
  figure.title = "Certified estimates of W1 between real and generated images";
  figure.legend_below = true;
  std::vector<std::pair<std::string, std::vector<const Activations*>>> panels;
  for (const auto& [key, cell] : cells) {
    const auto& [dataset, generator, samples, network, constraint, depth] = key;
    if (samples != ProtocolName(Protocol::kHeldOut)) continue;
    const std::string title =
        absl::StrCat(dataset, ", ", generator, ": ", network, ", ", constraint);
    if (panels.empty() || panels.back().first != title) {
      panels.push_back({title, {}});
    }
    panels.back().second.push_back(&cell);
  }
  figure.columns = panels.size() > 8 ? 4 : 2;
  for (const auto& [title, of_panel] : panels) {
    figure.panels.push_back(PanelOf(title, of_panel));
  }
  return figure;
}

}  // namespace

const std::vector<std::string>& SortingActivations() {
  static const auto* const names = new std::vector<std::string>{
      "maxmin", "groupsort4", "groupsort9", "fullsort"};
  return *names;
}

Summary GainOver(const VariantRecords& base, const VariantRecords& group) {
  std::vector<double> ratios;
  for (const Record* record : group.ok) {
    for (const Record* other : base.ok) {
      if (record->seed != other->seed) continue;
      const auto numerator = Metric(*record, kEstimate);
      const auto denominator = Metric(*other, kEstimate);
      if (numerator && denominator && *denominator > 0.0) {
        ratios.push_back(*numerator / *denominator);
      }
    }
  }
  return Summarise(ratios);
}

Table EstimationTable(const std::vector<Record>& records) {
  Table table;
  table.title = "W1 between real and generated images";
  table.columns = {{"dataset"},
                   {"generator"},
                   {"samples"},
                   {"network"},
                   {"constraint"},
                   {"depth"},
                   {"activation"},
                   {"certified", {3, true}, Better::kHigher},
                   {"95 % interval"},
                   {"over relu", {3, true}},
                   {"linear", {3, false}},
                   {"exact", {3, false}},
                   {"certified / exact", {4, true}},
                   {"mean difference", {3, false}},
                   {"difference is a bound"},
                   {"K ≤", {6, false}},
                   {"K ≥", {4, false}}};
  AddCostColumns(1, &table);
  table.compared_within = 3;
  const std::vector<VariantRecords> groups = Ordered(records);
  const std::map<CellKey, Activations> cells = Cells(groups);
  for (const VariantRecords& group : groups) {
    const auto cell = cells.find(KeyOf(group));
    const VariantRecords* const relu =
        cell == cells.end() ? nullptr : Find(cell->second, "relu");
    const Summary gain = relu == nullptr ? Summary{} : GainOver(*relu, group);
    table.rows.push_back(
        {Dataset(group), Text(group, "generator"), Text(group, "samples"),
         Text(group, "network"), Text(group, "constraint"),
         absl::StrCat(Depth(group)), Text(group, "activation"),
         SummariseMetric(group, kEstimate), IntervalText(group),
         gain.count == 0 ? Cell("") : Cell(gain),
         SummariseMetric(group, "linear_estimate"),
         SummariseMetric(group, "wasserstein_exact"),
         SummariseMetric(group, "estimate_over_exact"),
         SummariseMetric(group, "mean_difference"), BoundText(group),
         SummariseUpperBound(group), SummariseLowerBound(group)});
    AddCostCells(group, &table.rows.back());
  }
  table.notes = {
      "l2 distances of flat images with pixels in [0, 1]. Certified: the "
      "critic's mean difference over its proven constant (K ≤): on test images "
      "(held_out), with the interval of its expectation, whose lower end "
      "bounds W1 of the distributions from below; or on the same few test "
      "images that it was trained on (same_samples), where it is at most their "
      "exact W1. Exact: W1 of those few, in the quick and the paper preset "
      "1000 × 1000; above that of the distributions. Certified / exact: both "
      "on them. K ≥: the largest slope that a search found. Linear: the best "
      "linear critic, on the images of the certified value.",
      absl::StrCat(
          "What WGANs report as their estimate is the mean difference. Nothing "
          "makes K 1 with a gradient penalty or clipping: where K may be above "
          "1 the difference is not a bound; where the K that training left is "
          "proven to be at most 1 it is one, too small by that factor, but not "
          "by itself. Mean ± standard deviation over seeds. Preset: ",
          records.empty() ? "none" : records[0].preset, ".")};
  return table;
}

Table OrderingTable(const std::vector<Record>& records) {
  Table table;
  table.title = "Sorting activations over ReLU";
  table.columns = {{"dataset"},
                   {"generator"},
                   {"samples"},
                   {"network"},
                   {"constraint"},
                   {"depth"},
                   {"relu"},
                   {"maxmin"},
                   {"larger groups"},
                   {"best sorting over relu", {3, true}},
                   {absl::StrFormat("≥ %.2f", kTargetGain)},
                   {"larger groups ≥ maxmin > relu"},
                   {"seeds"}};
  const std::vector<VariantRecords> groups = Ordered(records);
  for (const auto& [key, cell] : Cells(groups)) {
    const VariantRecords* const relu = Find(cell, "relu");
    const VariantRecords* const maxmin = Find(cell, "maxmin");
    const VariantRecords* const larger = Best(cell, LargerGroups());
    if (relu == nullptr || maxmin == nullptr || larger == nullptr) continue;
    const VariantRecords* const best = Best(cell, SortingActivations());
    const Summary gain = GainOver(*relu, *best);
    const auto& [dataset, generator, samples, network, constraint, depth] = key;
    table.rows.push_back(
        {dataset, generator, samples, network, constraint, absl::StrCat(depth),
         EstimateText(*relu), EstimateText(*maxmin),
         absl::StrCat(Text(*larger, "activation"), " ", EstimateText(*larger)),
         gain, gain.mean >= kTargetGain ? "met" : "missed",
         OrderingText(*larger, *maxmin, *relu), absl::StrCat(gain.count)});
  }
  table.notes = {absl::StrCat(
      "Certified estimates with the mean ends of their 95 % intervals, which "
      "are of the one critic: those of the best of several do not account for "
      "the choice. Ratios: seed by seed, of the sorting activation with the "
      "largest mean. Preset: ",
      records.empty() ? "none" : records[0].preset, ".")};
  return table;
}

absl::Status WriteEstimationReport(const std::string& results_dir,
                                   const std::string& stem,
                                   const std::vector<Record>& records) {
  LIPSCHITZ_RETURN_IF_ERROR(
      WriteTable(results_dir, stem, EstimationTable(records)));
  // Records of the same images alone have no ReLU to compare with.
  const Table ordering = OrderingTable(records);
  if (!ordering.rows.empty()) {
    LIPSCHITZ_RETURN_IF_ERROR(
        WriteTable(results_dir, absl::StrCat(stem, "_ordering"), ordering));
  }
  const Figure figure = EstimationFigure(Ordered(records));
  if (figure.panels.empty()) return absl::OkStatus();
  return WriteFigure(results_dir, stem, figure);
}

}  // namespace lipschitz::experiments
