#include "experiments/mnist_robustness/evaluation.h"

#include <torch/types.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/data/labelled_images.h"
#include "lipschitz/layers/linear.h"
#include "lipschitz/layers/sequential.h"
#include "tests/testing/digits.h"
#include "tests/testing/subprocess.h"

namespace lipschitz::experiments {
namespace {

using ::lipschitz::testing::NewFolder;
using ::lipschitz::testing::SyntheticDigits;

RobustnessOptions Options(Norm norm) {
  RobustnessOptions options;
  options.norm = norm;
  options.epsilons = norm == Norm::kL2
                         ? std::vector<double>{0.0, 0.2, 0.5, 1.0, 10.0}
                         : std::vector<double>{0.0, 0.01, 0.05, 0.1, 0.4};
  options.attacked_images = 60;
  options.pgd_steps = 10;
  options.auto_pgd_steps = 10;
  options.gate_steps = 5;
  return options;
}

// The class means as rows of the last layer's weight, behind an isometry: a
// good classifier without any training.
std::shared_ptr<LinearImpl> LastLayer(const LabelledImages& images) {
  LinearConfig config;
  config.in_features = 784;
  config.out_features = 10;
  config.constraint.kind = ConstraintKind::kNone;
  auto layer = std::make_shared<LinearImpl>(config);
  torch::NoGradGuard no_grad;
  const torch::Tensor x = UnitPixels(images.images).flatten(1);
  for (int64_t c = 0; c < 10; ++c) {
    const torch::Tensor mean = x.index({images.labels == c}).mean(0);
    layer->weight[c].copy_(mean);
    layer->bias[c].fill_(-0.5 * mean.square().sum().item<float>());
  }
  return layer;
}

Sequential Network(const LabelledImages& images) {
  LinearConfig config;
  config.in_features = 784;
  config.out_features = 784;
  config.bias = false;
  config.constraint.kind = ConstraintKind::kNone;
  auto first = std::make_shared<LinearImpl>(config);
  torch::NoGradGuard no_grad;
  first->weight.copy_(torch::eye(784));
  Sequential network("classifier");
  network->push_back("first", first);
  network->push_back("last", LastLayer(images));
  network->eval();
  return network;
}

std::vector<double> Values(const Json& curves, const char* name) {
  return curves.at(name).at("value").get<std::vector<double>>();
}

class EvaluationTest : public ::testing::TestWithParam<Norm> {};

TEST_P(EvaluationTest, CurvesAreOrderedAndNoCertificateBreaks) {
  const LabelledImages train = SyntheticDigits(400, 1, 2);
  const LabelledImages test = SyntheticDigits(100, 1, 3);
  Sequential network = Network(train);
  const std::string path = NewFolder("evaluation") + "/counterexample.json";
  const auto result =
      EvaluateRobustness(network, test, Options(GetParam()), 0, path);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->verdict.ok()) << result->verdict;
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_GE(result->metrics.at("test_accuracy"), 0.95);
  EXPECT_GT(result->metrics.at("mean_radius"), 0.0);
  EXPECT_EQ(result->metrics.at("gate_broken"), 0.0);
  EXPECT_GE(result->metrics.at("gate_attacked"), 90.0);
  EXPECT_GT(result->metrics.at("gate_least_margin"), 0.0);
  EXPECT_LE(result->lipschitz.lower_bound,
            result->lipschitz.upper_bound * (1 + 1e-9));
  EXPECT_GT(result->lipschitz.lower_bound, 0.0);

  const auto certified = Values(result->curves, "certified_accuracy");
  const auto naive = Values(result->curves, "certified_naive_accuracy");
  const auto narrow = Values(result->curves, "certified_float32_accuracy");
  const auto pgd = Values(result->curves, "pgd_accuracy");
  const auto auto_pgd = Values(result->curves, "auto_pgd_accuracy");
  // Of the images that were attacked, none that was proven may fall.
  const std::vector<double> epsilons = Options(GetParam()).epsilons;
  for (size_t i = 0; i < certified.size(); ++i) {
    if (i > 0) {
      EXPECT_LE(certified[i], certified[i - 1]);
      EXPECT_LE(pgd[i], pgd[i - 1]);
    }
    EXPECT_LE(naive[i], certified[i]);
    EXPECT_LE(narrow[i], certified[i]);
    if (i == 0) continue;
    const double proven =
        result->metrics.at(MetricAt("certified_attacked", epsilons[i]));
    EXPECT_LE(proven, pgd[i]);
    EXPECT_LE(proven, auto_pgd[i]);
    // 60 of the 100 images were attacked.
    EXPECT_LE(60 * proven, 100 * certified[i] + 1e-9);
    EXPECT_GE(60 * proven, 100 * certified[i] - 40 - 1e-9);
  }
  EXPECT_GT(certified[1], 0.5);
  // The largest radius is more than the classes are apart.
  EXPECT_EQ(certified.back(), 0.0);
  EXPECT_LT(auto_pgd.back(), 0.1);
}

// In whatever order the images come, and in however many batches.
TEST_P(EvaluationTest, LowerBoundIsTheLargestOverAllImages) {
  Sequential network = Network(SyntheticDigits(400, 1, 2));
  const LabelledImages test = SyntheticDigits(300, 1, 3);
  RobustnessOptions options = Options(GetParam());
  options.epsilons = {0.0, 0.01};
  options.attacked_images = 0;
  options.pgd_steps = 1;
  options.auto_pgd_steps = 1;
  options.gate_steps = 1;
  const auto lower_bound = [&](const torch::Tensor& order) {
    const auto result = EvaluateRobustness(network, test.Select(order), options,
                                           0, NewFolder("order") + "/none");
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->lipschitz.lower_bound : 0.0;
  };
  // The quotient follows from the two classes that compete.
  const torch::Tensor all = test.labels.argsort();
  std::vector<double> alone;
  for (const torch::Tensor& third : all.split(100)) {
    alone.push_back(lower_bound(third));
  }
  const auto [least, most] = std::minmax_element(alone.begin(), alone.end());
  ASSERT_LT(*least, *most * (1 - 1e-6));
  for (const int64_t turn : {0, 100, 200}) {
    EXPECT_NEAR(lower_bound(all.roll(turn)), *most, 1e-9 * *most) << turn;
  }
}

TEST_P(EvaluationTest, AStopIsHeardBetweenTheAttacks) {
  const LabelledImages train = SyntheticDigits(400, 1, 2);
  Sequential network = Network(train);
  for (const int before : {0, 3, 15}) {
    int asked = 0;
    const auto result = EvaluateRobustness(
        network, SyntheticDigits(100, 1, 3), Options(GetParam()), 0,
        NewFolder("evaluation") + "/counterexample.json",
        [&asked, before] { return asked++ >= before; });
    EXPECT_EQ(result.status().code(), absl::StatusCode::kCancelled) << before;
    EXPECT_EQ(asked, before + 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Norms, EvaluationTest,
                         ::testing::Values(Norm::kL2, Norm::kLinf),
                         [](const auto& norm) { return NormName(norm.param); });

}  // namespace
}  // namespace lipschitz::experiments
