#include "lipschitz/base/sealed_file.h"

#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/testing/mutator.h"
#include "tests/testing/status.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using testing::FailsWith;

// CRC-32 of "123456789", the check value of its definition, is cbf43926.
// Files of this format are out there: it must not change.
TEST(SealedFile, HasTheFormatThatWasWrittenBefore) {
  EXPECT_EQ(Seal("checkpoint", "123456789"),
            "lipschitz checkpoint 1\n9 3421780262\n123456789");
  EXPECT_EQ(Seal("model", ""), "lipschitz model 1\n0 0\n");
}

TEST(SealedFile, GivesThePayloadBack) {
  for (const std::string& payload :
       {std::string(), std::string("\n"), std::string("a\0b\n\xff", 5),
        std::string(100000, 'x')}) {
    const auto unsealed = Unseal("model", "m.lip", Seal("model", payload));
    ASSERT_TRUE(unsealed.ok()) << unsealed.status();
    EXPECT_EQ(*unsealed, payload);
  }
}

TEST(SealedFile, OfAnotherKindIsAnError) {
  for (const std::string& content :
       {Seal("checkpoint", "abc"), std::string(), std::string("PK\x03\x04"),
        std::string("lipschitz model 2\n0 0\n")}) {
    EXPECT_TRUE(FailsWith(Unseal("model", "m.lip", content),
                          StatusCode::kDataLoss, {"m.lip", "not a model"}));
  }
}

TEST(SealedFile, DamageIsDescribed) {
  const std::string whole = Seal("model", "123456789");
  EXPECT_TRUE(FailsWith(Unseal("model", "m.lip", whole.substr(0, 19)),
                        StatusCode::kDataLoss, {"m.lip", "header"}));
  EXPECT_TRUE(
      FailsWith(Unseal("model", "m.lip", whole.substr(0, whole.size() - 2)),
                StatusCode::kDataLoss, {"m.lip", "7 bytes", "of 9"}));
  EXPECT_TRUE(FailsWith(Unseal("model", "m.lip", whole + "x"),
                        StatusCode::kDataLoss, {"m.lip", "10 bytes", "of 9"}));
  std::string flipped = whole;
  flipped.back() ^= 1;
  EXPECT_TRUE(FailsWith(Unseal("model", "m.lip", flipped),
                        StatusCode::kDataLoss, {"m.lip", "checksum"}));
}

TEST(SealedFile, EveryFlippedBitAndEveryCutIsFound) {
  const std::string whole = Seal("model", "some payload\nof two lines");
  for (size_t i = 0; i < whole.size(); ++i) {
    EXPECT_FALSE(Unseal("model", "m.lip", whole.substr(0, i)).ok()) << i;
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = whole;
      flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
      EXPECT_FALSE(Unseal("model", "m.lip", flipped).ok()) << i << " " << bit;
    }
  }
}

TEST(SealedFile, MutationsNeverGiveAnotherPayload) {
  const std::string whole = Seal("model", std::string(60, 'p'));
  testing::Mutator mutate(1);
  for (int i = 0; i < 20000; ++i) {
    const std::string mutated = mutate(whole);
    const auto unsealed = Unseal("model", "m.lip", mutated);
    if (unsealed.ok()) {
      ASSERT_EQ(mutated, whole);
    }
  }
}

}  // namespace
}  // namespace lipschitz
