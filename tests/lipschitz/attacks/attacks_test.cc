// FGSM, PGD and Auto-PGD: what they promise, and how strong they are.
#include <ATen/ATen.h>
#include <torch/optim/adam.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/attacks/attack.h"
#include "lipschitz/attacks/auto_pgd.h"
#include "lipschitz/attacks/fgsm.h"
#include "lipschitz/attacks/objective.h"
#include "lipschitz/attacks/pgd.h"
#include "lipschitz/layers/sequential.h"
#include "lipschitz/losses/margin.h"
#include "tests/testing/networks.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::FailsWith;
using ::lipschitz::testing::Matrix;
using ::lipschitz::testing::RandomMlp;
using ::lipschitz::testing::TensorsNear;

at::Tensor Labels(std::vector<int64_t> labels) {
  return at::tensor(labels, at::kLong);
}

Classifier LinearClassifier(const at::Tensor& weight,
                            const at::Tensor& bias = {}) {
  return [weight, bias](const at::Tensor& x) {
    const at::Tensor z = at::mm(x, weight.t());
    return bias.defined() ? z + bias : z;
  };
}

struct NamedAttack {
  std::string name;
  std::function<absl::StatusOr<AttackResult>(
      const Classifier&, const at::Tensor&, const at::Tensor&,
      const ThreatModel&, uint64_t seed)>
      run;
};

std::vector<NamedAttack> AllAttacks(
    int64_t steps = 80, AttackObjective objective = AttackObjective::kMargin,
    int64_t restarts = 1) {
  return {
      {"fgsm",
       [=](const auto& f, const auto& x, const auto& y, const auto& threat,
           uint64_t seed) {
         FgsmOptions options;
         options.objective = objective;
         options.seed = seed;
         return Fgsm(f, x, y, threat, options);
       }},
      {"pgd",
       [=](const auto& f, const auto& x, const auto& y, const auto& threat,
           uint64_t seed) {
         PgdOptions options;
         options.objective = objective;
         options.steps = steps;
         options.restarts = restarts;
         options.step_fraction = 0.25;
         options.seed = seed;
         return Pgd(f, x, y, threat, options);
       }},
      {"auto_pgd",
       [=](const auto& f, const auto& x, const auto& y, const auto& threat,
           uint64_t seed) {
         AutoPgdOptions options;
         options.objective = objective;
         options.steps = steps;
         options.restarts = restarts;
         options.seed = seed;
         return AutoPgd(f, x, y, threat, options);
       }},
  };
}

AttackResult Attacked(const NamedAttack& attack, const Classifier& classifier,
                      const at::Tensor& x, const at::Tensor& labels,
                      const ThreatModel& threat, uint64_t seed = 0) {
  const auto result = attack.run(classifier, x, labels, threat, seed);
  EXPECT_TRUE(result.ok()) << attack.name << ": " << result.status();
  return *result;
}

// Until the examples are learnt or the steps are over.
void Train(Sequential network, const at::Tensor& x, const at::Tensor& labels,
           int steps) {
  {
    // The authors' small weights would learn slowly.
    const torch::NoGradGuard no_grad;
    for (auto& parameter : network->parameters()) parameter.mul_(2);
  }
  torch::optim::Adam adam(network->parameters(), 3e-3);
  double loss = 1;
  for (int step = 0; step < steps && loss > 1e-2; ++step) {
    adam.zero_grad();
    const at::Tensor mean = ObjectiveValues(AttackObjective::kCrossEntropy,
                                            network->forward(x), labels)
                                .mean();
    mean.backward();
    adam.step();
    loss = mean.item<double>();
  }
  adam.zero_grad();
}

// A classifier of points in [0, 1]^20 with random labels, which it has learnt
// by heart: accurate on them, and far from linear between them.
struct Memorised {
  explicit Memorised(uint64_t seed) {
    network = RandomMlp(static_cast<int64_t>(seed), {20, 128, 128, 4},
                        ActivationSpec::Relu(), ConstraintKind::kNone);
    x = at::rand({160, 20});
    labels = at::randint(4, {160}, at::kLong);
    Train(network, x, labels, 200);
    network->eval();
    classifier = [this](const at::Tensor& input) {
      return network->forward(input);
    };
  }
  Memorised(const Memorised&) = delete;

