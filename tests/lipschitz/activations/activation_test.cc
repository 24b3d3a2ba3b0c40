#include "lipschitz/activations/activation.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <limits>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using lipschitz::testing::FailsWith;
using lipschitz::testing::GradientCheckOptions;
using lipschitz::testing::GradientsAgree;
using lipschitz::testing::Jacobian;
using lipschitz::testing::TensorsNear;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Every kind, some with several parameters; all take the width 12.
std::vector<ActivationSpec> AllSpecs() {
  return {ActivationSpec::Identity(),      ActivationSpec::Relu(),
          ActivationSpec::LeakyRelu(),     ActivationSpec::LeakyRelu(0.0),
          ActivationSpec::LeakyRelu(3.0),  ActivationSpec::LeakyRelu(-0.5),
          ActivationSpec::LeakyRelu(-2.0), ActivationSpec::LeakyRelu(-1.0),
          ActivationSpec::LeakyRelu(1.0),  ActivationSpec::Abs(),
          ActivationSpec::CRelu(),         ActivationSpec::MaxOut(),
          ActivationSpec::MaxOut(3),       ActivationSpec::MaxMin(),
          ActivationSpec::GroupSort(2),    ActivationSpec::GroupSort(4),
          ActivationSpec::GroupSort(12),   ActivationSpec::FullSort()};
}

at::Tensor Vector(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble);
}

at::Tensor Apply(const ActivationSpec& spec, const at::Tensor& x,
                 int64_t dim = -1) {
  return Activation(spec, dim)->forward(x);
}

double NormOf(const at::Tensor& x, Norm norm) {
  switch (norm) {
    case Norm::kL1:
      return x.norm(1).item<double>();
    case Norm::kL2:
      return x.norm(2).item<double>();
    case Norm::kLinf:
      return x.norm(kInfinity).item<double>();
  }
  return 0.0;
}

std::string Describe(const ActivationSpec& spec) {
  std::ostringstream text;
  text << spec.Name() << " (slope " << spec.negative_slope << ")";
  return text.str();
}

TEST(Activation, ComputesWhatItsNameSays) {
  const at::Tensor x = Vector({3, -1, 2, -5, 0, 4});
  const auto expect = [&](const ActivationSpec& spec,
                          const std::vector<double>& y) {
    EXPECT_TRUE(Apply(spec, x).equal(Vector(y))) << spec.Name();
  };
  expect(ActivationSpec::Identity(), {3, -1, 2, -5, 0, 4});
  expect(ActivationSpec::Relu(), {3, 0, 2, 0, 0, 4});
  expect(ActivationSpec::LeakyRelu(0.5), {3, -0.5, 2, -2.5, 0, 4});
  expect(ActivationSpec::Abs(), {3, 1, 2, 5, 0, 4});
  expect(ActivationSpec::CRelu(), {3, 0, 2, 0, 0, 4, 0, 1, 0, 5, 0, 0});
  expect(ActivationSpec::MaxOut(), {3, 2, 4});
  expect(ActivationSpec::MaxOut(3), {3, 4});
  expect(ActivationSpec::MaxMin(), {-1, 3, -5, 2, 0, 4});
  expect(ActivationSpec::GroupSort(3), {-1, 2, 3, -5, 0, 4});
  expect(ActivationSpec::FullSort(), {-5, -1, 0, 2, 3, 4});
}

TEST(Activation, MaxMinIsGroupSortOfPairs) {
  at::manual_seed(1);
  const at::Tensor x = at::randn({5, 12});
  EXPECT_TRUE(Apply(ActivationSpec::MaxMin(), x)
                  .equal(Apply(ActivationSpec::GroupSort(2), x)));
  EXPECT_TRUE(Apply(ActivationSpec::FullSort(), x)
                  .equal(Apply(ActivationSpec::GroupSort(12), x)));
}

