#include "lipschitz/linalg/tangent_product.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <vector>

#include "gtest/gtest.h"
#include "lipschitz/linalg/stiefel.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using testing::TensorsNear;

struct Shape {
  int64_t batch;
  int64_t rows;
  int64_t columns;
};

// Batches below and above the side from which the factors do not pay.
const std::vector<Shape> kShapes = {
    {3, 5, 9}, {3, 9, 5}, {3, 7, 7}, {20, 5, 9}, {20, 9, 5}, {20, 7, 7},
    {1, 1, 4}, {2, 4, 1}, {1, 1, 1}, {13, 7, 7}, {14, 7, 7}};

at::Tensor OrthonormalMatrix(int64_t rows, int64_t columns) {
  return *Polish(at::randn({rows, columns}, at::kDouble));
}

TEST(TangentProduct, IsTheProductWithAProjectedGradient) {
  for (const Shape& shape : kShapes) {
    for (const bool x_needs_gradient : {true, false}) {
      at::manual_seed(1);
      const at::Tensor x = at::randn({shape.batch, shape.columns}, at::kDouble)
                               .requires_grad_(x_needs_gradient);
      const at::Tensor w =
          OrthonormalMatrix(shape.rows, shape.columns).requires_grad_(true);
      const at::Tensor delta =
          at::randn({shape.batch, shape.rows}, at::kDouble);
      const at::Tensor y = TangentProduct(x, w);
      EXPECT_TRUE(TensorsNear(y, at::mm(x, w.t()), 0.0));
      (y * delta).sum().backward();
      const at::Tensor plain = at::mm(delta.t(), x.detach());
      EXPECT_TRUE(TensorsNear(
          w.grad(), ProjectOntoTangentSpace(plain, w.detach()), 1e-13))
          << shape.batch << " " << shape.rows << "x" << shape.columns;
      if (x_needs_gradient) {
        EXPECT_TRUE(TensorsNear(x.grad(), at::mm(delta, w.detach()), 1e-13));
      }
    }
  }
}

TEST(TangentProduct, TakesInputsOfEveryDimension) {
  at::manual_seed(2);
  const at::Tensor w = OrthonormalMatrix(4, 6).requires_grad_(true);
  for (const std::vector<int64_t>& shape :
       {std::vector<int64_t>{6}, {2, 3, 6}, {0, 6}}) {
    const at::Tensor x = at::randn(shape, at::kDouble);
    const at::Tensor y = TangentProduct(x, w);
    EXPECT_TRUE(TensorsNear(y, at::matmul(x, w.t()), 1e-14));
    y.sum().backward();
    EXPECT_TRUE(w.grad().isfinite().all().item<bool>());
  }
}

TEST(TangentProduct, PenaltyOnTheInputsGradientIsProjectedToo) {
  for (const Shape& shape : kShapes) {
    at::manual_seed(3);
    const at::Tensor x = at::randn({shape.batch, shape.columns}, at::kDouble)
                             .requires_grad_(true);
    const at::Tensor w =
        OrthonormalMatrix(shape.rows, shape.columns).requires_grad_(true);
    // |∂ sum(sin(x Wᵀ)) / ∂x|⁴, with either product.
    const auto penalty = [&](const at::Tensor& y) {
      const at::Tensor gradient = torch::autograd::grad(
          {y.sin().sum()}, {x}, {},
          /*retain_graph=*/true, /*create_graph=*/true)[0];
      return gradient.square().sum().square();
    };
    const at::Tensor projected =
        torch::autograd::grad({penalty(TangentProduct(x, w))}, {w})[0];
    const at::Tensor plain =
        torch::autograd::grad({penalty(at::mm(x, w.t()))}, {w})[0];
    EXPECT_TRUE(TensorsNear(projected,
                            ProjectOntoTangentSpace(plain, w.detach()),
                            1e-11 * (1.0 + plain.norm().item<double>())))
        << shape.batch << " " << shape.rows << "x" << shape.columns;
  }
}

TEST(TangentProduct, AWeightWithoutAGradientIsAPlainProduct) {
  const at::Tensor w = OrthonormalMatrix(4, 6);
  const at::Tensor x = at::randn({3, 6}, at::kDouble);
  EXPECT_FALSE(TangentProduct(x, w).requires_grad());
}

TEST(TangentProduct, WithoutAProductTheGradientIsProjectedToo) {
  at::manual_seed(12);
  for (const Shape& shape : kShapes) {
    const at::Tensor w =
        OrthonormalMatrix(shape.rows, shape.columns).requires_grad_(true);
    const at::Tensor g = at::randn({shape.rows, shape.columns}, at::kDouble);
    const at::Tensor same = WithTangentGradient(w);
    EXPECT_TRUE(at::equal(same, w));
    const at::Tensor gradient = torch::autograd::grad({same}, {w}, {g})[0];
    EXPECT_TRUE(
        TensorsNear(gradient, ProjectOntoTangentSpace(g, w.detach()), 1e-12));
    EXPECT_FALSE(WithTangentGradient(w.detach()).requires_grad());
  }
}

}  // namespace
}  // namespace lipschitz
