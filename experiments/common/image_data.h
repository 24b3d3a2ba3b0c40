// The images that a classification experiment trains and tests on.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "experiments/common/settings.h"
#include "lipschitz/data/image_dataset.h"

namespace lipschitz::experiments {

// Loads settings.dataset from --data_dir, $LIPSCHITZ_DATA_DIR, data/ of the
// workspace or Debian's package. What is worth saying (which dataset `auto`
// chose, what is there in part) is in the dataset's notes. NotFound where
// --data_dir is no folder, and where none of the folders has the dataset.
absl::StatusOr<std::shared_ptr<const ImageDataset>> LoadImages(
    const CommonSettings& settings);

// (n, pixels) float32 in [0, 1].
at::Tensor FlatPixels(const LabelledImages& images);

// The first `count` images, or all of them when there are fewer or `count` is
// 0.
LabelledImages FirstImages(const LabelledImages& images, int64_t count);

}  // namespace lipschitz::experiments
