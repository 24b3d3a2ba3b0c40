// Every parser of data files on thousands of damaged inputs: each is either an
// error that names the file, or a result that agrees with the bytes; the memory
// is bounded by the input whatever its header claims.
#include <ATen/ATen.h>
#include <sys/resource.h>

#include <fstream>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "lipschitz/data/cifar10.h"
#include "lipschitz/data/csv.h"
#include "lipschitz/data/idx.h"
#include "lipschitz/data/npy.h"
#include "tests/testing/data_files.h"
#include "tests/testing/mutator.h"

namespace lipschitz {
namespace {

using testing::Gzip;
using testing::RandomImages;

constexpr int kMutations = 20000;
constexpr char kName[] = "data/file";

// While alive, this process may map no more than `bytes` beyond what it has:
// to take more ends the test.
class MemoryLimit {
 public:
  explicit MemoryLimit(rlim_t bytes) {
    getrlimit(RLIMIT_AS, &before_);
    rlim_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit limit = before_;
    limit.rlim_cur = pages * 4096 + bytes;
    EXPECT_GT(pages, 0);
    EXPECT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
  }
  ~MemoryLimit() { setrlimit(RLIMIT_AS, &before_); }

 private:
  rlimit before_;
};

// Runs `parse` on damages of `original`; it says by its own expectations
// whether a result agrees with its input. Returns how many inputs had a result.
int Fuzz(const std::string& original, uint64_t seed,
         const std::function<absl::Status(const std::string&)>& parse) {
  testing::Mutator mutate(seed);
  int accepted = 0;
  for (int i = 0; i < kMutations; ++i) {
    const std::string input = mutate(original);
    const absl::Status status = parse(input);
    accepted += status.ok();
    if (!status.ok() && std::string(status.message()).rfind(kName, 0) != 0) {
      ADD_FAILURE() << "mutation " << i << ": " << status;
      break;
    }
    if (::testing::Test::HasFailure()) {
      ADD_FAILURE() << "mutation " << i;
      break;
    }
  }
  return accepted;
}

// The data that a raw file of the tensor ends with.
std::string Data(const at::Tensor& tensor) {
  return std::string(static_cast<const char*>(tensor.data_ptr()),
                     tensor.nbytes());
}

void ExpectEndsWith(const std::string& input, const std::string& data) {
  ASSERT_GE(input.size(), data.size());
  EXPECT_TRUE(input.compare(input.size() - data.size(), data.size(), data) ==
              0);
}

TEST(Mutation, Idx) {
  const LabelledImages images = RandomImages(6, 1, 4, 1);
  const std::string raw = testing::IdxBytes(images.images.squeeze(1));
  const MemoryLimit limit(64 << 20);
  for (const int64_t rank : {1, 2, 3}) {
    const int accepted = Fuzz(raw, 10 + rank, [&](const std::string& input) {
      const auto result = ParseIdx(kName, input, rank);
      if (result.ok()) {
        EXPECT_EQ(result->dim(), rank);
        EXPECT_EQ(input.size(), 4 + 4 * rank + result->numel());
        ExpectEndsWith(input, Data(*result));
      }
      return result.status();
    });
    // Pixels may be anything.
    if (rank == 3) {
      EXPECT_GT(accepted, kMutations / 20);
    }
  }
}

TEST(Mutation, IdxInGzip) {
  const LabelledImages images = RandomImages(6, 1, 4, 1);
  const at::Tensor expected = images.images.squeeze(1);
  const MemoryLimit limit(64 << 20);
  const int accepted = Fuzz(Gzip(testing::IdxBytes(expected)), 20,
                            [&](const std::string& input) {
                              const auto result = ParseIdx(kName, input, 3);
                              // The stream's checksum lets no other content
                              // through.
                              if (result.ok()) {
                                EXPECT_TRUE(at::equal(*result, expected));
                              }
                              return result.status();
                            });
  // Times and names in a gzip header are not part of the content.
  EXPECT_GT(accepted, 0);
}

// A valid stream of a damaged file.
TEST(Mutation, GzipOfDamagedIdx) {
  const LabelledImages images = RandomImages(2, 1, 4, 1);
  const std::string raw = testing::IdxBytes(images.images.squeeze(1));
  const MemoryLimit limit(64 << 20);
  Fuzz(raw, 30, [&](const std::string& input) {
    const auto result = ParseIdx(kName, Gzip(input), 3);
    const auto plain = ParseIdx(kName, input, 3);
    EXPECT_EQ(result.ok(), plain.ok()) << result.status() << plain.status();
    if (result.ok() && plain.ok()) {
      EXPECT_TRUE(at::equal(*result, *plain));
    }
    return result.status();
  });
}

TEST(Mutation, Cifar10) {
  const std::string raw = testing::Cifar10Bytes(RandomImages(3, 3, 32, 2));
  const MemoryLimit limit(64 << 20);
  for (const std::string& original : {raw, Gzip(raw)}) {
    const bool zipped = original.size() != raw.size();
    const int accepted = Fuzz(original, 40, [&](const std::string& input) {
      const auto result = ParseCifar10(kName, input);
      if (result.ok()) {
        EXPECT_EQ(result->images.size(0), result->labels.size(0));
        EXPECT_LT(result->labels.max().item<int64_t>(), 10);
        EXPECT_GE(result->labels.min().item<int64_t>(), 0);
        EXPECT_TRUE(testing::Cifar10Bytes(*result) == (zipped ? raw : input));
      }
      return result.status();
    });
    EXPECT_GT(accepted, 0);
  }
}

TEST(Mutation, Npy) {
  const std::string header =
      "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }";
  std::string raw = "\x93NUMPY";
  raw += {1, 0, static_cast<char>(header.size() + 1), 0};
  raw += header + "\n" + Data(at::arange(12, at::kFloat));
  ASSERT_TRUE(ParseNpy(kName, raw).ok());
  const MemoryLimit limit(64 << 20);
  const int accepted = Fuzz(raw, 50, [&](const std::string& input) {
    const auto result = ParseNpy(kName, input);
    if (result.ok()) {
      EXPECT_TRUE(result->is_contiguous());
      EXPECT_LT(result->nbytes(), input.size());
      ExpectEndsWith(input, Data(*result));
    }
    return result.status();
  });
  EXPECT_GT(accepted, kMutations / 100);
  Fuzz(Gzip(raw), 60, [&](const std::string& input) {
    return ParseNpy(kName, input).status();
  });
}

TEST(Mutation, Csv) {
  const std::string text =
      "x,\"y, in m\"\r\n1.5,-2\r\n\"3e2\", 4\r\n0.25,+6.125\r\n";
  ASSERT_TRUE(ParseCsv(kName, text).ok());
  const MemoryLimit limit(64 << 20);
  const int accepted = Fuzz(text, 70, [&](const std::string& input) {
    const auto result = ParseCsv(kName, input);
    if (result.ok()) {
      EXPECT_EQ(result->dim(), 2);
      EXPECT_GT(result->numel(), 0);
      EXPECT_TRUE(result->isfinite().all().item<bool>());
      // A digit and a separator each, but for the last one.
      EXPECT_LE(2 * result->numel(), static_cast<int64_t>(input.size()) + 1);
    }
    return result.status();
  });
  EXPECT_GT(accepted, kMutations / 20);
}

// A gigabyte of zeros in five megabytes of gzip: no more of it is unzipped than
// the format can hold.
TEST(Mutation, ZerosWithoutEndAreNotUnzipped) {
  std::string zeros;
  const std::string part = Gzip(std::string(16 << 20, '\0'));
  for (int i = 0; i < 64; ++i) zeros += part;
  const MemoryLimit limit(768 << 20);
  EXPECT_FALSE(ParseIdx(kName, zeros, 3).ok());
  EXPECT_FALSE(ParseNpy(kName, zeros).ok());
  EXPECT_FALSE(ParseCifar10(kName, zeros).ok());
}

}  // namespace
}  // namespace lipschitz
