#include "lipschitz/models/network_json.h"

#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/convolution_constraint.h"
#include "lipschitz/linalg/bjorck.h"
#include "lipschitz/linalg/convolution.h"
#include "lipschitz/models/conv_net.h"
#include "lipschitz/models/mlp.h"
#include "lipschitz/models/network.h"
#include "tests/testing/status.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using testing::FailsWith;
using Json = nlohmann::ordered_json;

// Every field has another value than its default.
MlpConfig EverythingDiffers() {
  MlpConfig config;
  config.input_dim = (int64_t{1} << 53) + 1;  // no float64
  config.hidden = {8, 12, 6};
  config.output_dim = 10;
  config.activation = ActivationSpec::GroupSort(4);
  config.activations = {ActivationSpec::MaxOut(3),
                        ActivationSpec::LeakyRelu(0.1),
                        ActivationSpec::FullSort()};
  ConstraintOptions& constraint = config.constraint;
  constraint.kind = ConstraintKind::kParseval;
  constraint.bjorck = {2, 0.25, BjorckScaling::kSqrtSize, 7, 1.0 / 3, 3, true};
  constraint.retraction = {5, 0.7};
  constraint.max_drift = 1e-300;
  constraint.project_gradient = false;
  constraint.polar = {1e-5, 11};
  constraint.power_iterations = 4;
  constraint.rescale_raw = false;
  constraint.parseval_beta = 0.1;
  for (const std::string& name : ConstraintNames()) {
    config.constraints.emplace_back();
    config.constraints.back().kind = *ParseConstraint(name);
  }
  config.bias = false;
  config.lipschitz_constant = 0.1;
  config.dropout = 0.3;
  return config;
}

TEST(MlpJson, EveryFieldComesBack) {
  const MlpConfig config = EverythingDiffers();
  const Json json = Json::parse(MlpConfigToJson(config).dump());
  const auto read = MlpConfigFromJson(json);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->input_dim, config.input_dim);
  EXPECT_EQ(read->hidden, config.hidden);
  EXPECT_EQ(read->output_dim, config.output_dim);
  EXPECT_TRUE(read->activation == config.activation);
  ASSERT_EQ(read->activations.size(), config.activations.size());
  for (size_t i = 0; i < config.activations.size(); ++i) {
    EXPECT_TRUE(read->activations[i] == config.activations[i]);
  }
  const ConstraintOptions& constraint = read->constraint;
  EXPECT_EQ(constraint.kind, ConstraintKind::kParseval);
  EXPECT_EQ(constraint.bjorck.order, 2);
  EXPECT_EQ(constraint.bjorck.beta, 0.25);
  EXPECT_EQ(constraint.bjorck.scaling, BjorckScaling::kSqrtSize);
  EXPECT_EQ(constraint.bjorck.iterations, 7);
  EXPECT_EQ(constraint.bjorck.tolerance, 1.0 / 3);
  EXPECT_EQ(constraint.bjorck.power_iterations, 3);
  EXPECT_EQ(constraint.bjorck.report, true);
  EXPECT_EQ(constraint.retraction.max_steps, 5);
  EXPECT_EQ(constraint.retraction.tolerance, 0.7);
  EXPECT_EQ(constraint.max_drift, 1e-300);
  EXPECT_EQ(constraint.project_gradient, false);
  EXPECT_EQ(constraint.polar.tolerance, 1e-5);
  EXPECT_EQ(constraint.polar.max_iterations, 11);
  EXPECT_EQ(constraint.power_iterations, 4);
  EXPECT_EQ(constraint.rescale_raw, false);
  EXPECT_EQ(constraint.parseval_beta, 0.1);
  ASSERT_EQ(read->constraints.size(), ConstraintNames().size());
  for (size_t i = 0; i < ConstraintNames().size(); ++i) {
    EXPECT_EQ(ConstraintName(read->constraints[i].kind), ConstraintNames()[i]);
  }
  EXPECT_EQ(read->bias, false);
  EXPECT_EQ(read->lipschitz_constant, 0.1);
  EXPECT_EQ(read->dropout, 0.3);
  EXPECT_EQ(MlpConfigToJson(*read), json);
}

// No field of `config` may have a default's value in the test above.
TEST(MlpJson, ExampleDiffersFromTheDefaultsEverywhere) {
  const Json different = MlpConfigToJson(EverythingDiffers());
  const Json defaults = MlpConfigToJson(MlpConfig());
  const std::function<void(const Json&, const Json&, const std::string&)>
      compare = [&](const Json& a, const Json& b, const std::string& name) {
        for (const auto& item : a.items()) {
          if (item.value().is_object()) {
            compare(item.value(), b[item.key()], name + "." + item.key());
          } else {
            EXPECT_NE(item.value(), b[item.key()]) << name << item.key();
          }
        }
      };
  compare(different, defaults, "config");
}

TEST(MlpJson, ActivationsOfEveryNameComeBack) {
  for (const std::string name :
       {"identity", "relu", "leaky_relu", "leaky_relu-0.125", "abs", "crelu",
        "maxout", "maxout5", "maxmin", "groupsort2", "groupsort7",
        "fullsort"}) {
    MlpConfig config;
    config.activation = *ParseActivation(name);
    const auto read = MlpConfigFromJson(MlpConfigToJson(config));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->activation.Name(), name);
  }
}

