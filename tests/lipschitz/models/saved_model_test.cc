#include "lipschitz/models/saved_model.h"

#include <torch/torch.h>

#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/sealed_file.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/linear.h"
#include "lipschitz/layers/sequential.h"
#include "lipschitz/models/conv_net.h"
#include "lipschitz/models/mlp.h"
#include "lipschitz/models/network.h"
#include "tests/testing/mutator.h"
#include "tests/testing/status.h"
#include "tests/testing/subprocess.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using testing::FailsWith;
using testing::NewFolder;

MlpConfig Config(ConstraintKind kind = ConstraintKind::kSpectral) {
  MlpConfig config;
  config.input_dim = 5;
  config.hidden = {8, 4};
  config.output_dim = 3;
  config.constraint.kind = kind;
  config.lipschitz_constant = 2.0;
  return config;
}

Sequential Make(const MlpConfig& config) {
  auto network = MakeMlp(config);
  EXPECT_TRUE(network.ok()) << network.status();
  return *network;
}

// A few steps, so that parameters and buffers are not those of a new network.
void Train(Sequential& network) {
  torch::optim::SGD optimizer(network->parameters(), 0.1);
  for (int step = 0; step < 3; ++step) {
    optimizer.zero_grad();
    network->forward(torch::randn({16, 5})).square().mean().backward();
    optimizer.step();
    network->AfterOptimizerStep();
  }
  network->AfterTraining();
}

Sequential Trained(const MlpConfig& config) {
  torch::manual_seed(1);
  Sequential network = Make(config);
  Train(network);
  return network;
}

// Saves a trained network, and returns the file's path.
std::string Save(const MlpConfig& config, const ModelMetadata& metadata = {}) {
  Sequential network = Trained(config);
  const std::string path = NewFolder("model") + "/m.lip";
  const absl::Status saved = SaveModel(path, config, network, metadata);
  EXPECT_TRUE(saved.ok()) << saved;
  return path;
}

std::string Content(const std::string& path) { return *ReadFile(path); }

// The same file with another text for a part of its description, resealed as if
// it had been written so.
std::string WithDescription(const std::string& content, const std::string& part,
                            const std::string& other) {
  std::string payload = *Unseal("model", "m.lip", content);
  const size_t end = payload.find('\n');
  std::string description = payload.substr(0, end);
  const size_t place = description.find(part);
  EXPECT_NE(place, std::string::npos) << part << " in " << description;
  description.replace(place, part.size(), other);
  return Seal("model", description + payload.substr(end));
}

void ExpectSame(Sequential& a, Sequential& b, const at::Tensor& x) {
  a->eval();
  b->eval();
  EXPECT_TRUE(at::equal(a->forward(x), b->forward(x)));
  const auto bounds_a = a->LipschitzBounds();
  const auto bounds_b = b->LipschitzBounds();
  ASSERT_TRUE(bounds_a.ok() && bounds_b.ok());
  for (const Norm in : kAllNorms) {
    for (const Norm out : kAllNorms) {
      EXPECT_EQ(bounds_a->At(in, out), bounds_b->At(in, out));
    }
  }
  const auto buffers = b->named_buffers();
  for (const auto& buffer : a->named_buffers()) {
    EXPECT_TRUE(at::equal(buffer.value(), buffers[buffer.key()]));
  }
  const auto parameters = b->named_parameters();
  EXPECT_EQ(parameters.size(), a->parameters().size());
  for (const auto& parameter : a->named_parameters()) {
    EXPECT_TRUE(at::equal(parameter.value(), parameters[parameter.key()]));
  }
}

TEST(SavedModel, OutputsAndBoundsComeBackBitForBit) {
  for (const std::string& name : ConstraintNames()) {
    for (const bool wide : {false, true}) {
      MlpConfig config = Config(*ParseConstraint(name));
      config.bias = wide;
      torch::manual_seed(1);
      Sequential network = Make(config);
      if (wide) network->to(torch::kDouble);
      // The optimiser's input is float32.
      if (!wide) Train(network);
      const std::string path = NewFolder("model") + "/a/b/m.lip";
      ASSERT_TRUE(SaveModel(path, config, network, {}).ok()) << name;
      auto loaded = LoadModel(path);
      ASSERT_TRUE(loaded.ok()) << loaded.status();
      EXPECT_FALSE(loaded->network->is_training());
      const at::Tensor x =
          torch::randn({20, 5}, wide ? torch::kDouble : torch::kFloat);
      ExpectSame(network, loaded->network, x);
    }
  }
}

