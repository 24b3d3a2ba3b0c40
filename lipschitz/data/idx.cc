#include "lipschitz/data/idx.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/byte_source.h"

namespace lipschitz {
namespace {

constexpr int kUnsignedByte = 0x08;

int64_t BigEndian32(const std::string& bytes, size_t position) {
  int64_t value = 0;
  for (size_t i = 0; i < 4; ++i) {
    value = value << 8 | static_cast<uint8_t>(bytes[position + i]);
  }
  return value;
}

std::string Meaning(int64_t rank) {
  return rank == 1 ? " (labels)" : rank == 3 ? " (images)" : "";
}

}  // namespace

absl::StatusOr<at::Tensor> ParseIdx(const std::string& name,
                                    std::string content, int64_t rank) {
  ByteSource source(name, std::move(content));
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::string magic,
                             source.Read(4, "the magic number"));
  if (magic[0] != 0 || magic[1] != 0) {
    return source.Error(absl::StrCat(
        "it is not an IDX file: it starts with ", FirstBytesText(magic),
        ", not with 00 00 08; get the file again"));
  }
  if (magic[2] != kUnsignedByte) {
    return source.Error(
        absl::StrCat("its values have the IDX type 0x",
                     absl::Hex(static_cast<uint8_t>(magic[2]), absl::kZeroPad2),
                     ", and only unsigned bytes (0x08) are supported"));
  }
  const int64_t dimensions = static_cast<uint8_t>(magic[3]);
  if (dimensions != rank) {
    return source.Error(
        absl::StrCat("it has ", dimensions, " dimensions", Meaning(dimensions),
                     ", where ", rank, Meaning(rank),
                     " are expected; is it another file under this name?"));
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::string header,
                             source.Read(4 * rank, "the header"));
  std::vector<int64_t> sizes;
  for (int64_t i = 0; i < rank; ++i) {
    sizes.push_back(BigEndian32(header, static_cast<size_t>(4 * i)));
    if (sizes.back() == 0) {
      return source.Error(absl::StrCat("it holds no data: dimension ", i,
                                       " of its header is 0"));
    }
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(at::Tensor values,
                             source.ReadTensor(sizes, at::kByte));
  LIPSCHITZ_RETURN_IF_ERROR(source.ExpectEnd());
  return values;
}

absl::StatusOr<at::Tensor> ReadIdx(const std::string& path, int64_t rank) {
  LIPSCHITZ_ASSIGN_OR_RETURN(std::string content, ReadFile(path));
  return ParseIdx(path, std::move(content), rank);
}

}  // namespace lipschitz
