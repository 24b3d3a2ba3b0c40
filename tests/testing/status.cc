#include "tests/testing/status.h"

namespace lipschitz::testing {

::testing::AssertionResult FailsWith(const absl::Status& status,
                                     absl::StatusCode code,
                                     const std::vector<std::string>& parts) {
  if (status.code() != code) {
    return ::testing::AssertionFailure()
           << "expected " << absl::StatusCodeToString(code) << ", got "
           << status.ToString();
  }
  const std::string message(status.message());
  for (const std::string& part : parts) {
    if (message.find(part) == std::string::npos) {
      return ::testing::AssertionFailure()
             << "'" << part << "' is missing in: " << message;
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace lipschitz::testing
