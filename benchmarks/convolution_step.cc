// Training steps of convolutions under every constraint that keeps the 2-norm,
// and how good the orthogonal ones are: how near their singular values are to
// one, what is left of a gradient's norm, and how well they fit.
#include <ATen/ATen.h>
#include <torch/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmarks/program.h"
#include "lipschitz/activations/functional.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/convolution.h"
#include "lipschitz/layers/convolution_constraint.h"
#include "lipschitz/linalg/convolution.h"
#include "lipschitz/linalg/polar.h"
#include "lipschitz/models/conv_net.h"
#include "lipschitz/optim/adam.h"

namespace lipschitz::benchmarks {
namespace {

using Kind = ConvolutionConstraintKind;

struct Size {
  int64_t in;
  int64_t out;
  int64_t kernel;
  int64_t stride;
  int64_t side;  // of the images
  int64_t batch;
};

std::string Name(const Size& size) {
  return absl::StrCat(size.in, "to", size.out, "/kernel:", size.kernel,
                      "/stride:", size.stride, "/side:", size.side,
                      "/batch:", size.batch);
}

struct Variant {
  std::string name;
  ConvolutionConstraintOptions options;
};

Variant Of(Kind kind) {
  Variant variant;
  variant.name = ConvolutionConstraintName(kind);
  variant.options.kind = kind;
  return variant;
}

Variant Rko(ConstraintKind kind) {
  Variant variant = Of(Kind::kRko);
  variant.name = absl::StrCat("rko_", ConstraintName(kind));
  variant.options.flattened.kind = kind;
  return variant;
}

Conv2dConfig Config(const Variant& variant, const Size& size) {
  Conv2dConfig config;
  ConvolutionGeometry& g = config.geometry;
  g.in_channels = size.in;
  g.out_channels = size.out;
  g.kernel_height = g.kernel_width = size.kernel;
  g.stride = size.stride;
  g.padding_mode = PaddingMode::kCircular;
  g.input_height = g.input_width = size.side;
  config.constraint = variant.options;
  config.bias = false;
  return config;
}

at::Tensor Images(const Size& size, int64_t batch) {
  return at::randn({batch, size.in, size.side, size.side});
}

// Of a layer inside a network: the gradient for its input is computed too.
class TrainingStep {
 public:
  TrainingStep(const Variant& variant, const Size& size)
      : layer_(Config(variant, size)),
        optimizer_(layer_->parameters(), torch::optim::AdamOptions(1e-4)),
        x_(Images(size, size.batch).requires_grad_(true)) {
    g_ = at::randn_like(layer_->forward(x_)) / std::sqrt(x_.numel());
  }

  void Run() {
    optimizer_.zero_grad();
    layer_->forward(x_).backward(g_);
    optimizer_.step();
    layer_->AfterOptimizerStep();
    x_.mutable_grad() = at::Tensor();
  }

 private:
  Conv2d layer_;
  Adam optimizer_;
  at::Tensor x_;
  at::Tensor g_;
};

// Counter "flop": the convolution forwards and twice backwards.
void DeclareStep(const Variant& variant, const Size& size) {
  const ConvolutionConstraintOptions& options = variant.options;
  if (!options.Validate(Config(variant, size).geometry).ok()) return;
  Declare(absl::StrCat("step/", variant.name, "/", Name(size)), Cost::kCheap,
          [variant, size] {
            torch::manual_seed(0);
            const auto step = std::make_shared<TrainingStep>(variant, size);
            for (int i = 0; i < 5; ++i) step->Run();
            const int64_t pixels =
                size.side * size.side / size.stride / size.stride;
            const auto flop =
                3.0 * 2.0 *
                static_cast<double>(size.batch * pixels * size.in * size.out *
                                    size.kernel * size.kernel);
            return Workload{[step] { step->Run(); }, {{"flop", flop}}};
          });
}

// The map as a matrix, in float64.
at::Tensor MatrixOf(const at::Tensor& kernel, const ConvolutionGeometry& g) {
  const int64_t inputs = g.in_channels * g.input_height * g.input_width;
  const at::Tensor images =
      at::eye(inputs, at::kDouble)
          .reshape({inputs, g.in_channels, g.input_height, g.input_width});
  return Convolve(images, kernel.to(at::kDouble), g).reshape({inputs, -1}).t();
}

at::Tensor MaxMin(const at::Tensor& x) {
  return functional::GroupSort(x, /*group_size=*/2, /*dim=*/1);
}

// Layers with MaxMin between them.
class Network {
 public:
  Network(const Variant& variant, const Size& size, int depth) {
    for (int i = 0; i < depth; ++i) layers_.emplace_back(Config(variant, size));
  }

