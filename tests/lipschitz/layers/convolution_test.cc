#include "lipschitz/layers/convolution.h"

#include <ATen/ATen.h>
#include <torch/autograd.h>
#include <torch/optim/adam.h>
#include <torch/serialize.h>
#include <torch/types.h>

#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/convolution_constraint.h"
#include "lipschitz/linalg/convolution.h"
#include "tests/testing/convolution_matrix.h"
#include "tests/testing/inference_mode.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::ConvolutionMatrix;
using ::lipschitz::testing::ServesAutogradAfterInference;
using ::lipschitz::testing::SingularValues;
using ::lipschitz::testing::TensorsNear;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using Kind = ConvolutionConstraintKind;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

const std::vector<Kind> kOrthogonalKinds = {Kind::kOrthogonal, Kind::kBcop,
                                            Kind::kSeparable};

std::vector<Kind> AllKinds() {
  std::vector<Kind> kinds;
  for (const std::string& name : ConvolutionConstraintNames()) {
    kinds.push_back(*ParseConvolutionConstraint(name));
  }
  return kinds;
}

// Circular, square.
Conv2dConfig Config(Kind kind, int64_t in, int64_t out, int64_t kernel,
                    int64_t stride = 1, int64_t size = 6) {
  Conv2dConfig config;
  ConvolutionGeometry& g = config.geometry;
  g.in_channels = in;
  g.out_channels = out;
  g.kernel_height = g.kernel_width = kernel;
  g.stride = stride;
  g.padding_mode = PaddingMode::kCircular;
  g.input_height = g.input_width = size;
  config.constraint.kind = kind;
  config.name = "probe";
  return config;
}

Conv2dConfig ZeroPadded(Conv2dConfig config, int64_t padding) {
  config.geometry.padding_mode = PaddingMode::kZero;
  config.geometry.padding = padding;
  return config;
}

// A layer whose raw parameters are Gaussian, so that no constraint is met by
// chance.
Conv2d RandomLayer(const Conv2dConfig& config, int64_t seed = 0) {
  torch::manual_seed(seed);
  Conv2d layer(config);
  torch::NoGradGuard no_grad;
  for (torch::Tensor parameter : layer->parameters()) parameter.normal_();
  return layer;
}

torch::Tensor Images(const Conv2d& layer, int64_t batch) {
  const ConvolutionGeometry& g = layer->config().geometry;
  return torch::randn({batch, g.in_channels, g.input_height, g.input_width},
                      layer->parameters()[0].scalar_type());
}

torch::Tensor Raw(Conv2d& layer, const std::string& name) {
  return layer->named_parameters()["constraint." + name];
}

void SetKernel(Conv2d& layer, const torch::Tensor& kernel) {
  torch::NoGradGuard no_grad;
  Raw(layer, "kernel").copy_(kernel);
}

at::Tensor KernelInUse(Conv2d& layer) {
  const auto kernel = layer->ConstrainedKernel();
  EXPECT_TRUE(kernel.ok()) << kernel.status();
  return kernel->detach();
}

at::Tensor Sigma(Conv2d& layer) {
  return SingularValues(
      ConvolutionMatrix(KernelInUse(layer), layer->config().geometry));
}

double Largest(Conv2d& layer) { return Sigma(layer).max().item<double>(); }

// Every kernel and stride that the constraint has, a few channels.
std::vector<Conv2dConfig> Configs(Kind kind) {
  std::vector<Conv2dConfig> configs;
  for (const auto& [in, out] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 1}, {1, 4}, {3, 1}, {3, 3}, {3, 5}, {4, 2}}) {
    for (const int64_t kernel : {1, 2, 3, 4, 5}) {
      for (const int64_t stride : {1, 2}) {
        const Conv2dConfig config = Config(kind, in, out, kernel, stride);
        if (config.Validate().ok()) configs.push_back(config);
      }
    }
  }
  return configs;
}

std::string Describe(const Conv2dConfig& config) {
  Conv2d layer(config);
  std::ostringstream text;
  layer->pretty_print(text);
  return text.str();
}

void Step(Conv2d& layer, torch::optim::Optimizer& optimizer) {
  const torch::Tensor x = Images(layer, 4);
  optimizer.zero_grad();
  layer->forward(x).sin().sum().backward();
  optimizer.step();
  layer->AfterOptimizerStep();
}

