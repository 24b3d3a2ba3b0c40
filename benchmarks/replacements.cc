// Loops of the library against the LibTorch operators that they replace, which
// give the same values: max-pooling, and steps of Adam.
#include <ATen/ATen.h>
#include <torch/autograd.h>
#include <torch/optim/adam.h>
#include <torch/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmarks/program.h"
#include "lipschitz/layers/max_pool.h"
#include "lipschitz/optim/adam.h"

namespace lipschitz::benchmarks {
namespace {

// After the first convolution of a LeNet.
constexpr int64_t kImages[] = {256, 10, 24, 24};

// Both directions of `pool`, named max_pool/NAME/forward and
// max_pool/NAME/both.
void DeclarePool(const std::string& name,
                 const std::function<at::Tensor(const at::Tensor&)>& pool) {
  Declare(absl::StrCat("max_pool/", name, "/forward"), Cost::kCheap, [=] {
    const at::Tensor x = at::randn(kImages);
    return Workload{[=] { pool(x); }, {}};
  });
  Declare(absl::StrCat("max_pool/", name, "/both"), Cost::kCheap, [=] {
    const at::Tensor x = at::randn(kImages).requires_grad_(true);
    const at::Tensor g = at::randn_like(pool(x));
    return Workload{[=] { torch::autograd::grad({pool(x)}, {x}, {g}); }, {}};
  });
}

// Weights and biases of three layers.
std::vector<at::Tensor> Parameters(int64_t width) {
  std::vector<at::Tensor> parameters;
  for (int i = 0; i < 3; ++i) {
    parameters.push_back(at::randn({width, width}));
    parameters.push_back(at::randn({width}));
  }
  for (at::Tensor& parameter : parameters) {
    parameter.mutable_grad() = at::randn_like(parameter);
    parameter.requires_grad_(true);
  }
  return parameters;
}

template <class Optimizer>
void DeclareAdam(const std::string& name, int64_t width) {
  Declare(absl::StrCat("adam/", name, "/width:", width), Cost::kCheap, [width] {
    const auto optimizer = std::make_shared<Optimizer>(
        Parameters(width), torch::optim::AdamOptions(1e-4));
    return Workload{[optimizer] { optimizer->step(); }, {}};
  });
}

}  // namespace
}  // namespace lipschitz::benchmarks

int main(int argc, char** argv) {
  using namespace lipschitz;
  using namespace lipschitz::benchmarks;
  DeclarePool("ours", [](const at::Tensor& x) { return MaxPool(x, 2, 2); });
  DeclarePool("libtorch",
              [](const at::Tensor& x) { return at::max_pool2d(x, 2, 2); });
  for (const int64_t width : {32, 256, 1024}) {
    DeclareAdam<Adam>("ours", width);
    DeclareAdam<torch::optim::Adam>("libtorch", width);
  }
  return RunProgram(argc, argv);
}