  at::Tensor Forward(const at::Tensor& x) {
    at::Tensor y = layers_[0]->forward(x);
    for (size_t i = 1; i < layers_.size(); ++i) {
      y = layers_[i]->forward(MaxMin(y));
    }
    return y;
  }

  std::vector<at::Tensor> Parameters() const {
    std::vector<at::Tensor> all;
    for (const Conv2d& layer : layers_) {
      for (const at::Tensor& parameter : layer->parameters()) {
        all.push_back(parameter);
      }
    }
    return all;
  }

  void AfterOptimizerStep() {
    for (Conv2d& layer : layers_) layer->AfterOptimizerStep();
  }

  // The largest |σ − 1| of a layer as it is trained.
  double SingularValueError() {
    double error = 0;
    for (Conv2d& layer : layers_) {
      const auto kernel = layer->ConstrainedKernel();
      TORCH_CHECK(kernel.ok(), std::string(kernel.status().message()));
      const at::Tensor sigma = at::linalg_svdvals(
          MatrixOf(kernel->detach(), layer->config().geometry));
      error = std::max(error, (sigma - 1).abs().max().item<double>());
    }
    return error;
  }

 private:
  std::vector<Conv2d> layers_;
};

// ‖Jᵀu‖ for ‖u‖ = 1, the mean over images and directions u.
double GradientNorm(Network* network, const Size& size) {
  const at::Tensor x = Images(size, size.batch).requires_grad_(true);
  const at::Tensor y = network->Forward(x);
  at::Tensor u = at::randn_like(y);
  u /= u.flatten(1).norm(2, 1).reshape({-1, 1, 1, 1});
  return torch::autograd::grad({y}, {x}, {u})[0]
      .flatten(1)
      .norm(2, 1)
      .mean()
      .item<double>();
}

// A network of the same depth whose layers are orthogonal and commute with
// shifts, but are of no method: the polar factors of the matrices of random
// kernels.
class Teacher {
 public:
  Teacher(const Size& size, int depth) : size_(size) {
    const ConvolutionGeometry g = Config(Of(Kind::kNone), size).geometry;
    for (int i = 0; i < depth; ++i) {
      const auto polar = PolarFactor(
          MatrixOf(at::randn({size.out, size.in, size.kernel, size.kernel}), g)
              .contiguous());
      TORCH_CHECK(polar.ok(), std::string(polar.status().message()));
      layers_.push_back(polar->weight.to(at::kFloat));
    }
  }

  at::Tensor Forward(const at::Tensor& x) const {
    at::Tensor y = x;
    for (size_t i = 0; i < layers_.size(); ++i) {
      if (i > 0) y = MaxMin(y);
      y = at::mm(y.flatten(1), layers_[i].t())
              .reshape({-1, size_.out, size_.side, size_.side});
    }
    return y;
  }

 private:
  Size size_;
  std::vector<at::Tensor> layers_;
};

struct Fit {
  Network network;
  Adam optimizer;
  Teacher teacher;
  Size size;

