#include "lipschitz/diagnostics/jacobian_spectrum.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "tests/testing/networks.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using testing::Jacobian;
using testing::RandomMlp;
using testing::SingularValues;
using testing::TensorsNear;

BatchFunction Times(const at::Tensor& matrix) {
  return [matrix](const at::Tensor& x) {
    return at::matmul(x, matrix.t().to(x.scalar_type()));
  };
}

// (m, d) with these singular values and random singular vectors.
at::Tensor WithSpectrum(int64_t m, int64_t d, const at::Tensor& values) {
  const auto basis = [&](int64_t rows) {
    return std::get<0>(
        at::linalg_qr(at::randn({rows, values.size(0)}, at::kDouble)));
  };
  return at::matmul(basis(m) * values, basis(d).t());
}

TEST(JacobianSpectrumTest, OfALinearMapIsItsOwnAtEveryInput) {
  torch::manual_seed(1);
  for (const auto& [m, d] : std::vector<std::pair<int64_t, int64_t>>{
           {5, 8}, {8, 5}, {1, 6}, {6, 1}, {40, 33}}) {
    const at::Tensor matrix = at::randn({m, d}, at::kDouble);
    const auto spectrum =
        JacobianSingularValues(Times(matrix), at::randn({3, d}, at::kDouble));
    ASSERT_TRUE(spectrum.ok()) << spectrum.status();
    EXPECT_TRUE(spectrum->exact);
    const at::Tensor expected = SingularValues(matrix);
    EXPECT_TRUE(TensorsNear(spectrum->values, expected.expand({3, -1}), 1e-13));
    EXPECT_EQ(spectrum->residuals.abs().max().item<double>(), 0.0);
  }
}

TEST(JacobianSpectrumTest, OfMlpsIsThatOfTheExplicitJacobians) {
  for (const ActivationSpec& activation :
       {ActivationSpec::Relu(), ActivationSpec::MaxMin(),
        ActivationSpec::GroupSort(3), ActivationSpec::FullSort()}) {
    Sequential network =
        RandomMlp(2, {7, 12, 12, 5}, activation, ConstraintKind::kBjorck, 3.0);
    network->to(at::kDouble);
    network->eval();
    const at::Tensor x = at::randn({6, 7}, at::kDouble);
    JacobianSpectrumOptions options;
    options.count = 2;
    const auto all = JacobianSingularValues(ForwardOf(*network), x);
    const auto two = JacobianSingularValues(ForwardOf(*network), x, options);
    ASSERT_TRUE(all.ok() && two.ok());
    EXPECT_TRUE(TensorsNear(two->values, all->values.narrow(1, 0, 2), 1e-13));
    for (int64_t i = 0; i < 6; ++i) {
      const at::Tensor expected =
          SingularValues(Jacobian(ForwardOf(*network), x.narrow(0, i, 1)));
      EXPECT_TRUE(TensorsNear(all->values[i], expected, 1e-12));
    }
    EXPECT_LE(all->values.max().item<double>(), 3.0 + 1e-4);
  }
}

TEST(JacobianSpectrumTest, OfImagesAndInFloat32) {
  torch::manual_seed(3);
  const at::Tensor matrix = at::randn({10, 12}, at::kDouble);
  const auto spectrum = JacobianSingularValues(
      [&](const at::Tensor& x) {
        return at::matmul(x.reshape({x.size(0), -1}), matrix.t().to(at::kFloat))
            .reshape({-1, 5, 2});
      },
      at::randn({2, 3, 2, 2}));
  ASSERT_TRUE(spectrum.ok()) << spectrum.status();
  EXPECT_EQ(spectrum->values.scalar_type(), at::kDouble);
  EXPECT_TRUE(TensorsNear(spectrum->values,
                          SingularValues(matrix).expand({2, -1}), 1e-5));
}

// Decaying, flat, clustered and of low rank.
std::vector<at::Tensor> Spectra(int64_t side) {
  const at::Tensor place = at::arange(side, at::kDouble);
  at::Tensor clustered = at::full({side}, 0.5, at::kDouble);
  clustered.narrow(0, 0, 3).fill_(2.0);
  at::Tensor low = at::zeros({side}, at::kDouble);
  low.narrow(0, 0, 2).fill_(1.0);
  return {3.0 * at::pow(0.9, place), at::ones({side}, at::kDouble), clustered,
          low, 1.0 / (1.0 + place)};
}

TEST(JacobianSpectrumTest, SubspaceIterationFindsTheLargest) {
  torch::manual_seed(4);
  for (const auto& [m, d] :
       std::vector<std::pair<int64_t, int64_t>>{{90, 120}, {120, 90}}) {
    for (const at::Tensor& values : Spectra(90)) {
      const at::Tensor matrix = WithSpectrum(m, d, values);
      JacobianSpectrumOptions options;
      options.count = 4;
      const auto spectrum = JacobianSingularValues(
          Times(matrix), at::randn({2, d}, at::kDouble), options);
      ASSERT_TRUE(spectrum.ok()) << spectrum.status();
      EXPECT_FALSE(spectrum->exact);
      EXPECT_TRUE(TensorsNear(spectrum->values,
                              values.narrow(0, 0, 4).expand({2, -1}), 1e-6));
      // What the residuals promise.
      for (int64_t i = 0; i < 4; ++i) {
        const double value = spectrum->values[1][i].item<double>();
        EXPECT_LE((values - value).abs().min().item<double>(),
                  spectrum->residuals[1][i].item<double>() + 1e-12);
      }
    }
  }
}

TEST(JacobianSpectrumTest, StoppedEarlyItIsNeverAboveTheTruth) {
  torch::manual_seed(5);
  const at::Tensor values = Spectra(80).back();
  JacobianSpectrumOptions options;
  options.count = 5;
  options.iterations = 1;
  options.oversampling = 0;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    options.seed = seed;
    const auto spectrum =
        JacobianSingularValues(Times(WithSpectrum(100, 80, values)),
                               at::randn({1, 80}, at::kDouble), options);
    ASSERT_TRUE(spectrum.ok());
    EXPECT_LE(
        (spectrum->values[0] - values.narrow(0, 0, 5)).max().item<double>(),
        1e-13);
    // Not converged, and it says so.
    EXPECT_GT(spectrum->residuals.max().item<double>(), 1e-3);
  }
}

TEST(JacobianSpectrumTest, SaysWhatIsWrong) {
  const BatchFunction function = Times(at::randn({3, 4}, at::kDouble));
  const at::Tensor x = at::randn({2, 4}, at::kDouble);
  JacobianSpectrumOptions options;
  options.count = 4;
  EXPECT_TRUE(testing::FailsWith(JacobianSingularValues(function, x, options),
                                 absl::StatusCode::kInvalidArgument,
                                 {"smaller side is 3", "4 singular values"}));
  options = {};
  options.iterations = 0;
  EXPECT_TRUE(testing::FailsWith(JacobianSingularValues(function, x, options),
                                 absl::StatusCode::kInvalidArgument,
                                 {"iterations"}));
  EXPECT_FALSE(JacobianSingularValues(function, x[0]).ok());
}

}  // namespace
}  // namespace lipschitz
