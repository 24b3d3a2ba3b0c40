#include "lipschitz/linalg/gram.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace lipschitz {
namespace {

// Fortran's symmetric rank-k update of the BLAS that LibTorch runs on; null
// where that keeps its symbols to itself.
template <typename T>
using RankUpdate = void (*)(const char* triangle, const char* transpose,
                            const int* n, const int* k, const T* alpha,
                            const T* a, const int* lda, const T* beta, T* c,
                            const int* ldc);

template <typename T>
RankUpdate<T> FindRankUpdate() {
  static const auto function = reinterpret_cast<RankUpdate<T>>(
      dlsym(RTLD_DEFAULT, sizeof(T) == sizeof(float) ? "ssyrk_" : "dsyrk_"));
  return function;
}

// Copies the lower triangle of a row-major matrix to the upper one, in blocks
// that stay in the cache while they are read across.
template <typename T>
void MirrorLowerTriangle(T* c, int64_t n) {
  constexpr int64_t kBlock = 32;
  at::parallel_for(
      0, (n + kBlock - 1) / kBlock, /*grain_size=*/8,
      [&](int64_t begin, int64_t end) {
        for (int64_t row = begin * kBlock; row < std::min(n, end * kBlock);
             row += kBlock) {
          const int64_t row_end = std::min(n, row + kBlock);
          for (int64_t column = row; column < n; column += kBlock) {
            const int64_t column_end = std::min(n, column + kBlock);
            for (int64_t i = row; i < row_end; ++i) {
              for (int64_t j = std::max(column, i + 1); j < column_end; ++j) {
                c[i * n + j] = c[j * n + i];
              }
            }
          }
        }
      });
}

// `w` is row-major, so that Fortran sees its transpose, and its upper triangle
// is our lower one.
template <typename T>
at::Tensor RankUpdateGram(RankUpdate<T> update, const at::Tensor& w,
                          bool of_rows) {
  const auto rows = static_cast<int>(w.size(0));
  const auto columns = static_cast<int>(w.size(1));
  const int n = of_rows ? rows : columns;
  const int k = of_rows ? columns : rows;
  at::Tensor gram = at::empty({n, n}, w.options());
  const T one = 1;
  const T zero = 0;
  update("U", of_rows ? "T" : "N", &n, &k, &one, w.data_ptr<T>(), &columns,
         &zero, gram.data_ptr<T>(), &n);
  MirrorLowerTriangle(gram.data_ptr<T>(), n);
  return gram;
}

at::Tensor GramOf(const at::Tensor& w, bool of_rows) {
  const bool fits = w.numel() > 0 &&
                    w.size(0) <= std::numeric_limits<int>::max() &&
                    w.size(1) <= std::numeric_limits<int>::max();
  if (w.is_cpu() && fits) {
    if (w.scalar_type() == at::kFloat && FindRankUpdate<float>() != nullptr) {
      return RankUpdateGram<float>(FindRankUpdate<float>(), w.contiguous(),
                                   of_rows);
    }
    if (w.scalar_type() == at::kDouble && FindRankUpdate<double>() != nullptr) {
      return RankUpdateGram<double>(FindRankUpdate<double>(), w.contiguous(),
                                    of_rows);
    }
  }
  return of_rows ? at::mm(w, w.t()) : at::mm(w.t(), w);
}

}  // namespace

at::Tensor SmallerGram(const at::Tensor& w) {
  c10::NoGradGuard no_grad;
  return GramOf(w.detach(), w.size(0) <= w.size(1));
}

at::Tensor SymmetricSquare(const at::Tensor& s) {
  c10::NoGradGuard no_grad;
  return GramOf(s.detach(), /*of_rows=*/true);
}

double OrthonormalityDefect(const at::Tensor& w) {
  at::Tensor gram = SmallerGram(w.detach().to(at::kDouble));
  gram.diagonal().sub_(1);
  return gram.norm().item<double>();
}

}  // namespace lipschitz
