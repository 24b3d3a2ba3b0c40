// The certification of a user's images, as the program prints it.
#include <torch/torch.h>

#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/sealed_file.h"
#include "lipschitz/certify/arithmetic.h"
#include "lipschitz/certify/certificate.h"
#include "lipschitz/data/npy.h"
#include "lipschitz/data/random.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/sequential.h"
#include "lipschitz/models/mlp.h"
#include "lipschitz/models/saved_model.h"
#include "tests/testing/status.h"
#include "tests/testing/subprocess.h"
#include "tools/certify/report.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using testing::FailsWith;
using testing::NewFolder;
using testing::ProcessOptions;
using testing::ProcessResult;
using tools::MakeReport;
using tools::ReportSettings;

constexpr int64_t kImages = 50;

MlpConfig Config() {
  MlpConfig config;
  config.input_dim = 12;
  config.hidden = {16, 8};
  config.output_dim = 4;
  config.lipschitz_constant = 3.0;
  return config;
}

// A model, images in [0, 1] and labels, in files of their own.
class Certification : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = NewFolder("certify");
    Save(Config());
    const RandomSource random(1);
    images_ = torch::rand({kImages, 12}, random.generator());
    labels_ = torch::randint(4, {kImages}, random.generator(),
                             torch::TensorOptions(torch::kLong));
    Write("x.npy", images_);
    Write("y.npy", labels_);
  }

  void Save(const MlpConfig& config) {
    torch::manual_seed(3);
    auto network = MakeMlp(config);
    ASSERT_TRUE(network.ok()) << network.status();
    SaveNetwork(config, *network);
  }

  void SaveNetwork(const MlpConfig& config, Sequential network) {
    const absl::Status saved =
        SaveModel(Path("m.lip"), config, network, {{"dataset", "noise"}});
    ASSERT_TRUE(saved.ok()) << saved;
  }

  void Write(const std::string& name, const at::Tensor& tensor) {
    const absl::Status written = WriteNpy(Path(name), tensor);
    ASSERT_TRUE(written.ok()) << written;
  }

  std::string Path(const std::string& name) const {
    return folder_ + "/" + name;
  }

  ReportSettings Settings() const {
    ReportSettings settings;
    settings.model = Path("m.lip");
    settings.images = Path("x.npy");
    settings.labels = Path("y.npy");
    settings.radius = 0.02;
    return settings;
  }

  // What the library itself certifies.
  Certificates Expected(const ReportSettings& settings) const {
    auto model = LoadModel(settings.model);
    CertificationOptions options;
    options.norm = settings.norm;
    options.arithmetic = settings.arithmetic;
    auto certificates =
        settings.labels.empty()
            ? Certify(*model->network, images_, options)
            : Certify(*model->network, images_, labels_, options);
    EXPECT_TRUE(certificates.ok()) << certificates.status();
    return *certificates;
  }

  // The model with its description changed, as if it had been written so.
  void ChangeDescription(const std::string& part, const std::string& other) {
    std::string payload = *Unseal("model", "m.lip", *ReadFile(Path("m.lip")));
    const size_t place = payload.find(part);
    ASSERT_NE(place, std::string::npos);
    payload.replace(place, part.size(), other);
    ASSERT_TRUE(
        WriteFileAtomically(Path("m.lip"), Seal("model", payload)).ok());
  }

  void ExpectError(const ReportSettings& settings, StatusCode code,
                   const std::vector<std::string>& parts) const {
    EXPECT_TRUE(FailsWith(MakeReport(settings), code, parts));
  }

  std::string folder_;
  at::Tensor images_;
  at::Tensor labels_;
};

std::vector<std::vector<std::string>> Cells(const std::string& csv) {
  std::vector<std::vector<std::string>> lines;
  for (const auto& line : absl::StrSplit(csv, '\n', absl::SkipEmpty())) {
    lines.push_back(absl::StrSplit(line, ','));
  }
  return lines;
}

