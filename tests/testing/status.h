// Expecting a failure with a message that says the right things.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"

namespace lipschitz::testing {

// `status` has the code, and its message contains every one of `parts`.
// EXPECT_TRUE(FailsWith(status, absl::StatusCode::kNotFound, {"a.txt"})).
::testing::AssertionResult FailsWith(const absl::Status& status,
                                     absl::StatusCode code,
                                     const std::vector<std::string>& parts);

template <typename T>
::testing::AssertionResult FailsWith(const absl::StatusOr<T>& result,
                                     absl::StatusCode code,
                                     const std::vector<std::string>& parts) {
  return FailsWith(result.status(), code, parts);
}

}  // namespace lipschitz::testing