  double Accuracy(const at::Tensor& input) const {
    const torch::NoGradGuard no_grad;
    return (LogitMargins(classifier(input), labels) > 0)
        .to(at::kDouble)
        .mean()
        .item<double>();
  }

  Sequential network;
  at::Tensor x;
  at::Tensor labels;
  Classifier classifier;
};

// Examples are evaluated a few at a time; what comes back is in their order.
TEST(Objective, OfManyExamplesIsThatOfEachAlone) {
  Sequential network = RandomMlp(3, {5, 16, 4}, ActivationSpec::MaxMin());
  network->eval();
  const Classifier classifier = [&](const at::Tensor& x) {
    return network->forward(x);
  };
  const at::Tensor x = at::rand({200, 5});
  const at::Tensor labels = at::arange(200, at::kLong).remainder(4);
  const ObjectivePoint all =
      EvaluateObjective(classifier, AttackObjective::kMargin, x, labels);
  const at::Tensor margins = EvaluateMargins(classifier, x, labels);
  ASSERT_EQ(all.gradient.sizes(), x.sizes());
  for (int64_t i = 0; i < 200; ++i) {
    const ObjectivePoint one =
        EvaluateObjective(classifier, AttackObjective::kMargin,
                          x.narrow(0, i, 1), labels.narrow(0, i, 1));
    EXPECT_TRUE(TensorsNear(all.values.narrow(0, i, 1), one.values, 1e-5));
    EXPECT_TRUE(TensorsNear(all.margins.narrow(0, i, 1), one.margins, 1e-5));
    EXPECT_TRUE(TensorsNear(margins.narrow(0, i, 1), one.margins, 1e-5));
    EXPECT_TRUE(TensorsNear(all.gradient.narrow(0, i, 1), one.gradient, 1e-5));
  }
}

TEST(AttacksTest, FindTheExactMinimalPerturbationOfALinearClassifier) {
  for (const NamedAttack& attack : AllAttacks()) {
    for (Norm norm : {Norm::kL2, Norm::kLinf}) {
      SCOPED_TRACE(attack.name + " " + NormName(norm));
      torch::manual_seed(1);
      const at::Tensor weight = at::randn({2, 12}, at::kDouble);
      const Classifier classifier = LinearClassifier(weight);
      const at::Tensor x = at::randn({25, 12}, at::kDouble);
      const at::Tensor logits = classifier(x);
      const at::Tensor labels = logits.argmax(1);
      const at::Tensor w = weight[0] - weight[1];
      const at::Tensor radius = LogitMargins(logits, labels) /
                                (norm == Norm::kL2 ? w.norm() : w.abs().sum());
      const auto success = [&](double factor) {
        return Attacked(
                   attack, classifier, x, labels,
                   MakeThreat(norm, radius * factor, InputBox::Everywhere()))
            .success;
      };
      EXPECT_TRUE(success(1 + 1e-6).all().item<bool>());
      EXPECT_FALSE(success(1 - 1e-6).any().item<bool>());
    }
  }
}

TEST(AttacksTest, PgdFindsTheBestPointOfBallAndBoxTogether) {
  // Half of the pixels cannot move where the gradient wants them to.
  torch::manual_seed(2);
  const at::Tensor w = at::randn({30}, at::kDouble);
  const at::Tensor x = (at::rand({1, 30}, at::kDouble) > 0.5).to(at::kDouble);
  const Classifier classifier = LinearClassifier(
      at::stack({w, at::zeros_like(w)}), at::tensor({50.0, 0.0}, at::kDouble));
  const double epsilon = 1.0;
  // The margin falls most for x − clamp(t w) with t such that it is as long as
  // epsilon.
  double low = 0;
  double high = 1e3;
  at::Tensor best;
  for (int i = 0; i < 200; ++i) {
    const double t = (low + high) / 2;
    best = (x - t * w).clamp(0, 1);
    ((best - x).norm().item<double>() <= epsilon ? low : high) = t;
  }
  const double least =
      LogitMargins(classifier(best), Labels({0})).item<double>();
  for (const NamedAttack& attack : AllAttacks(200)) {
    if (attack.name == "fgsm") continue;
    EXPECT_NEAR(Attacked(attack, classifier, x, Labels({0}),
                         MakeThreat(Norm::kL2, epsilon))
                    .margin.item<double>(),
                least, 1e-3)
        << attack.name;
  }
}

