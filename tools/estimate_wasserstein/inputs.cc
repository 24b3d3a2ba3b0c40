#include "tools/estimate_wasserstein/inputs.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/byte_source.h"
#include "lipschitz/data/csv.h"
#include "lipschitz/data/npy.h"

namespace lipschitz::tools {
namespace {

// Of whole numbers; float64 holds all those up to it.
constexpr int64_t kLargestExact = int64_t{1} << 53;

bool IsNpy(const std::string& path, const std::string& content) {
  return absl::EndsWith(path, ".npy") || absl::EndsWith(path, ".npy.gz") ||
         absl::StartsWith(content, "\x93NUMPY");
}

absl::StatusOr<at::Tensor> SamplesOfArray(const std::string& path,
                                          at::Tensor array) {
  const auto error = [&](const std::string& message) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", message));
  };
  if (array.dim() == 1) array = array.unsqueeze(1);
  if (array.dim() != 2 || array.numel() == 0) {
    return error(
        absl::StrCat("samples are an array (n, d) or (n) with n and d "
                     "at least 1, this one has the shape (",
                     SizesText(array.sizes().vec()), ")"));
  }
  const at::Tensor values = array.to(at::kDouble);
  const auto error_where = [&](const at::Tensor& wrong,
                               const std::string& reason) {
    const at::Tensor place = wrong.nonzero()[0];
    const auto row = place[0].item<int64_t>();
    const auto column = place[1].item<int64_t>();
    return error(absl::StrCat("row ", row, ", column ", column, " (from 0): ",
                              values[row][column].item<double>(), reason));
  };
  const at::Tensor infinite = values.isfinite().logical_not();
  if (infinite.any().item<bool>()) {
    return error_where(infinite, " is not finite");
  }
  if (array.scalar_type() == at::kLong) {
    const at::Tensor inexact =
        (array > kLargestExact).logical_or(array < -kLargestExact);
    if (inexact.any().item<bool>()) {
      return error_where(inexact, " is beyond the whole numbers of float64");
    }
  }
  return values;
}

}  // namespace

absl::StatusOr<at::Tensor> ReadSamples(const std::string& path) {
  LIPSCHITZ_ASSIGN_OR_RETURN(std::string content, ReadFile(path));
  if (!IsNpy(path, content)) return ParseCsv(path, content);
  LIPSCHITZ_ASSIGN_OR_RETURN(const at::Tensor array,
                             ParseNpy(path, std::move(content)));
  return CatchTorch(path, [&] { return SamplesOfArray(path, array); });
}

absl::StatusOr<SamplePair> ReadSamplePair(const std::string& p,
                                          const std::string& q) {
  SamplePair pair;
  LIPSCHITZ_ASSIGN_OR_RETURN(pair.p, ReadSamples(p));
  LIPSCHITZ_ASSIGN_OR_RETURN(pair.q, ReadSamples(q));
  if (pair.p.size(1) != pair.q.size(1)) {
    return absl::InvalidArgumentError(
        absl::StrCat(q, ": its rows have ", pair.q.size(1),
                     " columns, those of ", p, " have ", pair.p.size(1)));
  }
  return pair;
}

}  // namespace lipschitz::tools
