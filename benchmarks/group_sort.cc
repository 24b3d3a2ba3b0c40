// GroupSort, forwards and backwards through autograd, against the composition
// of LibTorch's operators and against copying.
#include <ATen/ATen.h>
#include <torch/autograd.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "benchmarks/copies.h"
#include "benchmarks/program.h"
#include "lipschitz/activations/functional.h"

namespace lipschitz::benchmarks {
namespace {

using Sort = at::Tensor (*)(const at::Tensor& x, int64_t group_size,
                            int64_t dim);

struct Input {
  std::vector<int64_t> shape;
  int64_t dim;
  at::ScalarType type;
};

// "1024x1024/float".
std::string Name(const Input& input) {
  return absl::StrCat(absl::StrJoin(input.shape, "x"), "/",
                      TypeName(input.type));
}

void DeclareSort(const std::string& name, Sort sort, const Input& input,
                 int64_t group) {
  Declare(absl::StrCat(name, "/", Name(input), "/group:", group), Cost::kCheap,
          [=] {
            const at::Tensor x =
                at::randn(input.shape, input.type).requires_grad_(true);
            const at::Tensor g = at::randn(input.shape, input.type);
            return Workload{[=] {
                              torch::autograd::grad({sort(x, group, input.dim)},
                                                    {x}, {g});
                            },
                            {}};
          });
}

void DeclareInput(const Input& input, const std::vector<int64_t>& groups) {
  DeclareCopy(absl::StrCat("copies/", Name(input)), input.shape, input.type,
              /*copies=*/2);
  for (const int64_t group : groups) {
    DeclareSort("kernel", functional::GroupSort, input, group);
    DeclareSort("composed", functional::GroupSortComposed, input, group);
  }
}

}  // namespace
}  // namespace lipschitz::benchmarks

int main(int argc, char** argv) {
  using namespace lipschitz::benchmarks;
  DeclareInput({{1024, 1024}, -1, at::kFloat},
               {2, 4, 8, 16, 32, 64, 128, 256, 512, 1024});
  DeclareInput({{1024, 1024}, -1, at::kDouble}, {2, 4, 8, 16, 32, 1024});
  // Channels of images, whose neighbours in memory are other pixels.
  DeclareInput({{64, 32, 28, 28}, 1, at::kFloat}, {2, 4, 32});
  return RunProgram(argc, argv);
}
