#include "lipschitz/certify/forward_error.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/certify/arithmetic_evaluation.h"
#include "lipschitz/certify/dual_norms.h"
#include "lipschitz/certify/network_parts.h"
#include "lipschitz/layers/image_shape.h"
#include "lipschitz/layers/linear.h"
#include "lipschitz/layers/pooling.h"
#include "lipschitz/layers/sequential.h"
#include "tests/testing/networks.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::Affine;
using ::lipschitz::testing::Chain;
using ::lipschitz::testing::Claiming;
using ::lipschitz::testing::FailsWith;
using ::lipschitz::testing::Matrix;
using ::lipschitz::testing::RandomMlp;

using Extended = long double;
using Vector = std::vector<Extended>;

Vector Activate(const ActivationSpec& spec, double slope, const Vector& z) {
  Vector y;
  switch (spec.kind) {
    case ActivationKind::kIdentity:
      return z;
    case ActivationKind::kRelu:
      for (Extended v : z) y.push_back(std::max<Extended>(v, 0));
      return y;
    case ActivationKind::kLeakyRelu:
      for (Extended v : z) y.push_back(v > 0 ? v : v * slope);
      return y;
    case ActivationKind::kAbs:
      for (Extended v : z) y.push_back(std::abs(v));
      return y;
    case ActivationKind::kCRelu:
      for (Extended v : z) y.push_back(std::max<Extended>(v, 0));
      for (Extended v : z) y.push_back(std::max<Extended>(-v, 0));
      return y;
    default:
      break;
  }
  const size_t size = spec.kind == ActivationKind::kFullSort
                          ? z.size()
                          : static_cast<size_t>(spec.group_size);
  for (size_t first = 0; first < z.size(); first += size) {
    Vector group(z.begin() + static_cast<std::ptrdiff_t>(first),
                 z.begin() + static_cast<std::ptrdiff_t>(first + size));
    std::sort(group.begin(), group.end());
    if (spec.kind == ActivationKind::kMaxOut) group = {group.back()};
    y.insert(y.end(), group.begin(), group.end());
  }
  return y;
}

struct ImageSize {
  size_t channels;
  size_t height;
  size_t width;
};

// The activation over the channels of every pixel; the number of channels
// stays.
Vector ActivatePixels(const ActivationSpec& spec, double slope, const Vector& z,
                      const ImageSize& size) {
  const size_t pixels = size.height * size.width;
  Vector y(z.size());
  for (size_t i = 0; i < pixels; ++i) {
    Vector pixel;
    for (size_t c = 0; c < size.channels; ++c)
      pixel.push_back(z[c * pixels + i]);
    pixel = Activate(spec, slope, pixel);
    for (size_t c = 0; c < size.channels; ++c) y[c * pixels + i] = pixel[c];
  }
  return y;
}

// The largest entry of every window, or the sum times `factor` where that is
// positive.
Vector Pool(const PoolWindows& windows, Extended factor, const Vector& z,
            ImageSize* size) {
  const size_t kernel = static_cast<size_t>(windows.kernel);
  const size_t stride = static_cast<size_t>(windows.stride);
  const ImageSize out = {size->channels, (size->height - kernel) / stride + 1,
                         (size->width - kernel) / stride + 1};
  Vector y;
  for (size_t c = 0; c < out.channels; ++c) {
    for (size_t p = 0; p < out.height; ++p) {
      for (size_t q = 0; q < out.width; ++q) {
        Extended sum = 0;
        Extended largest = -std::numeric_limits<Extended>::infinity();
        for (size_t a = 0; a < kernel; ++a) {
          for (size_t b = 0; b < kernel; ++b) {
            const size_t row = c * size->height + p * stride + a;
            const Extended value = z[row * size->width + q * stride + b];
            sum += value;
            largest = std::max(largest, value);
          }
        }
        y.push_back(factor > 0 ? sum * factor : largest);
      }
    }
  }
  *size = out;
  return y;
}

