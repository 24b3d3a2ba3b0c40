#include "lipschitz/data/npy.h"

#include <ATen/ATen.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/base/files.h"
#include "tests/testing/data_files.h"
#include "tests/testing/status.h"
#include "tests/testing/subprocess.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using testing::FailsWith;

// A file around a header; the header's own size field has `size_bytes`.
std::string File(const std::string& header, const std::string& data,
                 int version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += {static_cast<char>(version), 0};
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) {
    bytes.push_back(static_cast<char>(header.size() >> 8 * i & 0xff));
  }
  return bytes + header + data;
}

std::string Header(const std::string& descr, const std::string& shape,
                   const std::string& fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran +
         ", 'shape': " + shape + ", }\n";
}

template <typename T>
std::string Bytes(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

void ExpectError(const std::string& content, const std::string& part) {
  EXPECT_TRUE(FailsWith(ParseNpy("x.npy", content),
                        StatusCode::kInvalidArgument, {"x.npy: ", part}));
}

// numpy.save("x.npy", numpy.array([[1.5, -2], [0, 3]], "<f4")), byte by byte.
TEST(Npy, ReadsAndWritesWhatNumpyWrites) {
  const std::string header =
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }";
  std::string golden = "\x93NUMPY";
  golden += {1, 0, 118, 0};
  golden += header + std::string(117 - header.size(), ' ') + "\n";
  golden += std::string("\0\0\xc0\x3f\0\0\0\xc0\0\0\0\0\0\0\x40\x40", 16);
  ASSERT_EQ(golden.size(), 128 + 16);
  const at::Tensor expected = at::tensor({1.5, -2.0, 0.0, 3.0}, at::kFloat);
  const auto read = ParseNpy("x", golden);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(at::equal(*read, expected.reshape({2, 2})));
  const std::string path = testing::NewFolder("npy") + "/x.npy";
  ASSERT_TRUE(WriteNpy(path, expected.reshape({2, 2})).ok());
  EXPECT_EQ(*ReadFile(path), golden);
}

TEST(Npy, WrittenTensorsComeBack) {
  const std::string folder = testing::NewFolder("npy");
  const std::vector<std::vector<int64_t>> shapes = {
      {}, {1}, {7}, {0}, {3, 0, 2}, {2, 3}, {2, 3, 4, 5}};
  for (const at::ScalarType type :
       {at::kFloat, at::kDouble, at::kHalf, at::kLong, at::kInt, at::kShort,
        at::kChar, at::kByte, at::kBool}) {
    for (const auto& shape : shapes) {
      const at::Tensor tensor = at::randn(shape).mul(10).abs().to(type);
      const std::string path = folder + "/x.npy";
      ASSERT_TRUE(WriteNpy(path, tensor).ok());
      EXPECT_EQ((ReadFile(path)->size() - tensor.nbytes()) % 64, 0);
      const auto read = ReadNpy(path);
      ASSERT_TRUE(read.ok()) << read.status();
      EXPECT_EQ(read->scalar_type(), type);
      EXPECT_EQ(read->sizes(), tensor.sizes());
      EXPECT_TRUE(at::equal(*read, tensor));
    }
  }
}

TEST(Npy, WritesValuesNotStorage) {
  const std::string path = testing::NewFolder("npy") + "/a/x.npy";
  const at::Tensor tensor = at::randn({4, 6}).t().slice(0, 1, 5, 2);
  ASSERT_TRUE(WriteNpy(path, tensor.requires_grad_(true)).ok());
  EXPECT_TRUE(at::equal(*ReadNpy(path), tensor));
}

TEST(Npy, WhatCannotBeWrittenIsAnErrorAndNoFile) {
  const std::string folder = testing::NewFolder("npy");
  EXPECT_TRUE(FailsWith(
      WriteNpy(folder + "/x.npy", at::zeros({2}, at::kComplexFloat)),
      StatusCode::kInvalidArgument, {folder + "/x.npy", "ComplexFloat"}));
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  EXPECT_FALSE(WriteNpy("/proc/nope/x.npy", at::zeros({2})).ok());
}

TEST(Npy, ReadsEveryVersionAndSpelling) {
  const std::string data = Bytes<int64_t>({1, -2, 3});
  const at::Tensor expected = at::tensor({1, -2, 3}, at::kLong);
  for (const std::string& content :
       {File(Header("<i8", "(3,)"), data, 1),
        File(Header("<i8", "(3,)"), data, 2),
        File(Header("<i8", "(3,)"), data, 3), File(Header("=i8", "(3,)"), data),
        File(Header("<i8", "(3L,)"), data),
        File("{\"shape\":(3,),\"fortran_order\":False,\"descr\":\"<i8\"}",
             data),
        testing::Gzip(File(Header("<i8", "(3,)"), data))}) {
    const auto read = ParseNpy("x", content);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_TRUE(at::equal(*read, expected));
  }
}