TEST(Conv2dTest, AppliesScaleTimesConstrainedKernelAndBias) {
  for (const Kind kind : AllKinds()) {
    for (const bool training : {true, false}) {
      for (Conv2dConfig config :
           {Config(kind, 2, 3, 3), Config(kind, 3, 2, 4, 2),
            ZeroPadded(Config(kind, 2, 3, 3), 0),
            ZeroPadded(Config(kind, 2, 3, 2, 2, 5), 1)}) {
        config.scale = 2.5;
        Conv2d layer = RandomLayer(config);
        layer->train(training);
        // So that the power iteration has converged.
        if (training && kind == Kind::kSpectral) continue;
        const at::Tensor x = Images(layer, 3);
        const at::Tensor y = layer->forward(x);
        const ConvolutionGeometry& g = config.geometry;
        ASSERT_EQ(y.sizes(),
                  (std::vector<int64_t>{3, g.out_channels, g.OutputHeight(),
                                        g.OutputWidth()}));
        const at::Tensor linear =
            x.flatten(1)
                .to(at::kDouble)
                .matmul(ConvolutionMatrix(KernelInUse(layer), g).t())
                .reshape(y.sizes());
        EXPECT_TRUE(TensorsNear(
            y, 2.5 * (linear + layer->bias.reshape({1, -1, 1, 1})), 1e-4))
            << Describe(config);
      }
    }
  }
}

TEST(Conv2dTest, WithoutABiasItIsLinear) {
  Conv2dConfig config = Config(Kind::kOrthogonal, 2, 3, 3);
  config.bias = false;
  Conv2d layer(config);
  EXPECT_FALSE(layer->bias.defined());
  EXPECT_TRUE(torch::equal(layer->forward(torch::zeros({1, 2, 6, 6})),
                           torch::zeros({1, 3, 6, 6})));
}

// Variance 2 / (in_channels · height · width).
TEST(Conv2dTest, StartsFreeKernelsSuchThatReluKeepsTheirSize) {
  torch::manual_seed(0);
  Conv2d layer(Config(Kind::kNone, 16, 40, 5));
  EXPECT_NEAR(Raw(layer, "kernel").square().mean().item<double>(), 2.0 / 400,
              0.05 * 2.0 / 400);
}

TEST(Conv2dTest, RawKernelStartsLikeADenseWeight) {
  for (const Kind kind : {Kind::kRkoLinf, Kind::kSpectral}) {
    Conv2d layer(Config(kind, 3, 5, 4));
    const double bound = 1 / std::sqrt(48.0);
    EXPECT_TRUE(TensorsNear(SingularValues(Raw(layer, "kernel").flatten(1)),
                            torch::full({5}, bound, at::kDouble), 1e-5));
    EXPECT_LE(layer->bias.abs().max().item<double>(), bound);
    EXPECT_EQ(layer->parameters().size(), 2u);
  }
}

// The promise of every constraint but none, on the map itself.
TEST(Conv2dTest, NoSingularValueIsAboveOne) {
  for (const Kind kind : AllKinds()) {
    if (kind == Kind::kNone || kind == Kind::kRkoLinf) continue;
    std::vector<Conv2dConfig> configs = Configs(kind);
    for (const int64_t padding : {0, 1, 2}) {
      configs.push_back(ZeroPadded(Config(kind, 2, 3, 3), padding));
      configs.push_back(ZeroPadded(Config(kind, 3, 2, 4, 2, 5), padding));
    }
    for (const Conv2dConfig& config : configs) {
      Conv2d layer = RandomLayer(config, 1);
      for (const bool training : {true, false}) {
        // The estimate in training is from below.
        if (training && kind == Kind::kSpectral) continue;
        layer->train(training);
        EXPECT_LE(Largest(layer), 1 + 1e-5) << Describe(config);
      }
      const auto bound = layer->LipschitzBound(Norm::kL2);
      ASSERT_TRUE(bound.ok()) << bound.status();
      EXPECT_LE(*bound, 1 + 1e-5) << Describe(config);
      EXPECT_GE(*bound, Largest(layer) * (1 - 1e-12)) << Describe(config);
    }
  }
}

TEST(Conv2dTest, OrthogonalOnesHaveOnlyOnesThroughTheTraining) {
  for (const Kind kind : kOrthogonalKinds) {
    for (const Conv2dConfig& config : Configs(kind)) {
      // For the alternatives a part of the sizes.
      if (kind != Kind::kOrthogonal && config.geometry.in_channels != 3) {
        continue;
      }
      Conv2d layer = RandomLayer(config, 2);
      const at::Tensor ones = at::ones_like(Sigma(layer));
      EXPECT_TRUE(TensorsNear(Sigma(layer), ones, 1e-4)) << Describe(config);
      torch::optim::Adam optimizer(layer->parameters(),
                                   torch::optim::AdamOptions(1e-2));
      const at::Tensor start = KernelInUse(layer).clone();
      for (int i = 0; i < 3; ++i) Step(layer, optimizer);
      EXPECT_TRUE(TensorsNear(Sigma(layer), ones, 1e-4)) << Describe(config);
      layer->eval();
      EXPECT_TRUE(TensorsNear(Sigma(layer), ones, 1e-6)) << Describe(config);
      // Only a shift and a sign are discrete.
      if (config.geometry.out_channels * config.geometry.in_channels > 1) {
        EXPECT_GT((KernelInUse(layer) - start).norm().item<double>(), 1e-2)
            << Describe(config);
      }
    }
  }
}

