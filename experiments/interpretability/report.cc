#include "experiments/interpretability/report.h"

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

// Of the values in the records.
constexpr double kLargest = 100.0;

constexpr int kPanelSide = 84;

std::string Model(const VariantRecords& group) {
  return group.variant.value("model", "");
}

std::string Dataset(const VariantRecords& group) {
  return group.config.value("dataset", "");
}

// By dataset, then in the rows of the figure.
std::vector<VariantRecords> Ordered(const std::vector<Record>& records) {
  static constexpr std::array<const char*, 5> kOrder = {"standard", "dropout",
                                                        "pgd", "linf", "l2"};
  std::vector<VariantRecords> groups = GroupByVariant(records);
  const auto key = [](const VariantRecords& group) {
    return std::make_pair(
        Dataset(group), std::find(kOrder.begin(), kOrder.end(), Model(group)));
  };
  std::stable_sort(groups.begin(), groups.end(),
                   [&key](const VariantRecords& a, const VariantRecords& b) {
                     return key(a) < key(b);
                   });
  return groups;
}

Panel PicturePanel(const Json& values, int columns, bool is_signed) {
  Panel panel;
  panel.picture.emplace();
  panel.picture->columns = columns;
  panel.picture->value = values.get<std::vector<double>>();
  panel.picture->is_signed = is_signed;
  panel.picture->limit = kLargest;
  return panel;
}

// The first record with pictures.
const Json* PicturesOf(const VariantRecords& group) {
  for (const Record* record : group.ok) {
    if (record->curves.contains("pictures")) {
      return &record->curves.at("pictures");
    }
  }
  return nullptr;
}

Figure FigureOf(const std::string& dataset,
                const std::vector<VariantRecords>& groups) {
  Figure figure;
  figure.title = absl::StrCat("What has to change for an image of ", dataset,
                              " to be of each class: red more, blue less");
  // With room for labels.
  figure.panel_width = kPanelSide + 20;
  figure.panel_height = kPanelSide + 20;
  for (const VariantRecords& group : groups) {
    const Json* const pictures = PicturesOf(group);
    if (pictures == nullptr) continue;
    const Json& towards = pictures->at("towards");
    const int width = pictures->at("width").get<int>();
    const bool is_first = figure.panels.empty();
    figure.columns = static_cast<int>(towards.size()) + 1;
    figure.panels.push_back(
        PicturePanel(pictures->at("image"), width, /*is_signed=*/false));
    figure.panels.back().y.label = Model(group);
    if (is_first) figure.panels.back().title = "image";
    for (size_t i = 0; i < towards.size(); ++i) {
      figure.panels.push_back(
          PicturePanel(towards[i], width, /*is_signed=*/true));
      if (is_first) {
        figure.panels.back().title =
            pictures->at("classes").at(i).get<std::string>();
      }
    }
  }
  return figure;
}

}  // namespace

Table InterpretabilityTable(const std::vector<Record>& records) {
  Table table;
  table.title = "Input gradients";
  table.columns = {{"dataset"},
                   {"network"},
                   {"test accuracy", {4, true}, Better::kHigher},
                   {"rank correlation, image", {4, true}, Better::kHigher},
                   {"rank correlation, size", {4, true}, Better::kHigher},
                   {"rank correlation, target", {4, true}, Better::kHigher},
                   {"steps", {1, true}},
                   {"turned"},
                   {"distance", {2, true}},
                   {"looks turned"},
                   {"further on"},
                   {"K", {2, false}}};
  AddCostColumns(1, &table);
  table.compared_within = 1;
  for (const VariantRecords& group : Ordered(records)) {
    table.rows.push_back(
        {Dataset(group), Model(group), SummariseMetric(group, "test_accuracy"),
         SummariseMetric(group, "correlation_own"),
         SummariseMetric(group, "correlation_size"),
         SummariseMetric(group, "correlation_target"),
         SummariseMetric(group, "median_steps"),
         SummariseMetric(group, "turned_share"),
         SummariseMetric(group, "median_distance"),
         SummariseMetric(group, "judged_there"),
         SummariseMetric(group, "judged_far"), SummariseUpperBound(group)});
    AddCostCells(group, &table.rows.back());
  }
  table.notes = {absl::StrCat(
      "Direction: minus the gradient of the cross-entropy towards a class, "
      "with respect to the image. Rank correlation (Spearman, mean over test "
      "images), image: of the direction towards the image's own class with the "
      "image; size: of its absolute values; target: of the direction towards "
      "another class with that class's mean image less the image. Steps: "
      "median number of steps along the direction, each ",
      records.empty()
          ? std::string("of fixed length")
          : absl::StrCat(
                records[0].config.at("turning").at("step").get<double>(),
                " long in l2"),
      ", until an image is of another class; turned: share that gets there "
      "within ",
      records.empty() ? std::string("the limit")
                      : absl::StrCat(records[0]
                                         .config.at("turning")
                                         .at("most_steps")
                                         .get<int64_t>()),
      " steps; distance: how far it is there, in l2; looks turned: share of "
      "these whose nearest training image is of the target class; further on: "
      "of all, after ",
      records.empty()
          ? std::string("more")
          : absl::StrCat(
                records[0].config.at("turning").at("far_steps").get<int64_t>()),
      " steps in any case. K: proven, "
      "linf for pgd and linf, else l2. Mean ± standard deviation over seeds. "
      "Preset: ",
      records.empty() ? "none" : records[0].preset, ".")};
  return table;
}

absl::Status WriteInterpretabilityReport(const std::string& results_dir,
                                         const std::string& stem,
                                         const std::vector<Record>& records) {
  LIPSCHITZ_RETURN_IF_ERROR(
      WriteTable(results_dir, stem, InterpretabilityTable(records)));
  std::vector<std::pair<std::string, std::vector<VariantRecords>>> parts;
  for (const VariantRecords& group : Ordered(records)) {
    if (parts.empty() || parts.back().first != Dataset(group)) {
      parts.push_back({Dataset(group), {}});
    }
    parts.back().second.push_back(group);
  }
  for (const auto& [dataset, groups] : parts) {
    const Figure figure = FigureOf(dataset, groups);
    if (figure.panels.empty()) continue;
    LIPSCHITZ_RETURN_IF_ERROR(
        WriteFigure(results_dir, absl::StrCat(stem, "_", dataset), figure));
  }
  return absl::OkStatus();
}

}  // namespace lipschitz::experiments
