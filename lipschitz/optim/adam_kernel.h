// A vectorised step of Adam.
#pragma once

#include <cstddef>

namespace lipschitz {

struct AdamFactors {
  double beta1 = 0.0;
  double beta2 = 0.0;
  // Of the two moments after this step, 1 − βᵗ.
  double bias1 = 0.0;
  double bias2 = 0.0;
  double rate = 0.0;
  double eps = 0.0;
};

// For n numbers each, with every operation rounded to T but for products that
// are added at once, so on processors that can do so the values are those of
// torch::optim::Adam:
//   first ← β₁ first + (1 − β₁) g,  second ← β₂ second + (1 − β₂) g²,
//   p ← p − rate/bias₁ · first / (√second / √bias₂ + eps).
template <typename T>
using AdamStep = void (*)(const AdamFactors& factors, const T* gradient,
                          size_t n, T* first, T* second, T* parameter);

// The loop for one element type, float or double, compiled for every
// instruction set and chosen for this processor.
template <typename T>
AdamStep<T> GetAdamStep();

}  // namespace lipschitz
