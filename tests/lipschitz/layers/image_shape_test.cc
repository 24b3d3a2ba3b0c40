#include "lipschitz/layers/image_shape.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <sstream>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/layers/sequential.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

void ExpectIsometry(LayerImpl& layer) {
  const auto bounds = layer.LipschitzBounds();
  ASSERT_TRUE(bounds.ok()) << bounds.status();
  const BoundTable expected = BoundTable::SameNorm(1.0);
  for (const Norm in : kAllNorms) {
    for (const Norm out : kAllNorms) {
      EXPECT_EQ(bounds->At(in, out), expected.At(in, out));
    }
  }
}

TEST(ToImage, ReadsChannelByChannelRowByRow) {
  ToImage layer(ToImageConfig{2, 3, 4});
  const at::Tensor y = layer->forward(at::arange(48).reshape({2, 24}));
  EXPECT_EQ(y.sizes(), at::IntArrayRef({2, 2, 3, 4}));
  EXPECT_EQ(y[1][1][2][3].item<int64_t>(), 47);
  EXPECT_EQ(y[0][1][0][2].item<int64_t>(), 14);
  ExpectIsometry(*layer);
}

TEST(ToImage, TakesAnyLeadingDimensions) {
  ToImage layer(ToImageConfig{2, 3, 4});
  EXPECT_EQ(layer->forward(at::zeros({24})).sizes(),
            at::IntArrayRef({1, 2, 3, 4}));
  EXPECT_EQ(layer->forward(at::zeros({5, 3, 24})).sizes(),
            at::IntArrayRef({15, 2, 3, 4}));
  EXPECT_EQ(layer->forward(at::zeros({0, 24})).sizes(),
            at::IntArrayRef({0, 2, 3, 4}));
}

TEST(ToImage, AnotherSizeIsAnErrorThatNamesTheLayer) {
  ToImage layer(ToImageConfig{2, 3, 4, "entry"});
  EXPECT_THAT(
      [&] {
        layer->forward(at::zeros({2, 23}));
      },
      ThrowsMessage<c10::Error>(AllOf(HasSubstr("'entry'"),
                                      HasSubstr("2·3·4 = 24"),
                                      HasSubstr("[2, 23]"))));
  EXPECT_TRUE(lipschitz::testing::FailsWith(
      ToImageConfig({1, 0, 4, "entry"}).Validate(),
      absl::StatusCode::kInvalidArgument, {"'entry'", "1, 0 and 4"}));
  EXPECT_THROW(ToImage(ToImageConfig{1, 28, -1}), c10::Error);
}

TEST(Flatten, IsTheInverseOfToImage) {
  at::manual_seed(1);
  SequentialImpl both;
  both.push_back("image", ToImage(ToImageConfig{2, 3, 4}).ptr());
  both.push_back("flat", Flatten().ptr());
  const at::Tensor x = at::randn({5, 24});
  EXPECT_TRUE(both.forward(x).equal(x));
  EXPECT_EQ(both.forward(at::zeros({0, 24})).sizes(), at::IntArrayRef({0, 24}));
  ExpectIsometry(both);
  // Images whose channels are the last in memory are read in the same order.
  const at::Tensor image = at::randn({2, 3, 4, 5});
  EXPECT_TRUE(Flatten()
                  ->forward(image.contiguous(at::MemoryFormat::ChannelsLast))
                  .equal(Flatten()->forward(image)));
}

TEST(Flatten, AnythingButImagesIsAnErrorThatNamesTheLayer) {
  Flatten layer("exit");
  EXPECT_THAT(
      [&] {
        layer->forward(at::zeros({2, 24}));
      },
      ThrowsMessage<c10::Error>(
          AllOf(HasSubstr("'exit'"), HasSubstr("[2, 24]"))));
}

TEST(SpaceToDepth, PutsPixelsWhereItSays) {
  at::manual_seed(2);
  for (const int64_t factor : {1, 2, 3}) {
    SpaceToDepth layer(SpaceToDepthConfig{factor});
    const at::Tensor x = at::randn({2, 3, 2 * factor, 4 * factor});
    const at::Tensor y = layer->forward(x);
    ASSERT_EQ(y.sizes(), at::IntArrayRef({2, 3 * factor * factor, 2, 4}));
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t r = 0; r < factor; ++r) {
        for (int64_t t = 0; t < factor; ++t) {
          EXPECT_TRUE(y.select(1, (c * factor + r) * factor + t)
                          .equal(x.select(1, c)
                                     .slice(1, r, {}, factor)
                                     .slice(2, t, {}, factor)));
        }
      }
    }
    ExpectIsometry(*layer);
  }
}

TEST(SpaceToDepth, KeepsEveryNormAndItsGradients) {
  at::manual_seed(3);
  SpaceToDepth layer(SpaceToDepthConfig{2});
  const at::Tensor x = at::randn({1, 2, 4, 6}, at::kDouble);
  const at::Tensor y = layer->forward(x);
  EXPECT_TRUE(
      std::get<0>(y.flatten().sort()).equal(std::get<0>(x.flatten().sort())));
  EXPECT_TRUE(lipschitz::testing::GradientsAgree(
      [&](const auto& in) { return layer->forward(in[0]).square(); }, {x}));
}

TEST(SpaceToDepth, SizesThatDoNotFitAreErrorsThatNameTheLayer) {
  SpaceToDepth layer(SpaceToDepthConfig{2, "down"});
  EXPECT_THAT(
      [&] {
        layer->forward(at::zeros({2, 3, 4, 5}));
      },
      ThrowsMessage<c10::Error>(AllOf(
          HasSubstr("'down'"), HasSubstr("factor 2"), HasSubstr("[2, 3, 4, 5]"),
          HasSubstr("4 × 4 (cropped)"), HasSubstr("4 × 6 (padded)"))));
  EXPECT_THAT(
      [&] {
        layer->forward(at::zeros({2, 12}));
      },
      ThrowsMessage<c10::Error>(
          AllOf(HasSubstr("'down'"), HasSubstr("[2, 12]"))));
  EXPECT_TRUE(lipschitz::testing::FailsWith(
      SpaceToDepthConfig({0, "down"}).Validate(),
      absl::StatusCode::kInvalidArgument, {"'down'", "got 0"}));
  EXPECT_THROW(SpaceToDepth(SpaceToDepthConfig{0}), c10::Error);
}

TEST(ImageShape, LayersPrintTheirShape) {
  std::ostringstream text;
  text << *ToImage(ToImageConfig{1, 28, 28}) << *Flatten()
       << *SpaceToDepth(SpaceToDepthConfig{2});
  EXPECT_EQ(text.str(),
            "lipschitz::ToImage(1, 28, 28)lipschitz::Flatten()"
            "lipschitz::SpaceToDepth(2)");
}

}  // namespace
}  // namespace lipschitz