TEST(Conv2dTest, LongTrainingKeepsThemOrthogonalAndTheRawParametersNear) {
  for (const Kind kind : kOrthogonalKinds) {
    torch::manual_seed(3);
    Conv2d layer(Config(kind, 4, 4, 4, 2));
    torch::optim::Adam optimizer(layer->parameters(),
                                 torch::optim::AdamOptions(3e-2));
    for (int i = 0; i < 60; ++i) {
      Step(layer, optimizer);
      for (const auto& parameter : layer->named_parameters()) {
        if (parameter.key() == "bias") continue;
        const at::Tensor matrices =
            parameter->dim() == 3 ? *parameter : parameter->unsqueeze(0);
        for (const at::Tensor& matrix : matrices.unbind()) {
          EXPECT_NEAR(SingularValues(matrix).max().item<double>(), 1, 0.05)
              << parameter.key() << " step " << i;
        }
      }
    }
    EXPECT_TRUE(TensorsNear(Sigma(layer), at::ones_like(Sigma(layer)), 1e-4));
    layer->eval();
    const at::Tensor x = Images(layer, 2);
    const at::Tensor y = layer->forward(x);
    layer->AfterTraining();
    EXPECT_TRUE(TensorsNear(layer->forward(x), y, 1e-5));
  }
}

TEST(Conv2dTest, MendingTheParametersAfterAStepKeepsAnOrthogonalKernel) {
  for (const Kind kind : kOrthogonalKinds) {
    Conv2d layer = RandomLayer(Config(kind, 3, 5, 4, 2), 4);
    layer->eval();
    const at::Tensor before = KernelInUse(layer).clone();
    for (int i = 0; i < 3; ++i) {
      layer->AfterOptimizerStep();
      EXPECT_TRUE(TensorsNear(KernelInUse(layer), before, 1e-4));
    }
  }
}

TEST(Conv2dTest, RkoWithoutOverlapIsOrthogonal) {
  for (const auto& [in, out] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 3}, {3, 1}, {2, 8}, {1, 9}}) {
    for (const int64_t kernel : {1, 2, 3}) {
      Conv2d layer =
          RandomLayer(Config(Kind::kRko, in, out, kernel, kernel), 5);
      EXPECT_TRUE(TensorsNear(Sigma(layer), at::ones_like(Sigma(layer)), 1e-5));
    }
  }
}

// Every stride-th tap equal: pixels that lie so are in as many windows as there
// can be, and all of them agree. Without the factor, as in the authors' code,
// the norm is ⌈kernel/stride⌉; with the quotient the other way round, or with
// the kernel's size alone, it is not 1 either.
TEST(Conv2dTest, RkoFactorIsAttained) {
  for (const auto& [kernel, stride] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 1},
                                                {3, 1},
                                                {5, 1},
                                                {2, 2},
                                                {3, 2},
                                                {4, 2},
                                                {5, 2},
                                                {5, 3},
                                                {2, 3},
                                                {4, 4}}) {
    for (const bool circular : {true, false}) {
      Conv2dConfig config = Config(Kind::kRko, 1, 1, kernel, stride, 12);
      if (!circular) config = ZeroPadded(config, kernel - 1);
      Conv2d layer(config);
      at::Tensor taps = at::zeros({1, 1, kernel, kernel});
      taps.slice(2, 0, kernel, stride).slice(3, 0, kernel, stride).fill_(1);
      SetKernel(layer, taps);
      if (circular) {
        EXPECT_NEAR(Largest(layer), 1, 1e-5) << kernel << " " << stride;
      } else {
        EXPECT_LE(Largest(layer), 1 + 1e-5);
        EXPECT_GE(Largest(layer), 0.85);
      }
    }
  }
}

// The authors' Björck convolution ignores what is configured.
TEST(Conv2dTest, RkoHonoursTheConfiguredOrthonormalisation) {
  const auto kernel = [](int iterations) {
    Conv2dConfig config = Config(Kind::kRko, 2, 3, 2, 2);
    config.constraint.flattened.kind = ConstraintKind::kBjorck;
    config.constraint.flattened.bjorck.iterations = iterations;
    config.constraint.flattened.bjorck.tolerance = 0;
    Conv2d layer = RandomLayer(config, 6);
    return Sigma(layer).min().item<double>();
  };
  EXPECT_LT(kernel(1), 0.9);
  EXPECT_GT(kernel(2), kernel(1) + 1e-3);
  EXPECT_NEAR(kernel(60), 1, 1e-5);
}

