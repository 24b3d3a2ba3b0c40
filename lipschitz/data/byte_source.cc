#include "lipschitz/data/byte_source.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lipschitz/base/status.h"

namespace lipschitz {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "tensors are read as little-endian bytes");

constexpr char kAgain[] = "; get the file again";
// Output of one call of inflate() while little has been read.
constexpr int64_t kFirstChunk = 1 << 16;
// zlib counts in 32 bits.
constexpr int64_t kLargestChunk = 1 << 30;

bool StartsAsGzip(const std::string& content, size_t position) {
  return content.compare(position, 2, "\x1f\x8b") == 0;
}

}  // namespace

ByteSource::ByteSource(std::string name, std::string content)
    : name_(std::move(name)),
      content_(std::move(content)),
      gzip_(StartsAsGzip(content_, 0)) {
  // 16: a gzip header and trailer around the deflated data.
  if (gzip_) inflating_ = inflateInit2(&stream_, MAX_WBITS + 16) == Z_OK;
}

ByteSource::~ByteSource() {
  if (inflating_) inflateEnd(&stream_);
}

absl::Status ByteSource::Error(const std::string& message) const {
  return absl::InvalidArgumentError(absl::StrCat(name_, ": ", message));
}

absl::StatusOr<std::string> ByteSource::ReadAtMost(int64_t size) {
  if (content_.empty()) return Error(absl::StrCat("the file is empty", kAgain));
  std::string output;
  if (gzip_) {
    LIPSCHITZ_RETURN_IF_ERROR(Inflate(&output, size));
  } else {
    output = content_.substr(position_, static_cast<size_t>(size));
    position_ += output.size();
  }
  return output;
}

absl::Status ByteSource::Inflate(std::string* output, int64_t size) {
  if (!inflating_) {
    return absl::ResourceExhaustedError(
        absl::StrCat(name_, ": no memory to gunzip it"));
  }
  int64_t read = 0;
  while (read < size && !finished_) {
    const int64_t room =
        std::min({size - read, std::max(read, kFirstChunk), kLargestChunk});
    const size_t available = std::min<size_t>(content_.size() - position_,
                                              static_cast<size_t>(1) << 30);
    output->resize(static_cast<size_t>(read + room));
    stream_.next_out = reinterpret_cast<Bytef*>(&(*output)[read]);
    stream_.avail_out = static_cast<uInt>(room);
    stream_.next_in = reinterpret_cast<Bytef*>(
        const_cast<char*>(content_.data() + position_));
    stream_.avail_in = static_cast<uInt>(available);
    const int code = inflate(&stream_, Z_NO_FLUSH);
    position_ += available - stream_.avail_in;
    read += room - stream_.avail_out;
    if (code == Z_STREAM_END) {
      // More streams may follow, as with gzip(1).
      if (position_ == content_.size()) {
        finished_ = true;
      } else if (!StartsAsGzip(content_, position_)) {
        return Error(absl::StrCat(content_.size() - position_,
                                  " bytes follow the gzip stream", kAgain));
      } else {
        inflateReset(&stream_);
      }
    } else if (code == Z_BUF_ERROR ||
               (code == Z_OK && position_ == content_.size() &&
                stream_.avail_out > 0)) {
      return Error(absl::StrCat("the gzip stream is cut off after ",
                                content_.size(), " bytes", kAgain));
    } else if (code != Z_OK) {
      return Error(absl::StrCat(
          "the gzip stream is damaged (",
          stream_.msg != nullptr ? stream_.msg : zError(code), ")", kAgain));
    }
  }
  output->resize(static_cast<size_t>(read));
  return absl::OkStatus();
}

absl::StatusOr<std::string> ByteSource::Read(int64_t size,
                                             const std::string& what) {
  LIPSCHITZ_ASSIGN_OR_RETURN(std::string bytes, ReadAtMost(size));
  if (static_cast<int64_t>(bytes.size()) < size) {
    return Error(absl::StrCat("it is cut off: ", what, " takes ", size,
                              " bytes, and there are ", bytes.size(), kAgain));
  }
  return bytes;
}

absl::StatusOr<at::Tensor> ByteSource::ReadTensor(
    const std::vector<int64_t>& sizes, at::ScalarType type) {
  const int64_t item = static_cast<int64_t>(at::elementSize(type));
  // Strides are products of sizes, too, also where a size of 0 leaves no data.
  int64_t most = std::numeric_limits<int64_t>::max() / item;
  int64_t count = 1;
  for (const int64_t size : sizes) {
    if (size < 0 || size > most) {
      return Error(absl::StrCat("it claims to hold ", SizesText(sizes),
                                " values, which no file does", kAgain));
    }
    most /= std::max<int64_t>(size, 1);
    count *= size;
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const std::string bytes,
      Read(count * item, absl::StrCat("data of ", SizesText(sizes))));
  return CatchTorch(name_, [&] {
    at::Tensor tensor = at::empty(sizes, type);
    if (!bytes.empty()) {
      std::memcpy(tensor.data_ptr(), bytes.data(), bytes.size());
    }
    return tensor;
  });
}

absl::Status ByteSource::ExpectEnd() {
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::string more, ReadAtMost(1));
  if (more.empty()) return absl::OkStatus();
  return Error(absl::StrCat("bytes follow the data", kAgain));
}

std::string SizesText(const std::vector<int64_t>& sizes) {
  return absl::StrJoin(sizes, " x ");
}

std::string Excerpt(const std::string& text) {
  std::string excerpt = text.substr(0, 80);
  std::replace_if(
      excerpt.begin(), excerpt.end(), [](char c) { return c < 32 || c > 126; },
      '?');
  return excerpt;
}

std::string FirstBytesText(const std::string& bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size() && i < 4; ++i) {
    absl::StrAppend(&text, i == 0 ? "" : " ",
                    absl::Hex(static_cast<uint8_t>(bytes[i]), absl::kZeroPad2));
  }
  if (!bytes.empty() && bytes[0] == '<') {
    text += " (a web page in its place?)";
  }
  return text;
}

}  // namespace lipschitz
