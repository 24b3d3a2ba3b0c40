// Orthonormal matrices: the polar factor and its gradient against Björck's
// iteration, the iterations it was chosen from, retraction, polishing, and the
// Gram matrix they are made of.
#include <ATen/ATen.h>
#include <torch/autograd.h>

#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmarks/matrices.h"
#include "benchmarks/polar_candidates.h"
#include "benchmarks/program.h"
#include "lipschitz/linalg/bjorck.h"
#include "lipschitz/linalg/gram.h"
#include "lipschitz/linalg/polar.h"
#include "lipschitz/linalg/stiefel.h"

namespace lipschitz::benchmarks {
namespace {

struct Shape {
  int64_t rows;
  int64_t columns;
};

std::string Name(const Shape& shape) {
  return absl::StrCat(shape.rows, "x", shape.columns);
}

// 2 n² k for a matrix n × k, n ≤ k: a Gram matrix in full, or a product with
// one.
double OneProduct(const Shape& shape) {
  const auto entries = static_cast<double>(shape.rows * shape.columns);
  return 2 * entries * static_cast<double>(std::min(shape.rows, shape.columns));
}

struct Spectrum {
  std::string name;
  std::function<at::Tensor(int64_t rows, int64_t columns)> make;
};

Spectrum Condition(const std::string& name, double condition) {
  return {name, [condition](int64_t rows, int64_t columns) {
            return MatrixWithCondition(rows, columns, condition);
          }};
}

template <typename T>
T ValueOf(absl::StatusOr<T> result) {
  TORCH_CHECK(result.ok(), std::string(result.status().message()));
  return *std::move(result);
}

at::Tensor UnrolledBjorck(const at::Tensor& w) {
  BjorckOptions options;  // 20 iterations of order 1
  options.report = false;
  return ValueOf(Bjorck(w, options)).weight;
}

at::Tensor Polar(const at::Tensor& w) { return ValueOf(PolarFactor(w)).weight; }

// Forwards and backwards. Counter "flop": one product.
void DeclareGradient(const std::string& method,
                     const std::function<at::Tensor(const at::Tensor&)>& map,
                     const Shape& shape, const Spectrum& spectrum, Cost cost) {
  Declare(absl::StrCat("both/", method, "/", Name(shape), "/", spectrum.name),
          cost, [=] {
            at::manual_seed(0);
            const at::Tensor w =
                spectrum.make(shape.rows, shape.columns).requires_grad_(true);
            const at::Tensor g = at::randn({shape.rows, shape.columns});
            return Workload{[=] { torch::autograd::grad({map(w)}, {w}, {g}); },
                            {{"flop", OneProduct(shape)}}};
          });
}

// Forwards. Counters "steps", and "error": ‖U − the exact one‖_F / √n.
void DeclareCandidate(const PolarCandidate& candidate,
                      const Spectrum& spectrum) {
  constexpr int64_t kSide = 1024;
  Declare(absl::StrCat("candidate/", candidate.name, "/", spectrum.name),
          Cost::kCheap, [=] {
            at::manual_seed(0);
            const at::Tensor w = spectrum.make(kSide, kSide);
            // The same for every candidate.
            static auto& exact = *new std::map<std::string, at::Tensor>;
            if (exact.count(spectrum.name) == 0) {
              exact[spectrum.name] = ExactPolarFactor(w);
            }
            const CandidateResult result = candidate.run(w);
            const double error =
                (result.weight.to(at::kDouble) - exact[spectrum.name])
                    .norm()
                    .item<double>() /
                std::sqrt(static_cast<double>(kSide));
            return Workload{[=] { candidate.run(w); },
                            {{"steps", result.iterations}, {"error", error}}};
          });
}

// A map of a matrix, without a graph. Counter "flop": `products` products.
void DeclareMap(const std::string& name, const Shape& shape, Cost cost,
                double products,
                const std::function<void(const at::Tensor&)>& map) {
  Declare(absl::StrCat(name, "/", Name(shape)), cost, [=] {
    at::manual_seed(0);
    const at::Tensor w = NearOrthonormalMatrix(shape.rows, shape.columns);
    return Workload{[=] { map(w); }, {{"flop", products * OneProduct(shape)}}};
  });
}

void DeclareRetraction(const Shape& shape, Cost cost) {
  // The Gram matrix by half, and a product with it.
  DeclareMap("retract", shape, cost, 1.5,
             [](const at::Tensor& w) { ValueOf(Retract(w)); });
}

}  // namespace
}  // namespace lipschitz::benchmarks

int main(int argc, char** argv) {
  using namespace lipschitz;
  using namespace lipschitz::benchmarks;
  const std::vector<Shape> shapes = {{256, 256}, {256, 784}, {1024, 1024}};
  for (const Shape& shape : shapes) {
    for (const Spectrum& spectrum :
         {Spectrum{"near_orthonormal", NearOrthonormalMatrix},
          Condition("condition10", 10), Spectrum{"gaussian", GaussianMatrix}}) {
      const Cost cost = shape.rows < 1024 ? Cost::kCheap : Cost::kCostly;
      DeclareGradient("polar", Polar, shape, spectrum, Cost::kCheap);
      DeclareGradient("bjorck20", UnrolledBjorck, shape, spectrum, cost);
    }
    DeclareMap("gram", shape, Cost::kCheap, 1, SmallerGram);
    DeclareMap("gram_by_mm", shape, Cost::kCheap, 1,
               [](const at::Tensor& w) { at::mm(w, w.t()); });
    DeclareMap("polish", shape, Cost::kCheap, 1.5,
               [](const at::Tensor& w) { ValueOf(Polish(w)); });
    DeclareRetraction(shape, Cost::kCheap);
  }
  for (const int64_t width : {128, 512, 2048, 4096}) {
    DeclareRetraction({width, width},
                      width < 4096 ? Cost::kCheap : Cost::kCostly);
  }
  for (const PolarCandidate& candidate : PolarCandidates()) {
    for (const Spectrum& spectrum :
         {Condition("condition1.2", 1.2), Condition("condition10", 10),
          Condition("condition1000", 1000),
          Spectrum{"gaussian", GaussianMatrix}}) {
      DeclareCandidate(candidate, spectrum);
    }
  }
  return RunProgram(argc, argv);
}
