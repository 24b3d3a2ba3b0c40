#include "lipschitz/models/conv_net.h"

#include <cmath>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"
#include "lipschitz/layers/convolution.h"
#include "lipschitz/layers/dropout.h"
#include "lipschitz/layers/image_shape.h"
#include "lipschitz/layers/linear.h"
#include "lipschitz/layers/pooling.h"

namespace lipschitz {
namespace {

// A product of three of these is far from overflow.
constexpr int64_t kLargestSize = int64_t{1} << 16;

// Every layer with parameters, with the sizes between them worked out.
struct Layers {
  std::vector<Conv2dConfig> convolutions;
  std::vector<LinearConfig> linear;
};

absl::Status CheckSize(const std::string& what, int64_t size) {
  if (size >= 1 && size <= kLargestSize) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("convolutional network: ", what, " must be in [1, ",
                   kLargestSize, "], got ", size));
}

// Of one stage, apart from what its layers find wrong.
absl::Status CheckStage(const std::string& name, const ConvStage& stage) {
  LIPSCHITZ_RETURN_IF_ERROR(
      CheckSize(absl::StrCat(name, ": channels"), stage.channels));
  LIPSCHITZ_RETURN_IF_ERROR(
      CheckSize(absl::StrCat(name, ": kernel"), stage.kernel));
  LIPSCHITZ_RETURN_IF_ERROR(
      CheckSize(absl::StrCat(name, ": stride"), stage.stride));
  if (stage.padding < 0 || stage.padding > kLargestSize) {
    return absl::InvalidArgumentError(absl::StrCat(
        "convolutional network: ", name, ": padding must be in [0, ",
        kLargestSize, "], got ", stage.padding));
  }
  return PoolWindows{stage.max_pool, stage.max_pool}.Validate(
      absl::StrCat(name, ": max_pool"));
}

absl::StatusOr<Layers> LayersOf(const ConvNetConfig& config) {
  const double scale =
      std::pow(config.lipschitz_constant,
               1.0 / static_cast<double>(config.stages.size() +
                                         config.hidden.size() + 1));
  LIPSCHITZ_RETURN_IF_ERROR(CheckSize("channels", config.channels));
  LIPSCHITZ_RETURN_IF_ERROR(CheckSize("height", config.height));
  LIPSCHITZ_RETURN_IF_ERROR(CheckSize("width", config.width));
  int64_t channels = config.channels;
  int64_t height = config.height;
  int64_t width = config.width;
  Layers layers;
  for (const ConvStage& stage : config.stages) {
    const std::string name =
        absl::StrCat("conv", layers.convolutions.size() + 1);
    LIPSCHITZ_RETURN_IF_ERROR(CheckStage(name, stage));
    Conv2dConfig conv;
    conv.name = name;
    conv.geometry.in_channels = channels;
    conv.geometry.out_channels = stage.channels;
    conv.geometry.kernel_height = stage.kernel;
    conv.geometry.kernel_width = stage.kernel;
    conv.geometry.stride = stage.stride;
    conv.geometry.padding_mode = stage.padding_mode;
    conv.geometry.padding = stage.padding;
    conv.geometry.input_height = height;
    conv.geometry.input_width = width;
    conv.bias = config.bias;
    conv.constraint = config.convolution;
    conv.scale = scale;
    LIPSCHITZ_RETURN_IF_ERROR(conv.Validate());
    height = conv.geometry.OutputHeight() / stage.max_pool;
    width = conv.geometry.OutputWidth() / stage.max_pool;
    if (height < 1 || width < 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          "convolutional network: ", name, " gives images of ",
          conv.geometry.OutputHeight(), "×", conv.geometry.OutputWidth(),
          ", smaller than its max_pool, ", stage.max_pool));
    }
    const auto next = config.activation.OutputWidth(stage.channels);
    if (!next.ok()) return WithContext(next.status(), name);
    channels = *next;
    layers.convolutions.push_back(std::move(conv));
  }
  int64_t features = channels * height * width;
  for (size_t i = 0; i <= config.hidden.size(); ++i) {
    LinearConfig linear;
    linear.name = absl::StrCat("linear", i + 1);
    linear.in_features = features;
    linear.out_features =
        i < config.hidden.size() ? config.hidden[i] : config.output_dim;
    linear.bias = config.bias;
    linear.constraint = config.dense;
    linear.scale = scale;
    LIPSCHITZ_RETURN_IF_ERROR(linear.Validate());
    if (i < config.hidden.size()) {
      const auto next = config.activation.OutputWidth(config.hidden[i]);
      if (!next.ok()) return WithContext(next.status(), linear.name);
      features = *next;
    }
    layers.linear.push_back(std::move(linear));
  }
  return layers;
}

ConvNetConfig ForImages(int64_t channels, int64_t height, int64_t width,
                        int64_t output_dim) {
  ConvNetConfig config;
  config.channels = channels;
  config.height = height;
  config.width = width;
  config.output_dim = output_dim;
  return config;
}