TEST(Conv2dTest, RkoTakesEveryOrthonormalisation) {
  std::vector<at::Tensor> kernels;
  for (const ConstraintKind kind :
       {ConstraintKind::kBjorck, ConstraintKind::kPolar,
        ConstraintKind::kStiefel}) {
    Conv2dConfig config = Config(Kind::kRko, 2, 5, 3);
    config.constraint.flattened.kind = kind;
    Conv2d layer = RandomLayer(config, 7);
    layer->eval();
    kernels.push_back(KernelInUse(layer));
    EXPECT_TRUE(TensorsNear(kernels.back(), kernels[0], 1e-4));
    EXPECT_LE(Largest(layer), 1 + 1e-5);
    // Trained, it stays one.
    layer = Conv2d(config);
    torch::optim::Adam optimizer(layer->parameters(),
                                 torch::optim::AdamOptions(1e-2));
    for (int i = 0; i < 5; ++i) Step(layer, optimizer);
    EXPECT_NEAR(
        SingularValues(3 * KernelInUse(layer).flatten(1)).max().item<double>(),
        1, 2e-2);
    layer->AfterTraining();
    layer->eval();
    EXPECT_TRUE(TensorsNear(SingularValues(3 * KernelInUse(layer).flatten(1)),
                            torch::ones({5}, at::kDouble), 1e-4));
  }
}

TEST(Conv2dTest, StiefelsGradientIsTangentOnTheFlattenedKernel) {
  for (const bool project : {true, false}) {
    Conv2dConfig config = Config(Kind::kRko, 2, 5, 3);
    config.constraint.flattened.kind = ConstraintKind::kStiefel;
    config.constraint.flattened.project_gradient = project;
    torch::manual_seed(8);
    Conv2d layer(config);
    layer->forward(Images(layer, 3)).sin().sum().backward();
    const at::Tensor w = Raw(layer, "kernel").detach().flatten(1);
    const at::Tensor g = Raw(layer, "kernel").grad().flatten(1);
    const at::Tensor normal = g.mm(w.t()) + w.mm(g.t());
    EXPECT_EQ(normal.norm().item<double>() < 1e-4 * g.norm().item<double>(),
              project);
  }
}

TEST(Conv2dTest, RkoLinfIsExactFromLinfToLinf) {
  for (const Conv2dConfig& config : Configs(Kind::kRkoLinf)) {
    Conv2d layer = RandomLayer(config, 9);
    {
      torch::NoGradGuard no_grad;
      Raw(layer, "kernel").mul_(10);
    }
    const at::Tensor matrix =
        ConvolutionMatrix(KernelInUse(layer), config.geometry);
    EXPECT_NEAR(matrix.abs().sum(1).max().item<double>(), 1, 1e-5);
    EXPECT_NEAR(*layer->LipschitzBound(Norm::kLinf), 1, 1e-5);
    // Inside the ball a kernel is left alone.
    {
      torch::NoGradGuard no_grad;
      Raw(layer, "kernel").mul_(1e-4);
    }
    EXPECT_TRUE(TensorsNear(KernelInUse(layer), Raw(layer, "kernel"), 1e-9));
  }
}

// The flattened kernel of ones has the norm 3, the map 9: dividing by the
// former leaves a map that is 3-Lipschitz.
TEST(Conv2dTest, SpectralNormIsThatOfTheMapNotOfTheFlattenedKernel) {
  Conv2dConfig config = Config(Kind::kSpectral, 1, 1, 3);
  config.constraint.power_iterations = 50;
  Conv2d layer(config);
  SetKernel(layer, at::ones({1, 1, 3, 3}));
  for (const bool training : {true, false}) {
    layer->train(training);
    EXPECT_NEAR(KernelInUse(layer).mean().item<double>(), 1.0 / 9, 1e-5);
    EXPECT_NEAR(Largest(layer), 1, 1e-5);
  }
  // The other way round: taps that are orthogonal to each other.
  config = Config(Kind::kSpectral, 1, 4, 2);
  config.constraint.power_iterations = 50;
  Conv2d shifts(config);
  SetKernel(shifts, at::eye(4).reshape({4, 1, 2, 2}));
  EXPECT_NEAR(KernelInUse(shifts).max().item<double>(), 0.5, 1e-5);
}

TEST(Conv2dTest, SpectralHonoursTheConfiguredIterations) {
  const auto largest = [](int iterations) {
    Conv2dConfig config = Config(Kind::kSpectral, 2, 3, 3);
    config.constraint.power_iterations = iterations;
    Conv2d layer = RandomLayer(config, 10);
    return Largest(layer);
  };
  EXPECT_GT(largest(1), 1.05);
  EXPECT_LT(largest(5), largest(1));
  EXPECT_NEAR(largest(500), 1, 1e-4);
}

TEST(Conv2dTest, SpectralGoesOnFromTheLastVectors) {
  Conv2d layer = RandomLayer(Config(Kind::kSpectral, 2, 3, 3), 11);
  for (int i = 0; i < 300; ++i) layer->ConstrainedKernel().IgnoreError();
  EXPECT_NEAR(Largest(layer), 1, 1e-4);
  layer->AfterOptimizerStep();
  layer->eval();
  // Divided by its norm, the raw kernel is the one in use.
  EXPECT_TRUE(TensorsNear(Raw(layer, "kernel"), KernelInUse(layer), 1e-4));
}

