#include "lipschitz/diagnostics/weight_spectrum.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/utils.h>

#include <limits>
#include <memory>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/layers/linear.h"
#include "lipschitz/layers/sequential.h"
#include "lipschitz/models/conv_net.h"
#include "tests/testing/networks.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using testing::Affine;
using testing::Chain;
using testing::Matrix;
using testing::RandomMlp;
using testing::SingularValues;
using testing::TensorsNear;

TEST(WeightSpectrumTest, FindsLayersWhereverTheyAre) {
  Sequential body = Chain({Affine(Matrix({{3, 0}, {0, -4}}), {}, 2.0).ptr()});
  Sequential network = Chain({Affine(Matrix({{1, 2}, {2, 1}})).ptr(),
                              std::make_shared<ResidualImpl>(body.ptr())});
  const auto spectra = WeightSpectra(*network);
  ASSERT_TRUE(spectra.ok()) << spectra.status();
  ASSERT_EQ(spectra->size(), 2u);
  EXPECT_EQ((*spectra)[0].layer, "layer0");
  EXPECT_EQ((*spectra)[1].layer, "layer1.body.layer0");
  EXPECT_TRUE(TensorsNear((*spectra)[0].values, Matrix({{3, 1}})[0], 1e-6));
  EXPECT_TRUE(TensorsNear((*spectra)[1].values, Matrix({{8, 6}})[0], 1e-6));
  EXPECT_EQ((*spectra)[0].constraint, "none");

  Linear alone = Affine(Matrix({{1, 2}, {2, 1}}));
  const auto one = WeightSpectra(*alone);
  ASSERT_TRUE(one.ok() && one->size() == 1);
  EXPECT_EQ((*one)[0].layer, alone->name());
}

TEST(WeightSpectrumTest, IsThatOfTheConstrainedWeightInEvaluation) {
  for (const std::string& name : ConstraintNames()) {
    const ConstraintKind kind = *ParseConstraint(name);
    Sequential network =
        RandomMlp(1, {5, 8, 3}, ActivationSpec::Relu(), kind, 4.0);
    network->train();
    const auto spectra = WeightSpectra(*network);
    ASSERT_TRUE(spectra.ok()) << spectra.status();
    EXPECT_TRUE(network->is_training());
    EXPECT_TRUE(network->layer(2)->is_training());
    ASSERT_EQ(spectra->size(), 2u) << name;
    network->eval();
    for (const size_t i : {0, 1}) {
      auto& layer = dynamic_cast<LinearImpl&>(*network->layer(2 * i));
      EXPECT_EQ((*spectra)[i].layer, i == 0 ? "linear1" : "linear2");
      EXPECT_EQ((*spectra)[i].constraint, name);
      EXPECT_TRUE(TensorsNear(
          (*spectra)[i].values,
          2.0 * SingularValues(layer.ConstrainedWeight()->detach()), 1e-5));
      // Never above what the layer promises.
      EXPECT_LE((*spectra)[i].values.max().item<double>(),
                *layer.LipschitzBound(Norm::kL2) * (1 + 1e-12));
    }
  }
}

// The orthogonal convolutions of the model keep all lengths.
TEST(WeightSpectrumTest, OfConvolutionsIsThatOfTheMapBetweenImages) {
  Sequential network = *MakeConvNet(SmallConvNet(1, 8, 8, 3));
  const auto spectra = WeightSpectra(*network);
  ASSERT_TRUE(spectra.ok()) << spectra.status();
  ASSERT_EQ(spectra->size(), 4u);
  EXPECT_EQ((*spectra)[0].layer, "conv1");
  EXPECT_EQ((*spectra)[0].values.size(0), 64);
  EXPECT_EQ((*spectra)[3].layer, "linear2");
  for (const WeightSpectrum& spectrum : *spectra) {
    EXPECT_TRUE(spectrum.complete);
    EXPECT_NEAR(spectrum.values.max().item<double>(), 1.0, 1e-4);
    EXPECT_NEAR(spectrum.values.min().item<double>(), 1.0, 1e-4)
        << spectrum.layer;
  }
}

TEST(WeightSpectrumTest, NamesTheLayerWhoseWeightIsBroken) {
  Sequential network = RandomMlp(1, {5, 8, 3}, ActivationSpec::Relu());
  {
    const c10::NoGradGuard no_grad;
    dynamic_cast<LinearImpl&>(*network->layer(2))
        .weight.fill_(std::numeric_limits<float>::quiet_NaN());
  }
  const auto spectra = WeightSpectra(*network);
  EXPECT_FALSE(spectra.ok());
  EXPECT_NE(spectra.status().message().find("linear2"), std::string::npos)
      << spectra.status();
}

}  // namespace
}  // namespace lipschitz