// f(x) in long double on the weights that the network applies, by plain loops.
Vector Truth(Sequential network, const at::Tensor& x) {
  const auto numbers = [](const at::Tensor& tensor) {
    const at::Tensor wide = tensor.detach().to(at::kDouble).contiguous();
    return std::vector<double>(wide.data_ptr<double>(),
                               wide.data_ptr<double>() + wide.numel());
  };
  const std::vector<double> input = numbers(x);
  Vector h(input.begin(), input.end());
  ImageSize size = {h.size(), 1, 1};
  for (size_t i = 0; i < network->size(); ++i) {
    LayerImpl& layer = *network->layer(i);
    if (auto* image = dynamic_cast<ToImageImpl*>(&layer)) {
      size = {static_cast<size_t>(image->config().channels),
              static_cast<size_t>(image->config().height),
              static_cast<size_t>(image->config().width)};
      continue;
    }
    if (dynamic_cast<FlattenImpl*>(&layer) != nullptr) {
      size = {h.size(), 1, 1};
      continue;
    }
    if (auto* pool = dynamic_cast<MaxPool2dImpl*>(&layer)) {
      h = Pool(pool->config().windows, 0, h, &size);
      continue;
    }
    if (auto* pool = dynamic_cast<AveragePool2dImpl*>(&layer)) {
      const PoolWindows& windows = pool->config().windows;
      h = Pool(windows,
               static_cast<Extended>(pool->AppliedScale()) /
                   static_cast<Extended>(windows.kernel * windows.kernel),
               h, &size);
      continue;
    }
    if (auto* activation = dynamic_cast<ActivationImpl*>(&layer)) {
      const double slope =
          x.scalar_type() == at::kFloat
              ? static_cast<float>(activation->spec().negative_slope)
              : activation->spec().negative_slope;
      h = size.height * size.width > 1
              ? ActivatePixels(activation->spec(), slope, h, size)
              : Activate(activation->spec(), slope, h);
      continue;
    }
    auto& linear = dynamic_cast<LinearImpl&>(layer);
    const std::vector<double> weight = numbers(*linear.ConstrainedWeight());
    const std::vector<double> bias =
        linear.bias.defined() ? numbers(linear.bias) : std::vector<double>();
    const size_t rows = weight.size() / h.size();
    Vector z(rows);
    for (size_t r = 0; r < rows; ++r) {
      Extended sum = bias.empty() ? 0 : bias[r];
      for (size_t k = 0; k < h.size(); ++k) {
        sum += static_cast<Extended>(weight[r * h.size() + k]) * h[k];
      }
      z[r] = sum * linear.AppliedScale();
    }
    h = z;
    size = {h.size(), 1, 1};
  }
  return h;
}

// The largest share of the bound that an observed error made up, over all
// classes and `points` points of the ball around every image; above 1 it is
// broken.
double LargestShare(Sequential network, Arithmetic arithmetic,
                    const at::Tensor& images, Norm norm, double radius,
                    int points) {
  auto evaluation = ArithmeticEvaluation::Create(*network, arithmetic);
  EXPECT_TRUE(evaluation.ok()) << evaluation.status();
  auto bound = ForwardErrorBound::Create(*TakeApart(*network), arithmetic);
  EXPECT_TRUE(bound.ok()) << bound.status();
  const at::ScalarType type = (*evaluation)->type();
  const at::Tensor x = images.to(type);
  const auto centres = bound->Evaluate(x.to(at::kDouble));
  const at::Tensor labels = centres.logits.argmax(1);
  const at::Tensor errors = bound->PairErrors(
      centres, labels, norm, at::full({x.size(0)}, radius, at::kDouble));
  EXPECT_TRUE(at::isfinite(errors).all().item<bool>());
  const torch::NoGradGuard no_grad;
  double largest = 0.0;
  for (int64_t i = 0; i < x.size(0); ++i) {
    const int64_t y = labels[i].item<int64_t>();
    const Vector at_centre = Truth(network, x[i]);
    for (int k = 0; k < points; ++k) {
      at::Tensor step = at::randn_like(x[i]);
      if (norm == Norm::kLinf) step = step.sign();
      if (norm == Norm::kL2) step = step / step.norm();
      const double length = k % 2 == 0 ? 0.999 : 0.999 * k / points;
      const at::Tensor point = k == 0 ? x[i] : x[i] + step * (radius * length);
      const Vector truth = Truth(network, point);
      const at::Tensor computed =
          network->forward(point.unsqueeze(0))[0].to(at::kDouble);
      for (int64_t j = 0; j < computed.size(0); ++j) {
        if (j == y) continue;
        const auto difference = [&](const at::Tensor& logits, const Vector& f) {
          return std::abs(
              (static_cast<Extended>(logits[y].item<double>()) -
               static_cast<Extended>(logits[j].item<double>())) -
              (f[static_cast<size_t>(y)] - f[static_cast<size_t>(j)]));
        };
        const double error =
            static_cast<double>(difference(computed, truth) +
                                difference(centres.logits[i], at_centre));
        largest = std::max(largest, error / errors[i][j].item<double>());
      }
    }
  }
  return largest;
}