// The state of spectral normalisation goes on where it stood.
TEST(SavedModel, TrainingGoesOnFromTheSameState) {
  const MlpConfig config = Config(ConstraintKind::kSpectral);
  Sequential network = Trained(config);
  const std::string path = NewFolder("model") + "/m.lip";
  ASSERT_TRUE(SaveModel(path, config, network, {}).ok());
  auto loaded = LoadModel(path);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  loaded->network->train();
  EXPECT_TRUE(network->is_training());
  torch::manual_seed(2);
  Train(network);
  torch::manual_seed(2);
  Train(loaded->network);
  ExpectSame(network, loaded->network, torch::randn({20, 5}));
}

TEST(SavedModel, ConvolutionalNetworksComeBack) {
  const ConvNetConfig config = LeNet(1, 16, 16, 4);
  auto network = MakeConvNet(config);
  ASSERT_TRUE(network.ok()) << network.status();
  const std::string path = NewFolder("model") + "/m.lip";
  ASSERT_TRUE(SaveModel(path, config, *network, {}).ok());
  auto loaded = LoadModel(path);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(InputDim(loaded->config), 256);
  EXPECT_EQ(std::get<ConvNetConfig>(loaded->config).stages.size(), 2u);
  ExpectSame(*network, loaded->network, torch::rand({5, 256}));

  // Sizes for which the tensors are too few.
  const std::string content = Content(path);
  EXPECT_TRUE(
      FailsWith(ParseModel("m.lip", WithDescription(content, "\"hidden\":[50]",
                                                    "\"hidden\":[50000]")),
                StatusCode::kInvalidArgument, {"m.lip", "weights", "entries"}));
  EXPECT_TRUE(
      FailsWith(ParseModel("m.lip", WithDescription(content, "\"hidden\":[50]",
                                                    "\"hidden\":[52]")),
                StatusCode::kInvalidArgument, {"m.lip", "linear1", "52"}));
}

// An orthogonal kernel of one channel has one parameter.
TEST(SavedModel, ConvolutionsOfFewParametersComeBack) {
  ConvNetConfig config = LeNet(1, 12, 12, 1);
  config.hidden = {};
  config.activation = ActivationSpec::Relu();
  config.stages = {ConvStage{}};
  config.stages[0].channels = 1;
  config.stages[0].kernel = 12;
  config.stages[0].max_pool = 12;
  auto network = MakeConvNet(config);
  ASSERT_TRUE(network.ok()) << network.status();
  const std::string path = NewFolder("model") + "/m.lip";
  const absl::Status saved = SaveModel(path, config, *network, {});
  ASSERT_TRUE(saved.ok()) << saved;
  auto loaded = LoadModel(path);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ExpectSame(*network, loaded->network, torch::rand({5, 144}));
}

TEST(SavedModel, ConfigAndMetadataComeBack) {
  MlpConfig config = Config(ConstraintKind::kBjorck);
  config.activations = {ActivationSpec::GroupSort(4), ActivationSpec::CRelu()};
  config.dropout = 0.25;
  const ModelMetadata metadata = {{"dataset", "mnist"},
                                  {"classes", "0\n1\n\"2\" é"},
                                  {"input_shape", "1 28 28"},
                                  {"", ""}};
  const auto loaded = LoadModel(Save(config, metadata));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->metadata, metadata);
  EXPECT_EQ(std::get<MlpConfig>(loaded->config).hidden, config.hidden);
  EXPECT_TRUE(std::get<MlpConfig>(loaded->config).activations[0] ==
              config.activations[0]);
  EXPECT_EQ(std::get<MlpConfig>(loaded->config).constraint.kind,
            ConstraintKind::kBjorck);
  EXPECT_EQ(std::get<MlpConfig>(loaded->config).dropout, 0.25);
  EXPECT_EQ(loaded->network->size(), 7u);
}

