#include "experiments/common/image_grid.h"

#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/base/files.h"
#include "tests/testing/status.h"
#include "tests/testing/subprocess.h"

namespace lipschitz::experiments {
namespace {

uint32_t Number(const std::string& bytes, size_t place) {
  uint32_t number = 0;
  for (size_t i = 0; i < 4; ++i) {
    number = number << 8 | static_cast<uint8_t>(bytes.at(place + i));
  }
  return number;
}

// What a reader of the format finds: unfiltered rows, and sizes from a header
// whose every chunk has the right CRC.
struct Picture {
  uint32_t width = 0;
  uint32_t height = 0;
  int colour = -1;
  std::string rows;
};

Picture Decode(const std::string& png) {
  Picture picture;
  EXPECT_EQ(png.substr(0, 8), "\x89PNG\r\n\x1a\n");
  std::vector<std::string> types;
  for (size_t place = 8; place < png.size();) {
    const uint32_t size = Number(png, place);
    const std::string body = png.substr(place + 4, 4 + size);
    EXPECT_EQ(body.size(), 4 + size);
    EXPECT_EQ(Number(png, place + 8 + size),
              crc32(0, reinterpret_cast<const Bytef*>(body.data()),
                    static_cast<uInt>(body.size())));
    types.push_back(body.substr(0, 4));
    if (types.back() == "IHDR") {
      EXPECT_EQ(size, 13u);
      picture.width = Number(body, 4);
      picture.height = Number(body, 8);
      EXPECT_EQ(body[12], 8);  // bits
      picture.colour = body[13];
      EXPECT_EQ(body.substr(14), std::string(3, '\0'));
    } else if (types.back() == "IDAT") {
      const int channels = picture.colour == 2 ? 3 : 1;
      uLongf length = picture.height * (picture.width * channels + 1);
      picture.rows.resize(length);
      EXPECT_EQ(
          uncompress(reinterpret_cast<Bytef*>(&picture.rows[0]), &length,
                     reinterpret_cast<const Bytef*>(body.data()) + 4, size),
          Z_OK);
      EXPECT_EQ(length, picture.rows.size());
    }
    place += size + 12;
  }
  EXPECT_EQ(types, (std::vector<std::string>{"IHDR", "IDAT", "IEND"}));
  return picture;
}

TEST(ImageGrid, PngHoldsGreyRowsAndColours) {
  const at::Tensor grey =
      torch::tensor({{{0, 1, 2}, {253, 254, 255}}}, torch::kUInt8);
  auto png = EncodePng(grey);
  ASSERT_TRUE(png.ok()) << png.status();
  Picture picture = Decode(*png);
  EXPECT_EQ(picture.width, 3u);
  EXPECT_EQ(picture.height, 2u);
  EXPECT_EQ(picture.colour, 0);
  EXPECT_EQ(picture.rows, std::string("\0\0\1\2\0\xfd\xfe\xff", 8));

  const at::Tensor colours = torch::tensor({{{1, 2}}, {{11, 12}}, {{21, 22}}},
                                           torch::kUInt8);  // r, g, b planes
  png = EncodePng(colours);
  ASSERT_TRUE(png.ok()) << png.status();
  picture = Decode(*png);
  EXPECT_EQ(picture.colour, 2);
  EXPECT_EQ(picture.rows, std::string("\0\x01\x0b\x15\x02\x0c\x16", 7));
}

TEST(ImageGrid, ImagesStandRowByRowWithGaps) {
  const at::Tensor images = (at::arange(1, 4).reshape({3, 1, 1, 1}) * 10)
                                .to(at::kByte)
                                .expand({3, 1, 2, 3});
  const at::Tensor grid = ImageGrid(images, 2);
  EXPECT_EQ(grid.sizes(), (std::vector<int64_t>{1, 6, 8}));
  EXPECT_EQ(grid[0][0][0].item<int>(), 10);
  EXPECT_EQ(grid[0][1][2].item<int>(), 10);
  EXPECT_EQ(grid[0][0][3].item<int>(), 0);
  EXPECT_EQ(grid[0][1][5].item<int>(), 20);
  EXPECT_EQ(grid[0][3][0].item<int>(), 0);
  EXPECT_EQ(grid[0][4][0].item<int>(), 30);
  // No fourth image.
  EXPECT_EQ(grid[0][4][5].item<int>(), 0);
}

TEST(ImageGrid, MinusOneIsBlackAndOneIsWhite) {
  const std::string path = testing::NewFolder("grid") + "/a/b.png";
  const at::Tensor images =
      torch::tensor({{-1.0, 0.0, 1.0, 5.0}, {-3.0, -0.5, 0.5, 1.0}});
  GridShape shape;
  shape.height = 1;
  shape.width = 4;
  shape.columns = 1;
  ASSERT_TRUE(WriteImageGrid(path, images, shape).ok());
  const Picture picture = Decode(*ReadFile(path));
  ASSERT_EQ(picture.height, 4u);
  EXPECT_EQ(picture.rows.substr(0, 5), std::string("\0\0\x80\xff\xff", 5));
  EXPECT_EQ(picture.rows.substr(15, 5), std::string("\0\0\x40\xbf\xff", 5));
}

TEST(ImageGrid, WhatIsNoPictureIsAnError) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_TRUE(testing::FailsWith(EncodePng(at::zeros({2, 4, 4}, at::kByte)),
                                 kInvalid, {"[2, 4, 4]"}));
  EXPECT_FALSE(EncodePng(at::zeros({1, 4, 4})).ok());
  EXPECT_FALSE(EncodePng(at::zeros({1, 0, 4}, at::kByte)).ok());
}

}  // namespace
}  // namespace lipschitz::experiments
