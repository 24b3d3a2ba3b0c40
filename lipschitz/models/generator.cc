#include "lipschitz/models/generator.h"

#include <ATen/ATen.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/evaluation_mode.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/status.h"
#include "lipschitz/models/network_json.h"
#include "lipschitz/models/tensor_file.h"

namespace lipschitz {
namespace {

constexpr char kKind[] = "generator";
constexpr double kInitialDeviation = 0.02;

torch::nn::ConvTranspose2dOptions Doubling(int64_t in, int64_t out) {
  return torch::nn::ConvTranspose2dOptions(in, out, /*kernel_size=*/4)
      .stride(2)
      .padding(1);
}

// Of the layers with the most entries, so that a description alone makes
// nothing large.
absl::Status CheckSizes(const GeneratorConfig& config,
                        const NamedTensors& tensors) {
  LIPSCHITZ_RETURN_IF_ERROR(ExpectShape(tensors, "linear1.weight",
                                        {config.hidden, config.noise_dim}));
  LIPSCHITZ_RETURN_IF_ERROR(ExpectShape(
      tensors, "linear2.weight",
      {config.wide_channels * (config.height / 4) * (config.width / 4),
       config.hidden}));
  LIPSCHITZ_RETURN_IF_ERROR(
      ExpectShape(tensors, "deconv1.weight",
                  {config.wide_channels, config.narrow_channels, 4, 4}));
  return ExpectShape(tensors, "deconv2.weight",
                     {config.narrow_channels, config.channels, 4, 4});
}

absl::StatusOr<Generator> Build(const GeneratorConfig& config,
                                const NamedTensors& tensors) {
  LIPSCHITZ_RETURN_IF_ERROR(config.Validate());
  LIPSCHITZ_RETURN_IF_ERROR(CheckSizes(config, tensors));
  const KeepGenerator keep;
  Generator generator(config);
  generator->to(tensors.begin()->second.scalar_type());
  LIPSCHITZ_RETURN_IF_ERROR(RestoreState(tensors, *generator));
  generator->eval();
  return generator;
}

absl::Status ExpectSameImages(Generator& generator, Generator& loaded) {
  const torch::NoGradGuard no_grad;
  const EvaluationMode evaluation(*generator);
  const int64_t dim = loaded->config().noise_dim;
  const torch::Tensor parameter = generator->parameters().front();
  const torch::Tensor z = at::arange(4 * dim, at::kDouble)
                              .cos()
                              .reshape({4, dim})
                              .to(parameter.scalar_type());
  if (SameOutputs(generator->forward(z.to(parameter.device())),
                  loaded->forward(z))) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "the generator does not compute what its config describes");
}

}  // namespace

GeneratorImpl::GeneratorImpl(GeneratorConfig config)
    : torch::nn::Module("generator"), config_(config) {
  const absl::Status valid = config_.Validate();
  TORCH_CHECK(valid.ok(), std::string(valid.message()));
  const int64_t wide =
      config_.wide_channels * (config_.height / 4) * (config_.width / 4);
  linear1_ = register_module(
      "linear1", torch::nn::Linear(config_.noise_dim, config_.hidden));
  norm1_ = register_module("norm1", torch::nn::BatchNorm1d(config_.hidden));
  linear2_ =
      register_module("linear2", torch::nn::Linear(config_.hidden, wide));
  norm2_ = register_module("norm2", torch::nn::BatchNorm1d(wide));
  deconv1_ = register_module(
      "deconv1", torch::nn::ConvTranspose2d(
                     Doubling(config_.wide_channels, config_.narrow_channels)));
  norm3_ =
      register_module("norm3", torch::nn::BatchNorm2d(config_.narrow_channels));
  deconv2_ = register_module(
      "deconv2", torch::nn::ConvTranspose2d(
                     Doubling(config_.narrow_channels, config_.channels)));
  const torch::NoGradGuard no_grad;
  for (torch::Tensor weight : {linear1_->weight, linear2_->weight,
                               deconv1_->weight, deconv2_->weight}) {
    weight.normal_(0.0, kInitialDeviation);
  }
  for (torch::Tensor bias :
       {linear1_->bias, linear2_->bias, deconv1_->bias, deconv2_->bias}) {
    bias.zero_();
  }
}

torch::Tensor GeneratorImpl::forward(const torch::Tensor& z) {
  TORCH_CHECK(z.dim() == 2 && z.size(1) == config_.noise_dim,
              "generator: the noise must have the shape (batch, ",
              config_.noise_dim, "), got ", z.sizes());
  torch::Tensor x = at::relu(norm1_->forward(linear1_->forward(z)));
  x = at::relu(norm2_->forward(linear2_->forward(x)));
  x = x.reshape({z.size(0), config_.wide_channels, config_.height / 4,
                 config_.width / 4});
  x = at::relu(norm3_->forward(deconv1_->forward(x)));
  return at::tanh(deconv2_->forward(x)).flatten(1);
}

void GeneratorImpl::pretty_print(std::ostream& stream) const {
  stream << "lipschitz::Generator(" << config_.noise_dim << " -> "
         << config_.channels << "x" << config_.height << "x" << config_.width
         << ")";
}

torch::Tensor GeneratorNoise(const GeneratorConfig& config, int64_t n,
                             const at::Generator& random) {
  return at::randn({n, config.noise_dim}, random,
                   at::TensorOptions(at::kFloat));
}

absl::Status SaveGenerator(const std::string& path,
                           const GeneratorConfig& config, Generator& generator,
                           const ModelMetadata& metadata) {
  const std::string what = absl::StrCat("cannot save the generator ", path);
  std::string content;
  LIPSCHITZ_RETURN_IF_ERROR(CatchTorch(what, [&] {
    TensorFile file;
    file.fields["config"] = GeneratorConfigToJson(config);
    file.metadata = metadata;
    file.tensors = StateOf(*generator);
    content = FormatTensorFile(kKind, file);
  }));
  auto loaded = ParseGenerator(path, content);
  if (!loaded.ok()) return WithContext(loaded.status(), "cannot save");
  LIPSCHITZ_RETURN_IF_ERROR(CatchTorch(what, [&] {
    return WithContext(ExpectSameImages(generator, loaded->generator), what);
  }));
  return WriteFileAtomically(path, content);
}

absl::StatusOr<SavedGenerator> LoadGenerator(const std::string& path) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::string content, ReadFile(path));
  return ParseGenerator(path, content);
}

absl::StatusOr<SavedGenerator> ParseGenerator(const std::string& name,
                                              const std::string& content) {
  LIPSCHITZ_ASSIGN_OR_RETURN(TensorFile file,
                             ParseTensorFile(kKind, name, content, {"config"}));
  const std::string what = absl::StrCat("the generator ", name);
  auto saved = CatchTorch(what, [&]() -> absl::StatusOr<SavedGenerator> {
    SavedGenerator read;
    LIPSCHITZ_ASSIGN_OR_RETURN(read.config,
                               GeneratorConfigFromJson(file.fields["config"]));
    LIPSCHITZ_ASSIGN_OR_RETURN(read.generator,
                               Build(read.config, file.tensors));
    read.metadata = std::move(file.metadata);
    return read;
  });
  if (!saved.ok() && !absl::IsInternal(saved.status())) {
    return WithContext(saved.status(), what);
  }
  return saved;
}

}  // namespace lipschitz