// Parameters of a convolution that another implementation drops silently.
TEST(Conv2dTest, PaddingAndStrideReachTheMapAndItsBound) {
  Conv2d layer = RandomLayer(Config(Kind::kNone, 1, 1, 3), 12);
  SetKernel(layer, at::ones({1, 1, 3, 3}));
  EXPECT_NEAR(*layer->LipschitzBound(Norm::kL2), 9, 1e-6);
  const auto bound = [](const Conv2dConfig& config) {
    Conv2d ones(config);
    SetKernel(ones, at::ones({1, 1, 3, 3}));
    // Within the gap that zero padding is bounded to.
    const double largest = Largest(ones);
    EXPECT_NEAR(*ones->LipschitzBound(Norm::kL2), largest, 3e-4 * largest);
    EXPECT_GE(*ones->LipschitzBound(Norm::kL2), largest * (1 - 1e-12));
    return *ones->LipschitzBound(Norm::kL2);
  };
  const double valid = bound(ZeroPadded(Config(Kind::kNone, 1, 1, 3), 0));
  const double same = bound(ZeroPadded(Config(Kind::kNone, 1, 1, 3), 1));
  const double strided = bound(Config(Kind::kNone, 1, 1, 3, 2));
  EXPECT_LT(valid + 0.1, same);
  EXPECT_LT(same + 0.1, 9);
  EXPECT_LT(strided + 0.1, 9);
}

TEST(Conv2dTest, BoundsAreNotBelowTheMatrixForAnyPairOfNorms) {
  for (const Kind kind : AllKinds()) {
    for (const Conv2dConfig& base :
         {Config(kind, 2, 3, 2, 1, 4), Config(kind, 2, 1, 4, 2, 4),
          ZeroPadded(Config(kind, 1, 3, 3, 1, 4), 1)}) {
      Conv2dConfig config = base;
      config.scale = 3.0;
      Conv2d layer = RandomLayer(config, 13);
      layer->eval();
      const auto bounds = layer->LipschitzBounds();
      ASSERT_TRUE(bounds.ok()) << bounds.status();
      const at::Tensor matrix =
          3 * ConvolutionMatrix(KernelInUse(layer), config.geometry);
      const double row = matrix.norm(2, 1).max().item<double>();
      const double column = matrix.norm(2, 0).max().item<double>();
      const double entry = matrix.abs().max().item<double>();
      const double sigma = SingularValues(matrix).max().item<double>();
      // The norm where there is a formula, else what one vector shows: a
      // corner of the cube, or the one that the 2-norm is attained at.
      const auto shown = [&](Norm from, Norm to) {
        if (from == Norm::kL1) {
          if (to == Norm::kLinf) return entry;
          return to == Norm::kL2 ? column
                                 : matrix.abs().sum(0).max().item<double>();
        }
        if (from == Norm::kL2) {
          return to == Norm::kLinf ? row : sigma;
        }
        const at::Tensor corner = matrix.matmul(at::sign(matrix.select(0, 0)));
        if (to == Norm::kLinf) {
          return matrix.abs().sum(1).max().item<double>();
        }
        return corner.norm(to == Norm::kL2 ? 2 : 1).item<double>();
      };
      for (const Norm from : kAllNorms) {
        for (const Norm to : kAllNorms) {
          EXPECT_GE(bounds->At(from, to), shown(from, to) * (1 - 1e-12))
              << NormName(from) << " to " << NormName(to);
        }
      }
    }
  }
}

TEST(Conv2dTest, EvaluationComputesTheKernelOnce) {
  for (const Kind kind : AllKinds()) {
    Conv2d layer = RandomLayer(Config(kind, 2, 3, 2));
    layer->eval();
    const int64_t before = layer->constraint_evaluations();
    const at::Tensor x = Images(layer, 2);
    for (int i = 0; i < 5; ++i) layer->forward(x);
    ASSERT_TRUE(layer->LipschitzBounds().ok());
    ASSERT_TRUE(layer->ConstrainedKernel().ok());
    EXPECT_EQ(layer->constraint_evaluations(), before + 1)
        << ConvolutionConstraintName(kind);
    layer->train();
    for (int i = 0; i < 3; ++i) layer->forward(x);
    EXPECT_EQ(layer->constraint_evaluations(), before + 4);
  }
}

TEST(Conv2dTest, EvaluationInInferenceModeServesAutogradLater) {
  for (const Kind kind : AllKinds()) {
    Conv2d layer = RandomLayer(Config(kind, 2, 3, 2));
    EXPECT_TRUE(ServesAutogradAfterInference(*layer, Images(layer, 2)))
        << ConvolutionConstraintName(kind);
  }
}

TEST(Conv2dTest, EmptyBatchHasAnEmptyGradient) {
  for (const int64_t channels : {1, 2}) {
    Conv2d layer =
        RandomLayer(ZeroPadded(Config(Kind::kRko, channels, 3, 3), 1));
    const at::Tensor x = Images(layer, 0).requires_grad_(true);
    const at::Tensor y = layer->forward(x);
    EXPECT_EQ(y.sizes(), (std::vector<int64_t>{0, 3, 6, 6}));
    y.sum().backward();
    EXPECT_EQ(x.grad().sizes(), x.sizes());
  }
}

