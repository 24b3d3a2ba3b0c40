#include "lipschitz/training/train.h"

#include <torch/torch.h>

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/random.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/sequential.h"
#include "lipschitz/models/mlp.h"
#include "lipschitz/optim/aggmo.h"
#include "lipschitz/optim/optimizer.h"
#include "lipschitz/training/history.h"
#include "lipschitz/training/schedule.h"

namespace lipschitz {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// A point that a training moves.
class PointImpl : public LayerImpl {
 public:
  explicit PointImpl(const std::vector<double>& start) : LayerImpl("point") {
    p = register_parameter("p", torch::tensor(start, torch::kDouble));
  }
  torch::Tensor forward(const torch::Tensor& x) override { return x + p; }
  void AfterOptimizerStep() override {
    ++calls_after_step;
    EXPECT_EQ(calls_after_training, 0);
  }
  void AfterTraining() override { ++calls_after_training; }

  torch::Tensor p;
  int calls_after_step = 0;
  int calls_after_training = 0;
};

std::string Path(const std::string& name) {
  return ::testing::TempDir() + "/train_test/" +
         ::testing::UnitTest::GetInstance()->current_test_info()->name() + "/" +
         name;
}

// ½ ‖p‖² by plain descent.
struct PointTraining {
  explicit PointTraining(const std::vector<double>& start)
      : point(std::make_shared<PointImpl>(start)),
        optimizer(point->parameters(), 1.0),
        random(0) {
    hooks.loss = [this](int64_t) -> absl::StatusOr<torch::Tensor> {
      return 0.5 * point->p.square().sum();
    };
    options.checkpoint.every_seconds = 1e9;
  }

  absl::StatusOr<TrainingResult> Run() {
    return Train(*point, optimizer, random, options, hooks);
  }

  std::shared_ptr<PointImpl> point;
  torch::optim::SGD optimizer;
  RandomSource random;
  TrainingOptions options;
  TrainingHooks hooks;
};

TEST(TrainTest, MinimisesAParabola) {
  PointTraining training({3, -4});
  training.options.steps = 20;
  training.options.learning_rate = 0.5;
  const auto result = training.Run();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->steps, 20);
  EXPECT_EQ(result->resumed_from, 0);
  EXPECT_GE(result->seconds, 0);
  EXPECT_EQ(result->parameters, 2);
  // Every step halves the point.
  EXPECT_DOUBLE_EQ(training.point->p[0].item<double>(), 3 * std::exp2(-20));
  EXPECT_DOUBLE_EQ(training.point->p[1].item<double>(), -4 * std::exp2(-20));
  EXPECT_EQ(training.point->calls_after_step, 20);
}

TEST(TrainTest, EndsWhereItHasConverged) {
  PointTraining training({1});
  training.options.steps = 100;
  training.options.learning_rate = 0.5;
  training.options.report_every = 4;
  training.options.checkpoint.path = Path("state.ckpt");
  training.options.checkpoint.every_steps = 1;
  int asked = 0;
  training.hooks.converged = [&] { return ++asked == 3; };
  const auto result = training.Run();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->steps, 12);
  EXPECT_EQ(result->history.size(), 3u);
  EXPECT_EQ(training.point->calls_after_training, 1);
  EXPECT_DOUBLE_EQ(training.point->p[0].item<double>(), std::exp2(-12));

  // From its last checkpoint it does not go on.
  PointTraining resumed({1});
  resumed.options = training.options;
  resumed.hooks.converged = [] { return true; };
  const auto again = resumed.Run();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->resumed_from, 12);
  EXPECT_EQ(again->steps, 12);
}

TEST(TrainTest, ModelIsToldOfTheEndOnce) {
  PointTraining training({1});
  training.options.steps = 5;
  training.options.report_every = 2;
  training.options.checkpoint.path = Path("state.ckpt");
  training.options.checkpoint.resume = false;
  training.options.checkpoint.every_steps = 1;
  ASSERT_TRUE(training.Run().ok());
  EXPECT_EQ(training.point->calls_after_step, 5);
  EXPECT_EQ(training.point->calls_after_training, 1);
  // Also where a checkpoint of the last step leaves nothing to do.
  PointTraining again({1});
  again.options = training.options;
  again.options.checkpoint.resume = true;
  const auto result = again.Run();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->resumed_from, 5);
  EXPECT_EQ(again.point->calls_after_step, 0);
  EXPECT_EQ(again.point->calls_after_training, 1);
}

