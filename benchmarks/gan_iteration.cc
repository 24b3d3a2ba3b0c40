// An iteration of a GAN (five steps of the critic, one of the generator) with
// each kind of critic, at two sizes: what a critic of constant 1 costs beside a
// gradient penalty, which needs second derivatives.
#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmarks/program.h"
#include "lipschitz/data/random.h"
#include "lipschitz/training/wasserstein_gan.h"

namespace lipschitz::benchmarks {
namespace {

constexpr int kCriticSteps = 5;

struct Size {
  std::string name;
  int64_t generator_hidden, wide, narrow;
  int64_t first, second, critic_hidden;
};

class Iteration {
 public:
  Iteration(WassersteinGanKind kind, const Size& size) : random_(0) {
    WassersteinGanConfig config;
    config.kind = kind;
    config.generator.channels = 1;
    config.generator.height = config.generator.width = 28;
    config.generator.hidden = size.generator_hidden;
    config.generator.wide_channels = size.wide;
    config.generator.narrow_channels = size.narrow;
    config.critic_channels = {size.first, size.second};
    config.critic_hidden = size.critic_hidden;
    auto gan = WassersteinGan::Create(config);
    TORCH_CHECK(gan.ok(), std::string(gan.status().message()));
    gan_ = *gan;
    images_ =
        at::rand({config.batch_size, config.generator.OutputDim()}) * 2 - 1;
  }

  void Run() {
    for (int i = 0; i < kCriticSteps; ++i) {
      const absl::Status stepped = gan_->CriticStep(images_, random_);
      TORCH_CHECK(stepped.ok(), std::string(stepped.message()));
    }
    gan_->generator_optimizer().zero_grad();
    gan_->GeneratorLoss(random_).backward();
    gan_->generator_optimizer().step();
  }

 private:
  RandomSource random_;
  std::shared_ptr<WassersteinGan> gan_;
  at::Tensor images_;
};

}  // namespace
}  // namespace lipschitz::benchmarks

int main(int argc, char** argv) {
  using namespace lipschitz::benchmarks;
  for (const Size& size : {Size{"quick", 128, 32, 16, 16, 32, 128},
                           Size{"paper", 1024, 128, 64, 64, 128, 1024}}) {
    for (const std::string& name : lipschitz::WassersteinGanNames()) {
      const auto kind = *lipschitz::ParseWassersteinGan(name);
      Declare(absl::StrCat("iteration/", size.name, "/", name), Cost::kCheap,
              [kind, size] {
                torch::manual_seed(0);
                const auto iteration = std::make_shared<Iteration>(kind, size);
                return Workload{[iteration] { iteration->Run(); }, {}};
              });
    }
  }
  return RunProgram(argc, argv);
}
