#include "experiments/wasserstein_estimation/generators.h"

#include <torch/utils.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "experiments/common/experiment.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

// Images are made so many at a time.
constexpr int64_t kPart = 1000;

constexpr uint64_t kUntrainedSeed = 1;

std::string Size(int64_t channels, int64_t height, int64_t width) {
  return absl::StrCat(channels, "×", height, "×", width);
}

}  // namespace

absl::StatusOr<NamedGenerator> ReadGenerator(const std::string& name,
                                             const std::string& path,
                                             const ImageDataset& data) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::string content, ReadFile(path));
  auto saved = ParseGenerator(path, content);
  if (!saved.ok()) {
    // Whatever is wrong with it, it is what the user gave.
    return absl::InvalidArgumentError(saved.status().message());
  }
  const GeneratorConfig& config = saved->config;
  if (config.channels != data.channels() || config.height != data.height() ||
      config.width != data.width()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": the generator makes images of ",
                     Size(config.channels, config.height, config.width),
                     ", those of ", data.name, " are ",
                     Size(data.channels(), data.height(), data.width())));
  }
  const auto trained_on = saved->metadata.find("dataset");
  if (trained_on != saved->metadata.end() && trained_on->second != data.name) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": the generator was trained on ", trained_on->second,
        ", the images to compare with are ", data.name,
        "'s: --dataset=", trained_on->second, " fits, or another generator"));
  }
  NamedGenerator named;
  named.name = name;
  named.digest = Digest(content);
  named.generator = std::move(saved->generator);
  return named;
}

NamedGenerator UntrainedGenerator(const ImageDataset& data) {
  GeneratorConfig config;
  config.channels = data.channels();
  config.height = data.height();
  config.width = data.width();
  config.hidden = 32;
  config.wide_channels = 8;
  config.narrow_channels = 4;
  torch::manual_seed(kUntrainedSeed);
  NamedGenerator named;
  named.name = named.digest = "untrained";
  named.generator = Generator(config);
  named.generator->eval();
  return named;
}

torch::Tensor GeneratedImages(const NamedGenerator& generator, int64_t n,
                              const RandomSource& random) {
  const torch::NoGradGuard no_grad;
  Generator module = generator.generator;
  std::vector<torch::Tensor> parts;
  for (int64_t made = 0; made < n; made += kPart) {
    const torch::Tensor noise = GeneratorNoise(
        module->config(), std::min(kPart, n - made), random.generator());
    parts.push_back((module->forward(noise) + 1.0) / 2.0);
  }
  return torch::cat(parts);
}

}  // namespace lipschitz::experiments
