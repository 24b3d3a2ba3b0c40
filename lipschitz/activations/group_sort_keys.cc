#include "lipschitz/activations/group_sort_keys.h"

#include <hwy/contrib/sort/vqsort.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

namespace lipschitz::group_sort {
namespace {

// Unsigned numbers in the order of the values: both zeros are one, NaN is the
// largest.
template <typename Bits, typename T>
Bits OrderOf(T value) {
  static_assert(sizeof(Bits) == sizeof(T));
  if (value != value) return std::numeric_limits<Bits>::max();
  value += T(0);  // -0 becomes +0
  Bits bits;
  std::memcpy(&bits, &value, sizeof(bits));
  // Of negative numbers all bits are inverted, of others the sign; without a
  // branch, which nobody could predict.
  constexpr int kSign = 8 * sizeof(Bits) - 1;
  return bits ^ ((Bits{0} - (bits >> kSign)) | Bits{1} << kSign);
}

struct FloatKey {
  using Type = uint64_t;
  static Type Make(float value, uint64_t position) {
    return uint64_t{OrderOf<uint32_t>(value)} << 32 | position;
  }
  static uint64_t Position(Type key) { return key & 0xffffffff; }
};

struct DoubleKey {
  using Type = hwy::uint128_t;
  static Type Make(double value, uint64_t position) {
    Type key;
    key.hi = OrderOf<uint64_t>(value);
    key.lo = position;
    return key;
  }
  static uint64_t Position(const Type& key) { return key.lo; }
};

// Without vectors, vectorised quicksort ends the program.
bool HasVectors() {
  return (hwy::SupportedTargets() & ~(HWY_SCALAR | HWY_EMU128)) != 0;
}

template <typename Index, typename T>
void Sort(const Groups& groups, const T* x, T* y, Index* trace, int64_t begin,
          int64_t end) {
  using Key = std::conditional_t<std::is_same_v<T, float>, FloatKey, DoubleKey>;
  std::vector<typename Key::Type> keys(groups.size);
  const hwy::Sorter sorter;
  const bool has_vectors = HasVectors();
  for (int64_t g = begin; g < end; ++g) {
    const T* from = x + groups.Offset(g);
    T* to = y + groups.Offset(g);
    for (int64_t m = 0; m < groups.size; ++m) {
      keys[m] = Key::Make(from[m * groups.inner], m);
    }
    if (has_vectors) {
      sorter(keys.data(), keys.size(), hwy::SortAscending());
    } else {
      std::sort(keys.begin(), keys.end());
    }
    for (int64_t m = 0; m < groups.size; ++m) {
      const uint64_t position = Key::Position(keys[m]);
      to[m * groups.inner] = from[position * groups.inner];
      if (trace != nullptr) {
        trace[g * groups.size + m] = static_cast<Index>(position);
      }
    }
  }
}

template <typename Index, typename T>
void Replay(const Groups& groups, const T* x, T* y, const Index* trace,
            int64_t begin, int64_t end) {
  for (int64_t g = begin; g < end; ++g) {
    const T* from = x + groups.Offset(g);
    T* to = y + groups.Offset(g);
    for (int64_t m = 0; m < groups.size; ++m) {
      to[m * groups.inner] = from[trace[g * groups.size + m] * groups.inner];
    }
  }
}

template <typename Index, typename T>
void ReplayInverse(const Groups& groups, const T* x, T* y, const Index* trace,
                   int64_t begin, int64_t end) {
  for (int64_t g = begin; g < end; ++g) {
    const T* from = x + groups.Offset(g);
    T* to = y + groups.Offset(g);
    for (int64_t m = 0; m < groups.size; ++m) {
      to[trace[g * groups.size + m] * groups.inner] = from[m * groups.inner];
    }
  }
}

template <typename Index, typename T>
void RunIndexed(Step step, const Groups& groups, const T* x, T* y,
                uint8_t* trace, int64_t begin, int64_t end) {
  Index* positions = reinterpret_cast<Index*>(trace);
  switch (step) {
    case Step::kSort:
      return Sort(groups, x, y, positions, begin, end);
    case Step::kReplay:
      return Replay(groups, x, y, positions, begin, end);
    case Step::kReplayInverse:
      return ReplayInverse(groups, x, y, positions, begin, end);
  }
}

int64_t IndexBytes(int64_t size) {
  return size <= 1 << 8 ? 1 : size <= 1 << 16 ? 2 : 4;
}

template <typename T>
void Run(Step step, const Groups& groups, const T* x, T* y, uint8_t* trace,
         int64_t begin, int64_t end) {
  switch (IndexBytes(groups.size)) {
    case 1:
      return RunIndexed<uint8_t>(step, groups, x, y, trace, begin, end);
    case 2:
      return RunIndexed<uint16_t>(step, groups, x, y, trace, begin, end);
    default:
      return RunIndexed<uint32_t>(step, groups, x, y, trace, begin, end);
  }
}

}  // namespace

int64_t KeyTraceBytes(int64_t size) { return size * IndexBytes(size); }

void RunKeys(Step step, const Groups& groups, const float* x, float* y,
             uint8_t* trace, int64_t begin, int64_t end) {
  Run(step, groups, x, y, trace, begin, end);
}

void RunKeys(Step step, const Groups& groups, const double* x, double* y,
             uint8_t* trace, int64_t begin, int64_t end) {
  Run(step, groups, x, y, trace, begin, end);
}

}  // namespace lipschitz::group_sort
