// The Wasserstein distance of a user's samples, as the program prints it.
#include <torch/types.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/data/npy.h"
#include "lipschitz/data/random.h"
#include "lipschitz/transport/exact_wasserstein.h"
#include "lipschitz/transport/wasserstein_estimate.h"
#include "tests/testing/data_files.h"
#include "tests/testing/networks.h"
#include "tests/testing/status.h"
#include "tests/testing/subprocess.h"
#include "tests/testing/tensors.h"
#include "tools/estimate_wasserstein/exact.h"
#include "tools/estimate_wasserstein/inputs.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using testing::FailsWith;
using testing::Matrix;
using testing::NewFolder;
using testing::ProcessOptions;
using testing::ProcessResult;
using testing::WriteData;
using tools::ReadSamplePair;
using tools::ReadSamples;
using tools::SolveExactly;

torch::Tensor Normal(int64_t n, int64_t dim, uint64_t seed) {
  return torch::randn({n, dim}, RandomSource(seed).generator(),
                      torch::TensorOptions(torch::kDouble));
}

// A file of its own for each test, in a new folder.
class EstimateTool : public ::testing::Test {
 protected:
  void SetUp() override { folder_ = NewFolder("estimate"); }

  std::string Path(const std::string& name) const {
    return folder_ + "/" + name;
  }

  std::string WriteArray(const std::string& name, const at::Tensor& tensor) {
    const absl::Status written = WriteNpy(Path(name), tensor);
    EXPECT_TRUE(written.ok()) << written;
    return Path(name);
  }

  std::string WriteText(const std::string& name, const std::string& content) {
    WriteData(Path(name), content);
    return Path(name);
  }

  // With 17 digits.
  std::string WriteCsv(const std::string& name, const at::Tensor& tensor) {
    std::string content = "header, of text\n";
    for (int64_t i = 0; i < tensor.size(0); ++i) {
      char line[64];
      std::snprintf(line, sizeof(line), "%.17g,%.17g\n",
                    tensor[i][0].item<double>(), tensor[i][1].item<double>());
      content += line;
    }
    return WriteText(name, content);
  }

  std::string folder_;
};

class Inputs : public EstimateTool {
 protected:
  void ExpectError(const std::string& path, std::vector<std::string> parts,
                   StatusCode code = StatusCode::kInvalidArgument) {
    parts.push_back(path);
    EXPECT_TRUE(FailsWith(ReadSamples(path), code, parts));
  }
};

TEST_F(Inputs, SamplesOfEveryTypeAreFloat64) {
  const torch::Tensor values = Matrix({{1, 0}, {2, 7}, {0, 100}});
  for (const at::ScalarType type :
       {at::kDouble, at::kFloat, at::kHalf, at::kByte, at::kChar, at::kShort,
        at::kInt, at::kLong}) {
    const auto read = ReadSamples(WriteArray("x.npy", values.to(type)));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->scalar_type(), at::kDouble);
    EXPECT_TRUE(at::equal(*read, values));
  }
  const auto line = ReadSamples(WriteArray("x.npy", at::arange(4, at::kInt)));
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_TRUE(at::equal(*line, Matrix({{0}, {1}, {2}, {3}})));
}

// {{1, 2, 3}, {4, 5, 6}} as numpy.save(numpy.asfortranarray(...)) and later
// versions write it.
TEST_F(Inputs, FortranOrderAndEveryVersionAreRead) {
  for (const int version : {1, 2, 3}) {
    const std::string header =
        "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n";
    std::string content = "\x93NUMPY";
    content +=
        {static_cast<char>(version), 0, static_cast<char>(header.size()), 0};
    if (version > 1) content += {0, 0};
    content += header;
    for (const float value : {1.0F, 4.0F, 2.0F, 5.0F, 3.0F, 6.0F}) {
      content.append(reinterpret_cast<const char*>(&value), sizeof(value));
    }
    // By its first bytes it is .npy under any name.
    for (const std::string name : {"x.npy", "x.dat"}) {
      const auto read = ReadSamples(WriteText(name, content));
      ASSERT_TRUE(read.ok()) << read.status();
      EXPECT_TRUE(at::equal(*read, Matrix({{1, 2, 3}, {4, 5, 6}})));
    }
    const auto zipped =
        ReadSamples(WriteText("x.npy.gz", testing::Gzip(content)));
    EXPECT_TRUE(zipped.ok()) << zipped.status();
  }
}