TEST(SavedModel, SavingChangesNothingAndReplacesTheFile) {
  const MlpConfig config = Config();
  Sequential network = Trained(config);
  Sequential twin = Trained(config);
  const std::string folder = NewFolder("model");
  for (const std::string name : {"1", "2", "3"}) {
    ASSERT_TRUE(
        SaveModel(folder + "/m.lip", config, network, {{"n", name}}).ok());
  }
  EXPECT_TRUE(network->is_training());
  EXPECT_EQ(LoadModel(folder + "/m.lip")->metadata.at("n"), "3");
  int files = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator(folder)) {
    ++files;
  }
  EXPECT_EQ(files, 1);
  ExpectSame(network, twin, torch::randn({20, 5}));
}

TEST(SavedModel, RandomNumbersStayAsTheyWere) {
  const std::string path = Save(Config());
  torch::manual_seed(9);
  const at::Tensor expected = torch::randn({4});
  torch::manual_seed(9);
  ASSERT_TRUE(LoadModel(path).ok());
  EXPECT_TRUE(at::equal(torch::randn({4}), expected));
}

TEST(SavedModel, ThirdLineDescribesIt) {
  const std::string content = Content(Save(Config(), {{"dataset", "mnist"}}));
  const size_t second = content.find('\n', content.find('\n') + 1) + 1;
  const std::string line =
      content.substr(second, content.find('\n', second) - second);
  EXPECT_EQ(line.rfind("{\"schema\":1,\"network\":\"mlp\",\"config\":{", 0), 0);
  EXPECT_NE(line.find("\"metadata\":{\"dataset\":\"mnist\"}"),
            std::string::npos);
}