std::vector<ActivationSpec> AllActivations() {
  std::vector<ActivationSpec> specs;
  for (const char* name : {"identity", "relu", "leaky_relu", "abs", "crelu",
                           "maxout", "maxmin", "groupsort4", "fullsort"}) {
    specs.push_back(*ParseActivation(name));
  }
  return specs;
}

TEST(ForwardErrorTest, HoldsForEveryActivationNormAndArithmetic) {
  int64_t seed = 0;
  double least = 1.0;
  double most = 0.0;
  for (const ActivationSpec& activation : AllActivations()) {
    for (Arithmetic arithmetic : {Arithmetic::kFloat64, Arithmetic::kFloat32}) {
      for (Norm norm : {Norm::kL2, Norm::kLinf}) {
        ++seed;
        SCOPED_TRACE(activation.Name() + " " + NormName(norm) + " " +
                     ArithmeticName(arithmetic));
        Sequential network = RandomMlp(
            seed, {9, 16, 8, 4}, activation,
            seed % 2 == 0 ? ConstraintKind::kBjorck : ConstraintKind::kNone,
            seed % 3 == 0 ? 7.0 : 1.0);
        const double share =
            LargestShare(network, arithmetic, at::rand({4, 9}), norm, 0.3, 8);
        EXPECT_LE(share, 1.0);
        least = std::min(least, share);
        most = std::max(most, share);
        // Some hundred times what happens at random is no bound to use.
        EXPECT_GE(share, 3e-3);
      }
    }
  }
  RecordProperty("least_share", std::to_string(least));
  RecordProperty("largest_share", std::to_string(most));
}

TEST(ForwardErrorTest, HoldsForLayersOfImages) {
  for (int64_t seed = 0; seed < 8; ++seed) {
    SCOPED_TRACE(seed);
    torch::manual_seed(static_cast<uint64_t>(seed));
    const ActivationSpec activation = *ParseActivation(std::vector<std::string>{
        "maxmin", "leaky_relu", "groupsort4", "fullsort"}[seed % 4]);
    Sequential network = Chain(
        {Affine(at::randn({4 * 6 * 5, 9}), at::randn({4 * 6 * 5})).ptr(),
         ToImage(ToImageConfig{4, 6, 5}).ptr(),
         AveragePool2d(AveragePool2dConfig{{2, 1}, seed % 2 == 0}).ptr(),
         Activation(activation, 1).ptr(),
         MaxPool2d(MaxPool2dConfig{{2, 1}}).ptr(),
         AveragePool2d(AveragePool2dConfig{{2, 2}, true}).ptr(),
         Flatten().ptr(), Affine(at::randn({3, 8}), at::randn({3})).ptr()});
    for (Arithmetic arithmetic : {Arithmetic::kFloat64, Arithmetic::kFloat32}) {
      for (Norm norm : {Norm::kL2, Norm::kLinf}) {
        const double share =
            LargestShare(network, arithmetic, at::rand({3, 9}), norm, 0.1, 6);
        EXPECT_LE(share, 1.0);
        EXPECT_GE(share, 1e-4);
      }
    }
  }
}