TEST_F(Inputs, WholeNumbersAreReadWhereFloat64HoldsThem) {
  const int64_t largest = int64_t{1} << 53;
  const auto read = ReadSamples(
      WriteArray("x.npy", at::tensor({largest, -largest, int64_t{3}})));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)[1][0].item<double>(), -9007199254740992.0);
  for (const int64_t value :
       {largest + 1, -largest - 1, std::numeric_limits<int64_t>::max(),
        std::numeric_limits<int64_t>::min()}) {
    ExpectError(WriteArray("x.npy", at::tensor({int64_t{1}, value})),
                {"row 1", "column 0", "float64"});
  }
}

TEST_F(Inputs, ArraysThatAreNoSamplesAreErrorsWithTheirPlace) {
  ExpectError(WriteArray("x.npy", at::zeros({2, 3, 4})), {"(2 x 3 x 4)"});
  ExpectError(WriteArray("x.npy", at::zeros({0, 3})), {"(0 x 3)"});
  ExpectError(WriteArray("x.npy", at::zeros({3, 0})), {"(3 x 0)"});
  ExpectError(WriteArray("x.npy", at::zeros({})), {"shape ()"});
  for (const double value : {std::nan(""), -HUGE_VAL}) {
    torch::Tensor samples = at::zeros({9, 3});
    samples[7][2] = value;
    ExpectError(WriteArray("x.npy", samples),
                {"row 7", "column 2", "not finite"});
  }
}

TEST_F(Inputs, FilesThatCannotBeReadAreErrorsThatNameThem) {
  ExpectError(Path("none.npy"), {"No such file"}, StatusCode::kNotFound);
  ExpectError(Path("none.csv"), {"No such file"}, StatusCode::kNotFound);
  ExpectError(folder_, {"directory"});
  const std::string whole = *ReadFile(WriteArray("x.npy", at::zeros({5, 2})));
  std::string complex = whole;
  complex.replace(complex.find("<f4"), 3, "<c8");
  for (const auto& [name, content, reason] :
       {std::tuple<std::string, std::string, std::string>{"empty.npy", "",
                                                          "the file is empty"},
        {"empty.csv", "", "the file is empty"},
        {"cut.npy", whole.substr(0, whole.size() - 5), "cut off"},
        {"text.npy", "1.5,2.5\n", "not an .npy file"},
        {"complex.npy", complex, "'<c8', which is not supported"},
        {"cut.csv", "1,2\n3,4\n5", "row 3: the number of columns is 1"},
        {"words.csv", "x,y\n3,4\n5,six\n", "row 3: column 2: 'six'"},
        {"nan.csv", "x,y\nnan,4\n", "row 2: column 1: 'nan' is not finite"}}) {
    ExpectError(WriteText(name, content), {reason});
  }
}

TEST_F(Inputs, BothHaveTheSameWidth) {
  const std::string p = WriteArray("p.npy", at::zeros({4, 2}));
  const std::string q = WriteText("q.csv", "1,2,3\n");
  EXPECT_TRUE(FailsWith(ReadSamplePair(p, q), StatusCode::kInvalidArgument,
                        {q, "3 columns", p, "2"}));
  EXPECT_TRUE(ReadSamplePair(q, q).ok());
}

// A critic x ↦ x_0 that claims a constant of `claim`.
WassersteinEstimate EstimateBy(double claim) {
  WassersteinEstimate estimate;
  estimate.critic = testing::Chain({std::make_shared<testing::Claiming>(
      testing::Affine(Matrix({{1, 0}})).ptr(), claim)});
  estimate.shift = torch::zeros({2}, torch::kDouble);
  return estimate;
}