// Every way in which a parameter changes under a layer in evaluation mode.
TEST(Conv2dTest, EvaluationNoticesAChangeOfAnyParameter) {
  for (const Kind kind : AllKinds()) {
    Conv2d layer = RandomLayer(Config(kind, 3, 4, 4, 2), 14);
    layer->eval();
    const at::Tensor x = Images(layer, 2);
    for (const auto& parameter : layer->named_parameters()) {
      for (const bool through_data : {false, true}) {
        const at::Tensor before = layer->forward(x);
        {
          torch::NoGradGuard no_grad;
          at::Tensor target =
              through_data ? parameter->data() : parameter.value();
          target.copy_(at::randn_like(target));
        }
        EXPECT_FALSE(at::allclose(layer->forward(x), before, 0, 1e-3))
            << parameter.key();
        const at::Tensor after = layer->forward(x);
        layer->train();
        layer->eval();
        EXPECT_TRUE(torch::equal(layer->forward(x), after)) << parameter.key();
      }
    }
  }
}

TEST(Conv2dTest, SavedLayerIsTheSameLayerWithItsBuffers) {
  for (const Kind kind : AllKinds()) {
    Conv2d source = RandomLayer(Config(kind, 2, 3, 4, 2), 1);
    const at::Tensor x = Images(source, 2);
    for (int i = 0; i < 3; ++i) source->forward(x);
    std::stringstream stream;
    torch::save(source, stream);
    Conv2d target = RandomLayer(Config(kind, 2, 3, 4, 2), 2);
    target->eval();
    source->eval();
    ASSERT_FALSE(torch::equal(source->forward(x), target->forward(x)));
    torch::load(target, stream);
    EXPECT_TRUE(torch::equal(source->forward(x), target->forward(x)))
        << ConvolutionConstraintName(kind);
    EXPECT_EQ(*source->LipschitzBound(Norm::kL2),
              *target->LipschitzBound(Norm::kL2));
    const auto buffers = source->named_buffers();
    EXPECT_EQ(buffers.size(), kind == Kind::kSpectral ? 2u : 0u);
    for (const auto& buffer : buffers) {
      EXPECT_TRUE(
          torch::equal(buffer.value(), target->named_buffers()[buffer.key()]));
    }
    // The next training forward depends on u.
    source->train();
    target->train();
    EXPECT_TRUE(torch::equal(source->forward(x), target->forward(x)))
        << ConvolutionConstraintName(kind);
  }
}

TEST(Conv2dTest, EvaluationFollowsTheType) {
  for (const Kind kind : AllKinds()) {
    Conv2d layer = RandomLayer(Config(kind, 2, 3, 4, 2), 15);
    layer->eval();
    const at::Tensor x = Images(layer, 2);
    const at::Tensor single = layer->forward(x);
    layer->to(at::kDouble);
    const at::Tensor twice = layer->forward(x.to(at::kDouble));
    EXPECT_EQ(twice.scalar_type(), at::kDouble);
    EXPECT_TRUE(TensorsNear(single, twice, 1e-4));
    if (kind != Kind::kNone && kind != Kind::kRkoLinf) {
      EXPECT_LE(Largest(layer), 1 + 1e-12);
    }
    layer->to(at::kFloat);
    EXPECT_TRUE(torch::equal(layer->forward(x), single));
  }
}

TEST(Conv2dTest, BoundingDuringTrainingChangesNothing) {
  for (const Kind kind : AllKinds()) {
    Conv2d layer = RandomLayer(Config(kind, 2, 3, 2), 16);
    Conv2d twin = RandomLayer(Config(kind, 2, 3, 2), 16);
    const at::Tensor x = Images(layer, 2);
    const double in_training = *layer->LipschitzBound(Norm::kL2);
    EXPECT_TRUE(layer->is_training());
    for (const auto& child : layer->modules()) {
      EXPECT_TRUE(child->is_training());
    }
    const at::Tensor y = layer->forward(x);
    EXPECT_TRUE(torch::equal(y, twin->forward(x)))
        << ConvolutionConstraintName(kind);
    EXPECT_TRUE(y.requires_grad());
    layer->eval();
    EXPECT_EQ(*layer->LipschitzBound(Norm::kL2), in_training);
  }
}

