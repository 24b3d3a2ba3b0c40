#include "lipschitz/activations/group_sort_kernel.h"

#include <algorithm>
#include <cstring>
#include <utility>

// Vectors are kept in arrays, which those of unknown length cannot be.
#define HWY_DISABLED_TARGETS \
  (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV | HWY_SSSE3)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lipschitz/activations/group_sort_kernel.cc"
#include <hwy/foreach_target.h>
// Highway's own order: this comes after foreach_target.h.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lipschitz::group_sort {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <typename T>
using Tag = hn::ScalableTag<T>;
template <typename T>
using Vec = hn::Vec<Tag<T>>;

// Groups that are sorted at once, one per lane.
template <typename T>
constexpr int64_t kLanes = HWY_LANES(T);

template <typename T>
constexpr int64_t kMaskBytes = (kLanes<T> + 7) / 8;

// Masks in the trace of one block of kLanes groups: one per comparator. Pairs
// that are neighbours in memory have two vectors, each with its own.
constexpr int64_t Masks(int64_t size) {
  return size == 2 ? 2 : size * (size - 1) / 2;
}

// Highway's masks may touch eight bytes, whatever their length.
constexpr int64_t kMaskSlack = 8;

// Enough work for a thread.
constexpr int64_t kChunkElements = 32768;

// Sizes whose network is kept in registers. Each is code of its own, for every
// step, type and target: those between 8 and 16 are not worth the compiling.
using RegisterSizes = std::integer_sequence<int, 2, 3, 4, 5, 6, 7, 8, 16>;

NetworkPlan PlanLanes(const Groups& groups, int64_t lanes, int64_t mask_bytes) {
  const int64_t blocks =
      std::max<int64_t>(1, kChunkElements / (lanes * groups.size));
  NetworkPlan plan;
  plan.chunk_groups = blocks * lanes;
  plan.chunk_trace_bytes =
      blocks * Masks(groups.size) * mask_bytes + kMaskSlack;
  plan.chunks = (groups.count + plan.chunk_groups - 1) / plan.chunk_groups;
  return plan;
}

NetworkPlan Plan(const Groups& groups, int64_t element_bytes) {
  return element_bytes == sizeof(float)
             ? PlanLanes(groups, kLanes<float>, kMaskBytes<float>)
             : PlanLanes(groups, kLanes<double>, kMaskBytes<double>);
}

// Swaps lanes of a and b where the mask is true.
template <class M, class V>
HWY_INLINE void SwapIf(M mask, V& a, V& b) {
  const V lower = hn::IfThenElse(mask, b, a);
  b = hn::IfThenElse(mask, a, b);
  a = lower;
}

// One comparator, or its replay, with its mask in the trace.
template <Step step, typename T>
HWY_INLINE void Compare(Vec<T>& a, Vec<T>& b, uint8_t* mask) {
  const Tag<T> d;
  if constexpr (step == Step::kSort) {
    const auto swap = hn::Gt(a, b);
    hn::StoreMaskBits(d, swap, mask);
    SwapIf(swap, a, b);
  } else {
    SwapIf(hn::LoadMaskBits(d, mask), a, b);
  }
}

// The round that is the r-th in time, and the place of its first mask: before
// it, every two rounds have size - 1 comparators.
template <Step step>
constexpr int64_t RoundAt(int64_t r, int64_t size) {
  return step == Step::kReplayInverse ? size - 1 - r : r;
}
constexpr int64_t MasksBefore(int64_t round, int64_t size) {
  return round / 2 * (size - 1) + round % 2 * (size / 2);
}

// The network on members v[0 .. size).
template <Step step, int size, typename T>
HWY_INLINE void RegisterNetwork(Vec<T>* v, uint8_t* trace) {
  HWY_UNROLL(16)
  for (int r = 0; r < size; ++r) {
    const int64_t round = RoundAt<step>(r, size);
    uint8_t* mask = trace + MasksBefore(round, size) * kMaskBytes<T>;
    HWY_UNROLL(16)
    for (int64_t i = round % 2; i + 1 < size; i += 2) {
      Compare<step, T>(v[i], v[i + 1], mask);
      mask += kMaskBytes<T>;
    }
  }
}

