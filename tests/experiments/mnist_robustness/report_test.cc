#include "experiments/mnist_robustness/report.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "experiments/common/record.h"
#include "gtest/gtest.h"
#include "tests/testing/files.h"
#include "tests/testing/subprocess.h"

namespace lipschitz::experiments {
namespace {

using testing::NewFolder;
using testing::ReadText;

Record CertifiedRecord(uint64_t seed, const std::vector<double>& certified) {
  Record record;
  record.experiment = "mnist_robustness";
  record.preset = "quick";
  record.dataset = "mnist";
  record.seed = seed;
  record.variant = {{"norm", "l2"},
                    {"model", "stiefel_maxmin"},
                    {"constraint", "stiefel"},
                    {"activation", "maxmin"},
                    {"training", "offset"},
                    {"hidden", "8"}};
  record.config = {{"version", 1}, {"dataset", "mnist"}};
  record.curves["certified_accuracy"] = {{"radius", {0.0, 0.5, 1.0}},
                                         {"value", certified}};
  record.curves["auto_pgd_accuracy"] = {{"epsilon", {0.0, 1.0}},
                                        {"value", {1.0, certified[2]}}};
  return record;
}

std::string FigureOf(const std::vector<Record>& records) {
  const std::string results = NewFolder("results");
  const absl::Status status = WriteRobustnessReport(results, "part", records);
  EXPECT_TRUE(status.ok()) << status;
  return ReadText(results + "/figures/part_mnist_l2.svg");
}

TEST(RobustnessFigure, DrawsTheMeanOverTheSeeds) {
  const std::string both = FigureOf({CertifiedRecord(0, {1.0, 0.75, 0.5}),
                                     CertifiedRecord(1, {0.5, 0.25, 0.0})});
  EXPECT_EQ(both, FigureOf({CertifiedRecord(0, {0.75, 0.5, 0.25})}));
  EXPECT_NE(both, FigureOf({CertifiedRecord(0, {1.0, 0.75, 0.5})}));
}

TEST(RobustnessFigure, LeavesOutCurvesOverOtherRadii) {
  Record other = CertifiedRecord(1, {0.5, 0.25, 0.0});
  other.curves["certified_accuracy"]["radius"] = {0.0, 1.0, 2.0};
  other.curves["auto_pgd_accuracy"]["epsilon"] = {0.0, 2.0};
  EXPECT_EQ(FigureOf({CertifiedRecord(0, {1.0, 0.75, 0.5}), other}),
            FigureOf({CertifiedRecord(0, {1.0, 0.75, 0.5})}));
}

// Proven and attacked of the same images; records that do not know the former
// are no part of it.
TEST(RobustnessReport, SetsProvenAndAttackedOfTheSameImagesSideBySide) {
  std::vector<Record> records;
  for (const double proven : {0.5, 0.75}) {
    records.push_back(CertifiedRecord(records.size(), {1.0, 0.75, 0.5}));
    records.back().metrics = {{"attacked_images", 500},
                              {"certified_attacked_0.3", proven},
                              {"auto_pgd_0.3", 0.875}};
  }
  records.push_back(CertifiedRecord(2, {1.0, 0.75, 0.5}));
  records.back().metrics = {{"attacked_images", 500}, {"auto_pgd_0.3", 0.0}};
  const std::string results = NewFolder("results");
  ASSERT_TRUE(WriteRobustnessReport(results, "part", records).ok());
  const std::string csv = ReadText(results + "/tables/part_attacks.csv");
  EXPECT_NE(csv.find("\nmnist,l2,stiefel_maxmin,8,500,0.3 / 1.58,2,0.625,"),
            std::string::npos)
      << csv;
  EXPECT_NE(csv.find(",0.875,0"), std::string::npos) << csv;

  records.erase(records.begin(), records.begin() + 2);
  const std::string older = NewFolder("results");
  ASSERT_TRUE(WriteRobustnessReport(older, "part", records).ok());
  EXPECT_FALSE(std::filesystem::exists(older + "/tables/part_attacks.csv"));
}

}  // namespace
}  // namespace lipschitz::experiments