// Three stripes of alternating classes across a diagonal of [0, 1]^20. A full
// step of two stripes lands in a stripe of the same class; the other class lies
// between.
struct Stripes {
  static constexpr double kWidth = 0.3;

  Stripes() {
    network = RandomMlp(3, {20, 64, 64, 2}, ActivationSpec::Relu(),
                        ConstraintKind::kNone);
    const at::Tensor across =
        (at::arange(20) % 2 * 2 - 1).to(at::kFloat) / std::sqrt(20.0);
    const at::Tensor stripe = at::randint(3, {400}, at::kLong);
    labels = stripe % 2;
    // With gaps between the stripes.
    const at::Tensor place =
        (stripe - 1 + 0.7 * (at::rand({400}) - 0.5)) * kWidth;
    x = (0.5 + place.unsqueeze(1) * across + 0.01 * at::randn({400, 20}))
            .clamp(0, 1);
    Train(network, x, labels, 800);
  }

  Sequential network;
  at::Tensor x;
  at::Tensor labels;
};

TEST(AttacksTest, BreakAnUnconstrainedNetworkWhereNoiseAndOneStepDoNot) {
  Stripes stripes;
  const Classifier classifier = [&](const at::Tensor& x) {
    return stripes.network->forward(x);
  };
  for (Norm norm : {Norm::kLinf, Norm::kL2}) {
    const double reach = 2 * Stripes::kWidth;
    const ThreatModel threat =
        MakeThreat(norm, norm == Norm::kLinf ? reach / std::sqrt(20.0) : reach);
    const auto accuracy = [&](const ThreatModel& model,
                              const NamedAttack& attack) {
      return Attacked(attack, classifier, stripes.x, stripes.labels, model)
          .RobustAccuracy();
    };
    const auto attacks =
        AllAttacks(40, AttackObjective::kMargin, /*restarts=*/3);
    EXPECT_GE(accuracy(MakeThreat(norm, 0.0), attacks[0]), 0.97);
    PgdOptions noise;
    noise.steps = 0;
    const double under_noise =
        Pgd(classifier, stripes.x, stripes.labels, threat, noise)
            ->RobustAccuracy();
    const double under_fgsm = accuracy(threat, attacks[0]);
    const double under_pgd = accuracy(threat, attacks[1]);
    const double under_auto_pgd = accuracy(threat, attacks[2]);
    RecordProperty(
        "accuracy_" + NormName(norm),
        std::to_string(under_noise) + " " + std::to_string(under_fgsm) + " " +
            std::to_string(under_pgd) + " " + std::to_string(under_auto_pgd));
    EXPECT_GE(under_noise, 0.4);
    EXPECT_GE(under_fgsm, 0.3);
    EXPECT_LE(under_pgd, 0.02);
    EXPECT_LE(under_auto_pgd, 0.02);
  }
}

// A checkpoint that is there twice would be waited for in vain, and none behind
// it be met.
TEST(AttacksTest, AutoPgdHasEveryCheckpointOnce) {
  EXPECT_EQ(AutoPgdCheckpoints(50),
            (std::vector<int64_t>{11, 21, 29, 35, 40, 44, 47, 50}));
  for (int64_t steps = 1; steps <= 200; ++steps) {
    const std::vector<int64_t> checkpoints = AutoPgdCheckpoints(steps);
    ASSERT_FALSE(checkpoints.empty()) << steps;
    EXPECT_GE(checkpoints.front(), 1) << steps;
    EXPECT_LE(checkpoints.back(), steps);
    EXPECT_TRUE(std::is_sorted(checkpoints.begin(), checkpoints.end(),
                               std::less_equal<int64_t>()))
        << steps;
  }
}

