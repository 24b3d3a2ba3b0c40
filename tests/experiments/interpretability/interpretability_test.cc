// The program as a user meets it, on ten synthetic pictures.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "experiments/common/settings.h"
#include "experiments/interpretability/models.h"
#include "gtest/gtest.h"
#include "lipschitz/data/image_dataset.h"
#include "lipschitz/models/saved_model.h"
#include "tests/testing/digits.h"
#include "tests/testing/experiment_program.h"
#include "tests/testing/files.h"
#include "tests/testing/subprocess.h"

namespace lipschitz {
namespace {

using testing::NewFolder;
using testing::ProcessResult;
using testing::ReadRecordFiles;
using testing::RunSmokeOnMnist;
using testing::SyntheticDigits;
using testing::SyntheticMnist;
using Json = nlohmann::ordered_json;

ProcessResult RunProgram(const std::vector<std::string>& flags) {
  return RunSmokeOnMnist("interpretability", flags);
}

std::map<std::string, Json> RecordsOf(const std::string& results) {
  std::map<std::string, Json> records;
  for (const Json& record : ReadRecordFiles(results, "interpretability")) {
    records[record["variant"]["model"]] = record;
  }
  return records;
}

TEST(Interpretability, EveryNetworkIsTurnedAndPictured) {
  const std::string results = NewFolder("results");
  const std::string data = SyntheticMnist(NewFolder("data"), 500, 60);
  const ProcessResult run =
      RunProgram({"--data_dir=" + data, "--results_dir=" + results,
                  "--epochs=20", "--learning_rate=0.005"});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  const auto records = RecordsOf(results);
  ASSERT_EQ(records.size(), 5u);
  for (const auto& [model, record] : records) {
    SCOPED_TRACE(model);
    EXPECT_EQ(record["status"], "ok") << record["message"];
    const Json& metrics = record["metrics"];
    const auto metric = [&](const char* name) {
      return metrics.at(name).get<double>();
    };
    EXPECT_GT(metric("test_accuracy"), 0.8);
    // Not by chance: the direction towards a class is that towards its mean
    // image, somewhat.
    EXPECT_GT(metric("correlation_target"), 0.05);
    for (const char* name :
         {"correlation_own", "correlation_size", "correlation_target"}) {
      EXPECT_LE(std::abs(metric(name)), 1.0) << name;
    }
    // Some walks end where the network with dropout is constant.
    EXPECT_GT(metric("turned_share"), model == "dropout" ? 0.6 : 0.9);
    EXPECT_GE(metric("median_steps"), 1.0);
    EXPECT_LE(metric("median_steps"), 100.0);
    // Steps are of length 1/4, but for what the box takes away.
    EXPECT_LE(metric("median_distance"), 0.25 * 100);
    EXPECT_GT(metric("median_distance"), 0.0);
    const Json& pictures = record["curves"]["pictures"];
    EXPECT_EQ(pictures["width"], 28);
    EXPECT_EQ(pictures["image"].size(), 784u);
    ASSERT_EQ(pictures["towards"].size(), 10u);
    for (const Json& towards : pictures["towards"]) {
      int largest = 0;
      for (const Json& value : towards) {
        largest = std::max(largest, std::abs(value.get<int>()));
      }
      EXPECT_EQ(towards.size(), 784u);
      EXPECT_EQ(largest, 100);
    }
    EXPECT_NE(pictures["towards"][0], pictures["towards"][1]);
  }
  EXPECT_NEAR(records.at("l2")["lipschitz"]["upper_bound"].get<double>(), 1.0,
              1e-5);
  EXPECT_LE(records.at("linf")["lipschitz"]["upper_bound"].get<double>(),
            1.0 + 1e-5);
  EXPECT_EQ(records.at("linf")["lipschitz"]["norm"], "linf");
  for (const auto& entry : std::filesystem::directory_iterator(
           results + "/models/interpretability")) {
    const auto model = LoadModel(entry.path());
    EXPECT_TRUE(model.ok()) << model.status();
  }
}

TEST(Interpretability, FiguresComeFromTheFirstSeedAlone) {
  const std::string results = NewFolder("results");
  const std::string data = SyntheticMnist(NewFolder("data"), 500, 60);
  const std::vector<std::string> flags = {
      "--data_dir=" + data, "--results_dir=" + results, "--model=standard,l2"};
  const auto with_seed = [&](const std::string& seed) {
    auto all = flags;
    all.push_back("--seed=" + seed);
    return RunProgram(all).exit_status;
  };
  const std::string figure =
      results + "/figures/interpretability_smoke_mnist.png";
  ASSERT_EQ(with_seed("1"), 0);
  for (const auto& [model, record] : RecordsOf(results)) {
    EXPECT_FALSE(record["curves"].contains("pictures")) << model;
  }
  EXPECT_FALSE(std::filesystem::exists(figure));
  ASSERT_EQ(with_seed("0"), 0);
  EXPECT_TRUE(std::filesystem::exists(figure));
  EXPECT_TRUE(
      std::filesystem::exists(results + "/tables/interpretability_smoke.md"));
  // A picture for seed 0 is small.
  for (const auto& entry : std::filesystem::directory_iterator(
           results + "/records/interpretability")) {
    EXPECT_LT(std::filesystem::file_size(entry.path()), 100000u);
  }
}

TEST(Interpretability, BadFlagsExitWithTwo) {
  const std::string data = SyntheticMnist(NewFolder("data"), 100, 20);
  for (const std::string flag :
       {"--model=vgg", "--epochs=-1", "--learning_rate=-1", "--step=-0.5",
        "--most_steps=-2"}) {
    const ProcessResult run = RunProgram(
        {flag, "--data_dir=" + data, "--results_dir=" + NewFolder("results")});
    EXPECT_EQ(run.exit_status, 2) << flag << run.standard_error;
  }
}

TEST(InterpretedModels, AreTheSameFiveInEveryPreset) {
  ImageDataset data;
  data.train = SyntheticDigits(100, 1, 2);
  data.test = SyntheticDigits(20, 1, 3);
  data.class_names.assign(10, "digit");
  for (const auto preset :
       {experiments::Preset::kSmoke, experiments::Preset::kQuick,
        experiments::Preset::kPaper}) {
    std::vector<std::string> names;
    for (const auto& model : experiments::InterpretedModels(preset)) {
      names.push_back(model.name);
      EXPECT_TRUE(model.recipe.Validate(data).ok());
    }
    EXPECT_EQ(names, std::vector<std::string>(
                         {"standard", "dropout", "pgd", "linf", "l2"}));
  }
}

}  // namespace
}  // namespace lipschitz