// The network on members that are kLanes apart from one another in `block`.
template <Step step, typename T>
HWY_INLINE void MemoryNetwork(T* block, int64_t size, uint8_t* trace) {
  const Tag<T> d;
  for (int64_t r = 0; r < size; ++r) {
    const int64_t round = RoundAt<step>(r, size);
    uint8_t* mask = trace + MasksBefore(round, size) * kMaskBytes<T>;
    for (int64_t i = round % 2; i + 1 < size; i += 2) {
      T* pair = block + i * kLanes<T>;
      auto a = hn::Load(d, pair);
      auto b = hn::Load(d, pair + kLanes<T>);
      Compare<step, T>(a, b, mask);
      hn::Store(a, d, pair);
      hn::Store(b, d, pair + kLanes<T>);
      mask += kMaskBytes<T>;
    }
  }
}

// Members in memory of a group that Transpose takes: the next power of two.
constexpr int Padded(int size) {
  return size <= 2 ? 2 : size <= 4 ? 4 : size <= 8 ? 8 : 16;
}

#if HWY_TARGET != HWY_SCALAR

// For 32-bit lanes: four by four within each 128-bit block.
template <int size>
HWY_INLINE void TransposeInBlocks(Vec<float>* v) {
  const Tag<float> d;
  HWY_UNROLL(16)
  for (int i = 0; i < size; i += 4) {
    const auto a = hn::InterleaveLower(d, v[i], v[i + 2]);
    const auto b = hn::InterleaveLower(d, v[i + 1], v[i + 3]);
    const auto c = hn::InterleaveUpper(d, v[i], v[i + 2]);
    const auto e = hn::InterleaveUpper(d, v[i + 1], v[i + 3]);
    v[i] = hn::InterleaveLower(d, a, b);
    v[i + 1] = hn::InterleaveUpper(d, a, b);
    v[i + 2] = hn::InterleaveLower(d, c, e);
    v[i + 3] = hn::InterleaveUpper(d, c, e);
  }
}

// For 64-bit lanes: two by two.
template <int size>
HWY_INLINE void TransposeInBlocks(Vec<double>* v) {
  const Tag<double> d;
  HWY_UNROLL(16)
  for (int i = 0; i < size; i += 2) {
    const auto a = hn::InterleaveLower(d, v[i], v[i + 1]);
    v[i + 1] = hn::InterleaveUpper(d, v[i], v[i + 1]);
    v[i] = a;
  }
}

// Swaps bits of the lane's index with those of the vector's, as many as `size`
// has: then v[m] holds member m of kLanes groups. Undoes itself. With fewer
// lanes than members the vectors have to come in the order of VectorOf.
template <int size, typename T>
HWY_INLINE void Transpose(Vec<T>* v) {
  TransposeInBlocks<size>(v);
#if HWY_MAX_BYTES >= 64
  constexpr int kBlock = 16 / sizeof(T);
  if constexpr (size > kBlock) {
    HWY_UNROLL(16)
    for (int i = 0; i < size; ++i) {
      if (i & kBlock) continue;
      const auto a = v[i];
      const auto b = v[i + kBlock];
      v[i] = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(b), a);
      v[i + kBlock] = hn::OddEvenBlocks(b, hn::SwapAdjacentBlocks(a));
    }
  }
#endif
#if HWY_MAX_BYTES >= 32
  constexpr int kHalf = HWY_MAX_BYTES / 2 / sizeof(T);
  if constexpr (size > kHalf) {
    const Tag<T> d;
    HWY_UNROLL(16)
    for (int i = 0; i < size; ++i) {
      if (i & kHalf) continue;
      const auto a = v[i];
      const auto b = v[i + kHalf];
      v[i] = hn::ConcatLowerLower(d, b, a);
      v[i + kHalf] = hn::ConcatUpperUpper(d, b, a);
    }
  }
#endif
}

// The place in memory of the vector that Transpose takes as v[i].
template <int size, typename T>
constexpr int VectorOf(int i) {
  constexpr int kRuns = size > kLanes<T> ? size / kLanes<T> : 1;
  return kRuns == 1 ? i : i % kLanes<T> * kRuns + i / kLanes<T>;
}