// Written by LibTorch 1.13, schema 1: what users have stays readable. The
// outputs were computed in float64 from the file's bytes, without this library.
TEST(SavedModel, FileThatWasWrittenBeforeIsReadAsItWas) {
  auto loaded =
      LoadModel(testing::DataFile("tests/lipschitz/models/data/spectral.lip"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->metadata, (ModelMetadata{{"dataset", "mnist"}}));
  EXPECT_EQ(std::get<MlpConfig>(loaded->config).constraint.kind,
            ConstraintKind::kSpectral);
  const at::Tensor x = torch::arange(10).to(torch::kFloat).reshape({2, 5}) / 10;
  EXPECT_TRUE(testing::TensorsNear(
      loaded->network->forward(x),
      testing::Matrix({{-0.0896, 0.3022, -0.3567}, {-0.1911, 0.3263, -0.3926}}),
      1e-4));
  EXPECT_NEAR(*loaded->network->LipschitzBound(Norm::kL2), 2.0, 1e-6);
}

TEST(SavedModel, WhatIsNotAModelIsAnErrorThatNamesTheFile) {
  const std::string folder = NewFolder("model");
  EXPECT_TRUE(FailsWith(LoadModel(folder + "/none.lip"), StatusCode::kNotFound,
                        {folder + "/none.lip"}));
  EXPECT_TRUE(
      FailsWith(LoadModel(folder), StatusCode::kInvalidArgument, {folder}));
  for (const std::string& content :
       {std::string(), std::string("PK\x03\x04"), std::string(5000, '\0'),
        Seal("checkpoint", "x")}) {
    EXPECT_TRUE(FailsWith(ParseModel("m.lip", content), StatusCode::kDataLoss,
                          {"m.lip", "not a model"}));
  }
  // Sealed, and yet nothing.
  for (const std::string payload :
       {"", "\n", "{}\n", "[1]\n", "{\"schema\":1}\n", "{\"schema\":1",
        "{\"schema\":\"1\"}\n"}) {
    EXPECT_TRUE(FailsWith(ParseModel("m.lip", Seal("model", payload)),
                          StatusCode::kInvalidArgument, {"m.lip", "malformed"}))
        << payload;
  }
}

TEST(SavedModel, LaterSchemaIsAnErrorThatSaysSo) {
  const std::string content = Content(Save(Config()));
  EXPECT_TRUE(FailsWith(
      ParseModel("m.lip",
                 WithDescription(content, "\"schema\":1", "\"schema\":2")),
      StatusCode::kFailedPrecondition, {"m.lip", "schema 2", "later version"}));
  EXPECT_TRUE(FailsWith(
      ParseModel("m.lip",
                 WithDescription(content, "\"schema\":1", "\"schema\":0")),
      StatusCode::kFailedPrecondition, {"m.lip", "schema 0"}));
}

TEST(SavedModel, DescriptionThatMakesNoSenseIsAnError) {
  const std::string content = Content(Save(Config(), {{"a", "b"}}));
  const struct {
    std::string part, other;
    std::vector<std::string> message;
  } kCases[] = {
      {"\"mlp\"", "\"cnn\"", {"kind", "cnn"}},
      {"\"network\"", "\"net\"", {"no network"}},
      {"{\"schema\"", "{\"x\":1,\"schema\"", {"no known name"}},
      {"\"maxmin\"", "\"swish\"", {"config.activation", "swish"}},
      {"\"spectral\"", "\"loose\"", {"config.constraint.kind", "loose"}},
      {"\"bias\":true", "\"bias\":3", {"config.bias"}},
      {"\"bias\":true,", "", {"config.bias is missing"}},
      {"\"lipschitz_constant\":2.0",
       "\"lipschitz_constant\":-1",
       {"lipschitz_constant", "-1"}},
      {"\"dropout\":0.0", "\"dropout\":1", {"dropout"}},
      {"{\"a\":\"b\"}", "{\"a\":1}", {"'a'"}},
      {"{\"a\":\"b\"}", "[]", {"metadata"}},
      // The config and the tensors disagree.
      {"\"input_dim\":5",
       "\"input_dim\":6",
       {"linear1.weight", "[8, 5]", "[8, 6]"}},
      {"\"output_dim\":3",
       "\"output_dim\":4",
       {"linear3.weight", "[3, 4]", "[4, 4]"}},
      {"\"hidden\":[8,4]", "\"hidden\":[8]", {"linear2.weight", "[4, 8]"}},
      {"\"hidden\":[8,4]", "\"hidden\":[8,4,4]", {"linear3.weight"}},
      {"\"hidden\":[8,4]",
       "\"hidden\":[1000000000,4]",
       {"linear1.weight", "1000000000"}},
      {"\"activation\":\"maxmin\"",
       "\"activation\":\"crelu\"",
       {"linear2.constraint.v", "[8]", "[16]"}},
      {"\"activation\":\"maxmin\"",
       "\"activation\":\"groupsort3\"",
       {"hidden layer 1", "8", "3"}},
      {"\"bias\":true", "\"bias\":false", {"no place", "linear1.bias"}},
      {"\"spectral\"", "\"bjorck\"", {"no place", "linear1.constraint"}},
      {"\"linear1.bias\"", "\"linear9.bias\"", {"linear1.bias"}},
      {"\"linear1.bias\"", "\"linear1.weight\"", {"linear1.weight", "twice"}},
  };
  for (const auto& test : kCases) {
    std::vector<std::string> message = test.message;
    message.push_back("m.lip");
    EXPECT_TRUE(FailsWith(
        ParseModel("m.lip", WithDescription(content, test.part, test.other)),
        StatusCode::kInvalidArgument, message))
        << test.other;
  }
  // More tensors than there are.
  EXPECT_FALSE(ParseModel("m.lip", WithDescription(content, "\"linear1.bias\"",
                                                   "\"a\",\"linear1.bias\""))
                   .ok());
  // A config that makes another network of the same tensors is not seen when
  // it is loaded: sealing is for damage, not against forgery.
}

TEST(SavedModel, EveryDamageIsFound) {
  const std::string path = Save(Config());
  const std::string whole = Content(path);
  const auto expect_damaged = [&](const std::string& content) {
    const auto loaded = ParseModel("m.lip", content);
    EXPECT_TRUE(FailsWith(loaded, StatusCode::kDataLoss, {"m.lip"}));
  };
  for (size_t i = 0; i < whole.size(); i += 17) {
    std::string flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ (1 << i % 8));
    expect_damaged(flipped);
    expect_damaged(whole.substr(0, i));
  }
  expect_damaged(whole + "x");
  expect_damaged(whole + whole);
  testing::Mutator mutate(1);
  for (int i = 0; i < 2000; ++i) {
    const std::string mutated = mutate(whole);
    if (mutated != whole) expect_damaged(mutated);
  }
  // And through a file.
  ASSERT_TRUE(WriteFileAtomically(path, whole.substr(0, 1000)).ok());
  EXPECT_TRUE(FailsWith(LoadModel(path), StatusCode::kDataLoss,
                        {path, "bytes follow its header"}));
}

