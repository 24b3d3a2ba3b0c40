// Networks that Anil, Lucas and Grosse (ICML 2019) prove to exist, built: the
// lattice step of the approximation theorem, |x|, and FullSort from MaxMin.
#include <torch/torch.h>

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/activations/functional.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/linear.h"
#include "lipschitz/layers/sequential.h"
#include "lipschitz/models/mlp.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::Matrix;
using ::lipschitz::testing::TensorsNear;

// A scalar MaxMin network, its rows in the L1 ball; the first layer measures
// the input in the 2-norm instead where `first` says so.
MlpConfig LinfConfig(int64_t input, const std::vector<int64_t>& hidden,
                     ConstraintKind first) {
  MlpConfig config;
  config.input_dim = input;
  config.hidden = hidden;
  config.constraints.resize(hidden.size() + 1);
  for (ConstraintOptions& options : config.constraints) {
    options.kind = ConstraintKind::kLinfProjection;
  }
  config.constraints[0].kind = first;
  return config;
}

Sequential Build(const MlpConfig& config) {
  Sequential network = *MakeMlp(config);
  network->to(torch::kDouble);
  network->eval();
  return network;
}

Sequential RandomNetwork(int64_t input, const std::vector<int64_t>& hidden,
                         ConstraintKind first, int64_t seed) {
  torch::manual_seed(seed);
  Sequential network = Build(LinfConfig(input, hidden, first));
  torch::NoGradGuard no_grad;
  for (auto& parameter : network->parameters()) parameter.normal_();
  return network;
}

LinearImpl& LinearOf(const Sequential& network, size_t i) {
  return *std::dynamic_pointer_cast<LinearImpl>(network->layer(2 * i - 2));
}

void SetLayer(const Sequential& network, size_t i, const at::Tensor& weight,
              const at::Tensor& bias) {
  torch::NoGradGuard no_grad;
  LinearOf(network, i).weight.copy_(weight);
  LinearOf(network, i).bias.copy_(bias);
}

// max(f, g) or min(f, g) as a network of the same family: f and g side by side
// (no row gets longer), their outputs sorted, one of them taken. f and g have
// the same depth and even widths, so that no pair straddles them.
Sequential Lattice(const Sequential& f, const Sequential& g, bool maximum,
                   int64_t input, ConstraintKind first) {
  const size_t layers = (f->size() + 1) / 2;
  EXPECT_EQ(f->size(), g->size());
  std::vector<int64_t> hidden;
  for (size_t i = 1; i <= layers; ++i) {
    hidden.push_back(LinearOf(f, i).config().out_features +
                     LinearOf(g, i).config().out_features);
  }
  Sequential network = Build(LinfConfig(input, hidden, first));
  for (size_t i = 1; i <= layers; ++i) {
    const at::Tensor a = *LinearOf(f, i).ConstrainedWeight();
    const at::Tensor b = *LinearOf(g, i).ConstrainedWeight();
    SetLayer(network, i,
             i == 1 ? torch::cat({a, b}) : torch::block_diag({a, b}),
             torch::cat({LinearOf(f, i).bias, LinearOf(g, i).bias}));
  }
  SetLayer(network, layers + 1, maximum ? Matrix({{0, 1}}) : Matrix({{1, 0}}),
           torch::zeros({1}, torch::kDouble));
  return network;
}

TEST(LatticeTest, MaxMinNetworksAreClosedUnderMaximumAndMinimum) {
  for (const auto& [first, norm] : std::vector<std::pair<ConstraintKind, Norm>>{
           {ConstraintKind::kLinfProjection, Norm::kLinf},
           {ConstraintKind::kL2ToLinf, Norm::kL2},
           {ConstraintKind::kL1ToLinf, Norm::kL1}}) {
    for (const int64_t seed : {1, 2, 3}) {
      torch::NoGradGuard no_grad;
      const int64_t input = 3;
      Sequential f = RandomNetwork(input, {6, 4}, first, seed);
      Sequential g = RandomNetwork(input, {4, 8}, first, seed + 100);
      const at::Tensor x = 2 * torch::randn({500, input}, torch::kDouble);
      // Neither is always the larger one.
      LinearOf(f, 3).bias.add_((g->forward(x) - f->forward(x)).median());
      const at::Tensor at_f = f->forward(x);
      const at::Tensor at_g = g->forward(x);
      ASSERT_TRUE((at_f > at_g).any().item<bool>());
      ASSERT_TRUE((at_f < at_g).any().item<bool>());

      Sequential largest = Lattice(f, g, true, input, first);
      Sequential least = Lattice(f, g, false, input, first);
      EXPECT_TRUE(
          TensorsNear(largest->forward(x), at::maximum(at_f, at_g), 1e-12));
      EXPECT_TRUE(
          TensorsNear(least->forward(x), at::minimum(at_f, at_g), 1e-12));
      EXPECT_LE(*largest->LipschitzBound(norm), 1 + 1e-6);
      EXPECT_LE(*least->LipschitzBound(norm), 1 + 1e-6);

      // And again, from what was built: max(max, min) = max.
      Sequential nested = Lattice(largest, least, true, input, first);
      EXPECT_TRUE(
          TensorsNear(nested->forward(x), at::maximum(at_f, at_g), 1e-12));
      Sequential inner = Lattice(largest, least, false, input, first);
      EXPECT_TRUE(
          TensorsNear(inner->forward(x), at::minimum(at_f, at_g), 1e-12));
      EXPECT_LE(*nested->LipschitzBound(norm), 1 + 1e-6);
    }
  }
}

