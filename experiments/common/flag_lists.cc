#include "experiments/common/flag_lists.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace lipschitz::experiments {

std::vector<std::string> SplitList(const std::string& list) {
  return absl::StrSplit(list, ',', absl::SkipWhitespace());
}

absl::StatusOr<std::vector<int64_t>> SplitIntegers(const std::string& flag,
                                                   const std::string& list) {
  std::vector<int64_t> numbers;
  for (const std::string& word : SplitList(list)) {
    int64_t number = 0;
    if (!absl::SimpleAtoi(word, &number)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", flag, ": '", word, "' is not a whole number"));
    }
    numbers.push_back(number);
  }
  return numbers;
}

}  // namespace lipschitz::experiments
