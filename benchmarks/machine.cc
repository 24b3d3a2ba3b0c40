// What this machine can do at best: the GEMM peak and the memory's bandwidth.
#include <ATen/ATen.h>

#include <string>

#include "benchmarks/copies.h"
#include "benchmarks/program.h"

namespace lipschitz::benchmarks {
namespace {

void DeclareGemm(int64_t n, at::ScalarType type) {
  Declare("gemm/" + TypeName(type) + "/" + std::to_string(n), Cost::kCheap,
          [n, type] {
            const at::Tensor a = at::randn({n, n}, type);
            const at::Tensor b = at::randn({n, n}, type);
            at::Tensor c = at::empty({n, n}, type);
            const double side = static_cast<double>(n);
            return Workload{[=]() mutable { at::mm_out(c, a, b); },
                            {{"flop", 2 * side * side * side}}};
          });
}

}  // namespace
}  // namespace lipschitz::benchmarks

int main(int argc, char** argv) {
  using namespace lipschitz::benchmarks;
  DeclareGemm(256, at::kFloat);
  DeclareGemm(1024, at::kFloat);
  DeclareGemm(1024, at::kDouble);
  // In the cache, and far beyond it.
  DeclareCopy("copy/4MiB", {1024, 1024}, at::kFloat, /*copies=*/1);
  DeclareCopy("copy/256MiB", {8192, 8192}, at::kFloat, /*copies=*/1);
  return RunProgram(argc, argv);
}