double Number(const std::string& text) {
  return std::strtod(text.c_str(), nullptr);
}

// Number by number, bit by bit.
void ExpectCsv(const std::string& csv, const Certificates& expected,
               bool labelled, double radius) {
  const auto lines = Cells(csv);
  ASSERT_EQ(lines.size(), static_cast<size_t>(expected.labels.size(0)) + 1);
  std::vector<std::string> header = {
      "index",         "label",        "predicted",      "margin",
      "forward_error", "naive_radius", "pairwise_radius"};
  if (radius > 0) header.push_back("certified");
  EXPECT_EQ(lines[0], header);
  for (int64_t i = 0; i < expected.labels.size(0); ++i) {
    const auto& cells = lines[static_cast<size_t>(i) + 1];
    ASSERT_EQ(cells.size(), header.size());
    EXPECT_EQ(cells[0], std::to_string(i));
    EXPECT_EQ(cells[1], labelled
                            ? std::to_string(expected.labels[i].item<int64_t>())
                            : "");
    EXPECT_EQ(cells[2], std::to_string(expected.predicted[i].item<int64_t>()));
    EXPECT_EQ(Number(cells[3]), expected.margin[i].item<double>());
    EXPECT_EQ(Number(cells[4]), expected.forward_error[i].item<double>());
    EXPECT_EQ(Number(cells[5]), expected.naive_radius[i].item<double>());
    const double certified = expected.pairwise_radius[i].item<double>();
    EXPECT_EQ(Number(cells[6]), certified);
    if (radius > 0) {
      EXPECT_EQ(cells[7], certified >= radius ? "yes" : "no");
    }
  }
}

