#include "experiments/common/experiment.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace lipschitz::experiments {

void RunOutcome::SetTraining(const TrainingResult& training) {
  history = training.history;
  seconds = training.seconds;
  parameters = training.parameters;
}

std::string Digest(const std::string& text) {
  uint64_t hash = 14695981039346656037u;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }
  return absl::StrFormat("%08x", hash & 0xffffffffu);
}

std::string MakeSlug(const std::string& base, Preset preset,
                     const Json& preset_config, Json* config) {
  std::string slug = base;
  if (preset != Preset::kQuick) absl::StrAppend(&slug, "-", PresetName(preset));
  if (*config != preset_config) {
    absl::StrAppend(
        &slug, "-x",
        Digest(config->dump(-1, ' ', false, Json::error_handler_t::replace)));
    (*config)["customised"] = true;
  }
  return slug;
}

absl::Status ExpectKnown(const std::string& flag,
                         const std::vector<std::string>& asked,
                         const std::vector<std::string>& known) {
  for (const std::string& name : asked) {
    if (std::count(known.begin(), known.end(), name) > 0) continue;
    return absl::InvalidArgumentError(absl::StrCat("--", flag, " has no '",
                                                   name, "'; it knows ",
                                                   absl::StrJoin(known, ", ")));
  }
  return absl::OkStatus();
}

bool IsStandard(const Record& record) {
  const auto customised = record.config.find("customised");
  return customised == record.config.end() || *customised != true;
}

std::vector<Record> StandardRecords(const std::vector<Record>& records,
                                    Preset preset) {
  std::vector<Record> chosen;
  std::copy_if(records.begin(), records.end(), std::back_inserter(chosen),
               [&](const Record& record) {
                 return record.preset == PresetName(preset) &&
                        IsStandard(record);
               });
  return chosen;
}

std::vector<VariantRecords> GroupByVariant(const std::vector<Record>& records) {
  std::vector<VariantRecords> groups;
  for (const Record& record : records) {
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const VariantRecords& candidate) {
                                return candidate.preset == record.preset &&
                                       candidate.variant == record.variant &&
                                       candidate.config == record.config;
                              });
    if (group == groups.end()) {
      groups.push_back({record.variant, record.config, record.preset, {}, {}});
      group = groups.end() - 1;
    }
    if (record.ok()) {
      group->ok.push_back(&record);
    } else {
      group->failed.push_back(&record);
    }
  }
  return groups;
}

Summary SummariseRecords(const VariantRecords& group,
                         const std::function<double(const Record&)>& value) {
  std::vector<double> values;
  for (const Record* record : group.ok) values.push_back(value(*record));
  return Summarise(values);
}

Summary SummariseWithFailed(const VariantRecords& group,
                            const std::string& metric) {
  std::vector<double> values;
  for (const auto* records : {&group.ok, &group.failed}) {
    for (const Record* record : *records) {
      const auto found = record->metrics.find(metric);
      if (found != record->metrics.end()) values.push_back(found->second);
    }
  }
  return Summarise(values);
}

Summary SummariseMetric(const VariantRecords& group,
                        const std::string& metric) {
  return SummariseRecords(group, [&metric](const Record& record) {
    const auto found = record.metrics.find(metric);
    return found == record.metrics.end() ? std::nan("") : found->second;
  });
}

std::string IntervalText(const VariantRecords& group) {
  const Summary lower = SummariseMetric(group, "interval_lower");
  const Summary upper = SummariseMetric(group, "interval_upper");
  if (lower.count == 0) return "";
  return absl::StrFormat("%.3f to %.3f", lower.mean, upper.mean);
}

Summary SummariseUpperBound(const VariantRecords& group) {
  return SummariseRecords(group, [](const Record& record) {
    return record.lipschitz ? record.lipschitz->upper_bound : std::nan("");
  });
}

Summary SummariseLowerBound(const VariantRecords& group) {
  return SummariseRecords(group, [](const Record& record) {
    return record.lipschitz ? record.lipschitz->lower_bound : std::nan("");
  });
}

}  // namespace lipschitz::experiments
