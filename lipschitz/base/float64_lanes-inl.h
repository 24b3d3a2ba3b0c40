// Vectors of float64 from rows of floats or doubles, for loops that Highway
// compiles for every instruction set: include it after <hwy/highway.h>.
#if defined(LIPSCHITZ_BASE_FLOAT64_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIPSCHITZ_BASE_FLOAT64_LANES_INL_H_
#undef LIPSCHITZ_BASE_FLOAT64_LANES_INL_H_
#else
#define LIPSCHITZ_BASE_FLOAT64_LANES_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>

HWY_BEFORE_NAMESPACE();
namespace lipschitz::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<double>;
using V = hn::Vec<D>;
constexpr D kD;

HWY_INLINE V Load(const double* from) { return hn::LoadU(kD, from); }
HWY_INLINE V Load(const float* from) {
  return hn::PromoteTo(kD, hn::LoadU(hn::Rebind<float, D>(), from));
}
HWY_INLINE void Store(V v, double* to) { hn::StoreU(v, kD, to); }
HWY_INLINE void Store(V v, float* to) {
  const hn::Rebind<float, D> d;
  hn::StoreU(hn::DemoteTo(d, v), d, to);
}

// The next entries of a row that has `left` more of them; after its end,
// `padding`.
template <typename T>
HWY_INLINE V Load(const T* from, size_t left, T padding = T{0}) {
  if (HWY_LIKELY(left >= hn::Lanes(kD))) return Load(from);
  T padded[hn::MaxLanes(kD)];
  std::fill(padded, padded + hn::MaxLanes(kD), padding);
  std::copy(from, from + left, padded);
  return Load(padded);
}

// Writes the first `left` lanes, or all.
template <typename T>
HWY_INLINE void Store(V v, T* to, size_t left) {
  if (HWY_LIKELY(left >= hn::Lanes(kD))) return Store(v, to);
  T padded[hn::MaxLanes(kD)];
  Store(v, padded);
  std::copy(padded, padded + left, to);
}

HWY_INLINE double Sum(V v) { return hn::GetLane(hn::SumOfLanes(kD, v)); }

}  // namespace
}  // namespace lipschitz::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