// Two vectors of pairs, which need no transposing: a pair swaps in its vector.
template <Step step, typename T>
HWY_INLINE void Pairs(const T* x, T* y, uint8_t* trace) {
  const Tag<T> d;
  HWY_UNROLL(2)
  for (int i = 0; i < 2; ++i) {
    const auto v = hn::LoadU(d, x + i * kLanes<T>);
    hn::Mask<Tag<T>> swap;
    if constexpr (step == Step::kSort) {
      swap = hn::Gt(hn::DupEven(v), hn::DupOdd(v));
      hn::StoreMaskBits(d, swap, trace + i * kMaskBytes<T>);
    } else {
      swap = hn::LoadMaskBits(d, trace + i * kMaskBytes<T>);
    }
    hn::StoreU(hn::IfThenElse(swap, hn::Reverse2(d, v), v), d,
               y + i * kLanes<T>);
  }
}

// One block whose member m of group g is at g · Padded(size) + m.
template <Step step, int size, typename T>
HWY_INLINE void ContiguousBlock(const T* x, T* y, uint8_t* trace) {
  if constexpr (size == 2) {
    Pairs<step>(x, y, trace);
  } else {
    constexpr int kVectors = Padded(size);
    const Tag<T> d;
    Vec<T> v[kVectors];
    HWY_UNROLL(16)
    for (int i = 0; i < kVectors; ++i) {
      v[i] = hn::LoadU(d, x + VectorOf<kVectors, T>(i) * kLanes<T>);
    }
    Transpose<kVectors, T>(v);
    RegisterNetwork<step, size, T>(v, trace);
    Transpose<kVectors, T>(v);
    HWY_UNROLL(16)
    for (int i = 0; i < kVectors; ++i) {
      hn::StoreU(v[i], d, y + VectorOf<kVectors, T>(i) * kLanes<T>);
    }
  }
}

#endif  // HWY_TARGET != HWY_SCALAR

// One block whose member m of group g is at m · stride + g.
template <Step step, int size, typename T>
HWY_INLINE void StridedBlock(const T* x, T* y, int64_t stride, uint8_t* trace) {
  const Tag<T> d;
  Vec<T> v[size];
  HWY_UNROLL(16)
  for (int i = 0; i < size; ++i) v[i] = hn::LoadU(d, x + i * stride);
  RegisterNetwork<step, size, T>(v, trace);
  HWY_UNROLL(16)
  for (int i = 0; i < size; ++i) hn::StoreU(v[i], d, y + i * stride);
}

// Members of `count` groups from `first` on, into or out of a block in which
// member m of the g-th of them is at m · kLanes + g.
template <typename T>
void Gather(const Groups& groups, int64_t first, int64_t count, const T* x,
            T* block) {
  for (int64_t g = 0; g < count; ++g) {
    const T* group = x + groups.Offset(first + g);
    for (int64_t m = 0; m < groups.size; ++m) {
      block[m * kLanes<T> + g] = group[m * groups.inner];
    }
  }
}
template <typename T>
void Scatter(const Groups& groups, int64_t first, int64_t count, const T* block,
             T* y) {
  for (int64_t g = 0; g < count; ++g) {
    T* group = y + groups.Offset(first + g);
    for (int64_t m = 0; m < groups.size; ++m) {
      group[m * groups.inner] = block[m * kLanes<T> + g];
    }
  }
}

// Groups begin .. end in blocks, in place if the memory has the shape of a
// block, else through a copy.
template <Step step, int size, typename T>
void RunRegisters(const Groups& groups, const T* x, T* y, uint8_t* trace,
                  int64_t trace_stride, int64_t begin, int64_t end) {
  constexpr int64_t kBlock = kLanes<T>;
  // All of it is read, hence set, also where no member is.
  HWY_ALIGN T block[Padded(size) * kBlock] = {};
  for (; begin < end; begin += kBlock, trace += trace_stride) {
    const int64_t count = std::min(kBlock, end - begin);
    const T* from = x + groups.Offset(begin);
    T* to = y + groups.Offset(begin);
#if HWY_TARGET != HWY_SCALAR
    if (groups.inner == 1) {
      if (size == Padded(size) && count == kBlock) {
        ContiguousBlock<step, size>(from, to, trace);
        continue;
      }
      for (int64_t g = 0; g < count; ++g) {
        std::memcpy(block + g * Padded(size), from + g * size,
                    size * sizeof(T));
      }
      ContiguousBlock<step, size>(block, block, trace);
      for (int64_t g = 0; g < count; ++g) {
        std::memcpy(to + g * size, block + g * Padded(size), size * sizeof(T));
      }
      continue;
    }
#endif
    if (count == kBlock && begin % groups.inner + kBlock <= groups.inner) {
      StridedBlock<step, size>(from, to, groups.inner, trace);
      continue;
    }
    Gather(groups, begin, count, x, block);
    StridedBlock<step, size>(block, block, kBlock, trace);
    Scatter(groups, begin, count, block, y);
  }
}

