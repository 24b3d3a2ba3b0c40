#include "experiments/common/flag_lists.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace lipschitz::experiments {
namespace {

TEST(FlagLists, SplitAtCommas) {
  EXPECT_EQ(SplitList("relu,maxmin"),
            (std::vector<std::string>{"relu", "maxmin"}));
  EXPECT_EQ(SplitList("relu"), std::vector<std::string>{"relu"});
  EXPECT_TRUE(SplitList("").empty());
  EXPECT_TRUE(SplitList(" ,").empty());
}

TEST(FlagLists, NumbersOrAnErrorThatNamesFlagAndWord) {
  const auto numbers = SplitIntegers("width", "8,16,-3");
  ASSERT_TRUE(numbers.ok());
  EXPECT_EQ(*numbers, (std::vector<int64_t>{8, 16, -3}));
  for (const std::string word : {"many", "1.5", "8x", "99999999999999999999"}) {
    const auto bad = SplitIntegers("width", "8," + word);
    EXPECT_EQ(bad.status().code(), absl::StatusCode::kInvalidArgument);
    const std::string message(bad.status().message());
    EXPECT_NE(message.find("--width"), std::string::npos) << message;
    EXPECT_NE(message.find(word), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace lipschitz::experiments
