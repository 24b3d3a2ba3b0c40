#include "lipschitz/linalg/l1_rows_kernel.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lipschitz/linalg/l1_rows_kernel.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include <hwy/highway.h>

#include "lipschitz/base/float64_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lipschitz::HWY_NAMESPACE {
namespace {

// magnitude with the sign of `of`, + where that is ±0.
V WithSign(V magnitude, V of) {
  return hn::IfThenElse(hn::Lt(of, hn::Zero(kD)), hn::Neg(magnitude),
                        magnitude);
}

struct RowSize {
  double norm;
  double largest;
};

// The L1 norm of a row and its largest magnitude.
template <typename T>
RowSize Measure(const T* row, size_t columns) {
  V sum = hn::Zero(kD);
  V largest = hn::Zero(kD);
  for (size_t j = 0; j < columns; j += hn::Lanes(kD)) {
    const V a = hn::Abs(Load(row + j, columns - j));
    sum = hn::Add(sum, a);
    largest = hn::Max(largest, a);
  }
  return {Sum(sum), hn::GetLane(hn::MaxOfLanes(kD, largest))};
}

// A threshold τ = high + low, low below the rounding of high: then nothing is
// lost when entries are far larger than the radius, or very many.
struct Threshold {
  double high;
  double low;
};

// Σ max(|w| − τ, 0), and the number of entries with |w| ≥ τ.
struct Excess {
  double sum;
  size_t count;
};

// Summed in blocks: errors grow with a block's length and the number of blocks,
// not with the number of entries.
template <typename T>
Excess MeasureExcess(const T* row, size_t columns, Threshold threshold) {
  constexpr size_t kBlock = 256;  // a multiple of the lanes
  const V high = hn::Set(kD, threshold.high);
  const V low = hn::Set(kD, threshold.low);
  V total = hn::Zero(kD);
  size_t count = 0;
  for (size_t begin = 0; begin < columns; begin += kBlock) {
    const size_t end = std::min(columns, begin + kBlock);
    V sum = hn::Zero(kD);
    for (size_t j = begin; j < end; j += hn::Lanes(kD)) {
      const V w = Load(row + j, columns - j);
      const V excess = hn::Sub(hn::Sub(hn::Abs(w), high), low);
      const hn::Mask<D> above = hn::Ge(excess, hn::Zero(kD));
      sum = hn::Add(sum, hn::IfThenElseZero(above, excess));
      count += hn::CountTrue(kD, above);
    }
    total = hn::Add(total, sum);
  }
  return {Sum(total), count};
}

// For a row outside the ball, of finite norm. Newton's method on the piecewise
// linear function Σ max(|w| − τ, 0) − radius of τ, from the left: C. Michelot,
// "A finite algorithm for finding the projection of a point onto the canonical
// simplex of ℝⁿ", JOTA 50 (1986). A pass that drops the share x of the entries
// left makes the next step at most x/(1 − x) times as long; as x(1 − x) ≤ 1/4,
// about log₂(columns) + 27 passes take the steps below rounding. Two to six are
// usual.
template <typename T>
Threshold FindThreshold(const T* row, size_t columns, RowSize size,
                        double radius) {
  // Two lower bounds of τ: the largest entry exceeds it by at most the radius,
  // and Newton's step from 0. Rounding must not lift them above that entry.
  const double bound =
      std::max(size.largest - radius, (size.norm - radius) / columns);
  Threshold threshold = {std::min(bound, size.largest), 0.0};
  size_t count = columns + 1;
  size_t before;
  // The last step drops nothing; it removes the rounding of those before.
  do {
    before = count;
    const Excess excess = MeasureExcess(row, columns, threshold);
    count = excess.count;
    if (count == 0) break;
    const double step = threshold.low + (excess.sum - radius) / count;
    const double high = threshold.high + step;
    threshold = {high, step - (high - threshold.high)};
  } while (count < before);
  return threshold;
}

template <typename T>
void SoftThreshold(const T* row, size_t columns, Threshold threshold, T* out) {
  const V high = hn::Set(kD, threshold.high);
  const V low = hn::Set(kD, threshold.low);
  for (size_t j = 0; j < columns; j += hn::Lanes(kD)) {
    const V w = Load(row + j, columns - j);
    const V excess = hn::Sub(hn::Sub(hn::Abs(w), high), low);
    Store(WithSign(hn::Max(excess, hn::Zero(kD)), w), out + j, columns - j);
  }
}

template <typename T>
void Project(const T* w, size_t rows, size_t columns, double radius, L1Set set,
             T* out, bool* kept) {
  for (size_t i = 0; i < rows; ++i, w += columns, out += columns) {
    const RowSize size = Measure(w, columns);
    const double norm = size.norm;
    kept[i] = set == L1Set::kBall && norm <= radius;
    if (kept[i]) {
      std::copy(w, w + columns, out);
    } else if (!std::isfinite(norm)) {
      std::fill(out, out + columns, std::numeric_limits<T>::quiet_NaN());
    } else if (norm <= radius) {
      SoftThreshold(w, columns, {(norm - radius) / columns, 0.0}, out);
    } else {
      SoftThreshold(w, columns, FindThreshold(w, columns, size, radius), out);
    }
  }
}

// g ↦ m ∘ (g − s mean(s g)) with the signs s and the entries m off zero.
template <typename T>
void ProjectDerivative(const T* projected, const bool* kept, const T* g,
                       size_t rows, size_t columns, T* out) {
  const V zero = hn::Zero(kD);
  for (size_t i = 0; i < rows;
       ++i, projected += columns, g += columns, out += columns) {
    if (kept[i]) {
      std::copy(g, g + columns, out);
      continue;
    }
    V sum = zero;
    size_t count = 0;
    for (size_t j = 0; j < columns; j += hn::Lanes(kD)) {
      const V p = Load(projected + j, columns - j);
      const hn::Mask<D> active = hn::Ne(p, zero);
      const V signed_g = WithSign(Load(g + j, columns - j), p);
      sum = hn::Add(sum, hn::IfThenElseZero(active, signed_g));
      count += hn::CountTrue(kD, active);
    }
    const V mean = hn::Set(kD, Sum(sum) / std::max<size_t>(count, 1));
    for (size_t j = 0; j < columns; j += hn::Lanes(kD)) {
      const V p = Load(projected + j, columns - j);
      const V tangent = hn::Sub(Load(g + j, columns - j), WithSign(mean, p));
      Store(hn::IfThenElseZero(hn::Ne(p, zero), tangent), out + j, columns - j);
    }
  }
}

// Whether `scale` changes a row of this norm; NaN counts as long.
bool Scales(double norm, double radius, bool only_down) {
  return !(only_down && norm <= radius) && !std::isinf(radius / norm);
}

template <typename T>
void Scale(const T* w, size_t rows, size_t columns, double radius,
           bool only_down, T* out) {
  for (size_t i = 0; i < rows; ++i, w += columns, out += columns) {
    const double norm = Measure(w, columns).norm;
    if (!Scales(norm, radius, only_down)) {
      std::copy(w, w + columns, out);
      continue;
    }
    const V factor = hn::Set(kD, radius / norm);
    for (size_t j = 0; j < columns; j += hn::Lanes(kD)) {
      Store(hn::Mul(Load(w + j, columns - j), factor), out + j, columns - j);
    }
  }
}

// g ↦ radius/N · (g − s ⟨g, w⟩/N) with N = ‖w‖₁ and s = sign(w).
template <typename T>
void ScaleBackward(const T* w, const T* g, size_t rows, size_t columns,
                   double radius, bool only_down, T* out) {
  const V zero = hn::Zero(kD);
  for (size_t i = 0; i < rows;
       ++i, w += columns, g += columns, out += columns) {
    V norms = zero, products = zero;
    for (size_t j = 0; j < columns; j += hn::Lanes(kD)) {
      const V x = Load(w + j, columns - j);
      norms = hn::Add(norms, hn::Abs(x));
      products = hn::MulAdd(Load(g + j, columns - j), x, products);
    }
    const double norm = Sum(norms);
    if (!Scales(norm, radius, only_down)) {
      std::copy(g, g + columns, out);
      continue;
    }
    const V factor = hn::Set(kD, radius / norm);
    const V mean = hn::Set(kD, Sum(products) / norm);
    for (size_t j = 0; j < columns; j += hn::Lanes(kD)) {
      const V x = Load(w + j, columns - j);
      const V along = hn::IfThenElseZero(hn::Ne(x, zero), WithSign(mean, x));
      const V tangent = hn::Sub(Load(g + j, columns - j), along);
      Store(hn::Mul(factor, tangent), out + j, columns - j);
    }
  }
}

template <typename T>
L1RowsKernel<T> Kernel() {
  return {Project<T>, ProjectDerivative<T>, Scale<T>, ScaleBackward<T>};
}

}  // namespace

L1RowsKernel<float> FloatKernel() { return Kernel<float>(); }
L1RowsKernel<double> DoubleKernel() { return Kernel<double>(); }

}  // namespace lipschitz::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lipschitz {

HWY_EXPORT(FloatKernel);
HWY_EXPORT(DoubleKernel);

template <>
L1RowsKernel<float> GetL1RowsKernel() {
  return HWY_DYNAMIC_DISPATCH(FloatKernel)();
}

template <>
L1RowsKernel<double> GetL1RowsKernel() {
  return HWY_DYNAMIC_DISPATCH(DoubleKernel)();
}

}  // namespace lipschitz
#endif  // HWY_ONCE
