#include "experiments/common/cost.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace lipschitz::experiments {

void AddCostColumns(int decimals, Table* table) {
  table->columns.push_back({"parameters", {0, false}});
  table->columns.push_back({"seconds", {decimals, false}});
  table->columns.push_back({"seeds"});
  table->columns.push_back({"failed"});
}

void AddCostCells(const VariantRecords& group, std::vector<Cell>* row) {
  row->emplace_back(SummariseRecords(group, [](const Record& record) {
    return record.parameters ? static_cast<double>(*record.parameters)
                             : std::nan("");
  }));
  row->emplace_back(SummariseRecords(
      group, [](const Record& record) { return record.wall_seconds; }));
  row->emplace_back(absl::StrCat(group.ok.size()));
  row->emplace_back(absl::StrCat(group.failed.size()));
}

}  // namespace lipschitz::experiments