// As the last step left the model, once, also by the process that finds the
// last step done.
TEST(TrainTest, TheEndIsShownBeforeTheModelIsFinished) {
  PointTraining training({1});
  training.options.steps = 5;
  training.options.learning_rate = 0.5;
  training.options.checkpoint.path = Path("state.ckpt");
  training.options.checkpoint.resume = false;
  PointTraining again({1});
  again.options = training.options;
  again.options.checkpoint.resume = true;
  // The end is a checkpoint of its own.
  for (PointTraining* const part : {&training, &again}) {
    int shown = 0;
    part->hooks.before_finish = [part, &shown] {
      ++shown;
      EXPECT_EQ(part->point->calls_after_training, 0);
      EXPECT_TRUE(part->point->is_training());
      EXPECT_EQ(part->point->p[0].item<double>(), std::exp2(-5));
      part->point->eval();
      return absl::OkStatus();
    };
    const auto result = part->Run();
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->resumed_from, part == &again ? 5 : 0);
    EXPECT_EQ(shown, 1);
    EXPECT_EQ(part->point->calls_after_training, 1);
    EXPECT_TRUE(part->point->is_training());
  }
  again.hooks.before_finish = [] { return absl::NotFoundError("no data"); };
  EXPECT_EQ(again.Run().status().code(), absl::StatusCode::kNotFound);
}

