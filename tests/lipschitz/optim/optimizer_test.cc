#include "lipschitz/optim/optimizer.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/optim/adam.h"
#include "lipschitz/optim/aggmo.h"
#include "lipschitz/optim/muon.h"

namespace lipschitz {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(OptimizerTest, EveryNameIsReadBack) {
  for (const OptimizerKind kind :
       {OptimizerKind::kAdam, OptimizerKind::kAggMo, OptimizerKind::kMuon,
        OptimizerKind::kFastMuon}) {
    const auto read = ParseOptimizer(OptimizerName(kind));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, kind);
  }
}

TEST(OptimizerTest, AnUnknownNameListsTheKnownOnes) {
  const auto read = ParseOptimizer("Adam");
  ASSERT_FALSE(read.ok());
  EXPECT_THAT(
      read.status().message(),
      AllOf(HasSubstr("'Adam'"), HasSubstr("adam, aggmo, muon, fast_muon")));
}

TEST(OptimizerTest, TheKindAndTheRateAreThoseAskedFor) {
  const auto make = [](OptimizerKind kind) {
    return MakeOptimizer(kind, {torch::ones({2, 2}).requires_grad_(true)},
                         0.25);
  };
  const auto adam = make(OptimizerKind::kAdam);
  const auto aggmo = make(OptimizerKind::kAggMo);
  const auto muon = make(OptimizerKind::kMuon);
  EXPECT_NE(dynamic_cast<Adam*>(adam.get()), nullptr);
  EXPECT_NE(dynamic_cast<AggMo*>(aggmo.get()), nullptr);
  EXPECT_NE(dynamic_cast<Muon*>(muon.get()), nullptr);
  const auto fast_muon = make(OptimizerKind::kFastMuon);
  ASSERT_NE(dynamic_cast<Muon*>(fast_muon.get()), nullptr);
  const auto iterations = [](const torch::optim::Optimizer& optimizer) {
    return static_cast<const MuonOptions&>(
               optimizer.param_groups().at(0).options())
        .orthogonalise()
        .iterations;
  };
  EXPECT_LT(iterations(*fast_muon), iterations(*muon));
  for (const auto* optimizer :
       {adam.get(), aggmo.get(), muon.get(), fast_muon.get()}) {
    EXPECT_EQ(optimizer->param_groups().at(0).options().get_lr(), 0.25);
  }
}

}  // namespace
}  // namespace lipschitz
