#include "experiments/mnist_robustness/report.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "experiments/common/certificate_gate.h"
#include "experiments/common/cost.h"
#include "experiments/common/experiment.h"
#include "experiments/common/figure.h"
#include "experiments/mnist_robustness/evaluation.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

// One dataset in one norm, in the order of the records.
struct Part {
  std::string dataset;
  std::string norm;
  std::vector<Record> records;
};

std::vector<Part> Parts(const std::vector<Record>& records) {
  std::vector<Part> parts;
  for (const Record& record : records) {
    const std::string norm = record.variant.value("norm", "");
    auto part = std::find_if(parts.begin(), parts.end(), [&](const Part& p) {
      return p.dataset == record.dataset && p.norm == norm;
    });
    if (part == parts.end()) {
      parts.push_back({record.dataset, norm, {}});
      part = parts.end() - 1;
    }
    part->records.push_back(record);
  }
  std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
    return std::pair(b.dataset, a.norm) < std::pair(a.dataset, b.norm);
  });
  return parts;
}

// The radii that peers publish.
std::pair<double, double> PublishedRadii(const std::string& norm) {
  return norm == NormName(Norm::kL2) ? std::pair(0.3, 1.58)
                                     : std::pair(0.1, 0.3);
}

// Best first, by the certified accuracy at the smaller published radius.
std::vector<VariantRecords> Ranked(const Part& part) {
  std::vector<VariantRecords> groups = GroupByVariant(part.records);
  const std::string metric =
      MetricAt("certified", PublishedRadii(part.norm).first);
  std::stable_sort(groups.begin(), groups.end(),
                   [&](const VariantRecords& a, const VariantRecords& b) {
                     return SummariseMetric(a, metric).mean >
                            SummariseMetric(b, metric).mean;
                   });
  return groups;
}

std::string Text(const VariantRecords& group, const char* key) {
  return group.variant.value(key, "");
}

// All radii of one dataset and norm.
Table PartTable(const Part& part) {
  std::set<double> radii;
  for (const Record& record : part.records) {
    if (!record.curves.contains("certified_accuracy")) continue;
    for (const Json& radius :
         record.curves.at("certified_accuracy").at("radius")) {
      if (radius.get<double>() > 0.0) radii.insert(radius.get<double>());
    }
  }
  Table table;
  table.title =
      absl::StrCat("Certified accuracy on ", part.dataset, ", ", part.norm);
  table.columns = {{"model"},
                   {"hidden"},
                   {"training"},
                   {"clean", {4, true}, Better::kHigher}};
  for (const double radius : radii) {
    table.columns.push_back(
        {absl::StrFormat("%g", radius), {4, true}, Better::kHigher});
  }
  table.columns.push_back({"mean radius", {4, true}, Better::kHigher});
  table.columns.push_back({"median radius", {4, true}, Better::kHigher});
  table.columns.push_back({"seeds"});
  table.columns.push_back({"failed"});
  for (const VariantRecords& group : Ranked(part)) {
    std::vector<Cell> row = {Text(group, "model"), Text(group, "hidden"),
                             Text(group, "training"),
                             SummariseMetric(group, "test_accuracy")};
    for (const double radius : radii) {
      row.emplace_back(SummariseMetric(group, MetricAt("certified", radius)));
    }
    row.emplace_back(SummariseMetric(group, "mean_radius"));
    row.emplace_back(SummariseMetric(group, "median_radius"));
    row.emplace_back(absl::StrCat(group.ok.size()));
    row.emplace_back(absl::StrCat(group.failed.size()));
    table.rows.push_back(std::move(row));
  }
  table.notes = {
      "Share of all test images whose class is right and proven not to change "
      "within the radius (pixels in [0, 1]), by the network evaluated in "
      "float64; mean ± standard deviation over seeds."};
  return table;
}