TEST(AttacksTest, AutoPgdIsStrongerThanPgdAndPgdThanFgsmOnAverage) {
  std::vector<double> accuracy(3, 0.0);
  for (uint64_t seed = 0; seed < 3; ++seed) {
    const Memorised memorised(seed);
    for (Norm norm : {Norm::kLinf, Norm::kL2}) {
      // Where about half of the points can be broken.
      const ThreatModel threat =
          MakeThreat(norm, norm == Norm::kLinf ? 0.08 : 0.3);
      const auto attacks = AllAttacks(20);
      for (size_t i = 0; i < attacks.size(); ++i) {
        accuracy[i] += Attacked(attacks[i], memorised.classifier, memorised.x,
                                memorised.labels, threat, seed)
                           .RobustAccuracy() /
                       6;
      }
    }
  }
  EXPECT_LT(accuracy[0], 0.95);
  EXPECT_GT(accuracy[2], 0.05);
  EXPECT_LE(accuracy[1], accuracy[0] - 0.005);
  EXPECT_LE(accuracy[2], accuracy[1] + 0.005);
}

TEST(AttacksTest, ResultsAreInsideBallAndBoxAndSayWhatTheyAre) {
  const Memorised memorised(4);
  const at::Tensor epsilon = at::rand({160}, at::kDouble) * 0.3;
  for (const NamedAttack& attack : AllAttacks(10)) {
    for (Norm norm : {Norm::kLinf, Norm::kL2}) {
      const AttackResult result =
          Attacked(attack, memorised.classifier, memorised.x, memorised.labels,
                   MakeThreat(norm, epsilon));
      const at::Tensor difference =
          result.adversarial.to(at::kDouble) - memorised.x.to(at::kDouble);
      const at::Tensor distance =
          norm == Norm::kL2 ? difference.norm(2, 1) : difference.abs().amax(1);
      EXPECT_TRUE((distance <= epsilon).all().item<bool>());
      EXPECT_TRUE((result.adversarial >= 0)
                      .logical_and(result.adversarial <= 1)
                      .all()
                      .item<bool>());
      const torch::NoGradGuard no_grad;
      EXPECT_TRUE(
          TensorsNear(result.margin,
                      LogitMargins(memorised.classifier(result.adversarial),
                                   memorised.labels),
                      1e-4));
      EXPECT_TRUE(result.success.equal((result.margin > 0).logical_not()));
      EXPECT_NEAR(result.RobustAccuracy(),
                  memorised.Accuracy(result.adversarial), 0.01);
    }
  }
}

TEST(AttacksTest, CleanErrorsAreCountedOnceAndLeftAlone) {
  const Classifier classifier = LinearClassifier(Matrix({{1, 0}, {0, 1}}));
  const at::Tensor x = Matrix({{0.9, 0.1}, {0.1, 0.9}, {0.5, 0.5}, {0.9, 0.1}});
  for (const NamedAttack& attack : AllAttacks(5)) {
    // Right, wrong, tied, and right; nothing else can be broken.
    const AttackResult result =
        Attacked(attack, classifier, x, Labels({0, 0, 0, 0}),
                 MakeThreat(Norm::kLinf, 0.01));
    EXPECT_EQ(result.RobustAccuracy(), 0.5);
    EXPECT_TRUE(result.success.equal(
        at::tensor({0, 1, 1, 0}, at::kLong).to(at::kBool)));
    EXPECT_TRUE(result.adversarial.slice(0, 1, 3).equal(x.slice(0, 1, 3)));
  }
}

TEST(AttacksTest, AnEpsilonOfZeroMovesNothing) {
  const Memorised memorised(5);
  for (const NamedAttack& attack : AllAttacks(3)) {
    for (Norm norm : {Norm::kLinf, Norm::kL2}) {
      const AttackResult result =
          Attacked(attack, memorised.classifier, memorised.x, memorised.labels,
                   MakeThreat(norm, 0.0));
      EXPECT_TRUE(result.adversarial.equal(memorised.x));
    }
  }
}

