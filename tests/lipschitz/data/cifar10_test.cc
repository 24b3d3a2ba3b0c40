#include "lipschitz/data/cifar10.h"

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/testing/data_files.h"
#include "tests/testing/status.h"
#include "tests/testing/subprocess.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using testing::Cifar10Bytes;
using testing::FailsWith;
using testing::Gzip;
using testing::RandomImages;

constexpr size_t kRecord = 3073;

TEST(Cifar10, RecordsAreALabelAndThreePlanes) {
  std::string bytes(2 * kRecord, '\0');
  bytes[0] = 7;
  bytes[1] = 10;                    // red, first row, first column
  bytes[1 + 1] = 11;                // red, second column
  bytes[1 + 32] = 12;               // red, second row
  bytes[1 + 1024] = 13;             // green
  bytes[1 + 2048 + 1023] = '\xff';  // blue, last pixel
  bytes[kRecord] = 9;
  bytes[kRecord + 1 + 1024] = 14;  // green of the second image
  const auto read = ParseCifar10("x", bytes);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->size(), 2);
  EXPECT_EQ(read->images.sizes(), (std::vector<int64_t>{2, 3, 32, 32}));
  EXPECT_EQ(read->images.scalar_type(), at::kByte);
  EXPECT_TRUE(at::equal(read->labels, at::tensor({7, 9}, at::kLong)));
  at::Tensor expected = at::zeros({2, 3, 32, 32}, at::kByte);
  expected[0][0][0][0] = 10;
  expected[0][0][0][1] = 11;
  expected[0][0][1][0] = 12;
  expected[0][1][0][0] = 13;
  expected[0][2][31][31] = 255;
  expected[1][1][0][0] = 14;
  EXPECT_TRUE(at::equal(read->images, expected));
}

TEST(Cifar10, ReadsRawAndGzip) {
  const LabelledImages images = RandomImages(12, 3, 32, 1);
  const std::string folder = testing::NewFolder("cifar");
  testing::WriteData(folder + "/a", Cifar10Bytes(images));
  testing::WriteData(folder + "/b", Gzip(Cifar10Bytes(images)));
  for (const char* const name : {"/a", "/b"}) {
    const auto read = ReadCifar10(folder + name);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_TRUE(at::equal(read->images, images.images));
    EXPECT_TRUE(at::equal(read->labels, images.labels));
  }
  EXPECT_TRUE(FailsWith(ReadCifar10(folder + "/none"), StatusCode::kNotFound,
                        {folder + "/none"}));
  EXPECT_TRUE(FailsWith(ReadCifar10(folder), StatusCode::kInvalidArgument,
                        {folder, "directory"}));
}

TEST(Cifar10, MalformedFilesAreErrorsWithTheRecord) {
  const std::string bytes = Cifar10Bytes(RandomImages(3, 3, 32, 2));
  const auto expect_error = [](const std::string& content,
                               const std::string& part) {
    EXPECT_TRUE(FailsWith(ParseCifar10("x.bin", content),
                          StatusCode::kInvalidArgument, {"x.bin: ", part}));
  };
  expect_error("", "empty");
  expect_error(Gzip(""), "cut off in record 0");
  expect_error(bytes.substr(0, 1), "cut off in record 0");
  expect_error(bytes.substr(0, 2 * kRecord - 1), "cut off in record 1");
  expect_error(bytes + '\x01', "cut off in record 3");
  expect_error(Gzip(bytes + '\x01'), "cut off in record 3");
  expect_error(Gzip(bytes).substr(0, 5000), "gzip stream is cut off");
  std::string label = bytes;
  label[2 * kRecord] = 10;
  expect_error(label, "record 2 has the label 10");
  label[kRecord] = '\xff';
  expect_error(label, "record 1 has the label 255");
  expect_error("<html>", "record 0 has the label 60");
}

// 60001 records of zeros are 180 KB of gzip.
TEST(Cifar10, MoreThanTheWholeSetIsAnError) {
  EXPECT_TRUE(
      FailsWith(ParseCifar10("x", Gzip(std::string(60001 * kRecord, '\0'))),
                StatusCode::kInvalidArgument, {"x: ", "bytes follow"}));
}

}  // namespace
}  // namespace lipschitz