// The mean over the seeds. Those of another grid than the first one's (of other
// settings) are left out.
Series MeanCurve(const VariantRecords& group, const char* name,
                 const char* abscissa) {
  Series series;
  int count = 0;
  for (const Record* record : group.ok) {
    if (!record->curves.contains(name)) continue;
    const Json& curve = record->curves.at(name);
    const auto x = curve.at(abscissa).get<std::vector<double>>();
    const auto y = curve.at("value").get<std::vector<double>>();
    if (count == 0) {
      series.x = x;
      series.y.assign(y.size(), 0.0);
    } else if (x != series.x) {
      continue;
    }
    for (size_t i = 0; i < y.size(); ++i) series.y[i] += y[i];
    ++count;
  }
  for (double& y : series.y) y /= count;
  return series;
}

// The activation's where only that tells models apart.
std::string ColourOf(const VariantRecords& group) {
  const std::string model = Text(group, "model");
  if (absl::EndsWith(model, "_far")) return "#332288";
  if (absl::EndsWith(model, "_hinge")) return "#AA4499";
  const std::string colour = ConstraintColour(Text(group, "constraint"));
  return colour.empty() ? ActivationColour(Text(group, "activation")) : colour;
}

Figure PartFigure(const Part& part) {
  struct Style {
    const char* curve;
    const char* abscissa;
    const char* title;
  };
  Figure figure;
  figure.title = absl::StrCat("Robustness on ", part.dataset, ", ", part.norm);
  figure.columns = 2;
  figure.legend_below = true;
  const std::vector<Style> panels = {
      {"certified_accuracy", "radius", "certified"},
      {"auto_pgd_accuracy", "epsilon", "under Auto-PGD"}};
  for (const Style& style : panels) {
    Panel panel;
    panel.title = style.title;
    panel.x = {absl::StrCat("radius (", part.norm, ", pixels in [0, 1])")};
    panel.y = {"accuracy", 0.0, 1.0};
    for (const VariantRecords& group : Ranked(part)) {
      if (group.ok.empty()) continue;
      Series series = MeanCurve(group, style.curve, style.abscissa);
      const std::string training = Text(group, "training");
      series.label = Text(group, "model");
      series.colour = ColourOf(group);
      series.style = training == "margin" || training == "offset"
                         ? LineStyle::kSolid
                     : training == "pgd" ? LineStyle::kDashed
                                         : LineStyle::kDotted;
      panel.series.push_back(std::move(series));
    }
    figure.panels.push_back(std::move(panel));
  }
  return figure;
}

}  // namespace

Table RobustnessTable(const std::vector<Record>& records) {
  Table table;
  table.title = "Provable robustness";
  table.columns = {{"dataset"},
                   {"norm"},
                   {"model"},
                   {"hidden"},
                   {"training"},
                   {"radii"},
                   {"clean", {4, true}, Better::kHigher},
                   {"certified, small", {4, true}, Better::kHigher},
                   {"certified, large", {4, true}, Better::kHigher},
                   {"naive, large", {4, true}, Better::kHigher},
                   {"float32, large", {4, true}, Better::kHigher},
                   {"FGSM, large", {4, true}, Better::kHigher},
                   {"PGD, large", {4, true}, Better::kHigher},
                   {"Auto-PGD, small", {4, true}, Better::kHigher},
                   {"Auto-PGD, large", {4, true}, Better::kHigher},
                   {"K", {7, false}},
                   {"broken"}};
  AddCostColumns(0, &table);
  table.compared_within = 2;
  for (const Part& part : Parts(records)) {
    const auto [small, large] = PublishedRadii(part.norm);
    for (const VariantRecords& group : Ranked(part)) {
      const auto at = [&](const char* metric, double radius) {
        return SummariseMetric(group, MetricAt(metric, radius));
      };
      table.rows.push_back(
          {part.dataset, part.norm, Text(group, "model"), Text(group, "hidden"),
           Text(group, "training"), absl::StrFormat("%g / %g", small, large),
           SummariseMetric(group, "test_accuracy"), at("certified", small),
           at("certified", large), at("certified_naive", large),
           at("certified_float32", large), at("fgsm", large), at("pgd", large),
           at("auto_pgd", small), at("auto_pgd", large),
           SummariseUpperBound(group), GateCell(group)});
      AddCostCells(group, &table.rows.back());
    }
  }
  table.notes = {absl::StrCat(
      "Certified: the class is right and proven within the radius, pairwise "
      "constants, float64 evaluation; naive: one constant for all pairs; "
      "float32: for forward as it runs in float32, its rounding bounded. "
      "Attacked accuracies are on the first test images (`attacked_images` in "
      "the records), the others on all; both on the same images are in the "
      "table of attacks. Broken: certified images, of all certified ones, for "
      "which an attack inside the certified radius succeeded. Mean ± standard "
      "deviation over seeds; seconds of training. Preset: ",
      records.empty() ? "none" : records[0].preset, ".")};
  return table;
}

