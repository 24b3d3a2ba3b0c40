// Flags that hold a list: values separated by commas.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace lipschitz::experiments {

// Empty words are left out.
std::vector<std::string> SplitList(const std::string& list);

// InvalidArgument, naming the flag and the word, for what is no whole number.
absl::StatusOr<std::vector<int64_t>> SplitIntegers(const std::string& flag,
                                                   const std::string& list);

}  // namespace lipschitz::experiments