// Inputs of every size, each entry off by up to its last bit.
TEST(ForwardErrorTest, ByNormsHoldsForValuesAndIsNotFarFromThem) {
  int64_t seed = 0;
  for (const ActivationSpec& activation : AllActivations()) {
    for (Arithmetic arithmetic : {Arithmetic::kFloat64, Arithmetic::kFloat32}) {
      ++seed;
      SCOPED_TRACE(activation.Name() + " " + ArithmeticName(arithmetic));
      Sequential network = RandomMlp(
          seed, {9, 16, 8, 3}, activation,
          seed % 2 == 0 ? ConstraintKind::kBjorck : ConstraintKind::kNone,
          seed % 3 == 0 ? 7.0 : 1.0);
      auto evaluation = ArithmeticEvaluation::Create(*network, arithmetic);
      ASSERT_TRUE(evaluation.ok()) << evaluation.status();
      const auto bound =
          ForwardErrorBound::Create(*TakeApart(*network), arithmetic);
      ASSERT_TRUE(bound.ok()) << bound.status();
      const at::ScalarType type = (*evaluation)->type();
      const double unit =
          arithmetic == Arithmetic::kFloat32 ? 0x1p-24 : 0x1p-53;
      const at::Tensor x =
          (at::randn({6, 9}, at::kDouble) *
           at::pow(10.0, at::arange(-2, 4, at::kDouble)).unsqueeze(1))
              .to(type)
              .to(at::kDouble);
      const at::Tensor perturbed =
          (x * (1.0 + 2.0 * unit * at::randint(-1, 2, {6, 9}).to(at::kDouble)))
              .to(type);
      const at::Tensor errors =
          bound->ErrorsByNorms(VectorNorms(x), /*relative_error=*/3.0 * unit);
      ASSERT_EQ(errors.sizes(), at::IntArrayRef({6, 3}));
      const torch::NoGradGuard no_grad;
      const at::Tensor computed = network->forward(perturbed).to(at::kDouble);
      double largest = 0.0;
      for (int64_t i = 0; i < x.size(0); ++i) {
        const Vector truth = Truth(network, x[i]);
        std::vector<double> off;
        for (size_t j = 0; j < truth.size(); ++j) {
          off.push_back(static_cast<double>(
              static_cast<Extended>(
                  computed[i][static_cast<int64_t>(j)].item<double>()) -
              truth[j]));
        }
        const at::Tensor norms = VectorNorms(at::tensor(off, at::kDouble));
        for (int64_t q = 0; q < 3; ++q) {
          largest = std::max(
              largest, norms[q].item<double>() / errors[i][q].item<double>());
        }
      }
      EXPECT_LE(largest, 1.0);
      EXPECT_GE(largest, 1e-3);
    }
  }
}

TEST(ForwardErrorTest, ByNormsIsInfiniteWhereForwardMayOverflow) {
  Sequential network;
  for (const char* name : {"1", "2", "3", "4", "5", "6", "7", "8", "9"}) {
    network->push_back(name, Affine(at::full({2, 2}, 1e38)).ptr());
  }
  const auto evaluation =
      ArithmeticEvaluation::Create(*network, Arithmetic::kFloat64);
  ASSERT_TRUE(evaluation.ok()) << evaluation.status();
  const auto bound =
      ForwardErrorBound::Create(*TakeApart(*network), Arithmetic::kFloat64);
  ASSERT_TRUE(bound.ok()) << bound.status();
  const at::Tensor errors =
      bound->ErrorsByNorms(VectorNorms(at::ones({1, 2}, at::kDouble)), 0.0);
  EXPECT_TRUE(at::isinf(errors).all().item<bool>()) << errors;
}