// Central differences for every entry of every parameter and of x.
void ExpectGradientsAgree(Conv2d& layer, double tolerance) {
  const at::Tensor x = Images(layer, 2).requires_grad_(true);
  const auto loss = [&] {
    const at::Tensor y = layer->forward(x).reshape({-1});
    return (y * at::arange(1, y.numel() + 1, at::kDouble).cos()).sum();
  };
  std::vector<at::Tensor> inputs = layer->parameters();
  inputs.push_back(x);
  const auto gradients = torch::autograd::grad({loss()}, inputs);
  torch::NoGradGuard no_grad;
  for (size_t i = 0; i < inputs.size(); ++i) {
    at::Tensor flat = inputs[i].detach().reshape({-1});
    const at::Tensor gradient = gradients[i].reshape({-1});
    for (int64_t j = 0; j < flat.numel(); ++j) {
      constexpr double kStep = 1e-6;
      flat[j].add_(kStep);
      const double above = loss().item<double>();
      flat[j].sub_(2 * kStep);
      const double below = loss().item<double>();
      flat[j].add_(kStep);
      ASSERT_NEAR(gradient[j].item<double>(), (above - below) / (2 * kStep),
                  tolerance)
          << "input " << i << " entry " << j << " of "
          << Describe(layer->config());
    }
  }
}

TEST(Conv2dTest, GradientsAgreeWithFiniteDifferences) {
  for (const Kind kind : AllKinds()) {
    for (Conv2dConfig config :
         {Config(kind, 2, 3, 2, 1, 4), Config(kind, 3, 1, 2, 1, 4),
          Config(kind, 1, 5, 4, 2, 4), Config(kind, 2, 2, 2, 2, 4),
          ZeroPadded(Config(kind, 1, 2, 3, 1, 3), 1)}) {
      config.scale = 1.7;
      config.constraint.power_iterations = 5;
      Conv2d layer = RandomLayer(config, 17);
      layer->to(at::kDouble);
      // Until the power iteration, which goes on from call to call, stands.
      for (int i = 0; kind == Kind::kSpectral && i < 400; ++i) {
        layer->ConstrainedKernel().IgnoreError();
      }
      ExpectGradientsAgree(layer, 1e-5);
    }
  }
}

TEST(Conv2dTest, RkoGradientsAgreeForEveryOrthonormalisation) {
  for (const ConstraintKind kind :
       {ConstraintKind::kBjorck, ConstraintKind::kStiefel}) {
    Conv2dConfig config = Config(Kind::kRko, 2, 3, 2, 1, 4);
    config.constraint.flattened.kind = kind;
    config.constraint.flattened.bjorck.iterations = 100;
    config.constraint.flattened.bjorck.tolerance = 1e-13;
    // The tangential part of the gradient is not the gradient.
    config.constraint.flattened.project_gradient = false;
    Conv2d layer = RandomLayer(config, 18);
    layer->to(at::kDouble);
    ExpectGradientsAgree(layer, 1e-5);
  }
}

TEST(Conv2dTest, GradientPenaltyTrains) {
  for (const Kind kind : AllKinds()) {
    Conv2d layer = RandomLayer(Config(kind, 2, 3, 4, 2), 19);
    const at::Tensor x = Images(layer, 3).requires_grad_(true);
    const at::Tensor gradient = torch::autograd::grad(
        {layer->forward(x).tanh().sum()}, {x}, {}, /*retain_graph=*/true,
        /*create_graph=*/true)[0];
    (gradient.flatten(1).norm(2, 1) - 1).square().mean().backward();
    for (const auto& parameter : layer->named_parameters()) {
      EXPECT_TRUE(parameter->grad().isfinite().all().item<bool>());
      EXPECT_GT(parameter->grad().norm().item<double>(), 1e-6)
          << ConvolutionConstraintName(kind) << " " << parameter.key();
    }
  }
}

// The larger of every pair of channels, and the smaller.
torch::Tensor MaxMin(const torch::Tensor& x) {
  const auto pairs =
      x.reshape({x.size(0), x.size(1) / 2, 2, x.size(2), x.size(3)}).unbind(2);
  return torch::cat(
      {torch::maximum(pairs[0], pairs[1]), torch::minimum(pairs[0], pairs[1])},
      1);
}

// ‖∂⟨u, f⟩/∂x‖ for a random u of length 1, through ten layers.
double GradientNormThroughTen(Kind kind) {
  std::vector<Conv2d> layers;
  for (int i = 0; i < 10; ++i) {
    layers.push_back(RandomLayer(Config(kind, 6, 6, 3), 20 + i));
  }
  const at::Tensor x = Images(layers[0], 1).requires_grad_(true);
  at::Tensor y = x;
  for (Conv2d& layer : layers) y = MaxMin(layer->forward(y));
  const at::Tensor u = at::randn_like(y);
  return torch::autograd::grad({y}, {x}, {u / u.norm()})[0]
      .norm()
      .item<double>();
}

TEST(Conv2dTest, GradientNormSurvivesOrthogonalLayersAndNotRko) {
  for (const Kind kind : kOrthogonalKinds) {
    EXPECT_NEAR(GradientNormThroughTen(kind), 1, 1e-3)
        << ConvolutionConstraintName(kind);
  }
  EXPECT_LT(GradientNormThroughTen(Kind::kRko), 0.1);
  EXPECT_LT(GradientNormThroughTen(Kind::kSpectral), 0.1);
}