TEST(SolveExactly, RefusesABoundAboveTheExactValue) {
  const torch::Tensor p = Normal(20, 2, 1);
  const tools::SamplePair samples = {p + Matrix({{1, 0}}), p};
  const auto sound = SolveExactly(samples, EstimateBy(1.0), Norm::kL2);
  ASSERT_TRUE(sound.ok()) << sound.status();
  EXPECT_NEAR(sound->value, 1.0, 1e-9);
  // How the layer that only claims its constant rounds is not known.
  EXPECT_LE(sound->critic_bound, 1.0);
  EXPECT_TRUE(FailsWith(SolveExactly(samples, EstimateBy(0.999), Norm::kL2),
                        StatusCode::kInternal, {"certificate", "1.001"}));
}

TEST(SolveExactly, OnTheLineInClosedForm) {
  // Sorted neighbours: |0 − 1| and |3 − 7|, half the mass each.
  WassersteinEstimate estimate;
  estimate.critic = testing::Chain({testing::Affine(Matrix({{1}})).ptr()});
  estimate.shift = torch::zeros({1}, torch::kDouble);
  const auto exact = SolveExactly({Matrix({{3}, {0}}), Matrix({{1}, {7}})},
                                  estimate, Norm::kL2);
  ASSERT_TRUE(exact.ok()) << exact.status();
  EXPECT_NEAR(exact->value, 2.5, 1e-12);
  EXPECT_EQ(exact->gap, 0.0);
}

class Program : public EstimateTool {
 protected:
  // Small and quick unless `flags` say otherwise; the result is in
  // result.json.
  ProcessResult Run(const std::string& p, const std::string& q,
                    const std::vector<std::string>& flags = {},
                    const std::string& working_directory = "") {
    std::vector<std::string> command = {
        testing::DataFile("tools/estimate_wasserstein/estimate_wasserstein"),
        "--p=" + p,
        "--q=" + q,
        "--hidden=32,32",
        "--steps=150",
        "--output=" + Path("result.json")};
    command.insert(command.end(), flags.begin(), flags.end());
    ProcessOptions options;
    if (!working_directory.empty()) {
      options.environment = {{"BUILD_WORKING_DIRECTORY", working_directory}};
    }
    return testing::RunProcess(command, options);
  }

  nlohmann::json Result() const {
    const auto text = ReadFile(Path("result.json"));
    EXPECT_TRUE(text.ok()) << text.status();
    return nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  }

  nlohmann::json RunToResult(const std::string& p, const std::string& q,
                             const std::vector<std::string>& flags = {}) {
    const ProcessResult run = Run(p, q, flags);
    EXPECT_EQ(run.exit_status, 0) << run.standard_error;
    return Result();
  }

  // Exit status 2, one message with all parts, and no result.
  void ExpectBadInput(const std::string& p, const std::string& q,
                      const std::vector<std::string>& parts,
                      const std::vector<std::string>& flags = {}) {
    const ProcessResult run = Run(p, q, flags);
    EXPECT_EQ(run.exit_status, 2) << run.standard_error;
    EXPECT_EQ(run.standard_output, "");
    EXPECT_FALSE(std::filesystem::exists(Path("result.json")));
    EXPECT_EQ(run.standard_error.find("ERROR"),
              run.standard_error.rfind("ERROR"));
    for (const std::string& part : parts) {
      EXPECT_NE(run.standard_error.find(part), std::string::npos)
          << part << " in " << run.standard_error;
    }
  }
};

// The value of a row of the printed table.
std::string Row(const std::string& table, const std::string& name) {
  const size_t place = table.find("| " + name);
  if (place == std::string::npos) return "no row " + name + " in " + table;
  const size_t begin = table.find(" | ", place) + 3;
  const std::string value = table.substr(begin, table.find('|', begin) - begin);
  return value.substr(0, value.find_last_not_of(' ') + 1);
}