// The same for sizes that registers do not hold: the network works on the copy.
template <Step step, typename T>
void RunMemory(const Groups& groups, const T* x, T* y, uint8_t* trace,
               int64_t trace_stride, int64_t begin, int64_t end) {
  constexpr int64_t kBlock = kLanes<T>;
  HWY_ALIGN T block[kMaxNetworkSize * kBlock] = {};
  for (; begin < end; begin += kBlock, trace += trace_stride) {
    const int64_t count = std::min(kBlock, end - begin);
    Gather(groups, begin, count, x, block);
    MemoryNetwork<step>(block, groups.size, trace);
    Scatter(groups, begin, count, block, y);
  }
}

template <typename T>
using Kernel = void (*)(const Groups&, const T*, T*, uint8_t*, int64_t, int64_t,
                        int64_t);

template <Step step, typename T, int... sizes>
Kernel<T> KernelOf(int64_t size, std::integer_sequence<int, sizes...>) {
  Kernel<T> kernel = RunMemory<step, T>;
  ((size == sizes ? void(kernel = RunRegisters<step, sizes, T>) : void()), ...);
  return kernel;
}

template <Step step, typename T>
void RunChunk(const Groups& groups, const T* x, T* y, uint8_t* trace,
              int64_t chunk) {
  const NetworkPlan plan = Plan(groups, sizeof(T));
  const int64_t begin = chunk * plan.chunk_groups;
  const int64_t end = std::min(groups.count, begin + plan.chunk_groups);
  // A trace that nobody wants is written over again by every block.
  constexpr int64_t kMostMasks = Masks(kMaxNetworkSize);
  uint8_t unwanted[kMostMasks * kMaskBytes<T> + kMaskSlack];
  int64_t trace_stride = Masks(groups.size) * kMaskBytes<T>;
  if (trace == nullptr) {
    trace = unwanted;
    trace_stride = 0;
  } else {
    trace += chunk * plan.chunk_trace_bytes;
  }
  const Kernel<T> kernel = KernelOf<step, T>(groups.size, RegisterSizes());
  kernel(groups, x, y, trace, trace_stride, begin, end);
}

template <typename T>
void RunStep(Step step, const Groups& groups, const T* x, T* y, uint8_t* trace,
             int64_t chunk) {
  switch (step) {
    case Step::kSort:
      return RunChunk<Step::kSort>(groups, x, y, trace, chunk);
    case Step::kReplay:
      return RunChunk<Step::kReplay>(groups, x, y, trace, chunk);
    case Step::kReplayInverse:
      return RunChunk<Step::kReplayInverse>(groups, x, y, trace, chunk);
  }
}

void RunFloat(Step step, const Groups& groups, const float* x, float* y,
              uint8_t* trace, int64_t chunk) {
  RunStep(step, groups, x, y, trace, chunk);
}

void RunDouble(Step step, const Groups& groups, const double* x, double* y,
               uint8_t* trace, int64_t chunk) {
  RunStep(step, groups, x, y, trace, chunk);
}

}  // namespace HWY_NAMESPACE
}  // namespace lipschitz::group_sort
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lipschitz::group_sort {

HWY_EXPORT(Plan);
HWY_EXPORT(RunFloat);
HWY_EXPORT(RunDouble);

NetworkPlan PlanNetwork(const Groups& groups, int64_t element_bytes) {
  return HWY_DYNAMIC_DISPATCH(Plan)(groups, element_bytes);
}

void RunNetwork(Step step, const Groups& groups, const float* x, float* y,
                uint8_t* trace, int64_t chunk) {
  HWY_DYNAMIC_DISPATCH(RunFloat)(step, groups, x, y, trace, chunk);
}

void RunNetwork(Step step, const Groups& groups, const double* x, double* y,
                uint8_t* trace, int64_t chunk) {
  HWY_DYNAMIC_DISPATCH(RunDouble)(step, groups, x, y, trace, chunk);
}

}  // namespace lipschitz::group_sort
#endif  // HWY_ONCE
