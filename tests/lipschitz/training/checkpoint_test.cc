#include "lipschitz/training/checkpoint.h"

#include <torch/torch.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/base/files.h"
#include "lipschitz/data/random.h"
#include "lipschitz/layers/linear.h"
#include "lipschitz/optim/aggmo.h"
#include "lipschitz/training/history.h"

namespace lipschitz {
namespace {

using ::testing::HasSubstr;

LinearConfig Config() {
  LinearConfig config;
  config.in_features = 3;
  config.out_features = 2;
  config.constraint.kind = ConstraintKind::kSpectral;
  return config;
}

// A training of one layer with everything that a checkpoint holds.
struct Training {
  explicit Training(int64_t seed)
      : layer((torch::manual_seed(seed), Config())),
        optimizer(layer->parameters(), AggMoOptions(0.1)),
        random(seed) {}

  void Step() {
    optimizer.zero_grad();
    const torch::Tensor x = torch::randn({4, 3}, random.generator());
    const torch::Tensor noise = torch::randn({4, 2});
    (layer->forward(x) - noise).square().mean().backward();
    optimizer.step();
  }

  TrainingParts parts() { return {layer.get(), &optimizer, &random}; }

  // Everything, the optimiser's and the generators' state through what they do
  // next.
  std::vector<torch::Tensor> Everything() {
    std::vector<torch::Tensor> all;
    for (int i = 0; i < 2; ++i) {
      for (const auto& p : layer->parameters()) {
        all.push_back(p.detach().clone());
      }
      for (const auto& b : layer->buffers()) all.push_back(b.clone());
      Step();
    }
    all.push_back(random.state());
    all.push_back(torch::randn({3}));
    return all;
  }

  Linear layer;
  AggMo optimizer;
  RandomSource random;
};

bool Same(const std::vector<torch::Tensor>& a,
          const std::vector<torch::Tensor>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!torch::equal(a[i], b[i])) return false;
  }
  return true;
}

std::string Path(const std::string& name) {
  return ::testing::TempDir() + "/checkpoint_test/" +
         ::testing::UnitTest::GetInstance()->current_test_info()->name() + "/" +
         name;
}

TrainingState State() {
  TrainingState state;
  state.step = 41;
  state.loss_sum = 0.1 + 0.2;
  state.loss_count = 3;
  state.seconds = 12.5;
  state.history = {{20, {{"loss", 1.0 / 3}, {"learning_rate", 1e-300}}},
                   {40, {{"loss", -0.0}}}};
  return state;
}

TEST(CheckpointTest, RestoresEverything) {
  const std::string path = Path("a/b/state.ckpt");
  Training one(1);
  for (int i = 0; i < 3; ++i) one.Step();
  ASSERT_TRUE(SaveCheckpoint(path, "finger", State(), one.parts()).ok());
  const auto expected = one.Everything();

  Training other(2);
  other.Step();
  const auto state = LoadCheckpoint(path, "finger", other.parts());
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_TRUE(Same(other.Everything(), expected));
  EXPECT_EQ(state->step, 41);
  EXPECT_EQ(state->loss_sum, 0.1 + 0.2);
  EXPECT_EQ(state->loss_count, 3);
  EXPECT_EQ(state->seconds, 12.5);
  ASSERT_EQ(state->history.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(state->history[i].step, State().history[i].step);
    EXPECT_EQ(state->history[i].metrics, State().history[i].metrics);
  }
}

// JSON has no such numbers; a history may (a margin's minimum over nothing).
TEST(CheckpointTest, MetricsThatAreNotFiniteSurvive) {
  const std::string path = Path("state.ckpt");
  const double infinity = std::numeric_limits<double>::infinity();
  TrainingState state = State();
  state.loss_sum = infinity;
  state.history[0].metrics = {{"nan", std::nan("")},
                              {"up", infinity},
                              {"down", -infinity},
                              {"one", 1.0}};
  Training one(1);
  ASSERT_TRUE(SaveCheckpoint(path, "finger", state, one.parts()).ok());
  auto loaded = LoadCheckpoint(path, "finger", one.parts());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  Metrics& metrics = loaded->history[0].metrics;
  EXPECT_TRUE(std::isnan(metrics["nan"]));
  EXPECT_EQ(metrics["up"], infinity);
  EXPECT_EQ(metrics["down"], -infinity);
  EXPECT_EQ(metrics["one"], 1.0);
  EXPECT_EQ(loaded->loss_sum, infinity);
}

