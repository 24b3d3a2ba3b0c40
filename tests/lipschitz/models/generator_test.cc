#include "lipschitz/models/generator.h"

#include <ATen/ATen.h>
#include <torch/optim/adam.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/sealed_file.h"
#include "tests/testing/mutator.h"
#include "tests/testing/status.h"
#include "tests/testing/subprocess.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using testing::FailsWith;
using testing::NewFolder;

GeneratorConfig Config(int64_t channels = 1, int64_t height = 8,
                       int64_t width = 8) {
  GeneratorConfig config;
  config.noise_dim = 5;
  config.channels = channels;
  config.height = height;
  config.width = width;
  config.hidden = 12;
  config.wide_channels = 6;
  config.narrow_channels = 4;
  return config;
}

// A few steps, so that nothing, batch statistics included, is as at first.
Generator Trained(const GeneratorConfig& config) {
  torch::manual_seed(1);
  Generator generator(config);
  torch::optim::Adam optimizer(generator->parameters(),
                               torch::optim::AdamOptions(0.01));
  for (int step = 0; step < 4; ++step) {
    optimizer.zero_grad();
    (generator->forward(at::rand({16, config.noise_dim})) - 0.5)
        .square()
        .mean()
        .backward();
    optimizer.step();
  }
  return generator;
}

std::string Save(const GeneratorConfig& config) {
  Generator generator = Trained(config);
  const std::string path = NewFolder("generator") + "/g.lip";
  const absl::Status saved =
      SaveGenerator(path, config, generator, {{"dataset", "mnist"}});
  EXPECT_TRUE(saved.ok()) << saved;
  return path;
}

std::string WithDescription(const std::string& content, const std::string& part,
                            const std::string& other) {
  std::string payload = *Unseal("generator", "g.lip", content);
  const size_t end = payload.find('\n');
  std::string description = payload.substr(0, end);
  const size_t place = description.find(part);
  EXPECT_NE(place, std::string::npos) << part << " in " << description;
  description.replace(place, part.size(), other);
  return Seal("generator", description + payload.substr(end));
}

TEST(Generator, ImagesAreFlatAndBetweenMinusOneAndOne) {
  torch::manual_seed(0);
  const struct {
    int64_t channels, height, width;
  } kSizes[] = {{1, 28, 28}, {3, 32, 32}, {2, 4, 12}};
  for (const auto& size : kSizes) {
    const GeneratorConfig config =
        Config(size.channels, size.height, size.width);
    EXPECT_EQ(config.OutputDim(), size.channels * size.height * size.width);
    Generator generator(config);
    {
      // Large enough for tanh to be near its ends.
      const torch::NoGradGuard no_grad;
      generator->named_parameters()["deconv2.weight"].mul_(1000.0);
    }
    const at::Tensor images = generator->forward(at::rand({7, 5}));
    EXPECT_EQ(images.sizes(), (std::vector<int64_t>{7, config.OutputDim()}));
    EXPECT_LE(images.abs().max().item<double>(), 1.0);
    EXPECT_GT(images.max().item<double>(), 0.5);
    EXPECT_LT(images.min().item<double>(), -0.5);
  }
}

// Hidden 1024, 128 and 64 channels: 62·1024 + 1024, and so on, with two numbers
// per normalised channel.
TEST(Generator, DefaultsAreThePapersLayout) {
  GeneratorConfig config;
  config.channels = 1;
  config.height = config.width = 28;
  torch::manual_seed(0);
  Generator generator(config);
  int64_t count = 0;
  for (const at::Tensor& parameter : generator->parameters()) {
    count += parameter.numel();
  }
  EXPECT_EQ(count, (62 * 1024 + 1024) + 2 * 1024 + (1024 * 6272 + 6272) +
                       2 * 6272 + (128 * 64 * 16 + 64) + 2 * 64 +
                       (64 * 16 + 1));
  const auto parameters = generator->named_parameters();
  const at::Tensor weight = parameters["linear2.weight"];
  EXPECT_NEAR(weight.mean().item<double>(), 0.0, 1e-4);
  EXPECT_NEAR(weight.std().item<double>(), 0.02, 1e-4);
  EXPECT_EQ(parameters["linear2.bias"].abs().max().item<double>(), 0.0);
  EXPECT_EQ(parameters["deconv1.bias"].abs().max().item<double>(), 0.0);
}

