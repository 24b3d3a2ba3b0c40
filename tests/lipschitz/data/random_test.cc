#include "lipschitz/data/random.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "gtest/gtest.h"

namespace lipschitz {
namespace {

at::Tensor Draw(const RandomSource& random) {
  return at::randn({8}, random.generator());
}

TEST(RandomSourceTest, SameSeedGivesTheSameNumbers) {
  RandomSource a(7);
  RandomSource b(7);
  RandomSource c(8);
  const at::Tensor first = Draw(a);
  EXPECT_TRUE(at::equal(first, Draw(b)));
  EXPECT_FALSE(at::equal(first, Draw(c)));
  EXPECT_FALSE(at::equal(first, Draw(a)));
}

TEST(RandomSourceTest, DoesNotReadTheGlobalGenerator) {
  torch::manual_seed(1);
  RandomSource a(7);
  const at::Tensor first = Draw(a);
  torch::manual_seed(2);
  at::randn({100});
  RandomSource b(7);
  at::randn({100});
  EXPECT_TRUE(at::equal(first, Draw(b)));
}

TEST(RandomSourceTest, DoesNotMoveTheGlobalGenerator) {
  torch::manual_seed(1);
  const at::Tensor expected = at::randn({8});
  torch::manual_seed(1);
  RandomSource random(7);
  Draw(random);
  random.set_state(random.state());
  EXPECT_TRUE(at::equal(at::randn({8}), expected));
}

TEST(RandomSourceTest, RestoredStateRepeatsTheDraws) {
  RandomSource random(7);
  // An odd number of normals leaves one of a pair inside the generator.
  at::randn({3}, random.generator());
  const at::Tensor state = random.state();
  const at::Tensor kept = state.clone();
  const at::Tensor expected = at::cat(
      {at::randn({5}, random.generator()), at::rand({3}, random.generator())});
  // The state is a snapshot, not a view of the generator.
  EXPECT_TRUE(at::equal(state, kept));
  RandomSource other(123);
  for (RandomSource* source : {&random, &other}) {
    source->set_state(state);
    EXPECT_TRUE(at::equal(at::cat({at::randn({5}, source->generator()),
                                   at::rand({3}, source->generator())}),
                          expected));
  }
}

TEST(RandomSourceTest, WhatIsNotAStateIsAnErrorAndChangesNothing) {
  RandomSource random(7);
  RandomSource twin(7);
  EXPECT_THROW(random.set_state(at::zeros({10}, at::kByte)), c10::Error);
  EXPECT_THROW(random.set_state(at::randn({5056})), c10::Error);
  EXPECT_TRUE(at::equal(Draw(random), Draw(twin)));
}

}  // namespace
}  // namespace lipschitz
