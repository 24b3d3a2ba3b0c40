#include "lipschitz/linalg/torus_norm.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "lipschitz/base/rounding.h"
#include "lipschitz/linalg/upward_norms.h"

namespace lipschitz {
namespace {

using rounding::Gamma;
using rounding::kInfinity;
using rounding::kUnit;
using rounding::SumUp;
using rounding::Up;

// A sine or cosine of an angle in [0, 4π) that is the sum of two computed ones:
// five roundings of it, and what the library's function adds (a few units at
// most), with a margin.
constexpr double kPhaseError = 256 * kUnit;
// More than all that underflows in sums of products of numbers up to one.
constexpr double kUnderflow = 1e-280;

// 2π · (frequency + twist/2) · offset / size, reduced in integers.
at::Tensor Angles(const std::vector<int64_t>& frequencies, int64_t offsets,
                  int64_t size, bool twisted) {
  const double half_turn = std::acos(-1.0);
  at::Tensor angles = at::empty(
      {static_cast<int64_t>(frequencies.size()), offsets}, at::kDouble);
  auto entries = angles.accessor<double, 2>();
  for (int64_t f = 0; f < angles.size(0); ++f) {
    const int64_t twice = 2 * frequencies[f] + (twisted ? 1 : 0);
    for (int64_t a = 0; a < offsets; ++a) {
      entries[f][a] = half_turn * static_cast<double>(twice * a % (2 * size)) /
                      static_cast<double>(size);
    }
  }
  return angles;
}

std::vector<int64_t> Range(int64_t end) {
  std::vector<int64_t> values(end);
  for (int64_t i = 0; i < end; ++i) values[i] = i;
  return values;
}

double LargestFrobeniusUp(const at::Tensor& real, const at::Tensor& imaginary) {
  const double squares =
      (real.square().sum({1, 2}) + imaginary.square().sum({1, 2}))
          .max()
          .item<double>();
  return Up(std::sqrt(
      SumUp(squares, 2.0 * static_cast<double>(real.size(1) * real.size(2)))));
}

// Z Zᴴ for Z = A + iB from real products: A Aᵀ + B Bᵀ, and B Aᵀ minus its
// transpose. Each entry's error, in either part, is at most γ_{2n+1} ‖z_i‖
// ‖z_j‖ for rows of n entries.
std::pair<at::Tensor, at::Tensor> Outer(const at::Tensor& real,
                                        const at::Tensor& imaginary) {
  const at::Tensor both = at::cat({real, imaginary}, 2);
  const at::Tensor cross = at::bmm(imaginary, real.transpose(1, 2));
  return {at::bmm(both, both.transpose(1, 2)), cross - cross.transpose(1, 2)};
}

// ‖fl(Z Zᴴ) − Z Zᴴ‖_F / ‖Z‖_F² at most: √2 for the two parts.
double OuterError(int64_t columns) {
  return Up(1.5 * Gamma(2.0 * static_cast<double>(columns) + 1.0));
}

}  // namespace

at::Tensor PolyphaseKernel(const at::Tensor& kernel, int64_t stride) {
  if (stride == 1) return kernel;
  const auto missing = [&](int64_t size) {
    return (stride - size % stride) % stride;
  };
  const at::Tensor padded = at::constant_pad_nd(
      kernel, {0, missing(kernel.size(3)), 0, missing(kernel.size(2))});
  const int64_t height = padded.size(2) / stride;
  const int64_t width = padded.size(3) / stride;
  return padded
      .reshape({kernel.size(0), kernel.size(1), height, stride, width, stride})
      .permute({0, 1, 3, 5, 2, 4})
      .reshape(
          {kernel.size(0), kernel.size(1) * stride * stride, height, width});
}

TorusConvolution::TorusConvolution(const at::Tensor& kernel,
                                   const Torus& torus) {
  // The transposed matrices have the same norms.
  const at::Tensor wide =
      kernel.size(0) <= kernel.size(1) ? kernel : kernel.transpose(0, 1);
  rows_ = wide.size(0);
  columns_ = wide.size(1);
  const int64_t taps = wide.size(2) * wide.size(3);
  // The matrix at a frequency's negative is the conjugate: half of them do.
  const int64_t half =
      torus.twisted_rows ? (torus.height + 1) / 2 : torus.height / 2 + 1;
  const at::Tensor vertical =
      Angles(Range(half), wide.size(2), torus.height, torus.twisted_rows);
  const at::Tensor horizontal = Angles(Range(torus.width), wide.size(3),
                                       torus.width, torus.twisted_columns);
  const at::Tensor angles = (vertical.unsqueeze(1).unsqueeze(3) +
                             horizontal.unsqueeze(0).unsqueeze(2))
                                .reshape({-1, taps});
  frequencies_ = angles.size(0);
  const at::Tensor flat =
      wide.reshape({rows_ * columns_, taps}).t().contiguous();
  const auto symbol = [&](const at::Tensor& phases) {
    return at::mm(phases, flat).reshape({frequencies_, rows_, columns_});
  };
  real_ = symbol(angles.cos());
  imaginary_ = symbol(angles.sin());
  // |error| ≤ √2 (γ (1 + ε) + ε) Σ |kernel| over the taps, entry by entry.
  const double relative = Up(
      1.5 * Up(Up(Gamma(static_cast<double>(taps)) * (1.0 + 2 * kPhaseError)) +
               kPhaseError));
  const double magnitude = Up(FrobeniusUp(flat.abs().sum(0)) *
                              (1.0 + Gamma(static_cast<double>(taps) + 2.0)));
  symbol_error_ = Up(Up(relative * magnitude) + kUnderflow);
  // Some tens of megabytes per tensor.
  chunk_ = std::clamp<int64_t>((int64_t{1} << 22) / (rows_ * columns_), 1,
                               frequencies_);
}

TorusConvolution::Gram TorusConvolution::GramOf(int64_t begin,
                                                int64_t end) const {
  auto [real, imaginary] = Outer(real_.narrow(0, begin, end - begin),
                                 imaginary_.narrow(0, begin, end - begin));
  return {real, imaginary};
}

double TorusConvolution::NormEstimate() {
  if (estimate_ >= 0.0) return estimate_;
  double largest = 0.0;
  for (int64_t begin = 0; begin < frequencies_; begin += chunk_) {
    const Gram gram = GramOf(begin, std::min(frequencies_, begin + chunk_));
    largest = std::max(
        largest, at::linalg_eigvalsh(at::complex(gram.real, gram.imaginary))
                     .max()
                     .item<double>());
  }
  estimate_ = std::sqrt(largest);
  return estimate_;
}

double TorusConvolution::NormUpperBound(double relative_gap) {
  const double estimate = NormEstimate();
  const double frobenius = LargestFrobeniusUp(real_, imaginary_);
  // ‖K‖₂² ≤ ‖K‖_F² at the worst frequency, for what the rest cannot show.
  double square = Up(frobenius * frobenius);
  const double gram_error = Up(Up(OuterError(columns_) * square) + kUnderflow);
  const at::Tensor identity = at::eye(rows_, at::kDouble);
  // With a smaller gap rounding may make the shifted matrix indefinite.
  double gap = std::max(2.0 * relative_gap,
                        static_cast<double>(rows_ + columns_) * 1e-14);
  for (; gap < 1.0; gap *= 8.0) {
    const double shift = estimate * estimate * (1.0 + gap);
    if (!(shift > 0.0) || shift >= square) break;
    double worst = 0.0;
    for (int64_t begin = 0; begin < frequencies_; begin += chunk_) {
      const Gram gram = GramOf(begin, std::min(frequencies_, begin + chunk_));
      const at::Tensor real = shift * identity - gram.real;
      const at::Tensor imaginary = -gram.imaginary;
      const auto [factor, info] =
          at::linalg_cholesky_ex(at::complex(real, imaginary));
      if (info.any().item<bool>()) {
        worst = kInfinity;
        break;
      }
      const at::Tensor parts = at::view_as_real(factor);
      const at::Tensor factor_real = parts.select(3, 0).contiguous();
      const at::Tensor factor_imaginary = parts.select(3, 1).contiguous();
      const auto [product_real, product_imaginary] =
          Outer(factor_real, factor_imaginary);
      const double rest = LargestFrobeniusUp(real - product_real,
                                             imaginary - product_imaginary);
      const double length = LargestFrobeniusUp(factor_real, factor_imaginary);
      // The two subtractions: of the diagonal from the shift, and of the
      // product.
      const double subtractions =
          Up(2.0 * kUnit * Up(real.abs().max().item<double>() + rest));
      const double product = Up(OuterError(rows_) * Up(length * length));
      const double total = Up(Up(rest + subtractions) + product);
      // Not a number is no bound.
      worst = total >= 0.0 ? std::max(worst, total) : kInfinity;
    }
    const double candidate = Up(Up(shift + worst) + gram_error);
    if (candidate < square) {
      square = candidate;
      break;
    }
  }
  return Up(Up(std::sqrt(Up(square + kUnderflow))) + symbol_error_);
}

}  // namespace lipschitz