TEST_F(Program, FindsATranslationOfGaussians) {
  // W1 = |(3, 4)| = 5.
  const std::string p = WriteArray("p.npy", Normal(1000, 2, 1));
  const std::string q = WriteCsv("q.csv", Normal(800, 2, 2) + Matrix({{3, 4}}));
  const ProcessResult run =
      Run(p, q, {"--exact", "--c_transform", "--test_share=0.3"});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  const nlohmann::json result = Result();

  const double bound = result["lower_bound"];
  const double error = result["standard_error"];
  // The critic's values have the variance 1, over 300 and 240 samples.
  EXPECT_NEAR(error, std::sqrt(1.0 / 300 + 1.0 / 240), 0.15 * error);
  EXPECT_NEAR(bound, 5.0, 4 * error);
  // Student's t with 239 degrees of freedom.
  EXPECT_NEAR(result["interval"][0], bound - 1.96994 * error, 1e-4 * error);
  EXPECT_NEAR(result["interval"][1], bound + 1.96994 * error, 1e-4 * error);
  EXPECT_EQ(result["held_out"], true);
  const double constant = result["lipschitz_constant"];
  EXPECT_NEAR(constant, 1.0, 1e-5);
  EXPECT_EQ(result["p"]["samples"], 1000);
  EXPECT_EQ(result["p"]["training"], 500);
  EXPECT_EQ(result["p"]["validation"], 200);
  EXPECT_EQ(result["p"]["test"], 300);
  EXPECT_EQ(result["q"]["samples"], 800);
  EXPECT_EQ(result["q"]["test"], 240);
  EXPECT_EQ(result["dimension"], 2);
  EXPECT_EQ(result["config"]["network"]["hidden"], nlohmann::json({32, 32}));
  EXPECT_EQ(result["config"]["network"]["input_dim"], 2);
  EXPECT_EQ(result["environment"]["device"], "cpu");
  EXPECT_GT(result["estimate_seconds"], 0.0);
  EXPECT_FALSE(result["history"].empty());

  const auto samples = ReadSamplePair(p, q);
  ASSERT_TRUE(samples.ok()) << samples.status();
  const auto solved =
      SolveTransport({samples->p, {}}, {samples->q, {}}, Norm::kL2);
  ASSERT_TRUE(solved.ok()) << solved.status();
  const double exact = result["exact"]["value"];
  EXPECT_NEAR(exact, solved->value, 1e-9);
  EXPECT_LE(result["exact"]["critic_bound"], exact + 1e-9);
  EXPECT_GE(result["exact"]["critic_bound"], 0.97 * exact);
  const double transformed = result["c_transform"]["lower_bound"];
  EXPECT_LE(transformed, exact + 1e-9);
  EXPECT_GE(transformed, result["exact"]["critic_bound"]);

  const std::string& table = run.standard_output;
  EXPECT_NEAR(std::stod(Row(table, "certified lower bound (held-out")), bound,
              1e-7);
  EXPECT_NEAR(std::stod(Row(table, "95 % interval")), result["interval"][0],
              1e-7);
  EXPECT_GE(std::stod(Row(table, "K, proven (l2)")), constant);
  EXPECT_NEAR(std::stod(Row(table, "exact W1 of all samples")), exact, 1e-7);
  EXPECT_NEAR(std::stod(Row(table, "the critic's lower bound on it")),
              result["exact"]["critic_bound"], 1e-7);
  EXPECT_NEAR(std::stod(Row(table, "the c-transform's lower bound")),
              transformed, 1e-7);
  EXPECT_EQ(Row(table, "samples of P"), "500 / 200 / 300");
  EXPECT_EQ(Row(table, "samples of Q"), "400 / 160 / 240");
  EXPECT_NE(table.find("97.5 % confidence where the critic's values are close "
                       "to a normal distribution"),
            std::string::npos)
      << table;
  EXPECT_EQ(table.find("has no width"), std::string::npos) << table;
}

