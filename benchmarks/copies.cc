#include "benchmarks/copies.h"

#include <ATen/ATen.h>

#include <utility>

#include "benchmarks/program.h"

namespace lipschitz::benchmarks {

std::string TypeName(at::ScalarType type) {
  return type == at::kFloat ? "float" : "double";
}

void DeclareCopy(const std::string& name, const std::vector<int64_t>& shape,
                 at::ScalarType type, int copies) {
  Declare(name, Cost::kCheap, [=] {
    std::vector<std::pair<at::Tensor, at::Tensor>> pairs;
    double bytes = 0;
    for (int i = 0; i < copies; ++i) {
      pairs.emplace_back(at::randn(shape, type), at::empty(shape, type));
      bytes += 2.0 * static_cast<double>(pairs.back().first.nbytes());
    }
    return Workload{[pairs]() mutable {
                      for (auto& [from, to] : pairs) to.copy_(from);
                    },
                    {{"bytes", bytes}}};
  });
}

}  // namespace lipschitz::benchmarks
