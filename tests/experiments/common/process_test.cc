#include "experiments/common/process.h"

#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/base/files.h"
#include "tests/testing/status.h"

namespace lipschitz::experiments {
namespace {

using ::lipschitz::testing::FailsWith;

std::string Content(const std::string& path) {
  const auto text = ReadFile(path);
  return text.ok() ? *text : std::string(text.status().message());
}

TEST(RunProcess, SendsOutputAndErrorsToTheirFiles) {
  const std::string output = ::testing::TempDir() + "/process_output";
  const std::string errors = ::testing::TempDir() + "/process_errors";
  // A second call writes the files anew.
  for (const std::string text : {"longer", "text"}) {
    const auto exit_status =
        RunProcess({{"sh", "-c", "echo \"$0\"; echo wrong >&2; exit 3", text},
                    output,
                    errors});
    ASSERT_TRUE(exit_status.ok()) << exit_status.status();
    EXPECT_EQ(*exit_status, 3);
    EXPECT_EQ(Content(output), text + "\n");
    EXPECT_EQ(Content(errors), "wrong\n");
  }
}

TEST(RunProcess, ASignalIsAnExitStatusAsAShellSays) {
  const auto exit_status = RunProcess({{"sh", "-c", "kill -9 $$"}, "", ""});
  ASSERT_TRUE(exit_status.ok()) << exit_status.status();
  EXPECT_EQ(*exit_status, 128 + 9);
}

TEST(RunProcess, AProgramThatIsNotThereIsNamed) {
  EXPECT_TRUE(FailsWith(RunProcess({{"no_such_program_here"}, "", ""}),
                        absl::StatusCode::kNotFound, {"no_such_program_here"}));
}

}  // namespace
}  // namespace lipschitz::experiments
