#include "lipschitz/optim/adam.h"

#include <torch/torch.h>

#include <cmath>
#include <limits>
#include <memory>
#include <sstream>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/instruction_sets.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::EveryInstructionSet;
using ::lipschitz::testing::InstructionSetName;
using ::lipschitz::testing::OnInstructionSet;
using ::lipschitz::testing::TensorsNear;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using torch::optim::AdamOptions;

// To the last bit where products are added at once; elsewhere LibTorch may or
// may not round them.
::testing::AssertionResult Same(const torch::Tensor& a,
                                const torch::Tensor& b) {
  if (__builtin_cpu_supports("fma")) {
    if (torch::equal(a, b)) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure()
           << "differ by " << (a - b).abs().max().item<double>();
  }
  return TensorsNear(a, b, 1e-5);
}

torch::Tensor Parameter(std::vector<int64_t> shape, torch::ScalarType type) {
  torch::manual_seed(static_cast<uint64_t>(shape[0]));
  return torch::randn(shape, type).requires_grad_(true);
}

torch::Tensor Copy(const torch::Tensor& p) {
  return p.detach().clone().requires_grad_(true);
}

// A gradient for every parameter, alike for the same step.
void SetGradients(const std::vector<torch::Tensor>& parameters, int step) {
  torch::manual_seed(static_cast<uint64_t>(step));
  for (const torch::Tensor& p : parameters) {
    torch::NoGradGuard no_grad;
    // From tiny to large.
    p.mutable_grad() =
        torch::randn_like(p) * std::pow(10.0, (step % 7) * 2 - 10);
  }
}

// Ours and LibTorch's, of the same gradients.
void TakeSteps(const torch::Tensor& ours, const AdamOptions& options,
               const torch::Tensor& theirs) {
  Adam one({ours}, options);
  torch::optim::Adam other({theirs}, options);
  for (int i = 0; i < 30; ++i) {
    SetGradients({ours}, i);
    theirs.mutable_grad() = ours.grad().clone();
    one.step();
    other.step();
  }
}

TEST(AdamTest, TakesTheStepsOfLibTorchs) {
  for (const torch::ScalarType type : {torch::kFloat, torch::kDouble}) {
    for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{
             {1}, {7}, {8, 2}, {33}, {5, 3, 3, 2}, {64, 65}, {70001}}) {
      const torch::Tensor ours = Parameter(shape, type);
      const torch::Tensor theirs = Copy(ours);
      const AdamOptions options = AdamOptions(0.003).betas({0.8, 0.99});
      TakeSteps(ours, options, theirs);
      EXPECT_TRUE(Same(ours, theirs)) << ours.sizes() << " " << type;
    }
  }
}

using AdamOnTarget = OnInstructionSet;
INSTANTIATE_TEST_SUITE_P(, AdamOnTarget, EveryInstructionSet(),
                         InstructionSetName);

TEST_P(AdamOnTarget, TakesTheStepsOfLibTorchsWithinRounding) {
  for (const torch::ScalarType type : {torch::kFloat, torch::kDouble}) {
    for (const int64_t size : {1, 7, 33, 70001}) {
      const torch::Tensor ours = Parameter({size}, type);
      const torch::Tensor theirs = Copy(ours);
      const AdamOptions options = AdamOptions(0.003).betas({0.8, 0.99});
      TakeSteps(ours, options, theirs);
      EXPECT_TRUE(TensorsNear(ours, theirs, 1e-5)) << size << " " << type;
    }
  }
}

TEST(AdamTest, TakesParametersAndGradientsThatAreNotContiguous) {
  torch::manual_seed(0);
  for (const bool transposed : {false, true}) {
    torch::Tensor start = torch::randn({6, 9});
    if (transposed) start = start.t();
    const torch::Tensor ours =
        start.clone(torch::MemoryFormat::Preserve).requires_grad_(true);
    const torch::Tensor theirs =
        start.clone(torch::MemoryFormat::Preserve).requires_grad_(true);
    ASSERT_EQ(ours.is_contiguous(), !transposed);
    Adam one({ours}, AdamOptions(0.01));
    torch::optim::Adam other({theirs}, AdamOptions(0.01));
    for (int i = 0; i < 5; ++i) {
      ours.mutable_grad() = torch::randn({ours.size(1), ours.size(0)}).t();
      theirs.mutable_grad() = ours.grad().clone();
      one.step();
      other.step();
    }
    EXPECT_TRUE(TensorsNear(ours.detach(), theirs.detach(), 1e-6));
  }
}

TEST(AdamTest, ParameterWithoutAGradientStaysAndKeepsItsPlace) {
  const torch::Tensor idle = Parameter({2}, torch::kDouble);
  const torch::Tensor before = idle.detach().clone();
  const torch::Tensor p = Parameter({3}, torch::kDouble);
  const torch::Tensor alone = Copy(p);
  Adam together({idle, p}, AdamOptions(0.1));
  Adam single({alone}, AdamOptions(0.1));
  for (int i = 0; i < 4; ++i) {
    SetGradients({p}, i);
    SetGradients({alone}, i);
    together.step();
    single.step();
  }
  EXPECT_TRUE(torch::equal(idle, before));
  EXPECT_TRUE(torch::equal(p, alone));
}