TEST(MlpJson, EveryMissingFieldIsAnErrorThatNamesIt) {
  const Json whole = MlpConfigToJson(EverythingDiffers());
  for (const auto& item : whole.items()) {
    Json json = whole;
    json.erase(item.key());
    EXPECT_TRUE(FailsWith(MlpConfigFromJson(json), StatusCode::kInvalidArgument,
                          {"config." + item.key() + " is missing"}));
  }
  for (const auto& item : whole["constraint"]["bjorck"].items()) {
    Json json = whole;
    json["constraint"]["bjorck"].erase(item.key());
    EXPECT_TRUE(
        FailsWith(MlpConfigFromJson(json), StatusCode::kInvalidArgument,
                  {"config.constraint.bjorck." + item.key() + " is missing"}));
  }
}

TEST(MlpJson, UnknownFieldsAndNamesAreErrors) {
  const Json whole = MlpConfigToJson(EverythingDiffers());
  const auto fails = [&](const std::function<void(Json&)>& change,
                         const std::vector<std::string>& parts) {
    Json json = whole;
    change(json);
    EXPECT_TRUE(FailsWith(MlpConfigFromJson(json), StatusCode::kInvalidArgument,
                          parts));
  };
  fails([](Json& json) { json["colour"] = 1; }, {"config", "'colour'"});
  fails([](Json& json) { json["constraints"][1]["polar"]["x"] = 1; },
        {"config.constraints[1].polar", "'x'"});
  fails([](Json& json) { json["activation"] = "swish"; },
        {"config.activation", "'swish'", "maxmin"});
  fails([](Json& json) { json["constraint"]["kind"] = "tight"; },
        {"config.constraint.kind", "'tight'", "bjorck"});
  fails([](Json& json) { json["constraint"]["bjorck"]["scaling"] = "big"; },
        {"config.constraint.bjorck.scaling", "big"});
}

TEST(MlpJson, OtherTypesAndNumbersOutOfRangeAreErrors) {
  const Json whole = MlpConfigToJson(EverythingDiffers());
  const auto fails = [&](const std::string& key, const Json& value,
                         const std::string& part) {
    Json json = whole;
    json[key] = value;
    EXPECT_TRUE(FailsWith(MlpConfigFromJson(json), StatusCode::kInvalidArgument,
                          {"config." + key, part}));
  };
  fails("input_dim", 3.5, "whole number");
  fails("input_dim", "3", "whole number");
  fails("input_dim", std::numeric_limits<uint64_t>::max(), "out of range");
  fails("hidden", 8, "array");
  fails("hidden", Json::array({8, true}), "hidden[1]");
  fails("activation", 1, "name");
  fails("bias", 1, "true or false");
  fails("dropout", nullptr, "number");
  fails("constraint", Json::array(), "object");
  Json json = whole;
  json["constraint"]["power_iterations"] = int64_t{1} << 31;
  EXPECT_TRUE(FailsWith(MlpConfigFromJson(json), StatusCode::kInvalidArgument,
                        {"power_iterations", "2147483648"}));
  EXPECT_FALSE(MlpConfigFromJson(Json()).ok());
  EXPECT_FALSE(MlpConfigFromJson(Json::array()).ok());
}

TEST(ConvNetJson, EveryFieldComesBack) {
  ConvNetConfig config;
  config.channels = 3;
  config.height = 32;
  config.width = 24;
  ConvStage stage;
  stage.channels = 12;
  stage.kernel = 5;
  stage.stride = 2;
  stage.padding_mode = PaddingMode::kZero;
  stage.padding = 4;
  stage.max_pool = 2;
  config.stages = {stage, ConvStage()};
  config.hidden = {7, 9};
  config.output_dim = 10;
  config.activation = ActivationSpec::GroupSort(4);
  config.convolution.kind = ConvolutionConstraintKind::kRko;
  config.convolution.flattened.kind = ConstraintKind::kStiefel;
  config.convolution.power_iterations = 3;
  config.convolution.rescale_raw = false;
  config.convolution.polar = {1e-5, 11};
  config.dense.kind = ConstraintKind::kParseval;
  config.bias = false;
  config.lipschitz_constant = 0.1;
  config.dropout = 0.3;
  const Json json = Json::parse(ConvNetConfigToJson(config).dump());
  const auto read = ConvNetConfigFromJson(json);
  ASSERT_TRUE(read.ok()) << read.status();
  // The text has every field, so what is read is what was written when it is
  // written alike.
  EXPECT_EQ(ConvNetConfigToJson(*read), json);
  EXPECT_EQ(read->stages.size(), 2u);
  EXPECT_EQ(read->stages[0].padding, 4);
  EXPECT_EQ(read->stages[0].padding_mode, PaddingMode::kZero);
  EXPECT_EQ(read->convolution.flattened.kind, ConstraintKind::kStiefel);
  EXPECT_NE(json, Json(ConvNetConfigToJson(ConvNetConfig())));
}

TEST(NetworkJson, IsReadByItsKind) {
  const NetworkConfig networks[] = {MlpConfig(), ConvNetConfig()};
  for (const NetworkConfig& network : networks) {
    const Json json = NetworkConfigToJson(network);
    const auto read = NetworkConfigFromJson(NetworkKind(network), json);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->index(), network.index());
    EXPECT_TRUE(FailsWith(NetworkConfigFromJson("transformer", json),
                          StatusCode::kInvalidArgument, {"transformer"}));
  }
  EXPECT_TRUE(FailsWith(
      NetworkConfigFromJson("mlp", NetworkConfigToJson(ConvNetConfig())),
      StatusCode::kInvalidArgument, {"config.input_dim", "missing"}));
}

}  // namespace
}  // namespace lipschitz
