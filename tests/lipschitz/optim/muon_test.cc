#include "lipschitz/optim/muon.h"

#include <torch/torch.h>

#include <limits>
#include <sstream>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/linalg/orthogonalise.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::TensorsNear;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

torch::Tensor Matrix(int64_t rows, int64_t columns, uint64_t seed) {
  torch::manual_seed(seed);
  return torch::randn({rows, columns}, torch::kDouble).requires_grad_(true);
}

torch::Tensor Vector(const std::vector<double>& values) {
  return torch::tensor(values, torch::kDouble).requires_grad_(true);
}

// One step on ‖A p‖² / 2 + Σ sin(p), A diagonal.
void Descend(torch::optim::Optimizer& optimizer,
             const std::vector<torch::Tensor>& parameters) {
  optimizer.zero_grad();
  for (const torch::Tensor& p : parameters) {
    const torch::Tensor flat = p.flatten();
    (0.5 * torch::arange(1, flat.numel() + 1, torch::kDouble) * flat.square() +
     flat.sin())
        .sum()
        .backward();
  }
  optimizer.step();
}

TEST(MuonTest, AMatrixMovesAsTheFormulaSays) {
  const torch::Tensor p = Matrix(3, 5, 0);
  torch::Tensor expected = p.detach().clone();
  torch::Tensor momentum = torch::zeros_like(expected);
  Muon optimizer({p}, MuonOptions(0.1).momentum(0.8).orthogonalise({4}));
  for (int i = 0; i < 4; ++i) {
    optimizer.zero_grad();
    (p * torch::cos(p)).sum().backward();
    momentum = 0.8 * momentum + p.grad();
    expected = expected - 0.1 * Orthogonalise(p.grad() + 0.8 * momentum, {4});
    optimizer.step();
    EXPECT_TRUE(TensorsNear(p, expected, 1e-14)) << i;
  }
}

TEST(MuonTest, AKernelIsTheMatrixOfItsRowsAndAStackIsItsMatrices) {
  const torch::Tensor matrix = Matrix(3, 8, 1);
  const torch::Tensor other = Matrix(3, 8, 2);
  const torch::Tensor kernel =
      matrix.detach().reshape({3, 2, 2, 2}).clone().requires_grad_(true);
  const torch::Tensor stack = torch::stack({matrix.detach(), other.detach()})
                                  .clone()
                                  .requires_grad_(true);
  Muon optimizer({matrix, other, kernel, stack}, MuonOptions(0.1));
  for (int i = 0; i < 3; ++i) {
    optimizer.zero_grad();
    for (const torch::Tensor& p : {matrix, other, kernel, stack}) {
      (p * torch::cos(p)).sum().backward();
    }
    optimizer.step();
    EXPECT_TRUE(TensorsNear(kernel.flatten(1), matrix, 1e-14)) << i;
    EXPECT_TRUE(TensorsNear(stack[0], matrix, 1e-14)) << i;
    EXPECT_TRUE(TensorsNear(stack[1], other, 1e-14)) << i;
  }
}

// Of an orthogonal kernel of one pixel.
TEST(MuonTest, AnEmptyStackStays) {
  const torch::Tensor stack =
      torch::zeros({0, 3, 2}, torch::kDouble).requires_grad_(true);
  Muon optimizer({stack}, MuonOptions(0.1));
  stack.mutable_grad() = torch::zeros_like(stack);
  optimizer.step();
  EXPECT_EQ(stack.numel(), 0);
}

TEST(MuonTest, AVectorTakesTheStepsOfAdam) {
  const torch::Tensor a = Vector({1, -2, 3});
  const torch::Tensor b = Vector({1, -2, 3});
  Muon muon({a}, MuonOptions(0.1).vector_rate(0.05).betas({0.8, 0.99}));
  torch::optim::Adam adam(
      {b}, torch::optim::AdamOptions(0.1 * 0.05).betas({0.8, 0.99}));
  for (int i = 0; i < 10; ++i) {
    Descend(muon, {a});
    Descend(adam, {b});
    EXPECT_TRUE(TensorsNear(a, b, 1e-13)) << i;
  }
}

TEST(MuonTest, EveryDirectionOfAMatrixMovesAlike) {
  // The gradient's singular values are 100 and 1.
  const torch::Tensor p = torch::zeros({2, 2}, torch::kDouble);
  p.requires_grad_(true);
  Muon muon({p}, MuonOptions(0.5).orthogonalise({8}));
  p.mutable_grad() = torch::diag(
      torch::tensor({100.0, 1.0}, torch::TensorOptions(torch::kDouble)));
  muon.step();
  EXPECT_TRUE(TensorsNear(p, -0.5 * torch::eye(2, torch::kDouble), 1e-4));
}

TEST(MuonTest, ParameterWithoutAGradientStaysAndKeepsItsPlace) {
  const torch::Tensor idle = Matrix(2, 2, 1);
  const torch::Tensor before = idle.detach().clone();
  const torch::Tensor p = Matrix(2, 3, 2);
  const torch::Tensor alone = Matrix(2, 3, 2);
  Muon together({idle, p}, MuonOptions(0.1));
  Muon single({alone}, MuonOptions(0.1));
  for (int i = 0; i < 4; ++i) {
    Descend(together, {p});
    Descend(single, {alone});
  }
  EXPECT_TRUE(torch::equal(idle, before));
  EXPECT_TRUE(torch::equal(p, alone));
}

