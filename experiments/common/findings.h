// Computing what an experiment says in the report from its records.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/common/experiment.h"
#include "experiments/common/finding.h"
#include "experiments/common/record.h"
#include "experiments/common/table.h"

namespace lipschitz::experiments {

// One thing that a claim says, and whether the records bear it out.
struct Check {
  std::string measured;
  bool holds = false;
};

// Adds the claim with the verdict of its checks: reproduced when all hold, not
// when none does, otherwise in part. Without checks the records do not speak of
// the claim, and nothing is added.
void AddFinding(const std::string& claim, const std::string& figure,
                const std::vector<Check>& checks,
                std::vector<Finding>* findings);

// The mean over the seeds of one variant.
struct VariantMean {
  Json variant;
  Summary summary;
};

// Whether a variant has the values `where`; a list there means any of its
// values.
bool HasValues(const Json& variant, const Json& where);

// `metric` of every variant that has the values `where`; a list there means any
// of its values. Variants without an ok record that has the metric are left
// out.
std::vector<VariantMean> MeansOf(const std::vector<Record>& records,
                                 const Json& where, const std::string& metric);

// Of the one variant that has the values `where`; none without it.
std::optional<Summary> MeanOf(const std::vector<Record>& records,
                              const Json& where, const std::string& metric);

// Whether the means differ by more than the larger standard deviation.
bool ClearlyAbove(const Summary& a, const Summary& b);

// The variant with the least and the largest mean; `means` is not empty.
const VariantMean& Least(const std::vector<VariantMean>& means);
const VariantMean& Largest(const std::vector<VariantMean>& means);

// The records' datasets, in the order of their first appearance, and the
// records of one.
std::vector<std::string> DatasetsOf(const std::vector<Record>& records);
std::vector<Record> OfDataset(const std::vector<Record>& records,
                              const std::string& dataset);

// "0.9997 ± 0.0002".
std::string Text(const Summary& summary, int decimals);

// The values of a variant, "maxmin, stiefel, 3".
std::string NameOf(const Json& variant);

}  // namespace lipschitz::experiments