TEST(ForwardErrorTest, HoldsForUnevenWeightsAndCancellingBiases) {
  for (int64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    torch::manual_seed(static_cast<uint64_t>(seed));
    const int64_t in = 1 + seed % 7;
    const int64_t hidden = 2 * (1 + seed % 5);
    const auto uneven = [&](int64_t rows, int64_t columns) {
      // Six decades within a matrix.
      return at::randn({rows, columns}, at::kDouble) *
             at::pow(10.0, 6 * at::rand({rows, columns}, at::kDouble) - 3);
    };
    const at::Tensor first = uneven(hidden, in);
    const at::Tensor x = at::rand({3, in}).to(at::kDouble);
    // Of the size of the product, and opposite to it at the first image.
    const at::Tensor bias = -at::mv(first, x[0]) * (1 + 1e-6 * (seed % 3));
    const at::Tensor last = uneven(3, hidden);
    Sequential network = Chain(
        {Affine(first, bias, seed % 2 == 0 ? 1.0 : 0.3).ptr(),
         std::make_shared<ActivationImpl>(ActivationSpec::MaxMin()),
         Affine(last, at::randn({3}) * 1e3, seed % 3 == 0 ? 1.7 : 1.0).ptr()});
    for (Arithmetic arithmetic : {Arithmetic::kFloat64, Arithmetic::kFloat32}) {
      const double share =
          LargestShare(network, arithmetic, x, Norm::kL2, 1e-3, 6);
      EXPECT_LE(share, 1.0);
      EXPECT_GE(share, 1e-4);
    }
  }
}

TEST(ForwardErrorTest, HoldsWhereProductsUnderflow) {
  torch::manual_seed(1);
  // Products around the least float32 number.
  const at::Tensor weight = at::rand({2, 40}) * 1e-22;
  Sequential network = Chain({Affine(weight).ptr()});
  const at::Tensor x = at::rand({2, 40}) * 1e-23;
  EXPECT_LE(LargestShare(network, Arithmetic::kFloat32, x, Norm::kL2, 1e-24, 8),
            1.0);
}

TEST(ForwardErrorTest, IsNearlyReachedByOneProductOfTheWorstRounding) {
  // (1 + 2⁻¹²)² needs one bit more than float32 has: the product is off by half
  // a unit, the most that there is.
  const double w = 1 + std::ldexp(1, -12);
  Sequential network = Chain({Affine(Matrix({{w}, {0}})).ptr()});
  const double share = LargestShare(network, Arithmetic::kFloat32,
                                    Matrix({{w}}), Norm::kL2, 0.0, 1);
  // One operation of the three that are allowed for.
  EXPECT_GT(share, 0.3);
  EXPECT_LE(share, 1.0);
}

TEST(ForwardErrorTest, IsNoMoreThanAFewPercentOfAMarginAtThePapersWidth) {
  Sequential network =
      RandomMlp(1, {784, 256, 256, 256, 10}, ActivationSpec::MaxMin());
  const auto evaluation =
      ArithmeticEvaluation::Create(*network, Arithmetic::kFloat32);
  const auto bound =
      ForwardErrorBound::Create(*TakeApart(*network), Arithmetic::kFloat32);
  ASSERT_TRUE(bound.ok()) << bound.status();
  // As bright as MNIST.
  const at::Tensor x = (at::rand({4, 784}, at::kDouble) < 0.15).to(at::kDouble);
  const auto centres = bound->Evaluate(x);
  const double error =
      bound
          ->PairErrors(centres, centres.logits.argmax(1), Norm::kL2,
                       at::full({4}, 1.58, at::kDouble))
          .max()
          .item<double>();
  RecordProperty("error", std::to_string(error));
  // What really happens at random points is far less: errors cancel.
  const torch::NoGradGuard no_grad;
  const at::Tensor narrow = network->forward(x.to(at::kFloat));
  const double observed =
      (narrow.to(at::kDouble) - centres.logits).abs().max().item<double>();
  RecordProperty("observed", std::to_string(1e6 * observed) + "e-6");
  EXPECT_LT(observed, error);
  EXPECT_LT(error, 0.05);
  EXPECT_GT(error, 1e-5);
}