TEST(MuonTest, EveryGroupHasItsOwnOptions) {
  const torch::Tensor a = Matrix(1, 2, 3);
  const torch::Tensor b = Matrix(1, 2, 3);
  const torch::Tensor start = a.detach().clone();
  Muon optimizer({a}, MuonOptions(0.1));
  optimizer.add_param_group(torch::optim::OptimizerParamGroup(
      {b}, std::make_unique<MuonOptions>(MuonOptions(0.3))));
  Descend(optimizer, {a, b});
  EXPECT_TRUE(TensorsNear(3 * (a - start), b - start, 1e-14));
  EXPECT_NEAR((a - start).norm().item<double>(), 0.1, 1e-14);
}

TEST(MuonTest, ClosureIsEvaluatedWithGradients) {
  const torch::Tensor p = Vector({1});
  Muon optimizer({p}, MuonOptions(0.1).vector_rate(1));
  torch::NoGradGuard no_grad;
  const torch::Tensor loss = optimizer.step([&] {
    const torch::Tensor value = (0.5 * p.square()).sum();
    value.backward();
    return value;
  });
  EXPECT_DOUBLE_EQ(loss.item<double>(), 0.5);
  EXPECT_NEAR(p.item<double>(), 0.9, 1e-7);
}

TEST(MuonTest, OptionsThatMakeNoSenseAreErrorsWithTheNumber) {
  const auto make = [](const MuonOptions& options) {
    return [options] { Muon({Vector({1})}, options); };
  };
  EXPECT_THAT(make(MuonOptions(0)),
              ThrowsMessage<c10::Error>(HasSubstr("got 0")));
  EXPECT_THROW(make(MuonOptions(std::numeric_limits<double>::quiet_NaN()))(),
               c10::Error);
  EXPECT_THAT(make(MuonOptions(0.1).vector_rate(-2)),
              ThrowsMessage<c10::Error>(HasSubstr("got -2")));
  EXPECT_THAT(make(MuonOptions(0.1).momentum(1)),
              ThrowsMessage<c10::Error>(HasSubstr("got 1")));
  EXPECT_THAT(make(MuonOptions(0.1).betas({0.9, 1.5})),
              ThrowsMessage<c10::Error>(HasSubstr("1.5")));
  EXPECT_THAT(make(MuonOptions(0.1).eps(0)),
              ThrowsMessage<c10::Error>(HasSubstr("eps")));
  EXPECT_THAT(make(MuonOptions(0.1).orthogonalise({0})),
              ThrowsMessage<c10::Error>(HasSubstr("got 0")));
  EXPECT_THAT(make(MuonOptions(0.1).orthogonalise({5, 1.5})),
              ThrowsMessage<c10::Error>(HasSubstr("1.5")));
}

TEST(MuonTest, SavedMidwayItGoesOnAsIfNothingHadHappened) {
  constexpr int kSteps = 6;
  for (int stop = 0; stop <= kSteps; ++stop) {
    const std::vector<torch::Tensor> through = {Matrix(3, 4, 4),
                                                Vector({1, -2})};
    const torch::Tensor idle = Vector({5});
    Muon one({idle, through[0], through[1]}, MuonOptions(0.05));
    for (int i = 0; i < stop; ++i) Descend(one, through);
    std::stringstream state;
    torch::save(one, state);
    std::vector<torch::Tensor> resumed;
    for (const torch::Tensor& p : through) {
      resumed.push_back(p.detach().clone().requires_grad_(true));
    }
    Muon other({Vector({5}), resumed[0], resumed[1]}, MuonOptions(0.05));
    torch::load(other, state);
    for (int i = stop; i < kSteps + 2; ++i) {
      Descend(one, through);
      Descend(other, resumed);
    }
    for (size_t k = 0; k < resumed.size(); ++k) {
      EXPECT_TRUE(torch::equal(through[k], resumed[k]))
          << "stopped at " << stop;
    }
  }
}

TEST(MuonTest, OptionsSurviveAnArchive) {
  const MuonOptions options = MuonOptions(0.25)
                                  .momentum(0.5)
                                  .orthogonalise({7, 0.125, true})
                                  .vector_rate(0.125)
                                  .betas({0.5, 0.75})
                                  .eps(1e-3);
  torch::serialize::OutputArchive out;
  options.serialize(out);
  std::stringstream stream;
  out.save_to(stream);
  torch::serialize::InputArchive in;
  in.load_from(stream);
  MuonOptions read;
  read.serialize(in);
  EXPECT_EQ(read.lr(), 0.25);
  EXPECT_EQ(read.momentum(), 0.5);
  EXPECT_EQ(read.orthogonalise().iterations, 7);
  EXPECT_EQ(read.orthogonalise().smallest, 0.125);
  EXPECT_TRUE(read.orthogonalise().schatten);
  EXPECT_EQ(read.vector_rate(), 0.125);
  EXPECT_EQ(read.betas(), std::make_tuple(0.5, 0.75));
  EXPECT_EQ(read.eps(), 1e-3);
}

}  // namespace
}  // namespace lipschitz
