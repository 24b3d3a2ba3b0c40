#include "lipschitz/base/status.h"

#include <ATen/ATen.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "tests/testing/status.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using lipschitz::testing::FailsWith;

TEST(FirstLine, CutsAtTheLineBreak) {
  EXPECT_EQ(FirstLine("one\ntwo\nthree"), "one");
  EXPECT_EQ(FirstLine("one"), "one");
  EXPECT_EQ(FirstLine(""), "");
  EXPECT_EQ(FirstLine("\ntwo"), "");
}

TEST(WithContext, KeepsTheCodeAndPrefixesTheMessage) {
  const absl::Status status =
      WithContext(absl::NotFoundError("no such file"), "layer 3");
  EXPECT_EQ(status, absl::NotFoundError("layer 3: no such file"));
}

TEST(WithContext, LeavesOkAlone) {
  EXPECT_TRUE(WithContext(absl::OkStatus(), "layer 3").ok());
}

TEST(CatchTorch, TurnsAnExceptionOfAVoidFunctionIntoAStatus) {
  bool called = false;
  const auto ok = CatchTorch("copy", [&] { called = true; });
  static_assert(std::is_same_v<decltype(ok), const absl::Status>);
  EXPECT_TRUE(ok.ok());
  EXPECT_TRUE(called);
  EXPECT_TRUE(FailsWith(
      CatchTorch("copy", [] { throw std::runtime_error("no space\ntrace"); }),
      StatusCode::kInternal, {"copy: no space"}));
}

TEST(CatchTorch, KeepsOnlyTheFirstLineOfTheException) {
  const absl::Status status =
      CatchTorch("copy", [] { throw std::runtime_error("no space\ntrace"); });
  EXPECT_EQ(status.message(), "copy: no space");
}

TEST(CatchTorch, ReturnsAValue) {
  const auto value = CatchTorch("count", [] { return 7; });
  static_assert(std::is_same_v<decltype(value), const absl::StatusOr<int>>);
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(*value, 7);
  const auto thrown =
      CatchTorch("count", []() -> int { throw std::out_of_range("too far"); });
  EXPECT_TRUE(FailsWith(thrown, StatusCode::kInternal, {"count: too far"}));
}

TEST(CatchTorch, MovesAValueThatCannotBeCopied) {
  auto value = CatchTorch("make", [] { return std::make_unique<int>(5); });
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(**value, 5);
}

TEST(CatchTorch, PassesAStatusThrough) {
  const auto status = CatchTorch(
      "check", []() -> absl::Status { return absl::NotFoundError("gone"); });
  static_assert(std::is_same_v<decltype(status), const absl::Status>);
  // The code and the message stay as they are.
  EXPECT_EQ(status, absl::NotFoundError("gone"));
  EXPECT_TRUE(CatchTorch("check", []() -> absl::Status {
                return absl::OkStatus();
              }).ok());
  EXPECT_TRUE(FailsWith(
      CatchTorch("check",
                 []() -> absl::Status { throw std::logic_error("broken"); }),
      StatusCode::kInternal, {"check: broken"}));
}

TEST(CatchTorch, PassesAStatusOrThroughUnnested) {
  const auto value =
      CatchTorch("read", []() -> absl::StatusOr<int> { return 3; });
  static_assert(std::is_same_v<decltype(value), const absl::StatusOr<int>>);
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(*value, 3);
  const auto failed = CatchTorch("read", []() -> absl::StatusOr<int> {
    return absl::UnavailableError("busy");
  });
  EXPECT_EQ(failed.status(), absl::UnavailableError("busy"));
  const auto thrown = CatchTorch("read", []() -> absl::StatusOr<int> {
    throw std::runtime_error("broken");
  });
  EXPECT_TRUE(FailsWith(thrown, StatusCode::kInternal, {"read: broken"}));
}

TEST(CatchTorch, CatchesWhatLibTorchThrows) {
  const auto product = CatchTorch("product", [] {
    return at::mm(at::ones({2, 3}), at::ones({4, 5}));
  });
  EXPECT_TRUE(
      FailsWith(product, StatusCode::kInternal, {"product: ", "2x3", "4x5"}));
  EXPECT_EQ(product.status().message().find('\n'), std::string::npos);
}

absl::StatusOr<int> Half(int value) {
  if (value % 2 != 0) return absl::InvalidArgumentError("odd");
  return value / 2;
}

absl::StatusOr<int> Quarter(int value) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const int half, Half(value));
  LIPSCHITZ_ASSIGN_OR_RETURN(int quarter, Half(half));
  return quarter;
}

TEST(AssignOrReturn, AssignsOrReturnsTheStatus) {
  ASSERT_TRUE(Quarter(12).ok());
  EXPECT_EQ(*Quarter(12), 3);
  EXPECT_EQ(Quarter(6).status(), absl::InvalidArgumentError("odd"));
}

absl::Status First(const absl::Status& a, const absl::Status& b, int* reached) {
  LIPSCHITZ_RETURN_IF_ERROR(a);
  *reached = 1;
  LIPSCHITZ_RETURN_IF_ERROR(b);
  *reached = 2;
  return absl::OkStatus();
}

TEST(ReturnIfError, ReturnsTheFirstErrorAndDoesNothingAfterIt) {
  int reached = 0;
  EXPECT_TRUE(First(absl::OkStatus(), absl::OkStatus(), &reached).ok());
  EXPECT_EQ(reached, 2);
  reached = 0;
  EXPECT_EQ(First(absl::AbortedError("a"), absl::InternalError("b"), &reached),
            absl::AbortedError("a"));
  EXPECT_EQ(reached, 0);
  EXPECT_EQ(First(absl::OkStatus(), absl::InternalError("b"), &reached),
            absl::InternalError("b"));
  EXPECT_EQ(reached, 1);
}

}  // namespace
}  // namespace lipschitz
