#include "lipschitz/optim/adam_kernel.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lipschitz/optim/adam_kernel.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lipschitz::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// The factors in T, as LibTorch's operations round them.
template <typename T>
struct Rounded {
  explicit Rounded(const AdamFactors& factors)
      : beta1(static_cast<T>(factors.beta1)),
        rest1(static_cast<T>(1.0 - factors.beta1)),
        beta2(static_cast<T>(factors.beta2)),
        rest2(static_cast<T>(1.0 - factors.beta2)),
        root(static_cast<T>(std::sqrt(factors.bias2))),
        step(static_cast<T>(-(factors.rate / factors.bias1))),
        eps(static_cast<T>(factors.eps)) {}

  T beta1, rest1, beta2, rest2, root, step, eps;
};

// A vector, or with another tag a single number.
template <class D, typename T>
HWY_INLINE void StepOne(D d, const Rounded<T>& factors, const T* gradient,
                        T* first, T* second, T* parameter) {
  const auto g = hn::LoadU(d, gradient);
  const auto m =
      hn::MulAdd(g, hn::Set(d, factors.rest1),
                 hn::Mul(hn::LoadU(d, first), hn::Set(d, factors.beta1)));
  const auto v =
      hn::MulAdd(hn::Mul(hn::Set(d, factors.rest2), g), g,
                 hn::Mul(hn::LoadU(d, second), hn::Set(d, factors.beta2)));
  hn::StoreU(m, d, first);
  hn::StoreU(v, d, second);
  const auto scale = hn::Add(hn::Div(hn::Sqrt(v), hn::Set(d, factors.root)),
                             hn::Set(d, factors.eps));
  const auto move = hn::Div(hn::Mul(hn::Set(d, factors.step), m), scale);
  hn::StoreU(hn::Add(hn::LoadU(d, parameter), move), d, parameter);
}

template <typename T>
void Step(const AdamFactors& factors, const T* gradient, size_t n, T* first,
          T* second, T* parameter) {
  const Rounded<T> rounded(factors);
  const hn::ScalableTag<T> d;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) {
    StepOne(d, rounded, gradient + i, first + i, second + i, parameter + i);
  }
  for (; i < n; ++i) {
    StepOne(hn::CappedTag<T, 1>(), rounded, gradient + i, first + i, second + i,
            parameter + i);
  }
}

}  // namespace

AdamStep<float> AdamStepFloat() { return Step<float>; }
AdamStep<double> AdamStepDouble() { return Step<double>; }

}  // namespace lipschitz::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lipschitz {

HWY_EXPORT(AdamStepFloat);
HWY_EXPORT(AdamStepDouble);

template <>
AdamStep<float> GetAdamStep() {
  return HWY_DYNAMIC_DISPATCH(AdamStepFloat)();
}

template <>
AdamStep<double> GetAdamStep() {
  return HWY_DYNAMIC_DISPATCH(AdamStepDouble)();
}

}  // namespace lipschitz
#endif  // HWY_ONCE
