#include "experiments/common/image_data.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "experiments/common/paths.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {

absl::StatusOr<std::shared_ptr<const ImageDataset>> LoadImages(
    const CommonSettings& settings) {
  // The other folders are there by habit and may be missing; this one was asked
  // for.
  std::error_code error;
  if (!settings.data_dir.empty() &&
      !std::filesystem::is_directory(settings.data_dir, error)) {
    return absl::NotFoundError(absl::StrCat(
        "--data_dir=", settings.data_dir, " is not a folder",
        error ? absl::StrCat(" (", error.message(), ")") : "",
        "; it is the folder that holds mnist/, fashion-mnist/ or cifar10/"));
  }
  DataSources sources;
  sources.data_dir = settings.data_dir;
  const char* const environment = std::getenv("LIPSCHITZ_DATA_DIR");
  if (environment != nullptr && *environment != '\0') {
    sources.environment = UserPath(environment);
  }
  sources.workspace = WorkspacePath(".");
  DataLookup lookup;
  lookup.directories = DataDirectories(sources);
  LIPSCHITZ_ASSIGN_OR_RETURN(ImageDataset dataset,
                             LoadDataset(settings.dataset, lookup));
  return std::make_shared<const ImageDataset>(std::move(dataset));
}

at::Tensor FlatPixels(const LabelledImages& images) {
  return UnitPixels(images.images).flatten(1);
}

LabelledImages FirstImages(const LabelledImages& images, int64_t count) {
  if (count <= 0 || count >= images.size()) return images;
  return images.Select(at::arange(count, at::kLong));
}

}  // namespace lipschitz::experiments
