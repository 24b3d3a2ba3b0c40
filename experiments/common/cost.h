// What the runs of a variant cost: the columns that tables end with.
#pragma once

#include <vector>

#include "experiments/common/experiment.h"
#include "experiments/common/table.h"

namespace lipschitz::experiments {

// "parameters" (numbers that were trained), "seconds" (of training, with so
// many decimals), "seeds", "failed".
void AddCostColumns(int decimals, Table* table);

// The cells of these columns.
void AddCostCells(const VariantRecords& group, std::vector<Cell>* row);

}  // namespace lipschitz::experiments