TEST(AbsoluteValueTest, OneHiddenMaxMinLayerIsExact) {
  MlpConfig config;
  config.input_dim = 1;
  config.hidden = {2};
  config.constraint.kind = ConstraintKind::kBjorck;
  Sequential network = Build(config);
  const double h = std::sqrt(0.5);
  SetLayer(network, 1, Matrix({{h}, {-h}}), torch::zeros({2}));
  SetLayer(network, 2, Matrix({{-h, h}}), torch::zeros({1}));
  // The weights are orthonormal already: the constraint leaves them.
  EXPECT_TRUE(TensorsNear(*LinearOf(network, 1).ConstrainedWeight(),
                          Matrix({{h}, {-h}}), 1e-12));
  const at::Tensor x = torch::linspace(-3, 3, 601, torch::kDouble).unsqueeze(1);
  EXPECT_TRUE(TensorsNear(network->forward(x), x.abs(), 1e-12));
  const double bound = *network->LipschitzBound(Norm::kL2);
  EXPECT_LE(bound, 1 + 1e-6);
  EXPECT_GE(bound, 1 - 1e-12);
}

// The permutation matrix that puts entry order[i] at place i.
at::Tensor Permutation(const std::vector<int64_t>& order) {
  const int64_t n = static_cast<int64_t>(order.size());
  return torch::eye(n, torch::kDouble)
      .index_select(0, torch::tensor(order, torch::kLong));
}

// Odd-even transposition sort: n rounds, alternately of the pairs (0, 1), (2,
// 3), ... and of the pairs (1, 2), (3, 4), ...; in the latter the two ends are
// left over and form a pair of their own, which is in order as it is sorted.
Sequential TranspositionNetwork(int64_t width) {
  std::vector<int64_t> straight;
  std::vector<int64_t> shifted = {0, width - 1};
  for (int64_t i = 0; i < width; ++i) straight.push_back(i);
  for (int64_t i = 1; i + 1 < width; ++i) shifted.push_back(i);
  Sequential network("transposition");
  at::Tensor back = torch::eye(width, torch::kDouble);
  const auto append = [&](const std::string& name, const at::Tensor& weight) {
    LinearConfig config;
    config.in_features = width;
    config.out_features = width;
    config.bias = false;
    config.constraint.kind = ConstraintKind::kNone;
    config.name = name;
    auto layer = std::make_shared<LinearImpl>(config);
    layer->to(torch::kDouble);
    torch::NoGradGuard no_grad;
    layer->weight.copy_(weight);
    network->push_back(name, layer);
  };
  for (int64_t round = 0; round < width; ++round) {
    const at::Tensor order = Permutation(round % 2 == 0 ? straight : shifted);
    const std::string number = std::to_string(round + 1);
    append("linear" + number, order.mm(back));
    network->push_back("activation" + number, std::make_shared<ActivationImpl>(
                                                  ActivationSpec::MaxMin()));
    back = order.t();
  }
  append("last", back);
  network->eval();
  return network;
}

TEST(FullSortTest, MaxMinLayersAndPermutationsSort) {
  torch::NoGradGuard no_grad;
  for (const int64_t width : {2, 4, 6, 8, 10}) {
    Sequential network = TranspositionNetwork(width);
    torch::manual_seed(width);
    // Every vector of zeros and ones: a comparison network that sorts these
    // sorts everything (the 0-1 principle).
    const at::Tensor codes =
        torch::arange(int64_t{1} << width, torch::kLong).unsqueeze(1);
    const at::Tensor bits =
        codes.bitwise_right_shift(torch::arange(width, torch::kLong))
            .bitwise_and(1)
            .to(torch::kDouble);
    for (const at::Tensor& x :
         {bits, torch::randn({300, width}, torch::kDouble),
          torch::arange(width, torch::kDouble).flip(0).unsqueeze(0)}) {
      EXPECT_TRUE(TensorsNear(network->forward(x),
                              functional::GroupSort(x, width, -1), 0))
          << width;
    }
    for (const Norm norm : kAllNorms) {
      EXPECT_LE(*network->LipschitzBound(norm), 1 + 1e-6);
    }
  }
}

TEST(FullSortTest, FewerRoundsDoNotSort) {
  // The last round is needed: from the reversed order an entry has n − 1 ways
  // to go. With the ends paired it may get there sooner, but not in two rounds.
  torch::NoGradGuard no_grad;
  Sequential network = TranspositionNetwork(8);
  Sequential shorter("short");
  for (size_t i = 0; i < 4; ++i) {
    shorter->push_back("layer" + std::to_string(i), network->layer(i));
  }
  const at::Tensor x = torch::arange(8, torch::kDouble).flip(0).unsqueeze(0);
  EXPECT_FALSE(torch::equal(std::get<0>(shorter->forward(x).sort(1)),
                            shorter->forward(x)));
}

}  // namespace
}  // namespace lipschitz