TEST(Activation, ActsAlongItsDimension) {
  at::manual_seed(2);
  const at::Tensor images = at::randn({2, 12, 3, 4}, at::kDouble);
  const at::Tensor pixels = images.permute({0, 2, 3, 1});
  for (const ActivationSpec& spec : AllSpecs()) {
    const at::Tensor y = Apply(spec, images, 1);
    EXPECT_TRUE(y.permute({0, 2, 3, 1}).equal(Apply(spec, pixels, -1)))
        << Describe(spec);
    EXPECT_EQ(y.size(1), spec.OutputWidth(12).value());
  }
}

TEST(Activation, TakesImagesInEveryOrderOfMemory) {
  at::manual_seed(9);
  const at::Tensor images = at::randn({2, 12, 3, 4});
  const at::Tensor channels_last =
      images.contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor part = at::randn({2, 24, 3, 8}).slice(3, 0, 8, 2);
  for (const ActivationSpec& spec : AllSpecs()) {
    EXPECT_TRUE(Apply(spec, channels_last, 1).equal(Apply(spec, images, 1)))
        << Describe(spec);
    EXPECT_TRUE(Apply(spec, part, 1).equal(Apply(spec, part.contiguous(), 1)))
        << Describe(spec);
  }
}

TEST(Activation, ChannelsThatTheGroupDoesNotDivideAreAnErrorWithTheNumbers) {
  for (const ActivationSpec& spec :
       {ActivationSpec::GroupSort(4), ActivationSpec::MaxOut(4)}) {
    try {
      // The width is a multiple, the channels are not.
      Apply(spec, at::zeros({2, 6, 8, 8}), 1);
      ADD_FAILURE() << spec.Name() << " took 6 channels";
    } catch (const c10::Error& e) {
      const std::string error = e.what_without_backtrace();
      for (const char* part :
           {"size 6", "dim 1", "[2, 6, 8, 8]", "group_size 4"}) {
        EXPECT_NE(error.find(part), std::string::npos) << error;
      }
    }
  }
}

TEST(Activation, TakesAnEmptyBatch) {
  for (const ActivationSpec& spec : AllSpecs()) {
    EXPECT_EQ(Apply(spec, at::zeros({0, 12})).sizes(),
              at::IntArrayRef({0, spec.OutputWidth(12).value()}))
        << Describe(spec);
  }
}

TEST(Activation, TakesInfinities) {
  const at::Tensor x = Vector({kInfinity, -kInfinity, 1, kInfinity});
  const auto expect = [&](const ActivationSpec& spec,
                          const std::vector<double>& y) {
    EXPECT_TRUE(Apply(spec, x).equal(Vector(y))) << Describe(spec);
  };
  expect(ActivationSpec::Relu(), {kInfinity, 0, 1, kInfinity});
  expect(ActivationSpec::LeakyRelu(0.5), {kInfinity, -kInfinity, 1, kInfinity});
  expect(ActivationSpec::Abs(), {kInfinity, kInfinity, 1, kInfinity});
  expect(ActivationSpec::MaxMin(), {-kInfinity, kInfinity, 1, kInfinity});
  expect(ActivationSpec::MaxOut(), {kInfinity, kInfinity});
  expect(ActivationSpec::FullSort(), {-kInfinity, 1, kInfinity, kInfinity});
}

TEST(Activation, GradientsMatchFiniteDifferences) {
  at::manual_seed(3);
  GradientCheckOptions options;
  options.second_order = true;
  const at::Tensor x = at::randn({3, 12}, at::kDouble);
  for (const ActivationSpec& spec : AllSpecs()) {
    EXPECT_TRUE(GradientsAgree(
        [&](const auto& in) { return Apply(spec, in[0]).square(); }, {x},
        options))
        << Describe(spec);
  }
}

TEST(Activation, LipschitzConstantHoldsInEveryNorm) {
  at::manual_seed(4);
  for (const ActivationSpec& spec : AllSpecs()) {
    for (int trial = 0; trial < 200; ++trial) {
      const at::Tensor x = at::randn({12}, at::kDouble);
      // Far apart and close together.
      const double step = trial % 2 == 0 ? 2.0 : 0.1;
      const at::Tensor y = x + step * at::randn({12}, at::kDouble);
      const at::Tensor difference = Apply(spec, x) - Apply(spec, y);
      for (Norm norm : kAllNorms) {
        ASSERT_LE(
            NormOf(difference, norm),
            spec.LipschitzConstant(norm) * NormOf(x - y, norm) * (1 + 1e-14))
            << Describe(spec) << " in " << NormName(norm);
      }
    }
  }
}

