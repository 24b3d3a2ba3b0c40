// What the program prints of a saved model.
#include <ATen/ATen.h>
#include <torch/utils.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_split.h"
#include "experiments/common/figure.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/data/npy.h"
#include "lipschitz/diagnostics/activation_statistics.h"
#include "lipschitz/diagnostics/jacobian_spectrum.h"
#include "lipschitz/diagnostics/layer_gradients.h"
#include "lipschitz/diagnostics/linearisation.h"
#include "lipschitz/diagnostics/lipschitz_lower_bound.h"
#include "lipschitz/diagnostics/weight_spectrum.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/models/mlp.h"
#include "lipschitz/models/saved_model.h"
#include "tests/testing/status.h"
#include "tests/testing/subprocess.h"
#include "tools/inspect/figure.h"
#include "tools/inspect/report.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using testing::FailsWith;
using testing::ProcessOptions;
using testing::ProcessResult;
using tools::InspectSettings;
using tools::MakeInspection;

using Cells = std::vector<std::string>;

class Inspection : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::NewFolder("inspect");
    config_.input_dim = 6;
    config_.hidden = {8, 8};
    config_.output_dim = 3;
    config_.lipschitz_constant = 3.0;
    Save({{"dataset", "noise"}});
    torch::manual_seed(1);
    images_ = at::rand({40, 6}) * 4 - 2;
    ASSERT_TRUE(WriteNpy(Path("x.npy"), images_).ok());
  }

  void Save(const ModelMetadata& metadata) {
    torch::manual_seed(3);
    auto network = MakeMlp(config_);
    ASSERT_TRUE(network.ok()) << network.status();
    const absl::Status saved =
        SaveModel(Path("m.lip"), config_, *network, metadata);
    ASSERT_TRUE(saved.ok()) << saved;
  }

  std::string Path(const std::string& name) const {
    return folder_ + "/" + name;
  }

  InspectSettings Settings() const {
    InspectSettings settings;
    settings.model = Path("m.lip");
    settings.images = Path("x.npy");
    settings.steps = 5;
    return settings;
  }

  std::string folder_;
  MlpConfig config_;
  at::Tensor images_;
};

// Fields of the line that starts with `name`; columns are two blanks apart.
Cells Line(const std::string& report, const std::string& name) {
  for (const auto& line : absl::StrSplit(report, '\n')) {
    const std::string text(line);
    if (text.rfind(name + " ", 0) != 0) continue;
    return absl::StrSplit(text, ' ', absl::SkipEmpty());
  }
  ADD_FAILURE() << "no line " << name << " in\n" << report;
  return Cells(20, "nan");
}

double Number(const std::string& text) {
  return std::strtod(text.c_str(), nullptr);
}