// As if written by a program gone wrong: the seal is right, the description is
// not, by a digit in a number that still makes sense at best.
TEST(SavedModel, DamagedDescriptionsUnderARightSealNeverCrash) {
  const std::string content = Content(Save(Config()));
  const std::string payload = *Unseal("model", "m.lip", content);
  const size_t end = payload.find('\n');
  testing::Mutator mutate(2);
  int loaded = 0;
  for (int i = 0; i < 2000; ++i) {
    const auto model = ParseModel(
        "m.lip",
        Seal("model", mutate(payload.substr(0, end)) + payload.substr(end)));
    loaded += model.ok();
    if (!model.ok()) {
      ASSERT_NE(std::string(model.status().message()).find("m.lip"),
                std::string::npos)
          << model.status();
    }
  }
  EXPECT_GT(loaded, 0);
  EXPECT_LT(loaded, 200);
}

TEST(SavedModel, ValuesThatAreNotFiniteAreRefused) {
  const MlpConfig config = Config();
  const std::string folder = NewFolder("model");
  for (const double value : {std::numeric_limits<double>::quiet_NaN(),
                             std::numeric_limits<double>::infinity()}) {
    Sequential network = Make(config);
    {
      const torch::NoGradGuard no_grad;
      network->named_parameters()["linear2.bias"][1] = value;
    }
    EXPECT_TRUE(FailsWith(SaveModel(folder + "/m.lip", config, network, {}),
                          StatusCode::kInvalidArgument,
                          {folder + "/m.lip", "linear2.bias", "not finite"}));
  }
  EXPECT_FALSE(std::filesystem::exists(folder + "/m.lip"));
}

TEST(SavedModel, NetworkThatTheConfigDoesNotDescribeIsRefused) {
  const MlpConfig config = Config(ConstraintKind::kBjorck);
  const std::string path = NewFolder("model") + "/m.lip";
  const auto refused = [&](const std::function<void(MlpConfig&)>& change,
                           const std::string& part) {
    MlpConfig other = config;
    change(other);
    Sequential network = Trained(other);
    EXPECT_TRUE(FailsWith(SaveModel(path, config, network, {}),
                          StatusCode::kInvalidArgument, {path, part}));
  };
  refused([](MlpConfig& other) { other.hidden = {8, 8}; }, "linear2.weight");
  refused([](MlpConfig& other) { other.bias = false; }, "linear1.bias");
  // Of the same shapes.
  const std::string differs = "does not compute";
  refused([](MlpConfig& other) { other.activation = ActivationSpec::Relu(); },
          differs);
  refused(
      [](MlpConfig& other) { other.constraint.kind = ConstraintKind::kNone; },
      differs);
  refused([](MlpConfig& other) { other.lipschitz_constant = 3.0; }, differs);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(SavedModel, MixedAndHalfPrecisionAreRefused) {
  const MlpConfig config = Config();
  const std::string path = NewFolder("model") + "/m.lip";
  Sequential half = Make(config);
  half->to(torch::kHalf);
  EXPECT_TRUE(FailsWith(SaveModel(path, config, half, {}),
                        StatusCode::kInvalidArgument, {path, "Half"}));
  Sequential mixed = Make(config);
  mixed->layer(0)->to(torch::kDouble);
  EXPECT_TRUE(FailsWith(SaveModel(path, config, mixed, {}),
                        StatusCode::kInvalidArgument, {path, "neither"}));
}

TEST(SavedModel, PathThatCannotBeWrittenIsAnErrorThatNamesIt) {
  const MlpConfig config = Config();
  Sequential network = Trained(config);
  const std::string folder = NewFolder("model");
  EXPECT_FALSE(SaveModel(folder, config, network, {}).ok());
  ASSERT_TRUE(WriteFileAtomically(folder + "/file", "in the way").ok());
  const absl::Status below =
      SaveModel(folder + "/file/m.lip", config, network, {});
  EXPECT_FALSE(below.ok());
  EXPECT_NE(std::string(below.message()).find(folder + "/file"),
            std::string::npos);
}

TEST(SavedModel, MetadataThatIsNotTextIsAnError) {
  const MlpConfig config = Config();
  Sequential network = Trained(config);
  const std::string path = NewFolder("model") + "/m.lip";
  const absl::Status saved =
      SaveModel(path, config, network, {{"name", "\xff\xfe"}});
  EXPECT_FALSE(saved.ok());
  EXPECT_NE(std::string(saved.message()).find(path), std::string::npos);
}

}  // namespace
}  // namespace lipschitz
