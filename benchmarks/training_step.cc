// One whole training step of the network 784-w-w-w-10 with MaxMin under every
// constraint that keeps the 2-norm.
#include <torch/nn/functional/loss.h>
#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmarks/program.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/models/mlp.h"
#include "lipschitz/optim/adam.h"

namespace lipschitz::benchmarks {
namespace {

constexpr int64_t kInputs = 784;
constexpr int64_t kClasses = 10;
// Adam's first steps are its largest. After these the moments, the weights and
// how often stiefel retracts are those of training at this rate.
constexpr int kWarmUpSteps = 20;
// Of a constraint whose price does not depend on the step's length.
constexpr int kFewWarmUpSteps = 5;

struct Variant {
  std::string name;
  ConstraintOptions constraint;
  Cost cost = Cost::kCheap;
  int warm_up_steps = kWarmUpSteps;
};

struct Size {
  int64_t width;
  int64_t batch;
};

Variant Of(ConstraintKind kind) {
  Variant variant;
  variant.name = ConstraintName(kind);
  variant.constraint.kind = kind;
  return variant;
}

std::vector<Variant> AllVariants() {
  Variant bjorck = Of(ConstraintKind::kBjorck);
  bjorck.constraint.bjorck.iterations = 20;
  bjorck.constraint.bjorck.tolerance = 0;
  bjorck.cost = Cost::kCostly;
  Variant ambient = Of(ConstraintKind::kStiefel);
  ambient.name = "stiefel_ambient";
  ambient.constraint.project_gradient = false;
  Variant polar = Of(ConstraintKind::kPolar);
  polar.warm_up_steps = kFewWarmUpSteps;
  Variant every_step = Of(ConstraintKind::kStiefel);
  every_step.name = "stiefel_every_step";
  every_step.constraint.max_drift = 0.0;
  return {Of(ConstraintKind::kNone),
          Of(ConstraintKind::kSpectral),
          Of(ConstraintKind::kStiefel),
          ambient,
          every_step,
          polar,
          bjorck};
}

// The products of the network, forwards and backwards (the input needs no
// gradient), whatever the constraint adds to them.
double Flop(const Size& size) {
  const int64_t w = size.width;
  const std::vector<std::pair<int64_t, int64_t>> layers = {
      {w, kInputs}, {w, w}, {w, w}, {kClasses, w}};
  double flop = 0;
  for (const auto& [out, in] : layers) {
    const double passes = in == kInputs ? 2 : 3;
    flop += passes * 2 * static_cast<double>(out * in * size.batch);
  }
  return flop;
}

class TrainingStep {
 public:
  TrainingStep(const ConstraintOptions& constraint, const Size& size)
      : network_(Make(constraint, size.width)),
        optimizer_(network_->parameters(), torch::optim::AdamOptions(1e-4)),
        x_(torch::rand({size.batch, kInputs})),
        y_(torch::randint(0, kClasses, {size.batch}, torch::kLong)) {}

  void Run() {
    optimizer_.zero_grad();
    torch::nn::functional::cross_entropy(network_->forward(x_), y_).backward();
    optimizer_.step();
    network_->AfterOptimizerStep();
  }

 private:
  static Sequential Make(const ConstraintOptions& constraint, int64_t width) {
    MlpConfig config;
    config.input_dim = kInputs;
    config.hidden = {width, width, width};
    config.output_dim = kClasses;
    config.activation = ActivationSpec::MaxMin();
    config.constraint = constraint;
    auto network = MakeMlp(config);
    TORCH_CHECK(network.ok(), std::string(network.status().message()));
    return *network;
  }

  Sequential network_;
  Adam optimizer_;
  torch::Tensor x_;
  torch::Tensor y_;
};

void DeclareStep(const Variant& variant, const Size& size, Cost cost) {
  Declare(absl::StrCat("step/", variant.name, "/width:", size.width,
                       "/batch:", size.batch),
          cost, [variant, size, cost] {
            torch::manual_seed(0);
            const auto step =
                std::make_shared<TrainingStep>(variant.constraint, size);
            if (cost == Cost::kCheap) {
              for (int i = 0; i < variant.warm_up_steps; ++i) step->Run();
            }
            return Workload{[step] { step->Run(); }, {{"flop", Flop(size)}}};
          });
}

}  // namespace
}  // namespace lipschitz::benchmarks

int main(int argc, char** argv) {
  using namespace lipschitz::benchmarks;
  using lipschitz::ConstraintKind;
  for (const Size& size : {Size{1024, 128}, Size{1024, 1024}, Size{256, 128}}) {
    for (const Variant& variant : AllVariants()) {
      DeclareStep(variant, size, variant.cost);
    }
  }
  // How the price of the constraint scales.
  for (const auto kind : {ConstraintKind::kNone, ConstraintKind::kStiefel}) {
    for (const int64_t width : {128, 512, 2048, 4096}) {
      DeclareStep(Of(kind), {width, 128},
                  width < 4096 ? Cost::kCheap : Cost::kCostly);
    }
    for (const int64_t batch : {256, 512, 2048, 4096}) {
      DeclareStep(Of(kind), {1024, batch}, Cost::kCheap);
    }
  }
  return RunProgram(argc, argv);
}
