#include "lipschitz/layers/chain.h"

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "lipschitz/layers/dropout.h"
#include "lipschitz/layers/sequential.h"

namespace lipschitz {
namespace {

// A class of its own, whose forward may be anything.
class Derived : public SequentialImpl {};

std::shared_ptr<LayerImpl> Leaf() { return std::make_shared<DropoutImpl>(0.5); }

TEST(ChainTest, FlattensContainersAndNamesTheWay) {
  Sequential inner;
  inner->push_back("a", Leaf());
  inner->push_back("b", Leaf());
  Sequential middle;
  middle->push_back("inner", inner.ptr());
  middle->push_back("c", Leaf());
  Sequential outer;
  outer->push_back("first", Leaf());
  outer->push_back("middle", middle.ptr());
  outer->push_back("residual", std::make_shared<ResidualImpl>(Leaf()));
  outer->push_back("derived", std::make_shared<Derived>());
  const std::vector<NamedLayer> chain = ChainOf(*outer);
  std::vector<std::string> names;
  for (const NamedLayer& item : chain) names.push_back(item.name);
  EXPECT_EQ(names, (std::vector<std::string>{"first", "middle.inner.a",
                                             "middle.inner.b", "middle.c",
                                             "residual", "derived"}));
  EXPECT_EQ(chain[0].layer, outer->layer(0).get());
  EXPECT_EQ(chain[2].layer, inner->layer(1).get());
  EXPECT_EQ(chain[3].layer, middle->layer(1).get());
  EXPECT_EQ(chain[5].layer, outer->layer(3).get());
}

TEST(ChainTest, ALayerIsAChainOfItself) {
  const auto leaf = Leaf();
  const std::vector<NamedLayer> chain = ChainOf(*leaf);
  ASSERT_EQ(chain.size(), 1u);
  EXPECT_EQ(chain[0].layer, leaf.get());
  EXPECT_EQ(chain[0].name, leaf->name());
  Sequential empty;
  EXPECT_TRUE(ChainOf(*empty).empty());
}

}  // namespace
}  // namespace lipschitz