TEST(Conv2dTest, WrongShapeIsAnErrorWithTheLayerAndTheNumbers) {
  Conv2d layer(Config(Kind::kOrthogonal, 3, 4, 3));
  for (const auto& shape : std::vector<std::vector<int64_t>>{
           {2, 4, 6, 6}, {2, 3, 5, 6}, {2, 3, 6, 7}, {3, 6, 6}}) {
    EXPECT_THAT([&] { layer->forward(torch::zeros(shape)); },
                ThrowsMessage<c10::Error>(AllOf(
                    HasSubstr("layer 'probe'"), HasSubstr("(batch, 3, 6, 6)"),
                    HasSubstr(std::to_string(shape.back()) + "]"))));
  }
}

TEST(Conv2dTest, ParameterThatIsNotFiniteIsAnErrorThatNamesTheLayer) {
  for (const Kind kind : AllKinds()) {
    for (const double bad : {kNan, kInfinity}) {
      for (const bool training : {true, false}) {
        Conv2d layer = RandomLayer(Config(kind, 2, 3, 4, 2), 21);
        layer->train(training);
        for (const auto& parameter : layer->named_parameters()) {
          if (parameter.key() == "bias") continue;
          at::Tensor entry = parameter->detach().reshape({-1})[1];
          const double good = entry.item<double>();
          entry.fill_(bad);
          // Nothing that comes after a step may hide it.
          layer->AfterOptimizerStep();
          layer->AfterTraining();
          EXPECT_THAT(
              [&] {
                layer->forward(torch::zeros({1, 2, 6, 6}));
              },
              ThrowsMessage<c10::Error>(
                  AllOf(HasSubstr("layer 'probe'"), HasSubstr("not finite"))))
              << ConvolutionConstraintName(kind) << " " << parameter.key();
          const auto bounds = layer->LipschitzBounds();
          EXPECT_THAT(std::string(bounds.status().message()),
                      HasSubstr("layer 'probe'"));
          parameter->detach().reshape({-1})[1].fill_(good);
          EXPECT_NO_THROW(layer->forward(torch::zeros({1, 2, 6, 6})));
        }
      }
    }
  }
}

TEST(Conv2dTest, ZeroKernelIsAnErrorWhereThereIsNothingToDivideBy) {
  for (const Kind kind : AllKinds()) {
    if (kind == Kind::kNone || kind == Kind::kRkoLinf) continue;
    for (const bool training : {true, false}) {
      Conv2d layer(Config(kind, 2, 3, 4, 2));
      layer->train(training);
      {
        torch::NoGradGuard no_grad;
        for (torch::Tensor parameter : layer->parameters()) parameter.zero_();
      }
      EXPECT_THAT(
          [&] {
            layer->forward(torch::zeros({1, 2, 6, 6}));
          },
          ThrowsMessage<c10::Error>(HasSubstr("layer 'probe'")))
          << ConvolutionConstraintName(kind);
      EXPECT_FALSE(layer->LipschitzBounds().ok());
    }
  }
}

TEST(Conv2dTest, BadConfigIsAnErrorThatNamesTheLayerAndTheNumbers) {
  const auto message = [](const Conv2dConfig& config) {
    EXPECT_EQ(config.Validate().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THROW(Conv2d{config}, c10::Error);
    return std::string(config.Validate().message());
  };
  EXPECT_THAT(message(Config(Kind::kNone, 0, -2, 3)),
              AllOf(HasSubstr("layer 'probe'"), HasSubstr("0 and -2")));
  EXPECT_THAT(message(Config(Kind::kOrthogonal, 3, 4, 3, 2, 7)),
              AllOf(HasSubstr("layer 'probe'"), HasSubstr("must divide"),
                    HasSubstr("7×7")));
  EXPECT_THAT(message(Config(Kind::kBcop, 3, 4, 3, 2)),
              AllOf(HasSubstr("layer 'probe'"), HasSubstr("multiples")));
  EXPECT_THAT(message(Config(Kind::kOrthogonal, 3, 4, 1, 2)),
              AllOf(HasSubstr("layer 'probe'"), HasSubstr("at most 3")));
  for (const double scale : {0.0, -1.0, kInfinity, kNan}) {
    Conv2dConfig config = Config(Kind::kNone, 2, 2, 1);
    config.scale = scale;
    EXPECT_THAT(message(config), HasSubstr("layer 'probe': scale"));
  }
}

TEST(Conv2dTest, PrintsWhatItIs) {
  Conv2dConfig config = ZeroPadded(Config(Kind::kRko, 2, 3, 4, 2), 1);
  config.bias = false;
  config.scale = 2;
  EXPECT_EQ(Describe(config),
            "lipschitz::Conv2d(in=2, out=3, kernel=4x4, stride=2, padding=zero "
            "1, input=6x6, constraint=rko, bias=false, scale=2)");
}

}  // namespace
}  // namespace lipschitz
