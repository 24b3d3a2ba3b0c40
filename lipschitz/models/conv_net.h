// Convolutional networks for images: convolutions, then dense layers.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/convolution_constraint.h"
#include "lipschitz/layers/sequential.h"
#include "lipschitz/linalg/convolution.h"

namespace lipschitz {

// A convolution, the largest of every max_pool × max_pool pixels (1: of none),
// and the activation over channels.
struct ConvStage {
  int64_t channels = 0;  // before the activation
  int64_t kernel = 3;    // height and width
  int64_t stride = 1;
  PaddingMode padding_mode = PaddingMode::kCircular;
  int64_t padding = 0;
  int64_t max_pool = 1;
};

struct ConvNetConfig {
  // Of the images.
  int64_t channels = 0;
  int64_t height = 0;
  int64_t width = 0;

  std::vector<ConvStage> stages;
  // Widths of the hidden dense layers after them, before their activations; may
  // be empty.
  std::vector<int64_t> hidden;
  int64_t output_dim = 1;

  // After every stage and every hidden layer.
  ActivationSpec activation;
  // Of every convolution, and of every dense layer.
  ConvolutionConstraintOptions convolution;
  ConstraintOptions dense;

  bool bias = true;
  // K of the whole network when every constrained layer has constant 1: each of
  // the L convolutions and dense layers is scaled by K^{1/L}.
  double lipschitz_constant = 1.0;
  // The rate of dropout after the hidden dense layers' activations, in [0, 1);
  // 0: none.
  double dropout = 0.0;

  int64_t InputDim() const { return channels * height * width; }

  // Names the layer and the numbers that do not fit.
  absl::Status Validate() const;

  // Entries of all kernels and weights as the layers apply them, without
  // biases; of a valid config.
  absl::StatusOr<double> WeightCount() const;
};

// (batch, channels · height · width) → (batch, output_dim): the images are flat
// outside, as for MakeMlp. The parameters are called conv1.constraint...,
// conv1.bias, ..., linear1.weight, ...
absl::StatusOr<Sequential> MakeConvNet(const ConvNetConfig& config);

// The layouts below are for images of the given size; activation and
// constraints are the default's.

// The paper's LeNet for its small-data experiment: 5×5 convolutions to 10 and
// 20 channels without padding, each with max-pooling by 2, a hidden layer of
// 50. Made for images of 28×28; of others, rows and columns that a pooling's
// windows do not fill are left out.
ConvNetConfig LeNet(int64_t channels, int64_t height, int64_t width,
                    int64_t classes);

// "Small" and "Large" of Q. Li et al., "Preventing Gradient Attenuation in
// Lipschitz Constrained Convolutional Networks" (NeurIPS 2019): 4×4
// convolutions with stride 2 to 16 and 32 channels, a hidden layer of 100; 3×3
// to 32, 4×4 with stride 2 to 32, 3×3 to 64, 4×4 with stride 2 to 64, two
// hidden layers of 512. Circular padding; height and width are multiples of 4,
// 8 at least.
ConvNetConfig SmallConvNet(int64_t channels, int64_t height, int64_t width,
                           int64_t classes);
ConvNetConfig LargeConvNet(int64_t channels, int64_t height, int64_t width,
                           int64_t classes);

// The critic of the paper's WGAN: 4×4 convolutions with stride 2 and one zero
// around the image to 64 and 128 channels, a hidden layer of 1024, one output.
ConvNetConfig GanCritic(int64_t channels, int64_t height, int64_t width);

}  // namespace lipschitz
