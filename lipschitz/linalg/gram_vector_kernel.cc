#include "lipschitz/linalg/gram_vector_kernel.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lipschitz/linalg/gram_vector_kernel.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lipschitz::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Vectors whose sums do not wait for one another.
constexpr size_t kSums = 4;

template <typename T>
T Dot(const T* a, const T* b, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  auto sum0 = hn::Zero(d), sum1 = sum0, sum2 = sum0, sum3 = sum0;
  const auto add = [&](auto* sum, size_t i) HWY_ATTR {
    *sum = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), *sum);
  };
  size_t i = 0;
  for (; i + kSums * lanes <= n; i += kSums * lanes) {
    add(&sum0, i);
    add(&sum1, i + lanes);
    add(&sum2, i + 2 * lanes);
    add(&sum3, i + 3 * lanes);
  }
  for (; i + lanes <= n; i += lanes) add(&sum0, i);
  T sum = hn::GetLane(
      hn::SumOfLanes(d, hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3))));
  for (; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// y += a x.
template <typename T>
void AddMultiple(T a, const T* x, size_t n, T* y) {
  const hn::ScalableTag<T> d;
  const auto factor = hn::Set(d, a);
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) {
    hn::StoreU(hn::MulAdd(factor, hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d,
               y + i);
  }
  for (; i < n; ++i) y[i] += a * x[i];
}

template <typename T>
void Times(const T* w, size_t rows, size_t columns, const T* x, T* scratch,
           T* out) {
  if (rows <= columns) {
    std::fill(scratch, scratch + columns, T{0});
    for (size_t i = 0; i < rows; ++i) {
      AddMultiple(x[i], w + i * columns, columns, scratch);
    }
    for (size_t i = 0; i < rows; ++i) {
      out[i] = Dot(w + i * columns, scratch, columns) - x[i];
    }
    return;
  }
  std::fill(out, out + columns, T{0});
  for (size_t i = 0; i < rows; ++i) {
    const T* const row = w + i * columns;
    AddMultiple(Dot(row, x, columns), row, columns, out);
  }
  AddMultiple(T{-1}, x, columns, out);
}

}  // namespace

GramLessIdentityTimes<float> TimesFloat() { return Times<float>; }
GramLessIdentityTimes<double> TimesDouble() { return Times<double>; }

}  // namespace lipschitz::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lipschitz {

HWY_EXPORT(TimesFloat);
HWY_EXPORT(TimesDouble);

template <>
GramLessIdentityTimes<float> GetGramLessIdentityTimes() {
  return HWY_DYNAMIC_DISPATCH(TimesFloat)();
}

template <>
GramLessIdentityTimes<double> GetGramLessIdentityTimes() {
  return HWY_DYNAMIC_DISPATCH(TimesDouble)();
}

}  // namespace lipschitz
#endif  // HWY_ONCE
