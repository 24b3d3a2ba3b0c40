#include "lipschitz/models/generator_config.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace lipschitz {
namespace {

// A product of three of these is far from overflow.
constexpr int64_t kLargestSize = int64_t{1} << 16;

}  // namespace

absl::Status GeneratorConfig::Validate() const {
  const std::pair<const char*, int64_t> sizes[] = {
      {"noise_dim", noise_dim},
      {"channels", channels},
      {"height", height},
      {"width", width},
      {"hidden", hidden},
      {"wide_channels", wide_channels},
      {"narrow_channels", narrow_channels}};
  for (const auto& [name, size] : sizes) {
    if (size >= 1 && size <= kLargestSize) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("generator: ", name, " must be in [1, ", kLargestSize,
                     "], got ", size));
  }
  if (height % 4 != 0 || width % 4 != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "generator: 4 must divide the height and width of its images, got ",
        height, " and ", width));
  }
  return absl::OkStatus();
}

}  // namespace lipschitz