ConvStage Stage(int64_t channels, int64_t kernel, int64_t stride) {
  ConvStage stage;
  stage.channels = channels;
  stage.kernel = kernel;
  stage.stride = stride;
  return stage;
}

}  // namespace

absl::Status ConvNetConfig::Validate() const {
  if (!(lipschitz_constant > 0.0) || !std::isfinite(lipschitz_constant)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "convolutional network: lipschitz_constant must be positive, got ",
        lipschitz_constant));
  }
  LIPSCHITZ_RETURN_IF_ERROR(
      WithContext(ValidateDropout(dropout), "convolutional network"));
  return LayersOf(*this).status();
}

absl::StatusOr<double> ConvNetConfig::WeightCount() const {
  LIPSCHITZ_ASSIGN_OR_RETURN(const Layers layers, LayersOf(*this));
  double count = 0.0;
  for (const Conv2dConfig& conv : layers.convolutions) {
    const ConvolutionGeometry& g = conv.geometry;
    count += static_cast<double>(g.out_channels) *
             static_cast<double>(g.in_channels) *
             static_cast<double>(g.kernel_height) *
             static_cast<double>(g.kernel_width);
  }
  for (const LinearConfig& linear : layers.linear) {
    count += static_cast<double>(linear.in_features) *
             static_cast<double>(linear.out_features);
  }
  return count;
}

absl::StatusOr<Sequential> MakeConvNet(const ConvNetConfig& config) {
  LIPSCHITZ_RETURN_IF_ERROR(config.Validate());
  return CatchTorch(
      "convolutional network", [&]() -> absl::StatusOr<Sequential> {
        LIPSCHITZ_ASSIGN_OR_RETURN(const Layers layers, LayersOf(config));
        Sequential network("conv_net");
        int activations = 0;
        const auto add_activation = [&](int64_t dim) {
          network->push_back(
              absl::StrCat("activation", ++activations),
              std::make_shared<ActivationImpl>(config.activation, dim));
        };
        ToImageConfig image;
        image.channels = config.channels;
        image.height = config.height;
        image.width = config.width;
        network->push_back(image.name, std::make_shared<ToImageImpl>(image));
        for (size_t i = 0; i < layers.convolutions.size(); ++i) {
          const Conv2dConfig& conv = layers.convolutions[i];
          network->push_back(conv.name, std::make_shared<Conv2dImpl>(conv));
          const int64_t pool = config.stages[i].max_pool;
          if (pool > 1) {
            MaxPool2dConfig max_pool;
            max_pool.windows.kernel = max_pool.windows.stride = pool;
            max_pool.name = absl::StrCat("pool", i + 1);
            network->push_back(max_pool.name,
                               std::make_shared<MaxPool2dImpl>(max_pool));
          }
          add_activation(/*dim=*/1);
        }
        network->push_back("flatten", std::make_shared<FlattenImpl>());
        for (size_t i = 0; i < layers.linear.size(); ++i) {
          const LinearConfig& linear = layers.linear[i];
          network->push_back(linear.name, std::make_shared<LinearImpl>(linear));
          if (i + 1 == layers.linear.size()) break;
          add_activation(/*dim=*/-1);
          if (config.dropout > 0.0) {
            network->push_back(absl::StrCat("dropout", i + 1),
                               std::make_shared<DropoutImpl>(config.dropout));
          }
        }
        return network;
      });
}

ConvNetConfig LeNet(int64_t channels, int64_t height, int64_t width,
                    int64_t classes) {
  ConvNetConfig config = ForImages(channels, height, width, classes);
  config.stages = {Stage(10, 5, 1), Stage(20, 5, 1)};
  for (ConvStage& stage : config.stages) {
    stage.padding_mode = PaddingMode::kZero;
    stage.max_pool = 2;
  }
  config.hidden = {50};
  return config;
}

ConvNetConfig SmallConvNet(int64_t channels, int64_t height, int64_t width,
                           int64_t classes) {
  ConvNetConfig config = ForImages(channels, height, width, classes);
  config.stages = {Stage(16, 4, 2), Stage(32, 4, 2)};
  config.hidden = {100};
  return config;
}

ConvNetConfig LargeConvNet(int64_t channels, int64_t height, int64_t width,
                           int64_t classes) {
  ConvNetConfig config = ForImages(channels, height, width, classes);
  config.stages = {Stage(32, 3, 1), Stage(32, 4, 2), Stage(64, 3, 1),
                   Stage(64, 4, 2)};
  config.hidden = {512, 512};
  return config;
}

ConvNetConfig GanCritic(int64_t channels, int64_t height, int64_t width) {
  ConvNetConfig config = ForImages(channels, height, width, 1);
  config.stages = {Stage(64, 4, 2), Stage(128, 4, 2)};
  for (ConvStage& stage : config.stages) {
    stage.padding_mode = PaddingMode::kZero;
    stage.padding = 1;
  }
  config.hidden = {1024};
  return config;
}

}  // namespace lipschitz