Table AttackTable(const std::vector<Record>& records) {
  struct Share {
    const char* title;
    const char* metric;
  };
  constexpr Share kShares[] = {{"certified", "certified_attacked"},
                               {"FGSM", "fgsm"},
                               {"PGD", "pgd"},
                               {"Auto-PGD", "auto_pgd"}};
  Table table;
  table.title = "Proven and attacked on the same images";
  table.columns = {{"dataset"}, {"norm"},  {"model"}, {"hidden"},
                   {"images"},  {"radii"}, {"seeds"}};
  for (const char* radius : {"small", "large"}) {
    for (const Share& share : kShares) {
      table.columns.push_back(
          {absl::StrCat(share.title, ", ", radius), {4, true}});
    }
  }
  for (const Part& part : Parts(records)) {
    const auto [small, large] = PublishedRadii(part.norm);
    for (VariantRecords& group : Ranked(part)) {
      // Older records do not say what was proven of the attacked images.
      const std::string proven = MetricAt("certified_attacked", small);
      group.ok.erase(std::remove_if(group.ok.begin(), group.ok.end(),
                                    [&proven](const Record* record) {
                                      return record->metrics.count(proven) == 0;
                                    }),
                     group.ok.end());
      if (group.ok.empty()) continue;
      std::vector<Cell> row = {
          part.dataset,
          part.norm,
          Text(group, "model"),
          Text(group, "hidden"),
          absl::StrCat(group.ok[0]->metrics.at("attacked_images")),
          absl::StrFormat("%g / %g", small, large),
          absl::StrCat(group.ok.size())};
      for (const double radius : {small, large}) {
        for (const Share& share : kShares) {
          row.emplace_back(
              SummariseMetric(group, MetricAt(share.metric, radius)));
        }
      }
      table.rows.push_back(std::move(row));
    }
  }
  table.notes = {
      "Shares of the first `images` test images: of right class and proven "
      "within the radius (pairwise constants, float64 evaluation), and right "
      "under each attack within it, by the network in float32. Proven ≤ true ≤ "
      "attacked: what an attack leaves bounds the true share from above. Mean "
      "± standard deviation over seeds."};
  return table;
}

absl::Status WriteRobustnessReport(const std::string& results_dir,
                                   const std::string& stem,
                                   const std::vector<Record>& records) {
  LIPSCHITZ_RETURN_IF_ERROR(
      WriteTable(results_dir, stem, RobustnessTable(records)));
  const Table attacks = AttackTable(records);
  if (!attacks.rows.empty()) {
    LIPSCHITZ_RETURN_IF_ERROR(
        WriteTable(results_dir, absl::StrCat(stem, "_attacks"), attacks));
  }
  for (const Part& part : Parts(records)) {
    const std::string name =
        absl::StrCat(stem, "_", part.dataset, "_", part.norm);
    LIPSCHITZ_RETURN_IF_ERROR(WriteTable(results_dir, name, PartTable(part)));
    LIPSCHITZ_RETURN_IF_ERROR(WriteFigure(results_dir, name, PartFigure(part)));
  }
  return absl::OkStatus();
}

}  // namespace lipschitz::experiments
