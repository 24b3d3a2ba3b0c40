#include "experiments/common/image_grid.h"

#include <ATen/ATen.h>
#include <zlib.h>

#include <sstream>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

constexpr int64_t kGap = 2;  // pixels

// Four bytes, the highest first.
std::string BigEndian(uint32_t value) {
  std::string bytes;
  for (const int shift : {24, 16, 8, 0}) {
    bytes.push_back(static_cast<char>((value >> shift) & 0xff));
  }
  return bytes;
}

// A chunk of a PNG file: its size, its type and content, and their CRC-32.
std::string Chunk(const std::string& type, const std::string& content) {
  const std::string body = type + content;
  const uLong crc = crc32(0, reinterpret_cast<const Bytef*>(body.data()),
                          static_cast<uInt>(body.size()));
  return absl::StrCat(BigEndian(static_cast<uint32_t>(content.size())), body,
                      BigEndian(static_cast<uint32_t>(crc)));
}

}  // namespace

// "Portable Network Graphics (PNG) Specification", second edition (2003).
absl::StatusOr<std::string> EncodePng(const at::Tensor& image) {
  const bool fits = image.dim() == 3 && image.scalar_type() == at::kByte &&
                    (image.size(0) == 1 || image.size(0) == 3) &&
                    image.numel() > 0;
  if (!fits) {
    std::ostringstream shape;
    shape << image.sizes();
    return absl::InvalidArgumentError(
        absl::StrCat("a picture must be uint8 and (1 or 3, height, width), got "
                     "the shape ",
                     shape.str()));
  }
  const int64_t height = image.size(1);
  const int64_t width = image.size(2);
  // Every row begins with a byte that names its filter; 0: none.
  const at::Tensor rows =
      at::cat({at::zeros({height, 1}, at::kByte),
               image.permute({1, 2, 0}).reshape({height, -1})},
              /*dim=*/1)
          .contiguous();
  uLongf size = compressBound(static_cast<uLong>(rows.numel()));
  std::string compressed(size, '\0');
  const int result = compress2(
      reinterpret_cast<Bytef*>(&compressed[0]), &size, rows.data_ptr<uint8_t>(),
      static_cast<uLong>(rows.numel()), Z_BEST_COMPRESSION);
  if (result != Z_OK) {
    return absl::InternalError(
        absl::StrCat("zlib cannot compress a picture: error ", result));
  }
  compressed.resize(size);
  // 8 bits a channel; grey, or red, green and blue; no interlacing.
  const char colour = image.size(0) == 1 ? 0 : 2;
  const std::string header =
      absl::StrCat(BigEndian(static_cast<uint32_t>(width)),
                   BigEndian(static_cast<uint32_t>(height)),
                   std::string({8, colour, 0, 0, 0}));
  return absl::StrCat("\x89PNG\r\n\x1a\n", Chunk("IHDR", header),
                      Chunk("IDAT", compressed), Chunk("IEND", ""));
}

at::Tensor ImageGrid(const at::Tensor& images, int64_t columns) {
  const int64_t n = images.size(0);
  const int64_t height = images.size(2);
  const int64_t width = images.size(3);
  const int64_t rows = (n + columns - 1) / columns;
  at::Tensor grid = at::zeros({images.size(1), rows * (height + kGap) - kGap,
                               columns * (width + kGap) - kGap},
                              images.options());
  for (int64_t i = 0; i < n; ++i) {
    grid.narrow(1, i / columns * (height + kGap), height)
        .narrow(2, i % columns * (width + kGap), width)
        .copy_(images[i]);
  }
  return grid;
}

absl::Status WriteImageGrid(const std::string& path, const at::Tensor& images,
                            const GridShape& shape) {
  return CatchTorch(absl::StrCat("cannot draw ", path), [&]() -> absl::Status {
    const at::Tensor bytes =
        ((images.detach().cpu().to(at::kDouble) + 1.0) * 127.5)
            .round()
            .clamp(0.0, 255.0)
            .to(at::kByte)
            .reshape(
                {images.size(0), shape.channels, shape.height, shape.width});
    LIPSCHITZ_ASSIGN_OR_RETURN(const std::string png,
                               EncodePng(ImageGrid(bytes, shape.columns)));
    return WriteFileAtomically(path, png);
  });
}

}  // namespace lipschitz::experiments