// One sample in a thousand may be elsewhere; these are not among them.
TEST_F(Program, AnIntervalWithoutWidthIsSaidToSayNothing) {
  const std::string p = WriteArray("p.npy", at::zeros({60, 2}));
  const std::string q = WriteArray("q.npy", at::ones({60, 2}));
  const ProcessResult run = Run(p, q, {"--test_share=0.5", "--scale=false"});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  EXPECT_NE(run.standard_output.find("has no width"), std::string::npos)
      << run.standard_output;
}

TEST_F(Program, NoConfidenceReadsAsCertainty) {
  const std::string p = WriteArray("p.npy", Normal(60, 2, 1));
  const std::string q = WriteArray("q.npy", Normal(60, 2, 2));
  const ProcessResult run =
      Run(p, q, {"--test_share=0.5", "--confidence=0.9999999"});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  EXPECT_NE(run.standard_output.find("99.99999 % interval"), std::string::npos)
      << run.standard_output;
  EXPECT_EQ(run.standard_output.find("100 %"), std::string::npos)
      << run.standard_output;
}

// Of samples and their translates by (3, 4) the exact value is the norm of it.
TEST_F(Program, EveryGroundNormIsItsOwn) {
  const torch::Tensor samples = Normal(60, 2, 1);
  const std::string p = WriteArray("p.npy", samples);
  const std::string q = WriteArray("q.npy", samples + Matrix({{3, -4}}));
  for (const auto& [norm, distance] :
       {std::pair("l1", 7.0), std::pair("l2", 5.0), std::pair("linf", 4.0)}) {
    const nlohmann::json result = RunToResult(
        p, q,
        {"--exact", "--ground_norm=" + std::string(norm), "--test_share=0",
         "--validation_share=0", "--scale=false"});
    EXPECT_EQ(result["ground_norm"], norm);
    EXPECT_NEAR(result["exact"]["value"], distance, 1e-9);
    EXPECT_LE(result["lower_bound"], distance + 1e-9);
    EXPECT_GE(result["lower_bound"], 0.95 * distance) << norm;
    // Without held-out samples the estimate is about these.
    EXPECT_EQ(result["lower_bound"], result["exact"]["critic_bound"]);
    EXPECT_EQ(result["held_out"], false);
    EXPECT_TRUE(result["interval"].is_null());
    EXPECT_EQ(result["p"]["training"], 60);
    EXPECT_EQ(result["scale"], 1.0);
  }
}

// Distances of very different sizes: the solver's whole numbers say little of
// the small ones, and the table says how much.
TEST_F(Program, TheExactValueHasItsGap) {
  const std::string p =
      WriteArray("p.npy", Matrix({{0, 0}, {1e-4, 0}, {1e9, 0}}));
  const std::string q =
      WriteArray("q.npy", Matrix({{1e-4, 0}, {4e-4, 0}, {1e9, 0}}));
  const ProcessResult run =
      Run(p, q, {"--exact", "--test_share=0", "--validation_share=0"});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  const std::string row = Row(run.standard_output, "exact W1 of all samples");
  double lower = 0.0;
  double upper = 0.0;
  ASSERT_EQ(std::sscanf(row.c_str(), "between %lf and %lf", &lower, &upper), 2)
      << row;
  // (0 → 1e-4, 1e-4 → 4e-4) / 3.
  EXPECT_LE(lower, 4e-4 / 3);
  EXPECT_GE(upper, 4e-4 / 3);
}