TEST(AttacksTest, TheObjectiveThatIsAskedForIsUsed) {
  // Cross-entropy mixes the two other classes; the margin looks at one.
  const Classifier classifier =
      LinearClassifier(Matrix({{0, 0}, {1, 0}, {0, 1}}),
                       at::tensor({3.0, 1.0, 0.9}, at::kDouble));
  const at::Tensor x = Matrix({{0.0, 0.0}});
  FgsmOptions options;
  const ThreatModel threat = MakeThreat(Norm::kL2, 0.1);
  options.objective = AttackObjective::kMargin;
  EXPECT_TRUE(TensorsNear(
      Fgsm(classifier, x, Labels({0}), threat, options)->adversarial,
      Matrix({{0.1, 0}}), 1e-9));
  options.objective = AttackObjective::kCrossEntropy;
  EXPECT_GT(Fgsm(classifier, x, Labels({0}), threat, options)
                ->adversarial[0][1]
                .item<double>(),
            0.03);
  const Classifier two = LinearClassifier(Matrix({{1, 0}, {0, 1}}));
  for (const NamedAttack& attack : AllAttacks(2, AttackObjective::kDlr)) {
    const auto result =
        attack.run(two, Matrix({{0.6, 0.1}}), Labels({0}), threat, 0);
    EXPECT_FALSE(result.ok()) << attack.name;
  }
}

