#include "lipschitz/base/sealed_file.h"

#include <zlib.h>

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace lipschitz {
namespace {

std::string FirstLineOf(const std::string& kind) {
  return absl::StrCat("lipschitz ", kind, " 1\n");
}

std::string SizeAndSum(const std::string& payload) {
  const uint64_t sum = crc32_z(
      0, reinterpret_cast<const Bytef*>(payload.data()), payload.size());
  return absl::StrCat(payload.size(), " ", sum);
}

}  // namespace

std::string Seal(const std::string& kind, const std::string& payload) {
  return absl::StrCat(FirstLineOf(kind), SizeAndSum(payload), "\n", payload);
}

absl::StatusOr<std::string> Unseal(const std::string& kind,
                                   const std::string& name,
                                   const std::string& content) {
  const std::string first = FirstLineOf(kind);
  if (content.compare(0, first.size(), first) != 0) {
    return absl::DataLossError(absl::StrCat("the file ", name, " is not a ",
                                            kind, " of this program"));
  }
  const auto damaged = [&](const std::string& how) {
    return absl::DataLossError(
        absl::StrCat("the ", kind, " ", name, " is damaged: ", how));
  };
  const size_t end = content.find('\n', first.size());
  if (end == std::string::npos) return damaged("its header is cut off");
  const std::string line = content.substr(first.size(), end - first.size());
  std::string payload = content.substr(end + 1);
  if (line == SizeAndSum(payload)) return payload;
  uint64_t size = 0;
  if (absl::SimpleAtoi(line.substr(0, line.find(' ')), &size) &&
      size != payload.size()) {
    return damaged(
        absl::StrCat(payload.size(), " bytes follow its header of ", size));
  }
  return damaged("its checksum is wrong");
}

}  // namespace lipschitz
