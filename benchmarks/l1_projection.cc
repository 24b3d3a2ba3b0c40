// Projection and scaling of rows to the L1 ball against the composition of
// LibTorch's operators.
#include "lipschitz/linalg/l1_projection.h"

#include <ATen/ATen.h>
#include <torch/autograd.h>

#include <cmath>
#include <functional>
#include <string>

#include "benchmarks/copies.h"
#include "benchmarks/program.h"

namespace lipschitz::benchmarks {
namespace {

constexpr int64_t kRows = 1024;
constexpr int64_t kColumns = 784;

// Both directions of `map`, named NAME/forward and NAME/both. Every row is far
// outside the ball (its L1 norm is about 22), so that every row is moved.
void DeclareMap(const std::string& name,
                const std::function<at::Tensor(const at::Tensor&)>& map) {
  const auto make_matrix = [] {
    return at::randn({kRows, kColumns}) /
           std::sqrt(static_cast<double>(kColumns));
  };
  Declare(name + "/forward", Cost::kCheap, [=] {
    const at::Tensor w = make_matrix();
    return Workload{[=] { map(w); }, {}};
  });
  Declare(name + "/both", Cost::kCheap, [=] {
    const at::Tensor w = make_matrix().requires_grad_(true);
    const at::Tensor g = at::randn({kRows, kColumns});
    return Workload{[=] { torch::autograd::grad({map(w)}, {w}, {g}); }, {}};
  });
}

}  // namespace
}  // namespace lipschitz::benchmarks

int main(int argc, char** argv) {
  using namespace lipschitz;
  using namespace lipschitz::benchmarks;
  DeclareCopy("copies/forward", {kRows, kColumns}, at::kFloat, /*copies=*/1);
  DeclareCopy("copies/both", {kRows, kColumns}, at::kFloat, /*copies=*/2);
  DeclareMap("ball/kernel",
             [](const auto& w) { return ProjectRowsOntoL1Ball(w); });
  DeclareMap("ball/composed",
             [](const auto& w) { return composed::ProjectRowsOntoL1Ball(w); });
  DeclareMap("scale/kernel",
             [](const auto& w) { return ScaleRowsToL1Norm(w); });
  DeclareMap("scale/composed",
             [](const auto& w) { return composed::ScaleRowsToL1Norm(w); });
  return RunProgram(argc, argv);
}