TEST(Activation, LipschitzConstantIsTheLeast) {
  at::manual_seed(5);
  for (const ActivationSpec& spec : AllSpecs()) {
    for (Norm norm : kAllNorms) {
      double largest = 0.0;
      for (double sign : {1.0, -1.0}) {
        const at::Tensor x = sign * (1 + at::rand({12}, at::kDouble));
        for (int64_t i = 0; i < 12; ++i) {
          at::Tensor y = x.clone();
          y[i] += 1e-3;
          largest =
              std::max(largest, NormOf(Apply(spec, x) - Apply(spec, y), norm) /
                                    NormOf(x - y, norm));
        }
      }
      EXPECT_NEAR(largest, spec.LipschitzConstant(norm), 1e-10)
          << Describe(spec) << " in " << NormName(norm);
    }
  }
}

TEST(Activation, BoundsHoldForEveryPairOfNorms) {
  at::manual_seed(6);
  for (const ActivationSpec& spec : AllSpecs()) {
    Activation activation(spec);
    const auto bounds = activation->LipschitzBounds();
    ASSERT_TRUE(bounds.ok()) << bounds.status();
    for (int trial = 0; trial < 50; ++trial) {
      const at::Tensor x = at::randn({12}, at::kDouble);
      const at::Tensor y = at::randn({12}, at::kDouble);
      const at::Tensor difference =
          activation->forward(x) - activation->forward(y);
      for (Norm in : kAllNorms) {
        for (Norm out : kAllNorms) {
          EXPECT_LE(NormOf(difference, out),
                    bounds->At(in, out) * NormOf(x - y, in) * (1 + 1e-14))
              << Describe(spec);
        }
      }
    }
    for (Norm norm : kAllNorms) {
      EXPECT_EQ(activation->LipschitzBound(norm).value(),
                spec.LipschitzConstant(norm));
    }
  }
}

TEST(Activation, PreservesGradientNormExactlyWhenRowsOfTheJacobianAre) {
  at::manual_seed(7);
  for (const ActivationSpec& spec : AllSpecs()) {
    bool preserves = true;
    for (int trial = 0; trial < 20; ++trial) {
      const at::Tensor jacobian =
          Jacobian([&](const at::Tensor& x) { return Apply(spec, x); },
                   at::randn({12}, at::kDouble));
      preserves &= at::mm(jacobian, jacobian.t())
                       .equal(at::eye(jacobian.size(0), at::kDouble));
    }
    EXPECT_EQ(spec.PreservesGradientNorm(), preserves) << Describe(spec);
  }
}

TEST(Activation, JacobianAtZeroIsNoExpansionBeyondTheConstant) {
  for (const ActivationSpec& spec : AllSpecs()) {
    const at::Tensor jacobian =
        Jacobian([&](const at::Tensor& x) { return Apply(spec, x); },
                 at::zeros({12}, at::kDouble));
    EXPECT_LE(lipschitz::testing::SingularValues(jacobian)[0].item<double>(),
              spec.LipschitzConstant(Norm::kL2) * (1 + 1e-12))
        << Describe(spec);
  }
}

TEST(ActivationSpec, NameAndParseAreInverse) {
  std::set<std::string> names;
  for (const ActivationSpec& spec : AllSpecs()) {
    // The slope has no place in the name.
    if (spec.kind == ActivationKind::kLeakyRelu && spec.negative_slope != 0.2) {
      continue;
    }
    const auto parsed = ParseActivation(spec.Name());
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_TRUE(*parsed == spec) << spec.Name();
    EXPECT_EQ(parsed->kind, spec.kind);
    EXPECT_EQ(parsed->group_size, spec.group_size) << spec.Name();
    EXPECT_EQ(parsed->Name(), spec.Name());
    EXPECT_TRUE(names.insert(spec.Name()).second) << spec.Name();
  }
}