TEST(CheckpointTest, SavingChangesNothing) {
  Training one(1);
  Training twin(1);
  torch::manual_seed(3);
  ASSERT_TRUE(
      SaveCheckpoint(Path("state.ckpt"), "finger", State(), one.parts()).ok());
  const auto after = one.Everything();
  torch::manual_seed(3);
  EXPECT_TRUE(Same(after, twin.Everything()));
}

TEST(CheckpointTest, SavingReplacesTheFileAndLeavesNoOther) {
  const std::string path = Path("state.ckpt");
  Training one(1);
  TrainingState state;
  for (state.step = 1; state.step <= 3; ++state.step) {
    ASSERT_TRUE(SaveCheckpoint(path, "finger", state, one.parts()).ok());
  }
  EXPECT_EQ(LoadCheckpoint(path, "finger", one.parts())->step, 3);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           std::filesystem::path(path).parent_path())) {
    EXPECT_EQ(entry.path(), path);
    ++files;
  }
  EXPECT_EQ(files, 1);
}

// The status of loading, after a look whether anything changed.
absl::Status LoadExpectingNoChange(const std::string& path,
                                   const std::string& fingerprint) {
  Training twin(2);
  twin.Step();
  const auto expected = twin.Everything();
  // Seeds the default generator like the twin.
  Training other(2);
  other.Step();
  const auto state = LoadCheckpoint(path, fingerprint, other.parts());
  EXPECT_TRUE(Same(other.Everything(), expected)) << state.status();
  return state.status();
}

TEST(CheckpointTest, MissingFileIsNotFound) {
  const absl::Status status =
      LoadExpectingNoChange(Path("none.ckpt"), "finger");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("none.ckpt"));
}

TEST(CheckpointTest, OtherFingerprintIsAFailedPrecondition) {
  const std::string path = Path("state.ckpt");
  Training one(1);
  ASSERT_TRUE(SaveCheckpoint(path, "finger", State(), one.parts()).ok());
  const absl::Status status = LoadExpectingNoChange(path, "finger2");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path));
}

TEST(CheckpointTest, DamagedFileIsDataLoss) {
  const std::string path = Path("state.ckpt");
  Training one(1);
  ASSERT_TRUE(SaveCheckpoint(path, "finger", State(), one.parts()).ok());
  const std::string whole = *ReadFile(path);
  std::vector<std::string> damaged = {
      "",          "\n",         "not a checkpoint", std::string(5000, '\0'),
      whole + "x", whole + whole};
  for (const size_t size : {size_t{1}, size_t{10}, size_t{30}, whole.size() / 2,
                            whole.size() - 1}) {
    damaged.push_back(whole.substr(0, size));
  }
  for (size_t i = 0; i < whole.size(); i += 1 + whole.size() / 60) {
    std::string flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x10);
    damaged.push_back(flipped);
  }
  for (size_t i = 0; i < 40; ++i) {
    std::string flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    damaged.push_back(flipped);
  }
  for (const std::string& content : damaged) {
    ASSERT_TRUE(WriteFileAtomically(path, content).ok());
    const absl::Status status = LoadExpectingNoChange(path, "finger");
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(path));
  }
}

TEST(CheckpointTest, PathThatCannotBeWrittenIsAnErrorThatNamesIt) {
  Training one(1);
  const std::string file = Path("file");
  ASSERT_TRUE(WriteFileAtomically(file, "in the way").ok());
  const absl::Status below =
      SaveCheckpoint(file + "/state.ckpt", "finger", State(), one.parts());
  EXPECT_FALSE(below.ok());
  EXPECT_THAT(std::string(below.message()), HasSubstr(file));
  const std::string folder = Path("folder");
  ASSERT_TRUE(CreateFolder(folder).ok());
  EXPECT_FALSE(SaveCheckpoint(folder, "finger", State(), one.parts()).ok());
  EXPECT_FALSE(LoadCheckpoint(folder, "finger", one.parts()).ok());
}

TEST(CheckpointTest, OfAnotherModelIsAnErrorThatNamesTheFile) {
  const std::string path = Path("state.ckpt");
  Training one(1);
  ASSERT_TRUE(SaveCheckpoint(path, "finger", State(), one.parts()).ok());
  LinearConfig config = Config();
  config.constraint.kind = ConstraintKind::kNone;
  torch::nn::Linear plain(3, 2);
  plain->register_parameter("extra", torch::zeros({1}));
  AggMo optimizer(plain->parameters(), AggMoOptions(0.1));
  RandomSource random(1);
  const auto state =
      LoadCheckpoint(path, "finger", {plain.get(), &optimizer, &random});
  ASSERT_FALSE(state.ok());
  EXPECT_THAT(std::string(state.status().message()), HasSubstr(path));
}

}  // namespace
}  // namespace lipschitz