TEST(AttacksTest, EveryObjectiveBreaksAnEasyExample) {
  const Classifier classifier =
      LinearClassifier(Matrix({{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}));
  const at::Tensor x = Matrix({{0.5, 0.4, 0.1}});
  for (AttackObjective objective :
       {AttackObjective::kCrossEntropy, AttackObjective::kMargin,
        AttackObjective::kDlr}) {
    for (const NamedAttack& attack : AllAttacks(10, objective)) {
      EXPECT_TRUE(Attacked(attack, classifier, x, Labels({0}),
                           MakeThreat(Norm::kLinf, 0.2))
                      .success.item<bool>())
          << attack.name << " " << ObjectiveName(objective);
    }
  }
}

TEST(AttacksTest, PgdStartsAtARandomPointUnlessToldOtherwise) {
  const Classifier classifier = LinearClassifier(Matrix({{1, 0}, {0, 1}}));
  const at::Tensor x = Matrix({{0.6, 0.4}});
  const ThreatModel threat = MakeThreat(Norm::kLinf, 0.09);
  PgdOptions options;
  EXPECT_TRUE(options.random_start);
  options.steps = 0;
  options.restarts = 20;
  const auto random = Pgd(classifier, x, Labels({0}), threat, options);
  ASSERT_TRUE(random.ok());
  EXPECT_FALSE(random->adversarial.equal(x));
  options.random_start = false;
  EXPECT_TRUE(
      Pgd(classifier, x, Labels({0}), threat, options)->adversarial.equal(x));
}

TEST(AttacksTest, AreTheSameForTheSameSeed) {
  const Memorised memorised(6);
  const ThreatModel threat = MakeThreat(Norm::kL2, 0.1);
  for (const NamedAttack& attack : AllAttacks(5)) {
    const auto run = [&](uint64_t seed) {
      return Attacked(attack, memorised.classifier, memorised.x,
                      memorised.labels, threat, seed)
          .adversarial;
    };
    EXPECT_TRUE(run(1).equal(run(1))) << attack.name;
    if (attack.name != "fgsm") {
      EXPECT_FALSE(run(1).equal(run(2))) << attack.name;
    }
  }
}

TEST(AttacksTest, AClassifierWithoutGradientsIsSearchedAtRandom) {
  // Steps: flat wherever one looks.
  const Classifier classifier = [](const at::Tensor& x) {
    const at::Tensor score = (x * 16).floor().sum(1);
    return at::stack({score, at::full_like(score, 8.0)}, 1);
  };
  const at::Tensor x = at::full({1, 2}, 0.3, at::kDouble);
  EXPECT_FALSE(LogitMargins(classifier(x), Labels({1})).item<double>() > 0);
  const AttackResult result = Attacked(
      AllAttacks(40)[1], classifier, at::full({1, 2}, 0.26, at::kDouble),
      Labels({0}), MakeThreat(Norm::kLinf, 0.2));
  EXPECT_TRUE(result.success.item<bool>());
}

TEST(AttacksTest, LogitsThatAreNotNumbersAreASuccess) {
  const Classifier classifier = [](const at::Tensor& x) {
    const at::Tensor score = at::sqrt(x.select(1, 0) - 0.5);
    return at::stack({score + 1, at::zeros_like(score)}, 1);
  };
  const AttackResult result =
      Attacked(AllAttacks(10)[1], classifier, Matrix({{0.6}}), Labels({0}),
               MakeThreat(Norm::kLinf, 0.2));
  EXPECT_TRUE(result.success.item<bool>());
  EXPECT_LT(result.adversarial.item<double>(), 0.5);
}

TEST(AttacksTest, ParametersGetNoGradientsAndCallersNeedNone) {
  const Memorised memorised(7);
  const torch::NoGradGuard no_grad;
  for (const NamedAttack& attack : AllAttacks(3)) {
    Attacked(attack, memorised.classifier, memorised.x, memorised.labels,
             MakeThreat(Norm::kLinf, 0.05));
  }
  for (const at::Tensor& parameter : memorised.network->parameters()) {
    EXPECT_TRUE(!parameter.grad().defined() ||
                parameter.grad().abs().max().item<double>() == 0.0);
    EXPECT_TRUE(parameter.requires_grad());
  }
}

TEST(AttacksTest, BrokenExamplesCostNoMoreTime) {
  int64_t rows = 0;
  const Classifier inner = LinearClassifier(Matrix({{1, 0}, {0, 1}}));
  const Classifier classifier = [&](const at::Tensor& x) {
    rows += x.size(0);
    return inner(x);
  };
  // One in ten holds out.
  at::Tensor x = at::full({100, 2}, 0.5, at::kDouble);
  x.select(1, 0) += 1e-6;
  x.slice(0, 0, 10).select(1, 0).fill_(1.0);
  const int64_t steps = 50;
  for (const NamedAttack& attack : AllAttacks(steps)) {
    if (attack.name == "fgsm") continue;
    rows = 0;
    EXPECT_NEAR(Attacked(attack, classifier, x, at::zeros({100}, at::kLong),
                         MakeThreat(Norm::kLinf, 0.1))
                    .RobustAccuracy(),
                0.1, 1e-12);
    EXPECT_LE(rows, 10 * (steps + 1) + 6 * 100) << attack.name;
    EXPECT_GE(rows, 10 * (steps + 1)) << attack.name;
  }
}

TEST(AttacksTest, BatchesPutTogetherAreTheWhole) {
  const Classifier classifier = LinearClassifier(Matrix({{1, 0}, {0, 1}}));
  const at::Tensor x = at::stack(
      {at::linspace(0.5, 1.0, 7, at::kDouble), at::full({7}, 0.5, at::kDouble)},
      1);
  const at::Tensor labels = at::zeros({7}, at::kLong);
  const at::Tensor epsilon = at::linspace(0.0, 0.3, 7, at::kDouble);
  FgsmOptions options;
  const auto whole =
      Fgsm(classifier, x, labels, MakeThreat(Norm::kLinf, epsilon), options);
  options.batch_size = 3;
  const auto parts =
      Fgsm(classifier, x, labels, MakeThreat(Norm::kLinf, epsilon), options);
  ASSERT_TRUE(whole.ok() && parts.ok());
  EXPECT_TRUE(whole->adversarial.equal(parts->adversarial));
  EXPECT_TRUE(whole->success.equal(parts->success));
}

TEST(AttacksTest, ArgumentsThatDoNotFitAreErrors) {
  const Classifier classifier = LinearClassifier(Matrix({{1, 0}, {0, 1}}));
  const at::Tensor x = Matrix({{0.6, 0.4}, {0.1, 0.2}});
  const at::Tensor labels = Labels({0, 1});
  const ThreatModel threat = MakeThreat(Norm::kLinf, 0.1);
  const auto invalid = absl::StatusCode::kInvalidArgument;
  for (const NamedAttack& attack : AllAttacks(2)) {
    const auto run = [&](const at::Tensor& inputs, const at::Tensor& targets,
                         const ThreatModel& model) {
      return attack.run(classifier, inputs, targets, model, 0);
    };
    EXPECT_TRUE(FailsWith(run(x + 0.5, labels, threat), invalid,
                          {"1 inputs", "[0, 1]"}));
    EXPECT_TRUE(FailsWith(run(x, Labels({0}), threat), invalid, {"2 inputs"}));
    EXPECT_TRUE(
        FailsWith(run(x, Labels({0, -1}), threat), invalid, {"labels"}));
    EXPECT_FALSE(run(x, Labels({0, 5}), threat).ok());
    EXPECT_TRUE(
        FailsWith(run(x, labels, MakeThreat(Norm::kL1, 0.1)), invalid, {"l1"}));
    EXPECT_TRUE(FailsWith(run(x, labels, MakeThreat(Norm::kL2, -0.1)), invalid,
                          {"epsilon"}));
    EXPECT_TRUE(FailsWith(
        run(x, labels,
            MakeThreat(Norm::kL2, std::numeric_limits<double>::infinity())),
        invalid, {"epsilon"}));
    EXPECT_TRUE(FailsWith(
        run(x, labels, MakeThreat(Norm::kL2, at::ones({3}, at::kDouble))),
        invalid, {"epsilon", "2 inputs"}));
    EXPECT_TRUE(FailsWith(run(x[0], labels, threat), invalid, {"(n, ...)"}));
  }
  PgdOptions pgd;
  pgd.restarts = 0;
  EXPECT_TRUE(FailsWith(Pgd(classifier, x, labels, threat, pgd), invalid,
                        {"restarts"}));
  pgd = {};
  pgd.step_fraction = 0;
  EXPECT_TRUE(FailsWith(Pgd(classifier, x, labels, threat, pgd), invalid,
                        {"step_fraction"}));
  pgd = {};
  pgd.batch_size = 0;
  EXPECT_TRUE(FailsWith(Pgd(classifier, x, labels, threat, pgd), invalid,
                        {"batch_size"}));
  AutoPgdOptions auto_pgd;
  auto_pgd.steps = 0;
  EXPECT_TRUE(FailsWith(AutoPgd(classifier, x, labels, threat, auto_pgd),
                        invalid, {"steps"}));
}

TEST(ObjectiveTest, ValuesAreTheFormulas) {
  const at::Tensor logits = Matrix({{3, 1, 0}, {0, 2, 1}});
  const at::Tensor labels = Labels({0, 0});
  const auto values = [&](AttackObjective objective) {
    return ObjectiveValues(objective, logits, labels);
  };
  EXPECT_TRUE(TensorsNear(values(AttackObjective::kMargin),
                          at::tensor({-2.0, 2.0}, at::kDouble), 1e-12));
  EXPECT_TRUE(TensorsNear(values(AttackObjective::kDlr),
                          at::tensor({-2.0 / 3, 1.0}, at::kDouble), 1e-9));
  const double sum = std::exp(0) + std::exp(2) + std::exp(1);
  EXPECT_NEAR(values(AttackObjective::kCrossEntropy)[1].item<double>(),
              std::log(sum), 1e-12);
}

TEST(ObjectiveTest, NamesAreParsed) {
  for (const char* name : {"cross_entropy", "margin", "dlr"}) {
    EXPECT_EQ(ObjectiveName(*ParseObjective(name)), name);
  }
  EXPECT_TRUE(FailsWith(ParseObjective("hinge"),
                        absl::StatusCode::kInvalidArgument,
                        {"hinge", "margin"}));
}

}  // namespace
}  // namespace lipschitz