TEST(ForwardErrorTest, GrowsWithTheRadius) {
  Sequential network = RandomMlp(3, {6, 8, 8, 3}, ActivationSpec::MaxMin());
  const auto evaluation =
      ArithmeticEvaluation::Create(*network, Arithmetic::kFloat32);
  const auto bound =
      ForwardErrorBound::Create(*TakeApart(*network), Arithmetic::kFloat32);
  ASSERT_TRUE(bound.ok());
  const auto centres = bound->Evaluate(at::rand({5, 6}).to(at::kDouble));
  const at::Tensor labels = centres.logits.argmax(1);
  at::Tensor previous = at::zeros({5, 3}, at::kDouble);
  for (double radius : {0.0, 0.1, 1.0, 100.0}) {
    const at::Tensor errors = bound->PairErrors(
        centres, labels, Norm::kLinf, at::full({5}, radius, at::kDouble));
    EXPECT_TRUE((errors > previous).all().item<bool>()) << radius;
    previous = errors;
  }
}

TEST(ForwardErrorTest, IsInfiniteWhereForwardMayOverflow) {
  Sequential network = Chain({Affine(Matrix({{1e30}, {1}})).ptr(),
                              Affine(Matrix({{1e-30, 0}, {0, 1}})).ptr()});
  const at::Tensor x = Matrix({{1.0}});
  const at::Tensor labels = at::zeros({1}, at::kLong);
  const auto error = [&](Arithmetic arithmetic, double radius) {
    const auto evaluation = ArithmeticEvaluation::Create(*network, arithmetic);
    const auto bound =
        ForwardErrorBound::Create(*TakeApart(*network), arithmetic);
    return bound
        ->PairErrors(bound->Evaluate(x), labels, Norm::kL2,
                     at::full({1}, radius, at::kDouble))
        .max()
        .item<double>();
  };
  EXPECT_TRUE(std::isfinite(error(Arithmetic::kFloat32, 1.0)));
  EXPECT_TRUE(std::isinf(error(Arithmetic::kFloat32, 1e9)));
  EXPECT_TRUE(std::isfinite(error(Arithmetic::kFloat64, 1e9)));
}

TEST(ForwardErrorTest, UnknownLayersAreNamed) {
  Sequential network = Chain(
      {std::make_shared<Claiming>(Affine(Matrix({{1}, {2}})).ptr(), 1.0)});
  EXPECT_TRUE(FailsWith(
      ForwardErrorBound::Create(*TakeApart(*network), Arithmetic::kFloat64)
          .status(),
      absl::StatusCode::kFailedPrecondition, {"claiming", "rounding"}));
}

TEST(ForwardErrorTest, ActivationAcrossExamplesIsAnError) {
  Sequential network =
      Chain({std::make_shared<ActivationImpl>(ActivationSpec::MaxMin(), 0),
             Affine(Matrix({{1}, {2}})).ptr()});
  EXPECT_TRUE(FailsWith(
      ForwardErrorBound::Create(*TakeApart(*network), Arithmetic::kFloat64)
          .status(),
      absl::StatusCode::kFailedPrecondition, {"maxmin", "0"}));
}

TEST(ForwardErrorTest, ABiasThatIsNotFiniteIsAnError) {
  Sequential network =
      Chain({Affine(Matrix({{1}, {2}}), at::full({2}, NAN)).ptr()});
  EXPECT_TRUE(FailsWith(
      ForwardErrorBound::Create(*TakeApart(*network), Arithmetic::kFloat64)
          .status(),
      absl::StatusCode::kInvalidArgument, {"bias", "not finite"}));
}

}  // namespace
}  // namespace lipschitz
