// The generator of the paper's WGANs: from noise to images.
#pragma once

#include <ATen/core/Generator.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/models/generator_config.h"
#include "lipschitz/models/metadata.h"

namespace lipschitz {

// Two dense layers, to `hidden` and to wide_channels · height/4 · width/4, and
// two transposed convolutions, 4×4 with stride 2, to narrow_channels at half
// the size and to the image; batch normalisation and ReLU after all but the
// last, which tanh follows. (The layout of X. Chen et al., "InfoGAN", 2016.)
// Weights are drawn from N(0, 0.02²), biases are 0.
//
// In training mode every image depends, through batch normalisation, on the
// others of its batch: as a distribution, a generator is used in evaluation
// mode.
class GeneratorImpl : public torch::nn::Module {
 public:
  // A c10::Error for an invalid config.
  explicit GeneratorImpl(GeneratorConfig config);

  // (batch, noise_dim) → (batch, channels · height · width): flat images, in
  // [−1, 1]. A c10::Error for another shape.
  torch::Tensor forward(const torch::Tensor& z);

  void pretty_print(std::ostream& stream) const override;

  const GeneratorConfig& config() const { return config_; }

 private:
  GeneratorConfig config_;
  torch::nn::Linear linear1_{nullptr};
  torch::nn::Linear linear2_{nullptr};
  torch::nn::BatchNorm1d norm1_{nullptr};
  torch::nn::BatchNorm1d norm2_{nullptr};
  torch::nn::ConvTranspose2d deconv1_{nullptr};
  torch::nn::ConvTranspose2d deconv2_{nullptr};
  torch::nn::BatchNorm2d norm3_{nullptr};
};
TORCH_MODULE(Generator);

// What generators are trained with and sampled from: (n, noise_dim) standard
// normal numbers, float32 on the CPU, drawn from `random`.
torch::Tensor GeneratorNoise(const GeneratorConfig& config, int64_t n,
                             const at::Generator& random);

struct SavedGenerator {
  GeneratorConfig config;
  // On the CPU, in evaluation mode.
  Generator generator{nullptr};
  ModelMetadata metadata;
};

// Writes the generator as a sealed file of the kind "generator", whose third
// line describes it (lipschitz/models/tensor_file.h). The file is whole or as
// it was. `metadata` should name the dataset.
//
// InvalidArgument for a config that is not the generator's, and for parameters
// that are not finite.
absl::Status SaveGenerator(const std::string& path,
                           const GeneratorConfig& config, Generator& generator,
                           const ModelMetadata& metadata);

// The generator, whose images in evaluation are those of the one that was
// saved, bit for bit on the same machine. LibTorch's default generator of
// random numbers is left as it was.
//
// Every error names the file: NotFound; DataLoss where it is no generator or is
// damaged; FailedPrecondition where a later version wrote it; InvalidArgument
// for a content that makes no sense.
absl::StatusOr<SavedGenerator> LoadGenerator(const std::string& path);

// The same from the file's content; `name` is what errors call it.
absl::StatusOr<SavedGenerator> ParseGenerator(const std::string& name,
                                              const std::string& content);

}  // namespace lipschitz
