#include "lipschitz/linalg/zero_padded_gram.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "lipschitz/base/rounding.h"
#include "lipschitz/linalg/upward_norms.h"

namespace lipschitz {
namespace {

using rounding::Up;

enum class Side { kOutput, kInput };

// A in blocks of rows of pixels: A(p, r) = T(r + padding − stride p), with T(a)
// what row a of the kernel does to one row of pixels. Blocks of the Gram
// matrices are sums of T(a) T(b)ᵀ, or of T(a)ᵀT(b), over pairs (a, b).
class GramBlocks {
 public:
  GramBlocks(at::Tensor kernel, const ConvolutionGeometry& geometry, Side side)
      : kernel_(std::move(kernel)), geometry_(geometry), side_(side) {}

  at::Tensor Block(int64_t i, int64_t j) {
    at::Tensor sum;
    for (const auto& pair : Pairs(i, j)) {
      const at::Tensor& product = Product(pair);
      sum = sum.defined() ? sum.add_(product) : product.clone();
    }
    if (sum.defined()) return sum;
    const int64_t size = side_ == Side::kOutput
                             ? geometry_.out_channels * geometry_.OutputWidth()
                             : geometry_.in_channels * geometry_.input_width;
    return at::zeros({size, size}, at::kDouble);
  }

 private:
  using Pair = std::pair<int64_t, int64_t>;

  // The kernel's rows that block rows i ≥ j of pixels have in common.
  std::vector<Pair> Pairs(int64_t i, int64_t j) const {
    const ConvolutionGeometry& g = geometry_;
    std::vector<Pair> pairs;
    if (side_ == Side::kOutput) {
      // Over the input's rows.
      for (int64_t a = 0; a + g.stride * (i - j) < g.kernel_height; ++a) {
        const int64_t row = g.stride * i + a - g.padding;
        if (row >= 0 && row < g.input_height) {
          pairs.emplace_back(a, a + g.stride * (i - j));
        }
      }
      return pairs;
    }
    // Over the output's rows.
    for (int64_t p = 0; p < g.OutputHeight(); ++p) {
      const int64_t a = i + g.padding - g.stride * p;
      const int64_t b = a - (i - j);
      if (a < g.kernel_height && b >= 0) pairs.emplace_back(a, b);
    }
    return pairs;
  }

  const at::Tensor& Product(const Pair& pair) {
    const auto known = products_.find(pair);
    if (known != products_.end()) return known->second;
    const at::Tensor a = RowMatrix(pair.first);
    const at::Tensor b = RowMatrix(pair.second);
    return products_[pair] =
               side_ == Side::kOutput ? at::mm(a, b.t()) : at::mm(a.t(), b);
  }

  // T(a): (out_channels · output width, in_channels · input width).
  at::Tensor RowMatrix(int64_t a) {
    const ConvolutionGeometry& g = geometry_;
    if (rows_.empty()) rows_.resize(g.kernel_height);
    at::Tensor& matrix = rows_[a];
    if (matrix.defined()) return matrix;
    const int64_t width = g.OutputWidth();
    at::Tensor filled = at::zeros(
        {g.out_channels, width, g.in_channels, g.input_width}, at::kDouble);
    const at::Tensor row = kernel_.select(2, a);
    for (int64_t q = 0; q < width; ++q) {
      const int64_t start = g.stride * q - g.padding;
      const int64_t first = std::max<int64_t>(0, -start);
      const int64_t count =
          std::min(g.kernel_width, g.input_width - start) - first;
      if (count <= 0) continue;
      filled.select(1, q)
          .narrow(2, start + first, count)
          .copy_(row.narrow(2, first, count));
    }
    matrix =
        filled.reshape({g.out_channels * width, g.in_channels * g.input_width});
    return matrix;
  }

  at::Tensor kernel_;
  ConvolutionGeometry geometry_;
  Side side_;
  std::vector<at::Tensor> rows_;
  std::map<Pair, at::Tensor> products_;
};

BlockBandedGram GramOf(const at::Tensor& kernel,
                       const ConvolutionGeometry& geometry, Side side) {
  const ConvolutionGeometry& g = geometry;
  BlockBandedGram gram;
  if (side == Side::kOutput) {
    gram.blocks = g.OutputHeight();
    gram.block_size = g.out_channels * g.OutputWidth();
    // Output rows as far apart as the kernel is high have no input in common.
    gram.bandwidth = (g.kernel_height - 1) / g.stride;
    gram.terms =
        static_cast<double>(g.kernel_height * g.in_channels * g.input_width);
  } else {
    gram.blocks = g.input_height;
    gram.block_size = g.in_channels * g.input_width;
    gram.bandwidth = g.kernel_height - 1;
    gram.terms =
        static_cast<double>(g.kernel_height * g.out_channels * g.OutputWidth());
  }
  gram.bandwidth = std::min(gram.bandwidth, gram.blocks - 1);
  // And the additions of the products.
  gram.terms += static_cast<double>(g.kernel_height);
  const double length = FrobeniusUp(kernel);
  gram.trace = Up(Up(length * length) *
                  static_cast<double>(g.OutputHeight() * g.OutputWidth()));
  const auto blocks = std::make_shared<GramBlocks>(kernel, geometry, side);
  gram.block = [blocks](int64_t i, int64_t j) { return blocks->Block(i, j); };
  return gram;
}

}  // namespace

BlockBandedGram ZeroPaddedGram(const at::Tensor& kernel,
                               const ConvolutionGeometry& geometry) {
  ConvolutionGeometry turned = geometry;
  std::swap(turned.kernel_height, turned.kernel_width);
  std::swap(turned.input_height, turned.input_width);
  const at::Tensor turned_kernel = kernel.transpose(2, 3);
  BlockBandedGram best = GramOf(kernel, geometry, Side::kOutput);
  for (BlockBandedGram& other : std::vector<BlockBandedGram>{
           GramOf(kernel, geometry, Side::kInput),
           GramOf(turned_kernel, turned, Side::kOutput),
           GramOf(turned_kernel, turned, Side::kInput)}) {
    if (other.Operations() < best.Operations()) best = other;
  }
  return best;
}

}  // namespace lipschitz