TEST_F(Inspection, PrintsWhatTheLibraryMeasures) {
  const auto report = MakeInspection(Settings());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_NE(report->text.find("dataset: noise"), std::string::npos);
  EXPECT_NE(report->text.find("inputs: 40 of " + Path("x.npy")),
            std::string::npos);

  auto model = LoadModel(Path("m.lip"));
  LayerImpl& network = *model->network;
  const auto gradients = LayerGradients(
      network, images_, network.forward(images_).detach().argmax(1));
  const auto statistics = CollectActivationStatistics(network, images_);
  // linear1: K l2, K linf, sigma min, max, gradient mean, min, max.
  const Cells linear = Line(report->text, "linear1");
  ASSERT_EQ(linear.size(), 8u);
  const double share = std::cbrt(3.0);
  EXPECT_NEAR(Number(linear[1]), share, 1e-4);
  EXPECT_GE(Number(linear[1]),
            *model->network->layer(0)->LipschitzBound(Norm::kL2));
  EXPECT_NEAR(Number(linear[3]), share, 1e-3);
  EXPECT_NEAR(Number(linear[4]), share, 1e-3);
  EXPECT_NEAR(Number(linear[5]), (*gradients)[1].mean, 1e-3);
  EXPECT_NEAR(Number(linear[6]), (*gradients)[1].min, 1e-3);
  EXPECT_NEAR(Number(linear[7]), (*gradients)[1].max, 1e-3);
  // activation1: K l2, K linf, gradient mean, min, max, active.
  const Cells activation = Line(report->text, "activation1");
  ASSERT_EQ(activation.size(), 7u);
  EXPECT_EQ(activation[1], "1");
  EXPECT_NEAR(Number(activation[6]),
              (*statistics)[0].moved.mean().item<double>(), 1e-3);
  for (const Norm norm : {Norm::kL2, Norm::kLinf}) {
    LowerBoundOptions options;
    options.input_norm = norm;
    options.output_norm = norm;
    options.steps = 5;
    const auto measured = MeasureTightness(network, images_, options);
    const Cells line = Line(report->text, NormName(norm));
    ASSERT_EQ(line.size(), 6u);
    EXPECT_GE(Number(line[1]), measured->proven);
    EXPECT_NEAR(Number(line[1]) / measured->proven, 1, 1e-8);
    EXPECT_NEAR(Number(line[2]) / measured->lower.value, 1, 1e-3);
    EXPECT_NEAR(Number(line[3]) / measured->tightness, 1, 1e-3);
    const at::Tensor& local = measured->lower.local;
    EXPECT_NEAR(Number(line[4]) / local.min().item<double>(), 1, 1e-3);
    EXPECT_NEAR(Number(line[5]) / local.median().item<double>(), 1, 1e-3);
  }
  const auto jacobian = JacobianSingularValues(ForwardOf(network), images_);
  ASSERT_TRUE(jacobian.ok()) << jacobian.status();
  ASSERT_EQ(jacobian->values.size(1), 3);
  for (const auto& [name, index] :
       {std::pair("largest", 0), std::pair("median", 1),
        std::pair("least", 2)}) {
    const Cells line =
        Line(report->text, std::string(name) + " singular value");
    ASSERT_EQ(line.size(), 6u);
    const at::Tensor column = jacobian->values.select(1, index);
    EXPECT_NEAR(Number(line[3]), column.min().item<double>(), 1e-3);
    EXPECT_NEAR(Number(line[4]), column.median().item<double>(), 1e-3);
    EXPECT_NEAR(Number(line[5]), column.max().item<double>(), 1e-3);
  }
}

TEST_F(Inspection, CountsUnitsThatAreNeverOrAlwaysActive) {
  config_.activation = ActivationSpec::Relu();
  torch::manual_seed(3);
  auto network = MakeMlp(config_);
  ASSERT_TRUE(network.ok()) << network.status();
  {
    // Of the eight units of the first layer three are always active, one never.
    const torch::NoGradGuard no_grad;
    const at::Tensor bias = (*network)->named_parameters()["linear1.bias"];
    bias.zero_();
    bias.narrow(0, 0, 3).fill_(100);
    bias.narrow(0, 3, 1).fill_(-100);
  }
  ASSERT_TRUE(SaveModel(Path("m.lip"), config_, *network, {}).ok());
  const auto report = MakeInspection(Settings());
  ASSERT_TRUE(report.ok()) << report.status();
  const Cells line = Line(report->text, "activation1");
  ASSERT_EQ(line.size(), 9u);
  EXPECT_EQ(Number(line[7]), 3.0 / 8);
  EXPECT_EQ(Number(line[8]), 1.0 / 8);
}

TEST_F(Inspection, RandomInputsAreInTheStatedRange) {
  InspectSettings settings = Settings();
  settings.images.clear();
  settings.inputs = 20;
  auto report = MakeInspection(settings);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_NE(report->text.find("inputs: 20 random, uniform in [0, 1]"),
            std::string::npos);
  Save({{"input_range", "-2.5,4"}});
  report = MakeInspection(settings);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_NE(report->text.find("20 random, uniform in [-2.5, 4]"),
            std::string::npos);
  for (const std::string range : {"", "1", "2,1", "a,b", "0,inf", "0,1,2"}) {
    Save({{"input_range", range}});
    EXPECT_TRUE(FailsWith(MakeInspection(settings),
                          StatusCode::kInvalidArgument,
                          {Path("m.lip"), "input_range", range}));
  }
  // Images need no range.
  EXPECT_TRUE(MakeInspection(Settings()).ok());
}