TEST(ActivationSpec, NamesAreThoseOfTheDocumentation) {
  EXPECT_EQ(ActivationSpec::Identity().Name(), "identity");
  EXPECT_EQ(ActivationSpec::Relu().Name(), "relu");
  EXPECT_EQ(ActivationSpec::LeakyRelu().Name(), "leaky_relu");
  EXPECT_EQ(ActivationSpec::Abs().Name(), "abs");
  EXPECT_EQ(ActivationSpec::CRelu().Name(), "crelu");
  EXPECT_EQ(ActivationSpec::MaxOut().Name(), "maxout");
  EXPECT_EQ(ActivationSpec::MaxOut(3).Name(), "maxout3");
  EXPECT_EQ(ActivationSpec::MaxMin().Name(), "maxmin");
  EXPECT_EQ(ActivationSpec::GroupSort(4).Name(), "groupsort4");
  EXPECT_EQ(ActivationSpec::FullSort().Name(), "fullsort");
}

TEST(ActivationSpec, EveryListedNameIsKnown) {
  const std::vector<std::string> names = ActivationNames();
  EXPECT_EQ(names.size(), 9u);
  for (const std::string& name : names) {
    // "groupsortN (N neurons per group)" stands for the family.
    const std::string instance =
        name.rfind("groupsortN", 0) == 0 ? "groupsort6" : name;
    EXPECT_TRUE(ParseActivation(instance).ok()) << name;
  }
}

TEST(ActivationSpec, AnUnknownNameListsTheKnownOnes) {
  for (const char* name : {"swish", "", "MaxMin", "groupsort", "groupsortx",
                           "groupsort4x", "maxmin4", "tahn"}) {
    EXPECT_TRUE(FailsWith(
        ParseActivation(name), StatusCode::kInvalidArgument,
        {"'" + std::string(name) + "'", "identity", "relu", "leaky_relu", "abs",
         "crelu", "maxout", "maxmin", "groupsortN", "fullsort"}))
        << name;
  }
}

TEST(ActivationSpec, AGroupSizeBelowTwoIsAnErrorThatNamesIt) {
  EXPECT_TRUE(FailsWith(ParseActivation("groupsort1"),
                        StatusCode::kInvalidArgument, {"groupsort1", "got 1"}));
  EXPECT_TRUE(FailsWith(ParseActivation("groupsort0"),
                        StatusCode::kInvalidArgument, {"got 0"}));
  EXPECT_TRUE(FailsWith(ParseActivation("maxout1"),
                        StatusCode::kInvalidArgument, {"got 1"}));
  EXPECT_TRUE(FailsWith(ParseActivation("groupsort-3"),
                        StatusCode::kInvalidArgument, {"-3"}));
  EXPECT_FALSE(ParseActivation("groupsort99999999999999999999").ok());
}

TEST(ActivationSpec, ValidateChecksTheParameters) {
  for (const ActivationSpec& spec : AllSpecs()) {
    EXPECT_TRUE(spec.Validate().ok()) << Describe(spec);
  }
  EXPECT_TRUE(FailsWith(ActivationSpec::GroupSort(1).Validate(),
                        StatusCode::kInvalidArgument, {"got 1"}));
  ActivationSpec maxmin = ActivationSpec::MaxMin();
  maxmin.group_size = 4;
  EXPECT_TRUE(FailsWith(maxmin.Validate(), StatusCode::kInvalidArgument,
                        {"maxmin", "groupsort4"}));
  EXPECT_TRUE(FailsWith(ActivationSpec::LeakyRelu(kInfinity).Validate(),
                        StatusCode::kInvalidArgument, {"leaky_relu", "inf"}));
}

TEST(ActivationSpec, OutputWidthIsThatOfTheOutput) {
  at::manual_seed(8);
  for (const ActivationSpec& spec : AllSpecs()) {
    for (int64_t width : {12, 24}) {
      if (spec.kind == ActivationKind::kGroupSort &&
          width % spec.group_size != 0) {
        continue;
      }
      EXPECT_EQ(Apply(spec, at::randn({2, width})).size(1),
                spec.OutputWidth(width).value())
          << Describe(spec);
    }
  }
  // LNets' floating point division gives 1 here.
  EXPECT_EQ(ActivationSpec::MaxOut(49).OutputWidth(98).value(), 2);
}

