// The program as a user meets it, on synthetic pictures.
#include <torch/torch.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "lipschitz/data/labelled_images.h"
#include "lipschitz/models/generator.h"
#include "lipschitz/models/saved_model.h"
#include "tests/testing/data_files.h"
#include "tests/testing/digits.h"
#include "tests/testing/experiment_program.h"
#include "tests/testing/files.h"
#include "tests/testing/subprocess.h"

namespace lipschitz {
namespace {

using testing::NewFolder;
using testing::ProcessOptions;
using testing::ProcessResult;
using testing::ReadRecordFiles;
using testing::ReadText;
using testing::RunSmokeOnMnist;
using testing::SyntheticDigits;
using testing::SyntheticMnist;
using testing::WriteMnist;
using Json = nlohmann::ordered_json;

ProcessResult RunProgram(const std::vector<std::string>& flags,
                         const ProcessOptions& options = {}) {
  return RunSmokeOnMnist("wgan", flags, options);
}

// Every record of the results by its kind, without what two runs of one seed
// need not share.
std::map<std::string, Json> Records(const std::string& results) {
  std::map<std::string, Json> records;
  for (Json record : ReadRecordFiles(results, "wgan")) {
    record.erase("wall_seconds");
    record.erase("run_seconds");
    record.erase("peak_memory_mib");
    record.erase("environment");
    records[record["variant"]["kind"].get<std::string>()] = record;
  }
  return records;
}

double Metric(const Json& record, const std::string& name) {
  return record.at("metrics").at(name).get<double>();
}

TEST(Wgan, EveryKindIsTrainedJudgedDrawnAndSaved) {
  const std::string results = NewFolder("results");
  const std::string data = SyntheticMnist(NewFolder("data"), 600, 120);
  const ProcessResult run =
      RunProgram({"--data_dir=" + data, "--results_dir=" + results});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  const auto records = Records(results);
  ASSERT_EQ(records.size(), 4u);
  for (const std::string kind : {"wgan", "wgan_gp", "lwgan", "real"}) {
    SCOPED_TRACE(kind);
    ASSERT_EQ(records.count(kind), 1u);
    const Json& record = records.at(kind);
    EXPECT_EQ(record["status"], "ok") << record["message"];
    EXPECT_LE(Metric(record, "certified_over_exact"), 1.0 + 1e-6);
    // Nothing is nearer to the data than the data.
    for (const char* name : {"exact_wasserstein", "frechet_distance"}) {
      EXPECT_GE(Metric(record, name), Metric(records.at("real"), name)) << name;
    }
    const std::string figure =
        results + "/figures/wgan/mnist-" + kind + "-smoke-s0";
    EXPECT_TRUE(std::filesystem::exists(figure + ".png")) << figure;
    if (kind == std::string("real")) continue;
    for (const char* step : {"000010", "000020"}) {
      EXPECT_TRUE(
          std::filesystem::exists(figure + "/iteration-" + step + ".png"));
    }
    ASSERT_EQ(record["history"].size(), 2u);
    EXPECT_TRUE(record["history"][0].contains("critic_estimate"));
    EXPECT_LT(Metric(record, "interval_lower"),
              Metric(record, "certified_wasserstein"));
    EXPECT_GT(Metric(record, "interval_upper"),
              Metric(record, "certified_wasserstein"));
    const double bound = record["lipschitz"]["upper_bound"].get<double>();
    EXPECT_LE(record["lipschitz"]["lower_bound"].get<double>(),
              bound * (1 + 1e-9));
    if (kind == std::string("lwgan")) {
      EXPECT_NEAR(bound, 1.0, 1e-5);
    }
    const std::string model =
        results + "/models/wgan/mnist-" + kind + "-smoke-s0";
    const auto generator = LoadGenerator(model + ".lip");
    ASSERT_TRUE(generator.ok()) << generator.status();
    EXPECT_EQ(generator->metadata.at("dataset"), "mnist");
    EXPECT_EQ(generator->config.OutputDim(), 784);
    EXPECT_TRUE(LoadModel(model + ".critic.lip").ok());
  }
  // The floor: images of the same distribution.
  EXPECT_GT(Metric(records.at("real"), "coverage"), 0.6);
  EXPECT_NE(ReadText(results + "/tables/wgan_smoke.md").find("real (floor)"),
            std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(results + "/figures/wgan_smoke.png"));
}

// MNIST's test images are sorted by how hard they are: the first ones are not
// like the training images.
TEST(Wgan, TheFloorIsOfImagesFromAllOverTheFile) {
  const std::string results = NewFolder("results");
  const std::string data = NewFolder("data");
  const LabelledImages test = SyntheticDigits(1000, 1, 3);
  WriteMnist(data + "/mnist", SyntheticDigits(600, 1, 2),
             test.Select(torch::argsort(test.labels)));
  const ProcessResult run = RunProgram(
      {"--data_dir=" + data, "--results_dir=" + results, "--kind=real"});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  const auto records = Records(results);
  for (const char* name : {"precision", "recall", "coverage"}) {
    EXPECT_GT(Metric(records.at("real"), name), 0.6) << name;
  }
}

// Each class has one image here, and the files are sorted: in the same random
// order the first images of both sides would be the same ones.
TEST(Wgan, TheFloorDoesNotPairClasses) {
  const auto sorted = [](int64_t n) {
    LabelledImages images = SyntheticDigits(n, 1, 2);
    images.labels = std::get<0>(images.labels.sort());
    images.images = (images.labels * 20 + 10)
                        .to(torch::kByte)
                        .reshape({n, 1, 1, 1})
                        .expand({n, 1, 28, 28})
                        .contiguous();
    return images;
  };
  const std::string results = NewFolder("results");
  const std::string data = NewFolder("data");
  WriteMnist(data + "/mnist", sorted(600), sorted(100));
  const ProcessResult run = RunProgram(
      {"--data_dir=" + data, "--results_dir=" + results, "--kind=real"});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  EXPECT_GT(Metric(Records(results).at("real"), "exact_wasserstein"), 0.0);
}

TEST(Wgan, TrainingBringsTheImagesNearerToTheData) {
  const std::string data = SyntheticMnist(NewFolder("data"), 600, 120);
  const auto trained = [&](const std::string& iterations) {
    const std::string results = NewFolder("results");
    const ProcessResult run =
        RunProgram({"--data_dir=" + data, "--results_dir=" + results,
                    "--iterations=" + iterations});
    EXPECT_EQ(run.exit_status, 0) << run.standard_error;
    return Records(results);
  };
  const auto before = trained("1");
  const auto after = trained("200");
  for (const std::string kind : {"wgan", "wgan_gp", "lwgan"}) {
    SCOPED_TRACE(kind);
    // The exact distance of a few images is no measure here: of these data's
    // own images it is two thirds of that of their mean.
    EXPECT_LT(Metric(after.at(kind), "certified_wasserstein"),
              (kind == "lwgan" ? 0.8 : 1.0) *
                  Metric(before.at(kind), "certified_wasserstein"));
    // Hardly a step: nothing that varies, and the record says so.
    EXPECT_EQ(Metric(before.at(kind), "collapsed"), 1.0);
    EXPECT_EQ(before.at(kind)["status"], "ok");
    EXPECT_NE(before.at(kind)["message"].get<std::string>().find("collapsed"),
              std::string::npos);
  }
  // Nothing was trained for it.
  EXPECT_EQ(before.at("real")["metrics"], after.at("real")["metrics"]);
}

TEST(Wgan, KilledAndResumedEndsWithTheSameRecord) {
  const std::string data = SyntheticMnist(NewFolder("data"), 400, 60);
  const auto flags = [&](const std::string& results) {
    return std::vector<std::string>{
        "--data_dir=" + data, "--results_dir=" + results, "--iterations=60",
        "--checkpoint_steps=3", "--kind=wgan_gp,lwgan"};
  };
  const std::string undisturbed = NewFolder("results");
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(RunProgram(flags(undisturbed)).exit_status, 0);
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - start);
  int resumed = 0;
  for (int i = 1; i <= 4; ++i) {
    const std::string results = NewFolder("results");
    ProcessOptions options;
    options.kill_after = whole * i / 5;
    RunProgram(flags(results), options);
    const ProcessResult second = RunProgram(flags(results));
    ASSERT_EQ(second.exit_status, 0) << second.standard_error;
    if (second.standard_error.find("resumed from step") != std::string::npos) {
      ++resumed;
    }
    EXPECT_EQ(Records(results), Records(undisturbed)) << i;
  }
  EXPECT_GT(resumed, 0);
}

TEST(Wgan, ATrainingThatDoesNotStayFiniteIsACollapse) {
  const std::string results = NewFolder("results");
  const std::string data = SyntheticMnist(NewFolder("data"), 300, 40);
  const ProcessResult run =
      RunProgram({"--data_dir=" + data, "--results_dir=" + results,
                  "--kind=wgan_gp", "--critic_learning_rate=1e30"});
  EXPECT_EQ(run.exit_status, 1) << run.standard_error;
  EXPECT_GT(ReadRecordFiles(results, "wgan")[0]["wall_seconds"], 0.0);
  const Json record = Records(results).at("wgan_gp");
  EXPECT_EQ(record["status"], "failed");
  EXPECT_EQ(Metric(record, "collapsed"), 1.0);
  EXPECT_NE(record["message"].get<std::string>().find("step"),
            std::string::npos);
}

TEST(Wgan, ColouredImages) {
  const std::string folder = NewFolder("data");
  testing::WriteData(
      folder + "/cifar10/data_batch_1.bin",
      testing::Cifar10Bytes(testing::RandomImages(200, 3, 32, 1)));
  testing::WriteData(
      folder + "/cifar10/test_batch.bin",
      testing::Cifar10Bytes(testing::RandomImages(36, 3, 32, 2)));
  const std::string results = NewFolder("results");
  const ProcessResult run =
      RunProgram({"--data_dir=" + folder, "--results_dir=" + results,
                  "--dataset=cifar10", "--kind=lwgan", "--iterations=4"});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  const Json record = Records(results).at("lwgan");
  EXPECT_EQ(record["dataset"], "cifar10");
  // The preset compares 100, and 40 exactly, where there are as many.
  EXPECT_EQ(record["config"]["images"], 36);
  EXPECT_EQ(record["config"]["exact_images"], 36);
  EXPECT_NEAR(record["lipschitz"]["upper_bound"].get<double>(), 1.0, 1e-5);
}

TEST(Wgan, BadFlagsAndDataExitWithTwo) {
  const std::string data = SyntheticMnist(NewFolder("data"), 100, 20);
  const std::string few = SyntheticMnist(NewFolder("data"), 100, 10);
  const std::string narrow = SyntheticMnist(NewFolder("data"), 50, 20);
  const struct {
    std::string flag, message;
  } kCases[] = {{"--kind=gan", "wgan_gp"},
                {"--kind=wgan,gan", "gan"},
                {"--iterations=-1", "--iterations"},
                {"--critic_steps=-1", "--critic_steps"},
                {"--critic_learning_rate=-1", "learning rate"},
                {"--generator_learning_rate=-1", "learning rate"},
                {"--dataset=cifar10", "cifar10"},
                {"--data_dir=" + few, "10 test images"},
                {"--data_dir=" + narrow, "a batch of 32"}};
  for (const auto& test : kCases) {
    const ProcessResult run =
        RunProgram({"--data_dir=" + data,
                    "--results_dir=" + NewFolder("results"), test.flag});
    EXPECT_EQ(run.exit_status, 2) << test.flag << run.standard_error;
    EXPECT_NE(run.standard_error.find(test.message), std::string::npos)
        << test.flag << run.standard_error;
  }
}

}  // namespace
}  // namespace lipschitz