TEST(Generator, InEvaluationAnImageDependsOnItsNoiseAlone) {
  Generator generator = Trained(Config());
  const at::Tensor z = at::rand({6, 5});
  const at::Tensor in_training = generator->forward(z);
  EXPECT_FALSE(at::allclose(in_training.narrow(0, 0, 2),
                            generator->forward(z.narrow(0, 0, 2))));
  generator->eval();
  const at::Tensor all = generator->forward(z);
  EXPECT_TRUE(at::allclose(all.narrow(0, 0, 1),
                           generator->forward(z.narrow(0, 0, 1)), 1e-5, 1e-6));
}

TEST(Generator, WrongSizesAreErrors) {
  const struct {
    GeneratorConfig config;
    std::vector<std::string> message;
  } kCases[] = {{Config(1, 10, 8), {"4", "10 and 8"}},
                {Config(1, 8, 30), {"4", "8 and 30"}},
                {Config(0, 8, 8), {"channels", "0"}},
                {Config(1, -4, 8), {"height", "-4"}},
                {GeneratorConfig(), {"channels"}}};
  for (const auto& test : kCases) {
    EXPECT_TRUE(FailsWith(test.config.Validate(), StatusCode::kInvalidArgument,
                          test.message));
    EXPECT_THROW(Generator generator(test.config), c10::Error);
  }
  GeneratorConfig config = Config();
  config.noise_dim = int64_t{1} << 40;
  EXPECT_TRUE(FailsWith(config.Validate(), StatusCode::kInvalidArgument,
                        {"noise_dim"}));
  torch::manual_seed(0);
  Generator generator(Config());
  EXPECT_THROW(generator->forward(at::rand({3, 4})), c10::Error);
  EXPECT_THROW(generator->forward(at::rand({5})), c10::Error);
}

TEST(SavedGenerator, ComesBackBitForBit) {
  for (const bool wide : {false, true}) {
    const GeneratorConfig config = Config(3, 8, 12);
    Generator generator = Trained(config);
    const torch::ScalarType type = wide ? torch::kDouble : torch::kFloat;
    generator->to(type);
    const std::string path = NewFolder("generator") + "/a/b/g.lip";
    ASSERT_TRUE(
        SaveGenerator(path, config, generator, {{"dataset", "cifar10"}}).ok());
    EXPECT_TRUE(generator->is_training());
    auto loaded = LoadGenerator(path);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->metadata.at("dataset"), "cifar10");
    EXPECT_EQ(loaded->config.width, 12);
    EXPECT_EQ(loaded->config.wide_channels, 6);
    EXPECT_FALSE(loaded->generator->is_training());
    generator->eval();
    const at::Tensor z = at::rand({9, 5}, type);
    EXPECT_TRUE(
        at::equal(generator->forward(z), loaded->generator->forward(z)));
    const auto buffers = loaded->generator->named_buffers();
    EXPECT_TRUE(at::equal(generator->named_buffers()["norm3.running_var"],
                          buffers["norm3.running_var"]));
  }
}

TEST(SavedGenerator, RandomNumbersStayAsTheyWere) {
  const std::string path = Save(Config());
  torch::manual_seed(9);
  const at::Tensor expected = at::randn({4});
  torch::manual_seed(9);
  ASSERT_TRUE(LoadGenerator(path).ok());
  EXPECT_TRUE(at::equal(at::randn({4}), expected));
}