TEST(ActivationSpec, AWidthThatIsNotDividedIsAnErrorThatNamesBoth) {
  for (const ActivationSpec& spec :
       {ActivationSpec::GroupSort(4), ActivationSpec::MaxOut(4)}) {
    EXPECT_TRUE(FailsWith(spec.OutputWidth(10), StatusCode::kInvalidArgument,
                          {spec.Name(), "10", "group size 4"}));
  }
  EXPECT_TRUE(FailsWith(ActivationSpec::MaxMin().OutputWidth(7),
                        StatusCode::kInvalidArgument,
                        {"maxmin", "7", "group size 2"}));
  EXPECT_EQ(ActivationSpec::FullSort().OutputWidth(7).value(), 7);
  EXPECT_FALSE(ActivationSpec::GroupSort(0).OutputWidth(8).ok());
}

TEST(Activation, AWidthThatIsNotDividedIsAC10Error) {
  for (const ActivationSpec& spec :
       {ActivationSpec::GroupSort(4), ActivationSpec::MaxOut(4),
        ActivationSpec::MaxMin()}) {
    Activation activation(spec);
    try {
      activation->forward(at::zeros({3, 7}));
      ADD_FAILURE() << spec.Name() << " took the width 7";
    } catch (const c10::Error& e) {
      const std::string error = e.what_without_backtrace();
      EXPECT_NE(error.find("7"), std::string::npos) << error;
      EXPECT_NE(error.find("group_size " + std::to_string(spec.group_size)),
                std::string::npos)
          << error;
    }
  }
  EXPECT_THROW(Apply(ActivationSpec::FullSort(), at::zeros({})), c10::Error);
  EXPECT_THROW(Apply(ActivationSpec::FullSort(), at::zeros({3}), 1),
               c10::Error);
}

TEST(Activation, ABadSpecIsAC10ErrorAtConstruction) {
  EXPECT_THROW(Activation(ActivationSpec::GroupSort(1)), c10::Error);
  EXPECT_THROW(Activation(ActivationSpec::MaxOut(0)), c10::Error);
}

TEST(ActivationSpec, ComparesWhatMatters) {
  EXPECT_TRUE(ActivationSpec::Relu() == ActivationSpec::Relu());
  EXPECT_FALSE(ActivationSpec::Relu() == ActivationSpec::Abs());
  EXPECT_FALSE(ActivationSpec::GroupSort(2) == ActivationSpec::GroupSort(4));
  EXPECT_FALSE(ActivationSpec::LeakyRelu(0.1) ==
               ActivationSpec::LeakyRelu(0.2));
}

TEST(Activation, PrintsItsNameAndDimension) {
  std::ostringstream text;
  text << *Activation(ActivationSpec::GroupSort(4), 1);
  EXPECT_EQ(text.str(), "lipschitz::Activation(groupsort4, dim=1)");
}

// Sorted over a batch, the output for one example would depend on the others,
// and its bound would be none.
TEST(ActivationTest, TheBatchIsNoDimensionToActAlong) {
  for (const ActivationSpec& spec : AllSpecs()) {
    for (const auto& [sizes, dim] :
         {std::pair<std::vector<int64_t>, int64_t>{{12, 12}, 0},
          {{12, 12}, -2},
          {{12, 12, 2, 2}, 0},
          {{12, 12, 2, 2}, -4}}) {
      EXPECT_THROW(Apply(spec, at::randn(sizes), dim), c10::Error)
          << spec.Name() << " along " << dim;
    }
    // One example alone.
    EXPECT_NO_THROW(Apply(spec, at::randn({12}), 0)) << spec.Name();
    EXPECT_NO_THROW(Apply(spec, at::randn({12}), -1)) << spec.Name();
    EXPECT_NO_THROW(Apply(spec, at::randn({2, 12, 3, 3}), 1)) << spec.Name();
  }
}

}  // namespace
}  // namespace lipschitz
