#include "lipschitz/data/cifar10.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/byte_source.h"

namespace lipschitz {
namespace {

constexpr int64_t kPixels = 3 * 32 * 32;
constexpr int64_t kRecord = 1 + kPixels;
// All of CIFAR-10: a bound on what a damaged gzip stream may grow to.
constexpr int64_t kMostRecords = 60000;
constexpr int kClasses = 10;

LabelledImages FromRecords(const std::string& bytes) {
  const auto records = static_cast<int64_t>(bytes.size()) / kRecord;
  LabelledImages result;
  result.images = at::empty({records, 3, 32, 32}, at::kByte);
  result.labels = at::empty({records}, at::kLong);
  auto* pixels = result.images.data_ptr<uint8_t>();
  auto* labels = result.labels.data_ptr<int64_t>();
  const char* record = bytes.data();
  for (int64_t i = 0; i < records; ++i) {
    labels[i] = static_cast<uint8_t>(record[0]);
    std::memcpy(pixels, record + 1, kPixels);
    pixels += kPixels;
    record += kRecord;
  }
  return result;
}

}  // namespace

absl::StatusOr<LabelledImages> ParseCifar10(const std::string& name,
                                            std::string content) {
  ByteSource source(name, std::move(content));
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::string bytes,
                             source.ReadAtMost(kMostRecords * kRecord));
  LIPSCHITZ_RETURN_IF_ERROR(source.ExpectEnd());
  const auto size = static_cast<int64_t>(bytes.size());
  // Labels first: in a file of another kind they say more than its size.
  for (int64_t i = 0; i * kRecord < size; ++i) {
    const int label =
        static_cast<uint8_t>(bytes[static_cast<size_t>(i * kRecord)]);
    if (label >= kClasses) {
      return source.Error(absl::StrCat(
          "record ", i, " has the label ", label, ", and CIFAR-10 has classes ",
          "0 to 9; it is not a CIFAR-10 batch, or it is damaged"));
    }
  }
  if (size == 0 || size % kRecord != 0) {
    return source.Error(absl::StrCat("it is cut off in record ", size / kRecord,
                                     ": ", size, " bytes are no multiple of ",
                                     kRecord, "; get the file again"));
  }
  return CatchTorch(name, [&] { return FromRecords(bytes); });
}

absl::StatusOr<LabelledImages> ReadCifar10(const std::string& path) {
  LIPSCHITZ_ASSIGN_OR_RETURN(std::string content, ReadFile(path));
  return ParseCifar10(path, std::move(content));
}

}  // namespace lipschitz
