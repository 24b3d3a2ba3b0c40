// Every diagnostic on a network of LibTorch's own modules.
#include "lipschitz/diagnostics/function_chain.h"

#include <torch/torch.h>

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/diagnostics/activation_statistics.h"
#include "lipschitz/diagnostics/jacobian_spectrum.h"
#include "lipschitz/diagnostics/layer_gradients.h"
#include "lipschitz/diagnostics/lipschitz_lower_bound.h"
#include "tests/testing/networks.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using testing::Jacobian;
using testing::RandomMlp;
using testing::TensorsNear;

torch::nn::Sequential TorchNetwork() {
  torch::manual_seed(3);
  torch::nn::Sequential network(
      torch::nn::Linear(5, 8), torch::nn::ReLU(), torch::nn::Linear(8, 6),
      torch::nn::LeakyReLU(torch::nn::LeakyReLUOptions().negative_slope(0.3)),
      torch::nn::Tanh(), torch::nn::Linear(6, 3));
  network->to(torch::kDouble);
  return network;
}

TEST(FunctionChain, NamesTheModulesAndKnowsTheirActivations) {
  torch::nn::Sequential network = TorchNetwork();
  const auto chain = FunctionsOf(*network);
  ASSERT_EQ(chain.size(), 6u);
  for (size_t i = 0; i < chain.size(); ++i) {
    EXPECT_EQ(chain[i].name, std::to_string(i));
    EXPECT_EQ(chain[i].activation.has_value(), i == 1 || i == 3) << i;
  }
  EXPECT_EQ(chain[1].activation->Name(), ActivationSpec::Relu().Name());
  EXPECT_EQ(chain[3].activation->negative_slope, 0.3);
  torch::Tensor value = torch::randn({4, 5}, torch::kDouble);
  const torch::Tensor expected = network->forward(value);
  for (const NamedFunction& item : chain) value = item.function(value);
  EXPECT_TRUE(torch::equal(value, expected));
}

TEST(FunctionChain, GradientsAtEveryModule) {
  torch::nn::Sequential network = TorchNetwork();
  const auto chain = FunctionsOf(*network);
  const torch::Tensor x = torch::randn({4, 5}, torch::kDouble);
  const torch::Tensor targets = torch::tensor(std::vector<int64_t>{2, 0, 1, 2});
  const auto layers = LayerGradients(chain, x, targets);
  ASSERT_TRUE(layers.ok()) << layers.status();
  ASSERT_EQ(layers->size(), 7u);
  for (int64_t b = 0; b < 4; ++b) {
    torch::Tensor value = x.narrow(0, b, 1);
    for (size_t i = 0; i <= chain.size(); ++i) {
      const torch::Tensor rest = Jacobian(
          [&](const torch::Tensor& from) {
            torch::Tensor y = from;
            for (size_t j = i; j < chain.size(); ++j) y = chain[j].function(y);
            return y.select(1, targets[b].item<int64_t>());
          },
          value);
      EXPECT_NEAR((*layers)[i].norms[b].item<double>(),
                  rest.norm().item<double>(), 1e-12);
      if (i < chain.size()) value = chain[i].function(value).detach();
    }
  }
}

TEST(FunctionChain, ActiveUnitsOfRelu) {
  torch::nn::Sequential network = TorchNetwork();
  const torch::Tensor x = torch::randn({50, 5}, torch::kDouble);
  const auto statistics = CollectActivationStatistics(FunctionsOf(*network), x);
  ASSERT_TRUE(statistics.ok()) << statistics.status();
  ASSERT_EQ(statistics->size(), 2u);
  EXPECT_EQ((*statistics)[0].layer, "1");
  EXPECT_EQ((*statistics)[0].places, 50);
  const auto first = network[0]->as<torch::nn::Linear>()->forward(x);
  EXPECT_TRUE(TensorsNear((*statistics)[0].positive,
                          (first > 0).to(torch::kDouble).mean(0), 1e-12));
  // Convolutions: a unit is a channel.
  torch::nn::Sequential convolutional(
      torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 3, 3)), torch::nn::ReLU());
  const torch::Tensor images = torch::randn({2, 1, 6, 6});
  const auto channels =
      CollectActivationStatistics(FunctionsOf(*convolutional), images);
  ASSERT_TRUE(channels.ok()) << channels.status();
  EXPECT_EQ((*channels)[0].positive.numel(), 3);
  EXPECT_EQ((*channels)[0].places, 2 * 4 * 4);
}

TEST(FunctionChain, JacobianAndLowerBound) {
  torch::nn::Sequential network = TorchNetwork();
  const BatchFunction whole = [&](const torch::Tensor& x) {
    return network->forward(x);
  };
  const torch::Tensor x = torch::randn({6, 5}, torch::kDouble);
  const auto spectrum = JacobianSingularValues(whole, x);
  ASSERT_TRUE(spectrum.ok()) << spectrum.status();
  double steepest = 0.0;
  for (int64_t b = 0; b < 6; ++b) {
    const torch::Tensor jacobian = Jacobian(whole, x.narrow(0, b, 1));
    const torch::Tensor values = torch::linalg_svdvals(jacobian);
    EXPECT_TRUE(TensorsNear(spectrum->values[b], values, 1e-12));
    steepest = std::max(steepest, values[0].item<double>());
  }
  const auto lower = FindLipschitzLowerBound(whole, x);
  ASSERT_TRUE(lower.ok()) << lower.status();
  double product = 1.0;
  for (const torch::Tensor& parameter : network->parameters()) {
    if (parameter.dim() == 2) {
      product *= torch::linalg_svdvals(parameter)[0].item<double>();
    }
  }
  EXPECT_GE(lower->value, steepest * (1 - 1e-4));
  EXPECT_LE(lower->value, product);
}

TEST(FunctionChain, OfOurLayersIsTheSameAsTheNetwork) {
  Sequential network = RandomMlp(2, {8, 8, 8, 1}, ActivationSpec::MaxMin());
  network->eval();
  const torch::Tensor x = torch::randn({10, 8});
  const auto direct = LayerGradients(*network, x);
  const auto through = LayerGradients(FunctionsOf(*network), x);
  ASSERT_TRUE(direct.ok() && through.ok());
  ASSERT_EQ(direct->size(), through->size());
  for (size_t i = 0; i < direct->size(); ++i) {
    EXPECT_EQ((*direct)[i].layer, (*through)[i].layer);
    EXPECT_TRUE(torch::equal((*direct)[i].norms, (*through)[i].norms));
  }
}

}  // namespace
}  // namespace lipschitz