TEST_F(Program, IsInTheUnitsOfTheSamples) {
  const torch::Tensor samples = Normal(200, 2, 1);
  const auto run = [&](double unit, const std::string& scale) {
    return RunToResult(
        WriteArray("p.npy", samples * unit + 100 * unit),
        WriteArray("q.npy", (samples + Matrix({{3, 4}})) * unit + 100 * unit),
        {"--exact", scale});
  };
  for (const double unit : {1e-5, 1e5}) {
    const nlohmann::json result = run(unit, "--scale");
    EXPECT_NEAR(result["exact"]["value"], 5.0 * unit, 1e-8 * unit);
    EXPECT_GE(result["exact"]["critic_bound"], 0.97 * 5.0 * unit);
    EXPECT_NEAR(result["lower_bound"], 5.0 * unit,
                4 * result["standard_error"].get<double>());
    EXPECT_EQ(result["config"]["scale"], true);
    // Each coordinate varies by 1 around two means, 3 or 4 apart.
    EXPECT_NEAR(result["scale"], unit * std::sqrt((2 + 6.25) / 2), 0.2 * unit);
    // The user's choice: a bound either way.
    EXPECT_LE(run(unit, "--noscale")["exact"]["critic_bound"],
              5.0 * unit * (1 + 1e-8));
  }
}

// On few samples in many dimensions the critic learns them by heart: their own
// distance is not overstated, and that of the distributions, 0, is in the
// interval's reach.
TEST_F(Program, OverfittingIsNotOverstated) {
  const std::string p = WriteArray("p.npy", Normal(100, 16, 1));
  const std::string q = WriteArray("q.npy", Normal(100, 16, 2));
  const nlohmann::json result = RunToResult(p, q, {"--exact"});
  const double exact = result["exact"]["value"];
  EXPECT_LE(result["exact"]["critic_bound"], exact);
  EXPECT_GT(exact, 2.0);
  EXPECT_LT(result["interval"][0], 0.0);
}

TEST_F(Program, SameSeedSameResultFromEitherFormat) {
  const torch::Tensor p = Normal(100, 2, 1);
  const std::string q = WriteArray("q.npy", Normal(100, 2, 2) + 1);
  const auto bound = [&](const std::string& path, const std::string& seed) {
    return RunToResult(path, q, {"--steps=40", "--seed=" + seed})["lower_bound"]
        .get<double>();
  };
  const double first = bound(WriteArray("p.npy", p), "3");
  EXPECT_EQ(bound(WriteCsv("p.csv", p), "3"), first);
  EXPECT_NE(bound(Path("p.npy"), "4"), first);
}

TEST_F(Program, OnTheLine) {
  const std::string p = WriteArray("p.npy", Normal(300, 1, 1).squeeze(1));
  const std::string q = WriteArray("q.npy", Normal(300, 1, 1).squeeze(1) + 2);
  const nlohmann::json result = RunToResult(p, q, {"--exact"});
  EXPECT_EQ(result["dimension"], 1);
  EXPECT_NEAR(result["exact"]["value"], 2.0, 1e-9);
  EXPECT_GE(result["exact"]["critic_bound"], 1.98);
}

TEST_F(Program, TooManyPairsLeaveTheEstimate) {
  const std::string p = WriteArray("p.npy", Normal(6400, 2, 1));
  const ProcessResult run =
      Run(p, p, {"--exact", "--c_transform", "--steps=3"});
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_NE(run.standard_error.find("6324 samples a side"), std::string::npos)
      << run.standard_error;
  EXPECT_EQ(Row(run.standard_output, "exact W1 of all samples"), "not solved");
  const nlohmann::json result = Result();
  EXPECT_NEAR(std::stod(Row(run.standard_output, "certified lower bound")),
              result["lower_bound"], 1e-8);
  EXPECT_NE(result["exact"]["error"].get<std::string>().find("6400"),
            std::string::npos);
  // Of samples and themselves.
  EXPECT_NEAR(result["c_transform"]["lower_bound"], 0.0, 1e-9);
  EXPECT_LE(result["c_transform"]["lower_bound"], 0.0);
}

// As under `bazel run`: in another folder than the user's.
TEST_F(Program, RelativePathsAreTheUsers) {
  WriteArray("p.npy", Normal(50, 2, 1));
  WriteArray("q.npy", Normal(50, 2, 2));
  const ProcessResult run =
      Run("p.npy", "q.npy", {"--steps=2", "--output=out/r.json"}, folder_);
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  EXPECT_TRUE(std::filesystem::exists(Path("out/r.json")));
  EXPECT_NE(run.standard_output.find("p.npy, q.npy"), std::string::npos);
}

