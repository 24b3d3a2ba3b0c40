// Which record it is that tables and figures cannot be made from.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "experiments/common/record.h"

namespace lipschitz::experiments {

// Makes something from records, in a folder where it writes anything.
using UseOfRecords = std::function<absl::Status(
    const std::vector<Record>& records, const std::string& folder)>;

// What `use` of the records of one experiment says. An exception out of it
// becomes an Internal error that names the file, below `folder`, of the first
// record that alone, used in a temporary folder, leads to the same exception;
// where none does, all records that were used are meant.
absl::Status UseRecords(const std::vector<Record>& records,
                        const std::string& folder, const UseOfRecords& use);

}  // namespace lipschitz::experiments
