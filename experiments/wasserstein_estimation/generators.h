// The generators whose images the distance is estimated for.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "lipschitz/data/image_dataset.h"
#include "lipschitz/data/random.h"
#include "lipschitz/models/generator.h"

namespace lipschitz::experiments {

struct NamedGenerator {
  // "wgan_gp", ..., or the file's name without its ending.
  std::string name;
  // Of the file's content; "untrained" for UntrainedGenerator.
  std::string digest;
  Generator generator{nullptr};
};

// Reads a generator of images that are as large as those of `data`. NotFound
// where there is no file, InvalidArgument for one that is no generator, is
// damaged, makes images of another size, or says that it was trained on another
// dataset; all name the file.
absl::StatusOr<NamedGenerator> ReadGenerator(const std::string& name,
                                             const std::string& path,
                                             const ImageDataset& data);

// A small generator with the weights that it would begin a training with,
// always the same: its images are nearly grey.
NamedGenerator UntrainedGenerator(const ImageDataset& data);

// n images, (n, pixels), float32 in [0, 1], from the noise that generators are
// trained with.
torch::Tensor GeneratedImages(const NamedGenerator& generator, int64_t n,
                              const RandomSource& random);

}  // namespace lipschitz::experiments
