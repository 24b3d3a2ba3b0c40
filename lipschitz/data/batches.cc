#include "lipschitz/data/batches.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lipschitz/data/random.h"

namespace lipschitz {
namespace {

// The seed of an epoch's order. LibTorch's generator keeps 32 bits of a seed,
// so it is mixed (with the finaliser of SplitMix64) to share none with the
// other streams of a run.
uint64_t EpochSeed(uint64_t seed, int64_t epoch) {
  uint64_t z = seed + 0x9e3779b97f4a7c15u * (static_cast<uint64_t>(epoch) + 1);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace

absl::StatusOr<Batches> Batches::Create(const BatchesConfig& config) {
  if (config.size < 1 || config.batch_size < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("batches: needs at least one example and one per batch, ",
                     "got ", config.size, " and ", config.batch_size));
  }
  if (config.drop_last && config.batch_size > config.size) {
    return absl::InvalidArgumentError(absl::StrCat(
        "batches: no batch of ", config.batch_size, " can be made ", "of ",
        config.size, " examples without a smaller last one"));
  }
  return Batches(config);
}

Batches::Batches(const BatchesConfig& config)
    : config_(config),
      steps_per_epoch_(
          config.size / config.batch_size +
          (!config.drop_last && config.size % config.batch_size != 0)) {}

at::Tensor Batches::At(int64_t step) {
  TORCH_CHECK(step >= 0, "batches: a step is not negative, got ", step);
  const int64_t epoch = Epoch(step);
  if (epoch != epoch_) {
    order_ = at::randperm(
        config_.size, RandomSource(EpochSeed(config_.seed, epoch)).generator(),
        at::TensorOptions().dtype(at::kLong));
    epoch_ = epoch;
  }
  const int64_t begin = step % steps_per_epoch_ * config_.batch_size;
  return order_.slice(0, begin,
                      std::min(begin + config_.batch_size, config_.size));
}

}  // namespace lipschitz
