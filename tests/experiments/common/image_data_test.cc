#include "experiments/common/image_data.h"

#include <ATen/ATen.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "experiments/common/settings.h"
#include "gtest/gtest.h"
#include "tests/testing/digits.h"
#include "tests/testing/status.h"
#include "tests/testing/subprocess.h"

namespace lipschitz::experiments {
namespace {

using ::lipschitz::testing::FailsWith;
using ::lipschitz::testing::NewFolder;
using ::lipschitz::testing::SyntheticDigits;
using ::lipschitz::testing::SyntheticMnist;

CommonSettings Of(const std::string& data_dir) {
  CommonSettings settings;
  settings.data_dir = data_dir;
  settings.dataset = "mnist";
  return settings;
}

// The folder that was asked for comes before that of the environment, which
// serves where the former lacks the dataset.
TEST(LoadImages, LooksIntoTheGivenFolderFirst) {
  const std::string few = SyntheticMnist(NewFolder("few"), 30, 10);
  const std::string more = SyntheticMnist(NewFolder("more"), 40, 10);
  ASSERT_EQ(setenv("LIPSCHITZ_DATA_DIR", more.c_str(), /*overwrite=*/1), 0);
  const auto given = LoadImages(Of(few));
  ASSERT_TRUE(given.ok()) << given.status();
  EXPECT_EQ((*given)->train.size(), 30);
  const auto elsewhere = LoadImages(Of(NewFolder("nothing")));
  ASSERT_TRUE(elsewhere.ok()) << elsewhere.status();
  EXPECT_EQ((*elsewhere)->train.size(), 40);
}

// As the user means it: bazel run starts programs elsewhere.
TEST(LoadImages, TheEnvironmentsFolderMayBeRelative) {
  const std::string parent = NewFolder("parent");
  SyntheticMnist(parent + "/data", 30, 10);
  ASSERT_EQ(setenv("LIPSCHITZ_DATA_DIR", "data", /*overwrite=*/1), 0);
  ASSERT_EQ(setenv("BUILD_WORKING_DIRECTORY", parent.c_str(), 1), 0);
  const auto images = LoadImages(Of(""));
  unsetenv("BUILD_WORKING_DIRECTORY");
  ASSERT_TRUE(images.ok()) << images.status();
  EXPECT_EQ((*images)->train.size(), 30);
}

// As if it were not set: not the folder that the user is in.
TEST(LoadImages, AnEmptyEnvironmentIsNone) {
  const std::string here = SyntheticMnist(NewFolder("here"), 30, 10);
  ASSERT_EQ(setenv("LIPSCHITZ_DATA_DIR", "", /*overwrite=*/1), 0);
  ASSERT_EQ(setenv("BUILD_WORKING_DIRECTORY", here.c_str(), 1), 0);
  const auto images = LoadImages(Of(NewFolder("nothing")));
  unsetenv("BUILD_WORKING_DIRECTORY");
  EXPECT_TRUE(!images.ok() || (*images)->train.size() != 30);
}

// A mistyped folder is not passed over in silence for the environment's.
TEST(LoadImages, RefusesAFolderThatIsNone) {
  const std::string data = SyntheticMnist(NewFolder("data"), 30, 10);
  ASSERT_EQ(setenv("LIPSCHITZ_DATA_DIR", data.c_str(), /*overwrite=*/1), 0);
  const std::string file = NewFolder("file") + "/data";
  std::ofstream(file) << "not a folder";
  for (const std::string& bad : {data + "/missing", file, file + "/below"}) {
    EXPECT_TRUE(FailsWith(LoadImages(Of(bad)), absl::StatusCode::kNotFound,
                          {"--data_dir=" + bad, "mnist/"}));
  }
}

// At the boundaries: none asked for means all, and never more than there are.
TEST(FirstImages, TakesAsManyAsThereAre) {
  const LabelledImages images = SyntheticDigits(12, 1, 2);
  EXPECT_EQ(FirstImages(images, 5).size(), 5);
  EXPECT_TRUE(FirstImages(images, 5).images.equal(
      images.images.slice(/*dim=*/0, /*start=*/0, /*end=*/5)));
  for (const int64_t count : {int64_t{0}, int64_t{12}, int64_t{13}}) {
    EXPECT_EQ(FirstImages(images, count).size(), 12) << count;
  }
}

}  // namespace
}  // namespace lipschitz::experiments