TEST(AdamTest, EveryGroupHasItsOwnOptions) {
  const torch::Tensor a = Parameter({4}, torch::kDouble);
  const torch::Tensor b = Copy(a);
  const torch::Tensor start = a.detach().clone();
  Adam optimizer({a}, AdamOptions(0.1));
  optimizer.add_param_group(torch::optim::OptimizerParamGroup(
      {b}, std::make_unique<AdamOptions>(AdamOptions(0.3))));
  a.mutable_grad() = torch::ones_like(a);
  b.mutable_grad() = torch::ones_like(b);
  optimizer.step();
  EXPECT_TRUE(TensorsNear(a.detach(), start - 0.1, 1e-7));
  EXPECT_TRUE(TensorsNear(b.detach(), start - 0.3, 1e-7));
}

TEST(AdamTest, WhatALaterGroupAsksForInVainIsAnError) {
  for (const AdamOptions& options :
       {AdamOptions(0.1).weight_decay(0.1), AdamOptions(0.1).amsgrad(true)}) {
    const torch::Tensor a = Parameter({4}, torch::kFloat);
    const torch::Tensor b = Copy(a);
    Adam optimizer({a}, AdamOptions(0.1));
    optimizer.add_param_group(torch::optim::OptimizerParamGroup(
        {b}, std::make_unique<AdamOptions>(options)));
    b.mutable_grad() = torch::ones_like(b);
    EXPECT_THAT([&] { optimizer.step(); },
                ThrowsMessage<c10::Error>(HasSubstr("neither weight decay")));
  }
}

TEST(AdamTest, ClosureIsEvaluatedWithGradients) {
  const torch::Tensor p = torch::ones({1}, torch::kDouble).requires_grad_(true);
  Adam optimizer({p}, AdamOptions(0.25));
  torch::NoGradGuard no_grad;
  const torch::Tensor loss = optimizer.step([&] {
    const torch::Tensor value = (0.5 * p.square()).sum();
    value.backward();
    return value;
  });
  EXPECT_DOUBLE_EQ(loss.item<double>(), 0.5);
  EXPECT_NEAR(p.item<double>(), 0.75, 1e-7);
}

TEST(AdamTest, OptionsThatMakeNoSenseAreErrorsWithTheNumber) {
  const auto make = [](const AdamOptions& options) {
    return [options] { Adam({Parameter({1}, torch::kFloat)}, options); };
  };
  EXPECT_THAT(make(AdamOptions(0)),
              ThrowsMessage<c10::Error>(HasSubstr("got 0")));
  EXPECT_THROW(make(AdamOptions(std::numeric_limits<double>::quiet_NaN()))(),
               c10::Error);
  EXPECT_THAT(make(AdamOptions(0.1).betas({0.9, 1.5})),
              ThrowsMessage<c10::Error>(HasSubstr("1.5")));
  EXPECT_THAT(make(AdamOptions(0.1).eps(0)),
              ThrowsMessage<c10::Error>(HasSubstr("eps")));
  EXPECT_THAT(make(AdamOptions(0.1).weight_decay(0.1)),
              ThrowsMessage<c10::Error>(HasSubstr("weight decay")));
  EXPECT_THAT(make(AdamOptions(0.1).amsgrad(true)),
              ThrowsMessage<c10::Error>(HasSubstr("amsgrad")));
}

TEST(AdamTest, StateOfAnotherNetworkIsAnErrorAndNotReadPastItsEnd) {
  const torch::Tensor small = Parameter({3}, torch::kFloat);
  Adam one({small}, AdamOptions(0.05));
  SetGradients({small}, 0);
  one.step();
  std::stringstream state;
  torch::save(one, state);
  const torch::Tensor large = Parameter({4000, 5}, torch::kFloat);
  Adam other({large}, AdamOptions(0.05));
  torch::load(other, state);
  SetGradients({large}, 0);
  EXPECT_THAT([&] { other.step(); },
              ThrowsMessage<c10::Error>(HasSubstr("[4000, 5]")));
  large.mutable_grad() = torch::Tensor();
  EXPECT_NO_THROW(other.step());
}

TEST(AdamTest, SavedMidwayItGoesOnAsIfNothingHadHappened) {
  constexpr int kSteps = 5;
  for (int stop = 0; stop <= kSteps; ++stop) {
    const torch::Tensor through = Parameter({3, 4}, torch::kFloat);
    Adam one({Parameter({5}, torch::kFloat), through}, AdamOptions(0.05));
    for (int i = 0; i < stop; ++i) {
      SetGradients({through}, i);
      one.step();
    }
    std::stringstream state;
    torch::save(one, state);
    const torch::Tensor resumed = Copy(through);
    Adam other({Parameter({5}, torch::kFloat), resumed}, AdamOptions(0.05));
    torch::load(other, state);
    for (int i = stop; i < kSteps + 2; ++i) {
      SetGradients({through}, i);
      SetGradients({resumed}, i);
      one.step();
      other.step();
    }
    EXPECT_TRUE(torch::equal(through, resumed)) << "stopped at " << stop;
  }
}

}  // namespace
}  // namespace lipschitz