TEST(Npy, FortranOrderIsTurnedIntoCOrder) {
  // [[1, 2, 3], [4, 5, 6]] column by column.
  const auto read = ParseNpy("x", File(Header("<f8", "(2, 3)", "True"),
                                       Bytes<double>({1, 4, 2, 5, 3, 6})));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->is_contiguous());
  EXPECT_TRUE(at::equal(*read, at::arange(1, 7, at::kDouble).reshape({2, 3})));
}

TEST(Npy, OtherFilesAndTypesSayHowToSaveThem) {
  ExpectError("", "empty");
  ExpectError("PK\x03\x04 and so on", "numpy.save");
  ExpectError("<html></html>", "web page");
  ExpectError("1.0,2.0\n3.0", "not an .npy file: it starts with 31 2e 30 2c");
  ExpectError(File(Header(">f4", "(1,)"), "abcd"), "big-endian");
  ExpectError(File(Header(">f4", "(1,)"), "abcd"), ".astype('<f4')");
  ExpectError(File(Header("|O", "(1,)"), "abcd"), "'|O'");
  ExpectError(File(Header("<u4", "(1,)"), "abcd"), "'<u4'");
  ExpectError(File(Header("<U3", "(1,)"), "abcd"), "'<U3'");
  ExpectError(File(Header("<c8", "(1,)"), "abcdefgh"), "'<c8'");
  ExpectError(File(Header("", "(1,)"), "abcd"), "type ''");
  ExpectError(File("{'descr': [('a', '<f4')], 'fortran_order': False, "
                   "'shape': (1,), }",
                   "abcd"),
              "named fields");
  ExpectError(File(Header("|b1", "(2,)"), "\x01\x02"), "neither 0 nor 1");
  ExpectError(File(Header("<f4", "(1,)"), "abcd", 4), "version 4");
}

TEST(Npy, EveryTruncationIsAnError) {
  const std::string whole =
      File(Header("<f4", "(2, 3)"), Bytes<float>({1, 2, 3, 4, 5, 6}));
  ASSERT_TRUE(ParseNpy("x", whole).ok());
  for (size_t size = 1; size < whole.size(); ++size) {
    ExpectError(whole.substr(0, size), "cut off");
  }
  ExpectError(whole + "x", "bytes follow the data");
  ExpectError(whole.substr(0, whole.size() - 5),
              "data of 2 x 3 takes 24 bytes, and there are 19");
}

TEST(Npy, DamagedHeaders) {
  for (const std::string& header : std::vector<std::string>{
           "", "{}", "{'descr': '<f4', 'fortran_order': False}",
           "{'descr': '<f4', 'shape': (1,), 'fortran_order': Maybe}",
           "{'descr': '<f4, 'shape': (1,), 'fortran_order': False}",
           "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'a': 'b'}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x",
           "{'descr': '<f4' 'fortran_order': False 'shape': (1,)}",
           Header("<f4", "(1)"), Header("<f4", "1"), Header("<f4", "(-1,)"),
           Header("<f4", "(1.0,)"), Header("<f4", "(1, 2"),
           Header("<f4", "(,)"), Header("<f4", "(1 2)"),
           Header("<f4", "(99999999999999999999,)")}) {
    ExpectError(File(header, "abcd"), "header is damaged");
  }
  std::string dimensions = "(";
  for (int i = 0; i < 65; ++i) dimensions += "1, ";
  ExpectError(File(Header("<f4", dimensions + ")"), "abcd"), "damaged");
}

TEST(Npy, AbsurdSizes) {
  ExpectError(File(Header("<f4", "(4611686018427387904,)"), "abcd"),
              "claims to hold 4611686018427387904 values");
  ExpectError(File(Header("<f4", "(4294967296, 4294967296)"), "abcd"),
              "claims to hold");
  // Nothing is there, but its strides do not fit into 64 bits.
  ExpectError(File(Header("<f4", "(0, 4294967296, 4294967296)"), ""),
              "claims to hold");
  ExpectError(File(Header("<f4", "(1000000000000,)"), "abcd"),
              "takes 4000000000000 bytes, and there are 4");
  ExpectError(File(std::string(70000, ' '), "", 2), "a header of 70000 bytes");
}

}  // namespace
}  // namespace lipschitz