TEST_F(Program, BadDataAreExitStatusTwoWithFileRowAndReason) {
  const std::string good = WriteArray("good.npy", Normal(50, 2, 1));
  ExpectBadInput(Path("none.npy"), good, {Path("none.npy"), "No such file"});
  ExpectBadInput(good, folder_, {folder_, "directory"});
  const std::string narrow = WriteArray("narrow.npy", Normal(50, 1, 1));
  ExpectBadInput(good, narrow, {narrow, "1 columns", good, "2"});
  torch::Tensor hole = Normal(50, 2, 1);
  hole[31][1] = std::nan("");
  const std::string nan = WriteArray("nan.npy", hole);
  ExpectBadInput(nan, good, {nan, "row 31", "column 1", "not finite"});
  const std::string words = WriteText("words.csv", "x,y\n3,4\n5,six\n");
  ExpectBadInput(good, words, {words, "row 3: column 2: 'six'"});
  const std::string few = WriteText("few.csv", "1,2\n3,4\n");
  ExpectBadInput(good, few, {few, "Q", "2 samples are too few"});
}

TEST_F(Program, BadFlagsAreExitStatusTwo) {
  const std::string good = WriteArray("good.npy", Normal(50, 2, 1));
  const struct {
    std::string flag;
    std::string message;
  } kCases[] = {
      {"--p=", "--p and --q"},
      {"--ground_norm=l3", "l3"},
      {"--activation=groupsort5", "hidden layer 1"},
      {"--hidden=32,many", "many"},
      {"--steps=0", "steps"},
      {"--learning_rate=-1", "learning_rate"},
      {"--learning_rate=nan", "learning_rate"},
      {"--test_share=0.02", "1 held-out sample"},
      {"--test_share=1", "test_share"},
      {"--threads=-1", "--threads"},
      {"--seed=4294967296", "--seed"},
      {"--progress=loud", "loud"},
      {"--colour=red", "colour"},
      {"data.npy", "'data.npy' is not a flag"},
  };
  for (const auto& test : kCases) {
    ExpectBadInput(good, good, {test.message}, {test.flag});
  }
}

TEST_F(Program, OutputThatCannotBeWrittenLosesNoResult) {
  const std::string good = WriteArray("good.npy", Normal(50, 2, 1));
  const ProcessResult run =
      Run(good, good, {"--steps=2", "--output=" + good + "/result.json"});
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_NE(run.standard_error.find("good.npy"), std::string::npos);
  EXPECT_NE(run.standard_output.find("certified lower bound"),
            std::string::npos);
}

TEST_F(Program, HelpNamesTheFlags) {
  const ProcessResult run = Run("", "", {"--help"});
  EXPECT_EQ(run.exit_status, 0);
  for (const std::string flag :
       {"-p ", "-q ", "-ground_norm", "-exact", "-c_transform", "-output",
        "-scale", "-seed", "-steps", "-hidden", "-activation", "-batch_size",
        "-learning_rate", "-test_share", "-validation_share", "-confidence",
        "-patience", "-threads", "-progress"}) {
    EXPECT_NE(run.standard_output.find(flag), std::string::npos) << flag;
  }
}

TEST_F(Program, PrintsProgressToStandardErrorAlone) {
  const std::string good = WriteArray("good.npy", Normal(50, 2, 1));
  const ProcessResult bar = Run(good, good, {"--progress=bar", "--steps=1500"});
  EXPECT_NE(bar.standard_error.find("steps/s"), std::string::npos);
  EXPECT_EQ(bar.standard_output.find("steps/s"), std::string::npos);
  const ProcessResult none = Run(good, good, {"--progress=none", "--steps=1"});
  EXPECT_EQ(none.standard_error.find("[1/1]"), std::string::npos);
}

}  // namespace
}  // namespace lipschitz
