// Shorthands for absl::Status, and the edge where LibTorch's exceptions become
// one.
#pragma once

#include <exception>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

// Returns from the enclosing function with the status when it is not ok.
#define LIPSCHITZ_RETURN_IF_ERROR(expression)              \
  do {                                                     \
    absl::Status lipschitz_status_ = (expression);         \
    if (!lipschitz_status_.ok()) return lipschitz_status_; \
  } while (false)

#define LIPSCHITZ_CONCATENATE_INNER_(a, b) a##b
#define LIPSCHITZ_CONCATENATE_(a, b) LIPSCHITZ_CONCATENATE_INNER_(a, b)

// LIPSCHITZ_ASSIGN_OR_RETURN(auto value, MakeValue()): assigns, or returns from
// the enclosing function with the status.
#define LIPSCHITZ_ASSIGN_OR_RETURN(lhs, expression) \
  LIPSCHITZ_ASSIGN_OR_RETURN_INNER_(                \
      LIPSCHITZ_CONCATENATE_(lipschitz_or_, __LINE__), lhs, expression)
#define LIPSCHITZ_ASSIGN_OR_RETURN_INNER_(or_value, lhs, expression) \
  auto or_value = (expression);                                      \
  if (!or_value.ok()) return or_value.status();                      \
  lhs = *std::move(or_value)

namespace lipschitz {

// The first line of an exception's text; LibTorch appends a stack trace.
std::string FirstLine(const std::string& text);

// `status` with "`context`: " before its message.
absl::Status WithContext(const absl::Status& status,
                         const std::string& context);

// Calls `function` and turns an exception that escapes it into an Internal
// error that starts with `what`. Returns a Status when `function` returns void
// or a Status, else a StatusOr of what it returns.
template <typename Function>
auto CatchTorch(const std::string& what, Function&& function) {
  using Result = std::invoke_result_t<Function>;
  if constexpr (std::is_void_v<Result>) {
    try {
      function();
      return absl::OkStatus();
    } catch (const std::exception& e) {
      return absl::InternalError(absl::StrCat(what, ": ", FirstLine(e.what())));
    }
  } else if constexpr (std::is_constructible_v<Result, absl::Status>) {
    try {
      return Result(function());
    } catch (const std::exception& e) {
      return Result(
          absl::InternalError(absl::StrCat(what, ": ", FirstLine(e.what()))));
    }
  } else {
    try {
      return absl::StatusOr<Result>(function());
    } catch (const std::exception& e) {
      return absl::StatusOr<Result>(
          absl::InternalError(absl::StrCat(what, ": ", FirstLine(e.what()))));
    }
  }
}

}  // namespace lipschitz