TEST_F(Inspection, OfAPlaneIsExactToo) {
  config_.input_dim = 2;
  config_.hidden = {6};
  config_.activation = ActivationSpec::Relu();
  config_.constraint.kind = ConstraintKind::kNone;
  Save({});
  InspectSettings settings = Settings();
  settings.images.clear();
  const auto report = MakeInspection(settings);
  ASSERT_TRUE(report.ok()) << report.status();
  for (const std::string norm : {"l2", "linf"}) {
    const Cells line = Line(report->text, norm);
    ASSERT_EQ(line.size(), 7u);
    EXPECT_LE(Number(line[2]), Number(line[6]) * 1.001);
    EXPECT_LE(Number(line[6]), Number(line[1]));
  }
}

std::vector<std::pair<double, double>> PointsOf(
    const experiments::Series& series) {
  std::vector<std::pair<double, double>> points;
  for (size_t i = 0; i < series.x.size(); ++i) {
    points.emplace_back(series.x[i], series.y[i]);
  }
  return points;
}

TEST_F(Inspection, TheFigureShowsWhatIsMeasured) {
  auto model = LoadModel(Path("m.lip"));
  LayerImpl& network = *model->network;
  const auto gradients = LayerGradients(
      network, images_, network.forward(images_).detach().argmax(1));
  const auto spectra = WeightSpectra(network);
  const auto statistics = CollectActivationStatistics(network, images_);
  const auto jacobian = JacobianSingularValues(ForwardOf(network), images_);
  const experiments::Figure figure = tools::InspectionFigure(
      "m", {*gradients, *spectra, *statistics, *jacobian});
  ASSERT_EQ(figure.panels.size(), 4u);
  ASSERT_EQ(figure.panels[0].series.size(), 3u);
  const auto mean = PointsOf(figure.panels[0].series[0]);
  ASSERT_EQ(mean.size(), gradients->size());
  for (size_t i = 0; i < mean.size(); ++i) {
    EXPECT_EQ(mean[i].first, static_cast<double>(i));
    EXPECT_EQ(mean[i].second, (*gradients)[i].mean);
    EXPECT_EQ(figure.panels[0].series[1].y[i], (*gradients)[i].min);
    EXPECT_EQ(figure.panels[0].series[2].y[i], (*gradients)[i].max);
  }
  ASSERT_EQ(figure.panels[1].series.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(figure.panels[1].series[i].label,
              (*spectra)[i].layer + " (bjorck)");
    // A stair over [0, 1]; every weight is orthonormal, times a share of K.
    const auto stair = PointsOf(figure.panels[1].series[i]);
    ASSERT_EQ(stair.size(), 2u * (*spectra)[i].values.numel());
    EXPECT_EQ(stair.front().first, 0.0);
    EXPECT_EQ(stair.back().first, 1.0);
    for (const auto& [x, y] : stair) EXPECT_NEAR(y, std::cbrt(3.0), 1e-3);
  }
  // From the largest to the smallest, over [0, 1].
  const auto expect_descending = [](const experiments::Series& series,
                                    const at::Tensor& values) {
    const auto stair = PointsOf(series);
    ASSERT_EQ(stair.size(), 2u * values.numel());
    EXPECT_EQ(stair.front().first, 0.0);
    EXPECT_EQ(stair.back().first, 1.0);
    EXPECT_NEAR(stair.front().second, values.max().item<double>(), 1e-12);
    EXPECT_NEAR(stair.back().second, values.min().item<double>(), 1e-12);
    for (size_t i = 1; i < stair.size(); ++i) {
      EXPECT_LE(stair[i].second, stair[i - 1].second);
    }
  };
  ASSERT_EQ(figure.panels[2].series.size(), 1u);
  expect_descending(figure.panels[2].series[0], jacobian->values);
  ASSERT_EQ(figure.panels[3].series.size(), 2u);
  expect_descending(figure.panels[3].series[1], (*statistics)[1].moved);
}