TEST(TrainTest, ATrainingThatDoesNotEndDoesNotSaySo) {
  for (const int64_t stop : {int64_t{1}, int64_t{3}, int64_t{4}}) {
    PointTraining training({1});
    training.options.steps = 4;
    training.hooks.stop_requested = [&] {
      return training.point->calls_after_step >= stop;
    };
    EXPECT_EQ(training.Run().status().code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(training.point->calls_after_step, stop);
    EXPECT_EQ(training.point->calls_after_training, 0);
  }
  PointTraining failing({1});
  failing.options.steps = 4;
  failing.hooks.loss = [&](int64_t step) -> absl::StatusOr<torch::Tensor> {
    return failing.point->p.sum() * (step == 2 ? kNan : 1.0);
  };
  EXPECT_EQ(failing.Run().status().code(), absl::StatusCode::kAborted);
  failing.hooks.loss = [](int64_t) -> absl::StatusOr<torch::Tensor> {
    return absl::NotFoundError("no data");
  };
  EXPECT_EQ(failing.Run().status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(failing.point->calls_after_training, 0);
}

TEST(TrainTest, StiefelEndsWithExactWeightsThatEvaluationApplies) {
  torch::manual_seed(4);
  MlpConfig config;
  config.input_dim = 3;
  config.hidden = {8, 8};
  config.constraint.kind = ConstraintKind::kStiefel;
  Sequential network = *MakeMlp(config);
  torch::optim::Adam optimizer(network->parameters());
  RandomSource random(1);
  TrainingOptions options;
  options.steps = 30;
  TrainingHooks hooks;
  hooks.loss = [&](int64_t) -> absl::StatusOr<torch::Tensor> {
    const torch::Tensor x = torch::randn({16, 3}, random.generator());
    return (network->forward(x) - x.norm(2, 1, true)).square().mean();
  };
  // What the last report sees is what the training leaves.
  const torch::Tensor probe = torch::randn({5, 3});
  torch::Tensor reported;
  hooks.report = [&](int64_t) -> absl::StatusOr<Metrics> {
    torch::NoGradGuard no_grad;
    network->eval();
    reported = network->forward(probe);
    return Metrics{};
  };
  ASSERT_TRUE(Train(*network, optimizer, random, options, hooks).ok());
  for (const auto& parameter : network->named_parameters()) {
    if (parameter.value().dim() != 2) continue;
    const torch::Tensor w = parameter.value().detach().to(torch::kDouble);
    const torch::Tensor gram =
        w.size(0) <= w.size(1) ? w.mm(w.t()) : w.t().mm(w);
    EXPECT_LE((gram - torch::eye(gram.size(0))).norm().item<double>(), 1e-6)
        << parameter.key();
  }
  network->eval();
  EXPECT_TRUE(torch::equal(network->forward(probe), reported));
  EXPECT_LE(*network->LipschitzBound(Norm::kL2), 1 + 1e-5);
}

TEST(TrainTest, GradientIsClippedToTheNormOverAllParameters) {
  PointTraining training({30, -40});
  training.options.steps = 3;
  training.options.learning_rate = 1;
  training.options.max_grad_norm = 5;
  ASSERT_TRUE(training.Run().ok());
  // Three steps of length 5 along (−3, 4)/5.
  EXPECT_NEAR(training.point->p[0].item<double>(), 30 - 9, 1e-5);
  EXPECT_NEAR(training.point->p[1].item<double>(), -40 + 12, 1e-5);
}

TEST(TrainTest, GradientBelowTheNormIsNotScaled) {
  for (const double clip : {0.0, 100.0}) {
    PointTraining training({3, -4});
    training.options.steps = 1;
    training.options.learning_rate = 0.1;
    training.options.max_grad_norm = clip;
    ASSERT_TRUE(training.Run().ok());
    EXPECT_DOUBLE_EQ(training.point->p[0].item<double>(), 2.7);
  }
}

TEST(TrainTest, EveryStepHasItsRate) {
  PointTraining training({1});
  training.options.steps = 4;
  training.options.learning_rate = 0.5;
  training.options.report_every = 1;
  training.options.schedule.kind = ScheduleKind::kStep;
  training.options.schedule.decay = 0.5;
  training.options.schedule.milestones = {2};
  const auto result = training.Run();
  ASSERT_TRUE(result.ok());
  EXPECT_DOUBLE_EQ(training.point->p[0].item<double>(),
                   0.5 * 0.5 * 0.75 * 0.75);
  std::vector<double> rates;
  for (const auto& entry : result->history) {
    rates.push_back(entry.metrics.at("learning_rate"));
  }
  EXPECT_THAT(rates, ElementsAre(0.5, 0.5, 0.25, 0.25));
}

TEST(TrainTest, HistoryHasMeanLossesAndTheReportsMetrics) {
  PointTraining training({0});
  training.options.steps = 7;
  training.options.report_every = 3;
  std::vector<int64_t> loss_steps;
  training.hooks.loss = [&](int64_t step) -> absl::StatusOr<torch::Tensor> {
    loss_steps.push_back(step);
    return training.point->p.sum() * 0 + static_cast<double>(step * step);
  };
  training.hooks.report = [](int64_t step) -> absl::StatusOr<Metrics> {
    return Metrics{{"twice", 2.0 * static_cast<double>(step)}};
  };
  const auto result = training.Run();
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(loss_steps, ElementsAre(0, 1, 2, 3, 4, 5, 6));
  ASSERT_EQ(result->history.size(), 3u);
  const std::vector<int64_t> steps = {3, 6, 7};
  const std::vector<double> losses = {5.0 / 3, 50.0 / 3, 36};
  for (size_t i = 0; i < 3; ++i) {
    const HistoryEntry& entry = result->history[i];
    EXPECT_EQ(entry.step, steps[i]);
    EXPECT_DOUBLE_EQ(entry.metrics.at("loss"), losses[i]);
    EXPECT_EQ(entry.metrics.at("learning_rate"), 0.01);
    EXPECT_EQ(entry.metrics.at("twice"), 2.0 * steps[i]);
    EXPECT_EQ(entry.metrics.size(), 3u);
  }
}

TEST(TrainTest, ProgressIsReportedAfterEveryStep) {
  PointTraining training({2});
  training.options.steps = 3;
  training.options.learning_rate = 0.5;
  std::vector<double> losses;
  training.hooks.progress = [&](const TrainingProgress& progress) {
    losses.push_back(progress.loss);
    EXPECT_EQ(progress.step, static_cast<int64_t>(losses.size()));
    EXPECT_EQ(progress.steps, 3);
    EXPECT_EQ(progress.first_step, 0);
  };
  ASSERT_TRUE(training.Run().ok());
  EXPECT_THAT(losses, ElementsAre(2, 0.5, 0.125));
}

TEST(TrainTest, ModelIsInTrainingModeWhateverAHookDoes) {
  PointTraining training({1});
  training.point->eval();
  training.options.steps = 4;
  training.options.report_every = 2;
  training.hooks.loss = [&](int64_t) -> absl::StatusOr<torch::Tensor> {
    EXPECT_TRUE(training.point->is_training());
    return training.point->p.square().sum();
  };
  training.hooks.report = [&](int64_t) -> absl::StatusOr<Metrics> {
    training.point->eval();
    return Metrics{};
  };
  ASSERT_TRUE(training.Run().ok());
  EXPECT_TRUE(training.point->is_training());
}

TEST(TrainTest, LossThatIsNotFiniteAbortsWithTheStep) {
  for (const double bad : {kNan, std::numeric_limits<double>::infinity()}) {
    const std::string path = Path("state.ckpt");
    PointTraining training({2});
    training.options.steps = 10;
    training.options.learning_rate = 0.5;
    training.options.checkpoint.path = path;
    training.options.checkpoint.resume = false;
    training.options.checkpoint.every_steps = 3;
    std::string at_six;
    training.hooks.loss = [&](int64_t step) -> absl::StatusOr<torch::Tensor> {
      if (step == 6) at_six = *ReadFile(path);
      return 0.5 * training.point->p.square().sum() * (step == 6 ? bad : 1);
    };
    const auto result = training.Run();
    EXPECT_EQ(result.status().code(), absl::StatusCode::kAborted);
    EXPECT_THAT(std::string(result.status().message()),
                AllOf(HasSubstr("loss"), HasSubstr("step 7 of 10")));
    // Neither the weights nor the checkpoint saw it.
    EXPECT_EQ(training.point->p[0].item<double>(), std::exp2(-5));
    EXPECT_EQ(*ReadFile(path), at_six);
  }
}

// A finite loss whose gradient is not: √x at 0.
TEST(TrainTest, GradientThatIsNotFiniteAbortsWithTheStep) {
  for (const double clip : {0.0, 1.0}) {
    for (const int64_t bad_step : {int64_t{2}, int64_t{4}}) {
      const std::string path = Path("state.ckpt");
      PointTraining training({2});
      training.options.steps = 5;
      training.options.max_grad_norm = clip;
      training.options.checkpoint.path = path;
      training.options.checkpoint.resume = false;
      training.options.checkpoint.every_steps = 1;
      training.hooks.loss = [&](int64_t step) -> absl::StatusOr<torch::Tensor> {
        const torch::Tensor p = training.point->p;
        return step == bad_step ? (p - p.detach()).sqrt().sum()
                                : p.square().sum();
      };
      const auto result = training.Run();
      ASSERT_EQ(result.status().code(), absl::StatusCode::kAborted)
          << clip << " " << bad_step << " " << result.status();
      EXPECT_THAT(std::string(result.status().message()),
                  HasSubstr(absl::StrCat("step ", bad_step + 1, " of 5")));
      // What a later start finds is the state before.
      PointTraining later({7});
      later.options = training.options;
      later.options.checkpoint.resume = true;
      later.options.steps = bad_step;
      const auto resumed = later.Run();
      ASSERT_TRUE(resumed.ok()) << resumed.status();
      EXPECT_EQ(resumed->resumed_from, bad_step);
      EXPECT_TRUE(later.point->p.isfinite().all().item<bool>());
    }
  }
}

// A step may overflow although loss and gradient do not; layers then refuse the
// weight, which must not hide at which step the training failed.
TEST(TrainTest, DivergenceOfAConstrainedNetworkAbortsWithTheStep) {
  for (const ConstraintKind kind :
       {ConstraintKind::kNone, ConstraintKind::kBjorck,
        ConstraintKind::kStiefel, ConstraintKind::kPolar,
        ConstraintKind::kParseval}) {
    MlpConfig config;
    config.input_dim = 2;
    config.hidden = {4};
    config.constraint.kind = kind;
    Sequential network = *MakeMlp(config);
    torch::optim::SGD optimizer(network->parameters(), 1);
    RandomSource random(1);
    TrainingOptions options;
    options.steps = 50;
    options.learning_rate = 1e38;
    TrainingHooks hooks;
    hooks.loss = [&](int64_t) -> absl::StatusOr<torch::Tensor> {
      return network->forward(torch::randn({8, 2}, random.generator()))
                 .square()
                 .mean() *
             100;
    };
    const auto result = Train(*network, optimizer, random, options, hooks);
    EXPECT_EQ(result.status().code(), absl::StatusCode::kAborted)
        << ConstraintName(kind) << " " << result.status();
    EXPECT_THAT(std::string(result.status().message()), HasSubstr("in step"));
  }
}

TEST(TrainTest, ErrorsOfHooksAreReturned) {
  PointTraining training({1});
  training.options.steps = 4;
  training.options.report_every = 2;
  training.hooks.report = [](int64_t) -> absl::StatusOr<Metrics> {
    return absl::OutOfRangeError("no metric");
  };
  EXPECT_EQ(training.Run().status(), absl::OutOfRangeError("no metric"));
  training.hooks.report = nullptr;
  training.hooks.loss = [](int64_t) -> absl::StatusOr<torch::Tensor> {
    return absl::NotFoundError("no data");
  };
  EXPECT_EQ(training.Run().status(),
            absl::NotFoundError("step 1 of 4: no data"));
  training.hooks.loss = [](int64_t) -> absl::StatusOr<torch::Tensor> {
    return torch::zeros({2, 3}).mm(torch::zeros({2, 3}));
  };
  EXPECT_EQ(training.Run().status().code(), absl::StatusCode::kInternal);
}

TEST(TrainTest, OptionsThatMakeNoSenseAreErrors) {
  const auto fails = [](const std::function<void(TrainingOptions*)>& change) {
    PointTraining training({1});
    change(&training.options);
    training.hooks.loss = [](int64_t) -> absl::StatusOr<torch::Tensor> {
      ADD_FAILURE() << "a step was taken";
      return absl::InternalError("");
    };
    return training.Run().status().code() == absl::StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(fails([](TrainingOptions* o) { o->steps = 0; }));
  EXPECT_TRUE(fails([](TrainingOptions* o) { o->report_every = 0; }));
  EXPECT_TRUE(fails([](TrainingOptions* o) { o->learning_rate = 0; }));
  EXPECT_TRUE(fails([](TrainingOptions* o) { o->learning_rate = kNan; }));
  EXPECT_TRUE(fails([](TrainingOptions* o) { o->max_grad_norm = -1; }));
  EXPECT_TRUE(fails([](TrainingOptions* o) { o->max_grad_norm = kNan; }));
  EXPECT_TRUE(fails([](TrainingOptions* o) { o->schedule.decay = 0; }));
}

// A critic's training with every kind of state: momentum, buffers, both
// generators, a window of losses that is half full.
struct Outcome {
  absl::Status status;
  TrainingResult result;
  std::vector<torch::Tensor> tensors;
  std::vector<std::string> notices;
};

struct Plan {
  ConstraintKind constraint = ConstraintKind::kSpectral;
  OptimizerKind optimizer = OptimizerKind::kAggMo;
  // 0: runs to the end.
  int64_t stop_after = 0;
  // Seeds what a resumed process must not depend on.
  int64_t seed = 1;
  CheckpointOptions checkpoint;
};

constexpr int64_t kSteps = 11;

CheckpointOptions CheckpointAt(const std::string& path) {
  CheckpointOptions checkpoint;
  checkpoint.path = path;
  checkpoint.fingerprint = "critic";
  checkpoint.every_seconds = 1e9;
  return checkpoint;
}

Outcome RunCritic(const Plan& plan) {
  torch::manual_seed(plan.seed);
  MlpConfig config;
  config.input_dim = 2;
  config.hidden = {4};
  config.constraint.kind = plan.constraint;
  Sequential network = *MakeMlp(config);
  std::unique_ptr<torch::optim::Optimizer> optimizer =
      MakeOptimizer(plan.optimizer, network->parameters(), 0.1);
  if (plan.optimizer == OptimizerKind::kAdam) {
    // With everything that it can keep.
    optimizer = std::make_unique<torch::optim::Adam>(
        network->parameters(), torch::optim::AdamOptions().amsgrad(true));
  }
  RandomSource random(static_cast<uint64_t>(plan.seed));
  TrainingOptions options;
  options.steps = kSteps;
  options.learning_rate = 0.1;
  options.schedule.kind = ScheduleKind::kCosine;
  options.max_grad_norm = 0.5;
  options.report_every = 4;
  options.checkpoint = plan.checkpoint;
  Outcome outcome;
  int64_t done = 0;
  TrainingHooks hooks;
  hooks.loss = [&](int64_t) -> absl::StatusOr<torch::Tensor> {
    const torch::Tensor x = torch::randn({8, 2}, random.generator());
    const torch::Tensor noise = 0.1 * torch::randn({8, 2});
    return network->forward(x).mean() -
           network->forward(x + noise + 1).square().mean();
  };
  hooks.report = [&](int64_t) -> absl::StatusOr<Metrics> {
    return Metrics{{"norm", network->parameters()[0].norm().item<double>()},
                   {"draw", torch::rand({1}).item<double>()}};
  };
  hooks.progress = [&](const TrainingProgress& progress) {
    done = progress.step;
  };
  hooks.notice = [&](const std::string& text) {
    outcome.notices.push_back(text);
  };
  hooks.stop_requested = [&] {
    return plan.stop_after > 0 && done >= plan.stop_after;
  };
  auto result = Train(*network, *optimizer, random, options, hooks);
  outcome.status = result.status();
  if (result.ok()) outcome.result = *result;
  for (const auto& p : network->parameters()) {
    outcome.tensors.push_back(p.detach().clone());
  }
  for (const auto& b : network->buffers()) outcome.tensors.push_back(b.clone());
  outcome.tensors.push_back(random.state());
  return outcome;
}

void ExpectSame(const Outcome& a, const Outcome& b, const std::string& what) {
  ASSERT_TRUE(a.status.ok()) << what << ": " << a.status;
  ASSERT_TRUE(b.status.ok()) << what << ": " << b.status;
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  for (size_t i = 0; i < a.tensors.size(); ++i) {
    EXPECT_TRUE(torch::equal(a.tensors[i], b.tensors[i])) << what << ", " << i;
  }
  EXPECT_EQ(a.result.steps, b.result.steps);
  ASSERT_EQ(a.result.history.size(), b.result.history.size()) << what;
  for (size_t i = 0; i < a.result.history.size(); ++i) {
    EXPECT_EQ(a.result.history[i].step, b.result.history[i].step) << what;
    EXPECT_EQ(a.result.history[i].metrics, b.result.history[i].metrics) << what;
  }
}

TEST(ResumeTest, AfterAStopAtAnyStepTheResultIsBitIdentical) {
  for (const ConstraintKind constraint :
       {ConstraintKind::kSpectral, ConstraintKind::kBjorck,
        ConstraintKind::kStiefel, ConstraintKind::kPolar,
        ConstraintKind::kParseval}) {
    for (const OptimizerKind optimizer :
         {OptimizerKind::kAggMo, OptimizerKind::kAdam, OptimizerKind::kMuon}) {
      Plan through;
      through.constraint = constraint;
      through.optimizer = optimizer;
      const Outcome expected = RunCritic(through);
      for (int64_t k = 1; k <= kSteps; ++k) {
        const std::string what =
            absl::StrCat(ConstraintName(constraint), " optimizer ",
                         static_cast<int>(optimizer), " stopped after ", k);
        Plan stopped = through;
        stopped.stop_after = k;
        stopped.checkpoint = CheckpointAt(Path("state.ckpt"));
        stopped.checkpoint.resume = false;
        const Outcome first = RunCritic(stopped);
        ASSERT_EQ(first.status.code(), absl::StatusCode::kCancelled) << what;
        EXPECT_THAT(std::string(first.status.message()),
                    HasSubstr(absl::StrCat("step ", k)));
        Plan resumed = stopped;
        resumed.stop_after = 0;
        resumed.seed = 99;
        resumed.checkpoint.resume = true;
        const Outcome second = RunCritic(resumed);
        ExpectSame(second, expected, what);
        EXPECT_EQ(second.result.resumed_from, k);
        EXPECT_GE(second.result.seconds, 0);
        ASSERT_EQ(second.notices.size(), 1u) << what;
        EXPECT_THAT(second.notices[0],
                    AllOf(HasSubstr(absl::StrCat("step ", k, " ")),
                          HasSubstr("state.ckpt")));
      }
    }
  }
}

TEST(ResumeTest, StoppedAfterEveryStepItStillGetsThere) {
  const Outcome expected = RunCritic({});
  Plan plan;
  plan.checkpoint = CheckpointAt(Path("state.ckpt"));
  for (int64_t k = 1; k < kSteps; ++k) {
    plan.stop_after = k;
    plan.seed = k;
    EXPECT_EQ(RunCritic(plan).status.code(), absl::StatusCode::kCancelled);
  }
  plan.stop_after = 0;
  plan.seed = 1000;
  ExpectSame(RunCritic(plan), expected, "one step at a time");
}

TEST(ResumeTest, CheckpointsChangeNoResult) {
  const Outcome expected = RunCritic({});
  for (const int64_t every : {1, 3, 100}) {
    Plan plan;
    plan.checkpoint = CheckpointAt(Path(absl::StrCat(every, ".ckpt")));
    plan.checkpoint.every_steps = every;
    ExpectSame(RunCritic(plan), expected, absl::StrCat("every ", every));
  }
  Plan plan;
  plan.checkpoint = CheckpointAt(Path("seconds.ckpt"));
  plan.checkpoint.every_seconds = 0;
  ExpectSame(RunCritic(plan), expected, "all the time");
}

TEST(ResumeTest, WithoutResumeAnOldCheckpointIsNotRead) {
  const Outcome expected = RunCritic({});
  Plan plan;
  plan.checkpoint = CheckpointAt(Path("state.ckpt"));
  plan.stop_after = 5;
  ASSERT_EQ(RunCritic(plan).status.code(), absl::StatusCode::kCancelled);
  plan.stop_after = 0;
  plan.checkpoint.resume = false;
  const Outcome again = RunCritic(plan);
  ExpectSame(again, expected, "no resume");
  EXPECT_TRUE(again.notices.empty());
  EXPECT_EQ(again.result.resumed_from, 0);
}

TEST(ResumeTest, UnusableCheckpointIsNoticedAndTheTrainingStartsAnew) {
  const Outcome expected = RunCritic({});
  const std::string path = Path("state.ckpt");
  Plan plan;
  plan.checkpoint = CheckpointAt(path);
  plan.stop_after = 5;
  ASSERT_EQ(RunCritic(plan).status.code(), absl::StatusCode::kCancelled);
  plan.stop_after = 0;
  const std::string whole = *ReadFile(path);
  std::vector<std::string> contents = {"", "garbage\n", whole.substr(0, 100),
                                       whole.substr(0, whole.size() - 1),
                                       whole + "\n"};
  for (size_t i = 0; i < whole.size(); i += 1 + whole.size() / 25) {
    std::string flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ 4);
    contents.push_back(flipped);
  }
  // Another version's.
  const size_t version = whole.find("version 2 checkpoint");
  ASSERT_NE(version, std::string::npos);
  contents.push_back(whole.substr(0, version) + whole.substr(version + 10));
  for (const std::string& content : contents) {
    ASSERT_TRUE(WriteFileAtomically(path, content).ok());
    const Outcome outcome = RunCritic(plan);
    ExpectSame(outcome, expected, absl::StrCat(content.size(), " bytes"));
    EXPECT_EQ(outcome.result.resumed_from, 0);
    ASSERT_EQ(outcome.notices.size(), 1u);
    EXPECT_THAT(outcome.notices[0],
                AllOf(HasSubstr(path), HasSubstr("from the beginning")));
  }
  ASSERT_TRUE(WriteFileAtomically(path, whole).ok());
  plan.checkpoint.fingerprint = "other critic";
  const Outcome outcome = RunCritic(plan);
  ExpectSame(outcome, expected, "other fingerprint");
  ASSERT_EQ(outcome.notices.size(), 1u);
  EXPECT_THAT(outcome.notices[0], HasSubstr("other settings"));
}

TEST(ResumeTest, CheckpointThatCannotBeWrittenIsAnError) {
  const std::string file = Path("file");
  ASSERT_TRUE(WriteFileAtomically(file, "in the way").ok());
  for (const bool resume : {true, false}) {
    Plan plan;
    plan.checkpoint = CheckpointAt(file + "/state.ckpt");
    plan.checkpoint.every_steps = 2;
    plan.checkpoint.resume = resume;
    const Outcome outcome = RunCritic(plan);
    EXPECT_FALSE(outcome.status.ok());
    EXPECT_THAT(std::string(outcome.status.message()), HasSubstr(file));
    // Also where a stop asked for it.
    plan.checkpoint.every_steps = 0;
    plan.stop_after = 3;
    const Outcome stopped = RunCritic(plan);
    EXPECT_FALSE(stopped.status.ok());
    EXPECT_NE(stopped.status.code(), absl::StatusCode::kCancelled);
  }
}

TEST(ResumeTest, StopWithoutACheckpointIsCancelledToo) {
  Plan plan;
  plan.stop_after = 2;
  EXPECT_EQ(RunCritic(plan).status.code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace lipschitz
