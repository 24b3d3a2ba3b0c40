#include "lipschitz/data/idx.h"

#include <ATen/ATen.h>

#include <filesystem>
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
using testing::FailsWith;
using testing::Gzip;
using testing::IdxBytes;
using testing::NewFolder;
using testing::WriteData;

// The bytes of a header: type, dimensions.
std::string Header(int type, const std::vector<uint32_t>& sizes) {
  std::string bytes = {0, 0, static_cast<char>(type),
                       static_cast<char>(sizes.size())};
  for (const uint32_t size : sizes) {
    for (const int shift : {24, 16, 8, 0}) {
      bytes.push_back(static_cast<char>(size >> shift & 0xff));
    }
  }
  return bytes;
}

// ParseIdx fails, naming the file and `part`.
void ExpectError(const std::string& content, int64_t rank,
                 const std::string& part) {
  EXPECT_TRUE(FailsWith(ParseIdx("data/x.gz", content, rank),
                        StatusCode::kInvalidArgument, {"data/x.gz: ", part}));
}

// Two images of 2 x 3.
const char kPixels[] = "\x00\x01\x02\x7f\x80\xff\x10\x11\x12\x13\x14\x15";

std::string Images() { return Header(8, {2, 2, 3}) + std::string(kPixels, 12); }

TEST(Idx, ReadsBytesInFileOrder) {
  const auto images = ParseIdx("x", Images(), 3);
  ASSERT_TRUE(images.ok()) << images.status();
  EXPECT_EQ(images->sizes(), (std::vector<int64_t>{2, 2, 3}));
  EXPECT_EQ(images->scalar_type(), at::kByte);
  EXPECT_TRUE(at::equal(
      *images,
      at::tensor({0, 1, 2, 127, 128, 255, 16, 17, 18, 19, 20, 21}, at::kByte)
          .reshape({2, 2, 3})));
  const auto labels = ParseIdx("x", Header(8, {3}) + "\x05\x01\x09", 1);
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_TRUE(at::equal(*labels, at::tensor({5, 1, 9}, at::kByte)));
}

TEST(Idx, ReadsFilesRawAndGzip) {
  const std::string folder = NewFolder("idx");
  const at::Tensor expected = *ParseIdx("x", Images(), 3);
  // The name does not matter; browsers unpack a .gz without renaming it.
  WriteData(folder + "/raw.gz", Images());
  WriteData(folder + "/zipped", Gzip(Images()));
  for (const char* const name : {"/raw.gz", "/zipped"}) {
    const auto images = ReadIdx(folder + name, 3);
    ASSERT_TRUE(images.ok()) << images.status();
    EXPECT_TRUE(at::equal(*images, expected));
  }
}

TEST(Idx, GzipStreamsInARowAreOne) {
  const std::string bytes = Images();
  const auto images =
      ParseIdx("x", Gzip(bytes.substr(0, 9)) + Gzip(bytes.substr(9)), 3);
  ASSERT_TRUE(images.ok()) << images.status();
  EXPECT_TRUE(at::equal(*images, *ParseIdx("x", bytes, 3)));
}

TEST(Idx, ReadsSixtyThousandImages) {
  const auto random = testing::RandomImages(60000, 1, 28, 1);
  const at::Tensor expected = random.images.squeeze(1);
  for (const bool zipped : {false, true}) {
    const std::string raw = IdxBytes(expected);
    const auto images = ParseIdx("x", zipped ? Gzip(raw) : raw, 3);
    ASSERT_TRUE(images.ok()) << images.status();
    EXPECT_TRUE(at::equal(*images, expected));
  }
}

TEST(Idx, MissingFilesAndFolders) {
  const std::string folder = NewFolder("idx");
  EXPECT_TRUE(FailsWith(ReadIdx(folder + "/none", 3), StatusCode::kNotFound,
                        {folder + "/none", "No such file"}));
  EXPECT_TRUE(FailsWith(ReadIdx(folder, 3), StatusCode::kInvalidArgument,
                        {folder, "directory"}));
}

TEST(Idx, EmptyAndShortFiles) {
  ExpectError("", 3, "the file is empty");
  ExpectError(Gzip(""), 3, "cut off: the magic number takes 4 bytes");
  ExpectError(std::string("\0\0\x08", 3), 3, "there are 3");
  ExpectError(Images().substr(0, 11), 3, "cut off: the header takes 12");
}

// Every proper prefix, raw and of the gzip stream.
TEST(Idx, EveryTruncationIsAnError) {
  const std::string raw = Images();
  const std::string zipped = Gzip(raw);
  for (size_t size = 1; size < raw.size(); ++size) {
    ExpectError(raw.substr(0, size), 3, "cut off");
    ExpectError(Gzip(raw.substr(0, size)), 3, "cut off");
  }
  // Fewer than the two bytes of gzip's magic number are not seen as gzip.
  for (size_t size = 2; size < zipped.size(); ++size) {
    ExpectError(zipped.substr(0, size), 3,
                "the gzip stream is cut off after " + std::to_string(size));
  }
  ExpectError(raw.substr(0, 20), 3,
              "data of 2 x 2 x 3 takes 12 bytes, and there are 4");
}

TEST(Idx, TrailingBytes) {
  ExpectError(Images() + "x", 3, "bytes follow the data");
  ExpectError(Gzip(Images() + "x"), 3, "bytes follow the data");
  ExpectError(Gzip(Images()) + "xy", 3, "2 bytes follow the gzip stream");
  ExpectError(Gzip(Images()) + Gzip("x"), 3, "bytes follow the data");
}

TEST(Idx, DamagedGzipStreams) {
  const std::string zipped = Gzip(Images());
  std::string crc = zipped;
  crc[zipped.size() - 8] ^= 1;
  ExpectError(crc, 3, "damaged (incorrect data check)");
  std::string length = zipped;
  length[zipped.size() - 4] ^= 1;
  ExpectError(length, 3, "damaged (incorrect length check)");
  std::string method = zipped;
  method[2] = 7;
  ExpectError(method, 3, "damaged (unknown compression method)");
}

TEST(Idx, WrongMagicNumbers) {
  ExpectError("<!DOCTYPE html><html>", 3,
              "starts with 3c 21 44 4f (a web page");
  ExpectError(std::string("\0\x01\x08\x03", 4), 3, "starts with 00 01 08 03");
  ExpectError(Header(0x0d, {1}) + "abcd", 1, "type 0x0d");
  ExpectError(Header(8, {3}) + "abc", 3, "1 dimensions (labels), where 3");
  ExpectError(Images(), 1, "3 dimensions (images), where 1");
}

TEST(Idx, AbsurdDimensions) {
  ExpectError(Header(8, {0, 28, 28}), 3, "dimension 0 of its header is 0");
  ExpectError(Header(8, {2, 2, 0}) + "abcd", 3, "dimension 2");
  const uint32_t most = 0xffffffff;
  ExpectError(Header(8, {most, most, most}) + "abcd", 3,
              "4294967295 x 4294967295 x 4294967295 values");
  // 2^62 bytes: no overflow, and no attempt to have them.
  ExpectError(Header(8, {1u << 31, 1u << 31, 1}) + "abcd", 3,
              "takes 4611686018427387904 bytes, and there are 4");
  ExpectError(Gzip(Header(8, {1u << 31, 1u << 31, 1}) + "abcd"), 3,
              "takes 4611686018427387904 bytes, and there are 4");
}

}  // namespace
}  // namespace lipschitz