TEST_F(Inspection, TheFigureTakesPowersOfTenForDecayAlone) {
  const auto gradients = [](const std::vector<double>& means) {
    std::vector<LayerGradient> layers;
    for (const double mean : means) {
      LayerGradient layer;
      layer.mean = layer.min = layer.max = mean;
      layers.push_back(layer);
    }
    return layers;
  };
  const auto is_logarithmic = [&](const std::vector<double>& means) {
    return tools::InspectionFigure("m", {gradients(means), {}, {}, {}})
        .panels[0]
        .y.logarithmic;
  };
  EXPECT_FALSE(is_logarithmic({0.7, 1.0, 1.0}));
  EXPECT_TRUE(is_logarithmic({0.001, 0.03, 1.0}));
  EXPECT_FALSE(is_logarithmic({0.0, 0.03, 1.0}));
  // Of a convolution of which the largest value alone is known.
  WeightSpectrum largest;
  largest.values = at::full({1}, 0.9, at::kDouble);
  largest.complete = false;
  const auto panel =
      tools::InspectionFigure("m", {{}, {largest}, {}, {}}).panels[1];
  ASSERT_EQ(panel.series.size(), 1u);
  EXPECT_EQ(PointsOf(panel.series[0]),
            (std::vector<std::pair<double, double>>{{0.0, 0.9}, {1.0, 0.9}}));
}

TEST_F(Inspection, BadInputIsAnErrorThatNamesIt) {
  InspectSettings settings = Settings();
  settings.model = Path("none.lip");
  EXPECT_TRUE(
      FailsWith(MakeInspection(settings), StatusCode::kNotFound, {"none.lip"}));
  settings = Settings();
  settings.inputs = 0;
  EXPECT_TRUE(FailsWith(MakeInspection(settings), StatusCode::kInvalidArgument,
                        {"inputs"}));
  ASSERT_TRUE(WriteNpy(Path("x.npy"), at::rand({4, 5})).ok());
  EXPECT_TRUE(FailsWith(MakeInspection(Settings()),
                        StatusCode::kInvalidArgument,
                        {Path("x.npy"), "6 pixels"}));
}

TEST_F(Inspection, ProgramPrintsTheReport) {
  const auto run = [&](std::vector<std::string> flags) {
    flags.insert(flags.begin(), testing::DataFile("tools/inspect/inspect"));
    ProcessOptions options;
    options.environment = {{"BUILD_WORKING_DIRECTORY", folder_}};
    return testing::RunProcess(flags, options);
  };
  const ProcessResult done =
      run({"--model=m.lip", "--images=x.npy", "--steps=5"});
  ASSERT_EQ(done.exit_status, 0) << done.standard_error;
  EXPECT_EQ(done.standard_output, MakeInspection(Settings())->text);
  // Beside the table, which stays the same.
  const ProcessResult drawn = run(
      {"--model=m.lip", "--images=x.npy", "--steps=5", "--figure=seen.svg"});
  ASSERT_EQ(drawn.exit_status, 0) << drawn.standard_error;
  EXPECT_EQ(drawn.standard_output, done.standard_output);
  const auto svg = ReadFile(Path("seen.svg"));
  ASSERT_TRUE(svg.ok()) << svg.status();
  for (const std::string part : {"<svg", "m.lip", "linear3 (bjorck)"}) {
    EXPECT_NE(svg->find(part), std::string::npos) << part;
  }
  for (const std::vector<std::string>& flags :
       std::vector<std::vector<std::string>>{{},
                                             {"--model=none.lip"},
                                             {"--model=x.npy"},
                                             {"--model=m.lip", "--inputs=-1"},
                                             {"--model=m.lip", "--nonsense"},
                                             {"--model=m.lip", "--figure=a.b"},
                                             {"--model=m.lip", "extra"}}) {
    const ProcessResult failed = run(flags);
    EXPECT_EQ(failed.exit_status, 2) << failed.standard_error;
    EXPECT_EQ(failed.standard_output, "");
  }
  // What was measured is not lost with the figure.
  const ProcessResult undrawn = run({"--model=m.lip", "--images=x.npy",
                                     "--steps=5", "--figure=x.npy/seen.svg"});
  EXPECT_EQ(undrawn.exit_status, 1) << undrawn.standard_error;
  EXPECT_EQ(undrawn.standard_output, done.standard_output);
  EXPECT_NE(undrawn.standard_error.find("x.npy"), std::string::npos)
      << undrawn.standard_error;
  const ProcessResult help = run({"--help"});
  EXPECT_EQ(help.exit_status, 0);
  EXPECT_NE(help.standard_output.find("-model"), std::string::npos);
  EXPECT_NE(help.standard_output.find("-figure"), std::string::npos);
}

}  // namespace
}  // namespace lipschitz
