#include "experiments/common/findings.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace lipschitz::experiments {
namespace {

bool IsLess(const VariantMean& a, const VariantMean& b) {
  return a.summary.mean < b.summary.mean;
}

ClaimVerdict VerdictOf(const std::vector<Check>& checks) {
  const auto held =
      std::count_if(checks.begin(), checks.end(),
                    [](const Check& check) { return check.holds; });
  if (held == static_cast<std::ptrdiff_t>(checks.size())) {
    return ClaimVerdict::kReproduced;
  }
  return held == 0 ? ClaimVerdict::kNotReproduced : ClaimVerdict::kInPart;
}

}  // namespace

bool HasValues(const Json& variant, const Json& where) {
  for (const auto& [key, wanted] : where.items()) {
    const auto value = variant.find(key);
    if (value == variant.end()) return false;
    const bool fits =
        wanted.is_array()
            ? std::find(wanted.begin(), wanted.end(), *value) != wanted.end()
            : *value == wanted;
    if (!fits) return false;
  }
  return true;
}

void AddFinding(const std::string& claim, const std::string& figure,
                const std::vector<Check>& checks,
                std::vector<Finding>* findings) {
  if (checks.empty()) return;
  const ClaimVerdict verdict = VerdictOf(checks);
  const std::string measured =
      absl::StrJoin(checks, "; ", [&](std::string* text, const Check& check) {
        absl::StrAppend(text, check.measured);
        // Which ones speak against it.
        if (verdict == ClaimVerdict::kInPart && !check.holds) {
          absl::StrAppend(text, " (✗)");
        }
      });
  findings->push_back({claim, measured, verdict, figure});
}

std::vector<VariantMean> MeansOf(const std::vector<Record>& records,
                                 const Json& where, const std::string& metric) {
  std::vector<VariantMean> means;
  for (const VariantRecords& group : GroupByVariant(records)) {
    if (!HasValues(group.variant, where)) continue;
    const Summary summary = SummariseMetric(group, metric);
    if (summary.count > 0) means.push_back({group.variant, summary});
  }
  return means;
}

std::optional<Summary> MeanOf(const std::vector<Record>& records,
                              const Json& where, const std::string& metric) {
  const std::vector<VariantMean> means = MeansOf(records, where, metric);
  if (means.empty()) return std::nullopt;
  return means.front().summary;
}

bool ClearlyAbove(const Summary& a, const Summary& b) {
  return a.mean - b.mean > std::max(a.deviation, b.deviation);
}

const VariantMean& Least(const std::vector<VariantMean>& means) {
  return *std::min_element(means.begin(), means.end(), IsLess);
}

const VariantMean& Largest(const std::vector<VariantMean>& means) {
  return *std::max_element(means.begin(), means.end(), IsLess);
}

std::vector<std::string> DatasetsOf(const std::vector<Record>& records) {
  std::vector<std::string> names;
  for (const Record& record : records) {
    if (std::find(names.begin(), names.end(), record.dataset) == names.end()) {
      names.push_back(record.dataset);
    }
  }
  return names;
}

std::vector<Record> OfDataset(const std::vector<Record>& records,
                              const std::string& dataset) {
  std::vector<Record> chosen;
  std::copy_if(records.begin(), records.end(), std::back_inserter(chosen),
               [&](const Record& record) { return record.dataset == dataset; });
  return chosen;
}

std::string Text(const Summary& summary, int decimals) {
  std::string text = absl::StrFormat("%.*f", decimals, summary.mean);
  if (summary.count > 1) {
    absl::StrAppend(&text,
                    absl::StrFormat(" ± %.*f", decimals, summary.deviation));
  }
  return text;
}

std::string NameOf(const Json& variant) {
  std::vector<std::string> words;
  for (const auto& [key, value] : variant.items()) {
    words.push_back(value.is_string() ? value.get<std::string>()
                                      : value.dump());
  }
  return absl::StrJoin(words, ", ");
}

}  // namespace lipschitz::experiments