std::string After(const std::string& text, const std::string& label) {
  const size_t place = text.find(label);
  if (place == std::string::npos) return "no " + label + " in " + text;
  const size_t begin = place + label.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

TEST_F(Certification, EqualsTheLibrarysInEveryNormAndArithmetic) {
  for (const Norm norm : kAllNorms) {
    for (const Arithmetic arithmetic :
         {Arithmetic::kFloat64, Arithmetic::kFloat32}) {
      for (const bool labelled : {true, false}) {
        ReportSettings settings = Settings();
        settings.norm = norm;
        settings.arithmetic = arithmetic;
        if (!labelled) settings.labels.clear();
        const auto report = MakeReport(settings);
        ASSERT_TRUE(report.ok()) << report.status();
        ExpectCsv(report->csv, Expected(settings), labelled, settings.radius);
      }
    }
  }
}

TEST_F(Certification, SummaryCountsWhatTheLinesSay) {
  // Most of them right, some certified, some not.
  const Certificates unlabelled = [&] {
    ReportSettings settings = Settings();
    settings.labels.clear();
    return Expected(settings);
  }();
  labels_ = unlabelled.predicted.clone();
  labels_.slice(0, 0, 5).add_(1).remainder_(4);
  Write("y.npy", labels_);
  ReportSettings settings = Settings();
  settings.radius = unlabelled.pairwise_radius.median().item<double>();
  const auto report = MakeReport(settings);
  ASSERT_TRUE(report.ok()) << report.status();
  int certified = 0;
  for (const auto& cells : Cells(report->csv)) {
    certified += cells.back() == "yes" ? 1 : 0;
  }
  EXPECT_GT(certified, 10);
  EXPECT_LT(certified, 40);
  EXPECT_EQ(After(report->summary, "images: "), "50");
  EXPECT_EQ(After(report->summary, "\naccuracy: "), "0.9");
  const std::string line = After(report->summary, "certified accuracy at l2 ");
  EXPECT_NEAR(Number(line.substr(line.find(": ") + 2)), certified / 50.0, 1e-9)
      << line;
  EXPECT_EQ(After(report->summary, "dataset: "), "noise");
  // Nine digits, and not below.
  const std::string constant =
      After(report->summary, "Lipschitz constant (l2): ");
  EXPECT_GE(Number(constant), unlabelled.lipschitz_constant);
  EXPECT_NEAR(Number(constant) / unlabelled.lipschitz_constant, 1, 1e-8);
}

TEST_F(Certification, RadiusZeroGivesRadiiOnly) {
  ReportSettings settings = Settings();
  settings.radius = 0.0;
  const auto report = MakeReport(settings);
  ASSERT_TRUE(report.ok()) << report.status();
  ExpectCsv(report->csv, Expected(settings), true, 0.0);
  EXPECT_EQ(report->summary.find("certified"), std::string::npos);
}

TEST_F(Certification, ImagesOfEveryShapeAndTypeAreTaken) {
  const at::Tensor bytes =
      torch::randint(256, {kImages, 3, 2, 2}, RandomSource(2).generator(),
                     torch::TensorOptions(torch::kByte));
  images_ = bytes.to(torch::kFloat).div(255.0).flatten(1);
  const std::string expected = [&] {
    Write("x.npy", images_);
    return MakeReport(Settings())->csv;
  }();
  ExpectCsv(expected, Expected(Settings()), true, Settings().radius);
  for (const at::Tensor& images :
       {bytes, bytes.reshape({kImages, 6, 2}), bytes.flatten(1),
        images_.to(torch::kDouble).reshape({kImages, 3, 2, 2})}) {
    Write("x.npy", images);
    for (const at::ScalarType type : {torch::kByte, torch::kInt}) {
      Write("y.npy", labels_.to(type));
      const auto report = MakeReport(Settings());
      ASSERT_TRUE(report.ok()) << report.status();
      EXPECT_EQ(report->csv, expected);
    }
  }
}

TEST_F(Certification, ImagesThatDoNotFitAreErrorsWithTheNumbers) {
  const auto fails = [&](const at::Tensor& images,
                         std::vector<std::string> parts) {
    Write("x.npy", images);
    parts.push_back(Path("x.npy"));
    ExpectError(Settings(), StatusCode::kInvalidArgument, parts);
  };
  fails(torch::rand({kImages, 11}), {"12 pixels", "50 x 11"});
  fails(torch::rand({kImages, 3, 2, 3}), {"12 pixels", "50 x 3 x 2 x 3"});
  fails(torch::rand({12}), {"(n, d)", "12 of type"});
  fails(torch::rand({0, 12}), {"n at least 1", "0 x 12"});
  fails(torch::rand({kImages, 1, 3, 2, 2}), {"(n, c, h, w)"});
  fails(torch::ones({kImages, 12}, torch::kLong), {"uint8", "Long"});
  fails(images_.to(torch::kHalf), {"float32", "Half"});
  for (const double pixel : {-0.01, 1.5, 255.0}) {
    at::Tensor images = images_.clone();
    images[7][3] = pixel;
    fails(images, {"image 7", "[0, 1]", "--any_range"});
    ReportSettings settings = Settings();
    settings.any_range = true;
    EXPECT_TRUE(MakeReport(settings).ok());
  }
  for (const double pixel : {std::numeric_limits<double>::quiet_NaN(),
                             std::numeric_limits<double>::infinity()}) {
    at::Tensor images = images_.clone();
    images[9][0] = pixel;
    fails(images, {"image 9", "not finite"});
    ReportSettings settings = Settings();
    settings.any_range = true;
    ExpectError(settings, StatusCode::kInvalidArgument, {"not finite"});
  }
}

TEST_F(Certification, LabelsThatDoNotFitAreErrorsWithTheNumbers) {
  const auto fails = [&](const at::Tensor& labels,
                         std::vector<std::string> parts) {
    Write("y.npy", labels);
    parts.push_back(Path("y.npy"));
    ExpectError(Settings(), StatusCode::kInvalidArgument, parts);
  };
  fails(labels_.slice(0, 1), {"50 whole numbers", "49"});
  fails(labels_.unsqueeze(1), {"50 x 1"});
  fails(labels_.to(torch::kFloat), {"whole numbers", "Float"});
  for (const int64_t label : {-1, 4}) {
    at::Tensor labels = labels_.clone();
    labels[8] = label;
    fails(labels, {"label " + std::to_string(label), "image 8", "0 to 3"});
  }
}

TEST_F(Certification, FilesThatAreMissingOrDamagedAreErrorsThatNameThem) {
  ReportSettings settings = Settings();
  settings.model = Path("none.lip");
  ExpectError(settings, StatusCode::kNotFound, {"none.lip"});
  settings = Settings();
  settings.images = Path("none.npy");
  ExpectError(settings, StatusCode::kNotFound, {"none.npy"});
  settings = Settings();
  settings.labels = Path("none.npy");
  ExpectError(settings, StatusCode::kNotFound, {"none.npy"});
  settings = Settings();
  settings.model = Path("x.npy");
  ExpectError(settings, StatusCode::kDataLoss, {Path("x.npy"), "not a model"});
  settings = Settings();
  settings.images = Path("m.lip");
  ExpectError(settings, StatusCode::kInvalidArgument, {Path("m.lip"), ".npy"});
  settings.images = folder_;
  ExpectError(settings, StatusCode::kInvalidArgument, {folder_});
  std::string content = *ReadFile(Path("m.lip"));
  content[content.size() / 2] ^= 1;
  ASSERT_TRUE(WriteFileAtomically(Path("m.lip"), content).ok());
  ExpectError(Settings(), StatusCode::kDataLoss, {Path("m.lip"), "damaged"});
}

TEST_F(Certification, ModelOfALaterSchemaIsAnError) {
  ChangeDescription("\"schema\":1", "\"schema\":2");
  ExpectError(Settings(), StatusCode::kFailedPrecondition,
              {Path("m.lip"), "schema 2"});
}

TEST_F(Certification, ModelWithoutAConstraintIsBoundedByItsNorms) {
  MlpConfig config = Config();
  config.constraint.kind = ConstraintKind::kNone;
  config.activation = ActivationSpec::Relu();
  Save(config);
  const auto report = MakeReport(Settings());
  ASSERT_TRUE(report.ok()) << report.status();
  ExpectCsv(report->csv, Expected(Settings()), true, Settings().radius);
}

// The product of its layers' norms is no finite number.
TEST_F(Certification, ModelWithoutAFiniteBoundIsAnError) {
  MlpConfig config = Config();
  config.constraint.kind = ConstraintKind::kNone;
  config.hidden.assign(12, 8);
  torch::manual_seed(3);
  Sequential network = *MakeMlp(config);
  {
    const torch::NoGradGuard no_grad;
    for (at::Tensor& parameter : network->parameters()) parameter.mul_(1e37);
  }
  SaveNetwork(config, network);
  ExpectError(Settings(), StatusCode::kFailedPrecondition,
              {Path("m.lip"), "no finite Lipschitz bound"});
}

TEST_F(Certification, ModelOfOneOutputIsAnError) {
  MlpConfig config = Config();
  config.output_dim = 1;
  Save(config);
  ExpectError(Settings(), StatusCode::kInvalidArgument,
              {Path("m.lip"), "1 output"});
}

TEST_F(Certification, Float32CertificateOfAFloat64ModelIsAnError) {
  torch::manual_seed(3);
  Sequential network = *MakeMlp(Config());
  network->to(torch::kDouble);
  SaveNetwork(Config(), network);
  EXPECT_TRUE(MakeReport(Settings()).ok());
  ReportSettings settings = Settings();
  settings.arithmetic = Arithmetic::kFloat32;
  ExpectError(settings, StatusCode::kFailedPrecondition,
              {Path("m.lip"), "float32"});
}

TEST_F(Certification, RadiusThatIsNoneIsAnError) {
  for (const double radius : {-1.0, std::numeric_limits<double>::infinity(),
                              std::numeric_limits<double>::quiet_NaN()}) {
    ReportSettings settings = Settings();
    settings.radius = radius;
    ExpectError(settings, StatusCode::kInvalidArgument, {"radius"});
  }
}

class Program : public Certification {
 protected:
  ProcessResult Run(std::vector<std::string> flags,
                    const std::string& working_directory = "") {
    flags.insert(flags.begin(), testing::DataFile("tools/certify/certify"));
    ProcessOptions options;
    if (!working_directory.empty()) {
      options.environment = {{"BUILD_WORKING_DIRECTORY", working_directory}};
    }
    return testing::RunProcess(flags, options);
  }
};

TEST_F(Program, PrintsTheCsvAndClosesWithASummary) {
  const ProcessResult run =
      Run({"--model=" + Path("m.lip"), "--images=" + Path("x.npy"),
           "--labels=" + Path("y.npy"), "--radius=0.02", "--norm=l2"});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  ExpectCsv(run.standard_output, Expected(Settings()), true, 0.02);
  EXPECT_EQ(After(run.standard_error, "images: "), "50");
  EXPECT_EQ(run.standard_error, MakeReport(Settings())->summary);
}

// As under `bazel run`: in another folder than the user's.
TEST_F(Program, RelativePathsAreTheUsers) {
  const ProcessResult run =
      Run({"--model=m.lip", "--images=x.npy", "--norm=linf",
           "--arithmetic=float32", "--output=out/radii.csv"},
          folder_);
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  EXPECT_EQ(run.standard_output, "");
  ReportSettings settings = Settings();
  settings.labels.clear();
  settings.norm = Norm::kLinf;
  settings.arithmetic = Arithmetic::kFloat32;
  ExpectCsv(*ReadFile(Path("out/radii.csv")), Expected(settings), false, 0.0);
}

TEST_F(Program, BadInputIsExitStatusTwoAndNothingOnStandardOutput) {
  const std::string model = "--model=" + Path("m.lip");
  const std::string images = "--images=" + Path("x.npy");
  const struct {
    std::vector<std::string> flags;
    std::string message;
  } kCases[] = {
      {{}, "--model and --images"},
      {{model}, "--model and --images"},
      {{images}, "--model and --images"},
      {{model, images, "--norm=l3"}, "l3"},
      {{model, images, "--arithmetic=exact"}, "exact"},
      {{model, images, "--radius=wide"}, "wide"},
      {{model, images, "--radius=-1"}, "radius"},
      {{model, images, "--colour=red"}, "colour"},
      {{model, images, "x.npy"}, "x.npy"},
      {{model, "--images=" + Path("none.npy")}, "none.npy"},
      {{"--model=" + Path("x.npy"), images}, "not a model"},
  };
  for (const auto& test : kCases) {
    const ProcessResult run = Run(test.flags);
    EXPECT_EQ(run.exit_status, 2) << test.message;
    EXPECT_EQ(run.standard_output, "");
    EXPECT_NE(run.standard_error.find("ERROR"), std::string::npos);
    EXPECT_NE(run.standard_error.find(test.message), std::string::npos)
        << run.standard_error;
  }
}

TEST_F(Program, HelpNamesTheFlags) {
  const ProcessResult run = Run({"--help"});
  EXPECT_EQ(run.exit_status, 0);
  for (const std::string flag : {"-model", "-images", "-labels", "-radius",
                                 "-norm", "-arithmetic", "-output"}) {
    EXPECT_NE(run.standard_output.find(flag), std::string::npos) << flag;
  }
}

TEST_F(Program, OutputThatCannotBeWrittenIsExitStatusOne) {
  const ProcessResult run =
      Run({"--model=" + Path("m.lip"), "--images=" + Path("x.npy"),
           "--output=" + Path("m.lip") + "/radii.csv"});
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_NE(run.standard_error.find("m.lip"), std::string::npos);
}

}  // namespace
}  // namespace lipschitz
