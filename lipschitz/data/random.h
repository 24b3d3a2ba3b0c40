// Sources of random numbers of their own, whose state can be saved.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace lipschitz {

// The seed of one of the streams of random numbers that a run with `seed` uses
// (its data, its test set, ...), so that they are independent of each other.
inline uint64_t StreamSeed(uint64_t seed, uint64_t stream) {
  return seed * 1000003u + stream;
}

// Independent of LibTorch's default generator (from which weights are
// initialised), so that the data do not depend on the size of the network. On
// the CPU whatever the device of the model.
class RandomSource {
 public:
  explicit RandomSource(uint64_t seed);

  const at::Generator& generator() const { return generator_; }

  // The whole state, for checkpoints. Setting a state that is not one is a
  // c10::Error.
  at::Tensor state() const;
  void set_state(const at::Tensor& state);

 private:
  at::Generator generator_;
};

}  // namespace lipschitz
