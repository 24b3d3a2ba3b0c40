// The content of a data file, read from front to back, gunzipped on the way
// where it is a gzip stream. Every error names the file.
#pragma once

#include <ATen/core/Tensor.h>
#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lipschitz {

// Memory follows the bytes that are really there (at most about three times as
// many), never a size that a header claims. Whether the content is gzip is
// seen from its first bytes, not from the file's name.
class ByteSource {
 public:
  // `name` is what the errors call it: the file's path.
  ByteSource(std::string name, std::string content);
  ~ByteSource();
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  // The next `size` bytes, fewer only where the data end. An error when the
  // file is empty or the gzip stream is cut off or damaged.
  absl::StatusOr<std::string> ReadAtMost(int64_t size);

  // The next `size` bytes. `what` they are is for the error when they are not
  // there: "the header".
  absl::StatusOr<std::string> Read(int64_t size, const std::string& what);

  // A contiguous tensor of the given sizes and type from the next bytes, which
  // are in this machine's byte order. A dimension may be 0.
  absl::StatusOr<at::Tensor> ReadTensor(const std::vector<int64_t>& sizes,
                                        at::ScalarType type);

  // An error unless everything was read; checks the gzip stream's CRC.
  absl::Status ExpectEnd();

  // InvalidArgument: "NAME: message".
  absl::Status Error(const std::string& message) const;

 private:
  absl::Status Inflate(std::string* output, int64_t size);

  const std::string name_;
  const std::string content_;
  size_t position_ = 0;  // of the next byte of content_
  bool gzip_ = false;
  bool inflating_ = false;  // stream_ has to be freed
  bool finished_ = false;   // the gzip stream ended, and its CRC was right
  z_stream stream_ = {};
};

// "60000 x 28 x 28".
std::string SizesText(const std::vector<int64_t>& sizes);

// Text of a file for an error: no more than a line of printable characters.
std::string Excerpt(const std::string& text);

// The first bytes in hexadecimal, for errors about a magic number, with a hint
// where they are those of a web page.
std::string FirstBytesText(const std::string& bytes);

}  // namespace lipschitz