  double Step() {
    const at::Tensor x = Images(size, size.batch);
    const at::Tensor y = teacher.Forward(x);
    optimizer.zero_grad();
    // What is left of the teacher's squares by the best multiple of the
    // network: shrinking its output brings nothing.
    const at::Tensor output = network.Forward(x);
    const at::Tensor loss = 1 - (output * y).sum().square() /
                                    (output.square().sum() * y.square().sum());
    loss.backward();
    optimizer.step();
    network.AfterOptimizerStep();
    return loss.item<double>();
  }
};

constexpr int kFitSteps = 600;
constexpr int kFitDepth = 3;
constexpr int kDeepest = 10;

// Counters "loss" (the mean of the last tenth of the steps), "sigma_error"
// after them. The time is that of a step.
void DeclareFit(const Variant& variant, int64_t kernel, double rate) {
  const Size size = {8, 8, kernel, 1, 8, 32};
  Declare(
      absl::StrCat("fit/", variant.name, "/kernel:", kernel, "/rate:", rate),
      Cost::kCheap, [variant, size, rate] {
        torch::manual_seed(0);
        Teacher teacher(size, kFitDepth);
        torch::manual_seed(1);
        Network network(variant, size, kFitDepth);
        const auto fit = std::make_shared<Fit>(
            Fit{network,
                Adam(network.Parameters(), torch::optim::AdamOptions(rate)),
                teacher, size});
        double loss = 0;
        for (int i = 0; i < kFitSteps; ++i) {
          const double value = fit->Step();
          if (i >= kFitSteps * 9 / 10) loss += value / (kFitSteps / 10);
        }
        return Workload{[fit] { fit->Step(); },
                        {{"loss", loss},
                         {"sigma_error", fit->network.SingularValueError()}}};
      });
}

// Counters "gradient_norm_1" to "gradient_norm_10": through so many layers, as
// initialised. The time is that of all ten networks.
void DeclareGradient(const Variant& variant) {
  const Size size = {8, 8, 3, 1, 8, 32};
  Declare(absl::StrCat("gradient/", variant.name), Cost::kCheap,
          [variant, size] {
            torch::manual_seed(0);
            const auto networks = std::make_shared<std::vector<Network>>();
            Workload workload;
            for (int depth = 1; depth <= kDeepest; ++depth) {
              networks->emplace_back(variant, size, depth);
              workload.counters[absl::StrCat("gradient_norm_", depth)] =
                  GradientNorm(&networks->back(), size);
            }
            workload.run = [networks, size] {
              for (Network& network : *networks) GradientNorm(&network, size);
            };
            return workload;
          });
}

// The proven constant of a LeNet for 28×28 images.
void DeclareBound(const Variant& variant) {
  Declare(absl::StrCat("bound/", variant.name), Cost::kCheap, [variant] {
    torch::manual_seed(0);
    ConvNetConfig config = LeNet(1, 28, 28, 10);
    config.convolution = variant.options;
    auto network = MakeConvNet(config);
    TORCH_CHECK(network.ok(), std::string(network.status().message()));
    (*network)->AfterTraining();
    (*network)->eval();
    const auto bound = [layers = network->ptr()] {
      const auto k = layers->LipschitzBound(Norm::kL2);
      TORCH_CHECK(k.ok(), std::string(k.status().message()));
      return *k;
    };
    return Workload{[bound] { bound(); }, {{"k", bound()}}};
  });
}

}  // namespace
}  // namespace lipschitz::benchmarks

int main(int argc, char** argv) {
  using namespace lipschitz::benchmarks;
  using lipschitz::ConstraintKind;
  const std::vector<Variant> orthogonal = {
      Of(Kind::kOrthogonal), Of(Kind::kBcop), Of(Kind::kSeparable)};
  std::vector<Variant> variants = {Of(Kind::kNone), Rko(ConstraintKind::kPolar),
                                   Rko(ConstraintKind::kStiefel),
                                   Rko(ConstraintKind::kBjorck),
                                   Of(Kind::kSpectral)};
  variants.insert(variants.end(), orthogonal.begin(), orthogonal.end());
  for (const Size& size :
       {Size{32, 32, 3, 1, 28, 64}, Size{32, 64, 4, 2, 28, 64},
        Size{1, 16, 3, 1, 28, 64}, Size{128, 128, 3, 1, 8, 64}}) {
    for (const Variant& variant : variants) DeclareStep(variant, size);
  }
  for (const int64_t kernel : {3, 5}) {
    for (const double rate : {3e-3, 1e-2, 3e-2}) {
      for (const Variant& variant : variants) {
        if (variant.name != "rko_bjorck") DeclareFit(variant, kernel, rate);
      }
    }
  }
  for (const Variant& variant : variants) {
    DeclareGradient(variant);
    DeclareBound(variant);
  }
  return RunProgram(argc, argv);
}
