#include "lipschitz/data/random.h"

#include <ATen/CPUGeneratorImpl.h>

#include <mutex>

namespace lipschitz {

RandomSource::RandomSource(uint64_t seed)
    : generator_(at::detail::createCPUGenerator(seed)) {}

at::Tensor RandomSource::state() const {
  at::Generator generator = generator_;
  const std::lock_guard<std::mutex> lock(generator.mutex());
  return generator.get_state();
}

void RandomSource::set_state(const at::Tensor& state) {
  const std::lock_guard<std::mutex> lock(generator_.mutex());
  generator_.set_state(state);
}

}  // namespace lipschitz
