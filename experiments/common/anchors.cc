#include "experiments/common/anchors.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "experiments/common/anchors_csv.h"
#include "experiments/common/settings.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/csv.h"

namespace lipschitz::experiments {
namespace {

// Empty text is no number; other text must be one.
absl::Status ParseOptional(const std::string& what, const std::string& text,
                           std::optional<double>* value) {
  value->reset();
  if (text.empty()) return absl::OkStatus();
  double number = 0.0;
  if (!absl::SimpleAtod(text, &number)) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": '", text, "' is not a number"));
  }
  *value = number;
  return absl::OkStatus();
}

absl::StatusOr<Anchor> ParseAnchor(const std::vector<std::string>& row) {
  Anchor anchor;
  anchor.id = row[0];
  anchor.experiment = row[1];
  anchor.dataset = row[2];
  anchor.norm = row[3];
  LIPSCHITZ_RETURN_IF_ERROR(ParseOptional("radius", row[4], &anchor.radius));
  anchor.model = row[5];
  anchor.metric = row[6];
  std::optional<double> value;
  LIPSCHITZ_RETURN_IF_ERROR(ParseOptional("value", row[7], &value));
  if (!value) return absl::InvalidArgumentError("value: it is empty");
  anchor.value = *value;
  LIPSCHITZ_RETURN_IF_ERROR(ParseOptional("spread", row[8], &anchor.spread));
  LIPSCHITZ_RETURN_IF_ERROR(ParseOptional("seeds", row[9], &anchor.seeds));
  anchor.kind = row[10];
  anchor.source = row[11];
  return anchor;
}

// The best mean over seeds, and which variant it is.
struct Best {
  Summary summary;
  std::string variant;
  std::string preset;
};

std::string DescribeVariant(const Json& variant) {
  const auto model = variant.find("model");
  if (model != variant.end()) return model->get<std::string>();
  std::vector<std::string> words;
  for (const auto& [key, value] : variant.items()) {
    words.push_back(value.is_string() ? value.get<std::string>()
                                      : absl::StrCat(key, " ", value.dump()));
  }
  return absl::StrJoin(words, ", ");
}

std::optional<Best> FindBest(const Experiment& experiment, const Anchor& anchor,
                             const std::vector<VariantRecords>& groups) {
  std::optional<Best> best;
  for (const VariantRecords& group : groups) {
    if (group.ok.empty()) continue;
    const auto metric = experiment.MetricFor(anchor, *group.ok[0]);
    if (!metric) continue;
    const Summary summary = SummariseMetric(group, *metric);
    if (summary.count == 0) continue;
    if (best && best->summary.mean >= summary.mean) continue;
    best = {summary, DescribeVariant(group.variant), group.preset};
  }
  return best;
}

// The kind of a number that its own authors would not call their result.
constexpr char kUnfinished[] = "unfinished run";

// What an attack leaves standing grows with the network and shrinks with the
// attack.
bool IsUnderAttack(const Anchor& anchor) {
  return anchor.metric == "pgd_accuracy" || anchor.metric == "fgsm_accuracy";
}

std::string Verdict(const Anchor& anchor, const Summary& ours) {
  if (IsUnderAttack(anchor) || anchor.kind == kUnfinished) return kNoVerdict;
  if (anchor.kind == "exact answer" || anchor.kind == "upper bound") {
    return absl::StrFormat("%.2f %% of it", 100.0 * ours.mean / anchor.value);
  }
  if (ours.mean > anchor.value) return "**beaten**";
  const double spread = std::max(anchor.spread.value_or(0.0), ours.deviation);
  return ours.mean >= anchor.value - spread ? "met within the spread"
                                            : "missed";
}

std::string AnchorValue(const Anchor& anchor) {
  std::string text = absl::StrFormat("%.4f", anchor.value);
  if (anchor.spread) {
    absl::StrAppend(&text, absl::StrFormat(" ± %.4f", *anchor.spread));
  }
  return text;
}

}  // namespace

absl::StatusOr<std::vector<Anchor>> ParseAnchors(const std::string& name,
                                                 const std::string& content) {
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const auto rows,
      ParseCsvTexts(name, content,
                    {"id", "experiment", "dataset", "norm", "radius", "model",
                     "metric", "value", "spread", "seeds", "kind", "source"}));
  std::vector<Anchor> anchors;
  for (size_t i = 0; i < rows.size(); ++i) {
    auto anchor = ParseAnchor(rows[i]);
    if (!anchor.ok()) {
      return WithContext(anchor.status(), absl::StrCat(name, ": row ", i + 2));
    }
    anchors.push_back(*std::move(anchor));
  }
  return anchors;
}

const std::vector<Anchor>& AllAnchors() {
  static const auto* const anchors = new std::vector<Anchor>(
      // A test reads it, so that it is known to be well formed.
      ParseAnchors("results/anchors.csv", kAnchorsCsv).value());
  return *anchors;
}

Table AnchorTable(const Experiment& experiment,
                  const std::vector<Anchor>& anchors,
                  const std::vector<Record>& records) {
  std::vector<Record> standard;
  for (const Preset preset : {Preset::kQuick, Preset::kPaper}) {
    for (Record& record : StandardRecords(records, preset)) {
      standard.push_back(std::move(record));
    }
  }
  const std::vector<VariantRecords> groups = GroupByVariant(standard);
  Table table;
  table.title = absl::StrCat("Published and exact numbers beside ours: ",
                             experiment.name());
  table.columns = {{"dataset"}, {"norm"},   {"metric"}, {"radius"},
                   {"theirs"},  {"value"},  {"kind"},   {"our best"},
                   {"ours"},    {"preset"}, {"seeds"},  {"verdict"},
                   {"source"}};
  bool attacked = false;
  for (const Anchor& anchor : anchors) {
    if (anchor.experiment != experiment.name()) continue;
    const auto best = FindBest(experiment, anchor, groups);
    if (!best) continue;
    attacked = attacked || IsUnderAttack(anchor);
    table.rows.push_back(
        {anchor.dataset, anchor.norm, anchor.metric,
         anchor.radius ? absl::StrFormat("%g", *anchor.radius) : "",
         anchor.model, AnchorValue(anchor), anchor.kind, best->variant,
         best->summary, best->preset, absl::StrCat(best->summary.count),
         Verdict(anchor, best->summary), anchor.source});
  }
  table.notes = {
      "Our best: the variant with the highest mean over seeds in this metric "
      "alone; another row may have another variant. Met within the spread: "
      "less than the anchor by no more than the larger of the two standard "
      "deviations."};
  if (attacked) {
    table.notes.push_back(
        "Accuracies under attack get no verdict: they depend on the attack's "
        "strength as much as on the network, and ours are of the first test "
        "images only.");
  }
  return table;
}

}  // namespace lipschitz::experiments