TEST(SavedGenerator, EveryDamageIsFound) {
  const std::string path = Save(Config());
  const std::string whole = *ReadFile(path);
  for (size_t i = 0; i < whole.size(); i += 41) {
    std::string flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ (1 << i % 8));
    EXPECT_TRUE(FailsWith(ParseGenerator("g.lip", flipped),
                          StatusCode::kDataLoss, {"g.lip"}));
    EXPECT_TRUE(FailsWith(ParseGenerator("g.lip", whole.substr(0, i)),
                          StatusCode::kDataLoss, {"g.lip"}));
  }
  ASSERT_TRUE(WriteFileAtomically(path, whole.substr(0, 900)).ok());
  EXPECT_TRUE(FailsWith(LoadGenerator(path), StatusCode::kDataLoss, {path}));
  EXPECT_TRUE(FailsWith(LoadGenerator(path + ".none"), StatusCode::kNotFound,
                        {path + ".none"}));
  // Of another kind, though whole.
  EXPECT_TRUE(FailsWith(ParseGenerator("g.lip", Seal("model", "{}\n")),
                        StatusCode::kDataLoss, {"g.lip", "generator"}));
}

TEST(SavedGenerator, DescriptionThatMakesNoSenseIsAnError) {
  const std::string content = *ReadFile(Save(Config()));
  const struct {
    std::string part, other;
    std::vector<std::string> message;
  } kCases[] = {
      {"\"noise_dim\":5", "\"noise_dim\":6", {"linear1.weight", "6"}},
      {"\"hidden\":12", "\"hidden\":13", {"linear1.weight", "13"}},
      {"\"height\":8", "\"height\":12", {"linear2.weight"}},
      {"\"height\":8", "\"height\":9", {"4 must divide", "9 and 8"}},
      {"\"channels\":1", "\"channels\":3", {"deconv2.weight"}},
      {"\"wide_channels\":6", "\"wide_channels\":60000", {"linear2.weight"}},
      {"\"narrow_channels\":4", "\"narrow_channels\":5", {"deconv1.weight"}},
      {"\"hidden\":12", "\"hidden\":\"12\"", {"config.hidden"}},
      {"\"hidden\":12,", "", {"config.hidden is missing"}},
      {"\"hidden\"", "\"depth\"", {"config"}},
      {"\"mnist\"", "1", {"'dataset'"}},
      {"\"config\"", "\"network\"", {"no config"}},
      {"\"norm1.bias\"", "\"norm9.bias\"", {"norm1.bias"}},
  };
  for (const auto& test : kCases) {
    std::vector<std::string> message = test.message;
    message.push_back("g.lip");
    EXPECT_TRUE(
        FailsWith(ParseGenerator(
                      "g.lip", WithDescription(content, test.part, test.other)),
                  StatusCode::kInvalidArgument, message))
        << test.other;
  }
  EXPECT_TRUE(FailsWith(
      ParseGenerator("g.lip",
                     WithDescription(content, "\"schema\":1", "\"schema\":2")),
      StatusCode::kFailedPrecondition, {"g.lip", "later version"}));
  // Whatever stands in the description, nothing crashes.
  const std::string payload = *Unseal("generator", "g.lip", content);
  const size_t end = payload.find('\n');
  testing::Mutator mutate(2);
  for (int i = 0; i < 500; ++i) {
    const std::string mutated =
        mutate(payload.substr(0, end)) + payload.substr(end);
    const auto parsed = ParseGenerator("g.lip", Seal("generator", mutated));
    if (parsed.ok()) continue;
    ASSERT_NE(std::string(parsed.status().message()).find("g.lip"),
              std::string::npos)
        << parsed.status();
  }
}

TEST(SavedGenerator, WhatItsConfigDoesNotDescribeIsNotSaved) {
  const std::string path = NewFolder("generator") + "/g.lip";
  Generator generator = Trained(Config());
  EXPECT_TRUE(FailsWith(SaveGenerator(path, Config(1, 12, 8), generator, {}),
                        StatusCode::kInvalidArgument,
                        {path, "linear2.weight"}));
  // The same number of entries in other places.
  EXPECT_FALSE(SaveGenerator(path, Config(1, 4, 16), generator, {}).ok());
  {
    const torch::NoGradGuard no_grad;
    generator->named_parameters()["norm2.weight"][0] =
        std::numeric_limits<double>::quiet_NaN();
  }
  EXPECT_TRUE(FailsWith(SaveGenerator(path, Config(), generator, {}),
                        StatusCode::kInvalidArgument,
                        {path, "norm2.weight", "not finite"}));
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace lipschitz
