// Sorting of small groups on the CPU: odd-even transposition networks whose
// lanes are groups, in the vectors of the processor at hand (Highway).
//
// A network compares neighbours only and swaps them where the first is greater,
// hence is a stable sort. Its trace, one bit per comparator and group, is the
// permutation: replayed it applies it to other values, replayed backwards the
// inverse. Source: Knuth, The Art of Computer Programming, vol. 3, 5.3.4.
#pragma once

#include <cstdint>

#include "lipschitz/activations/groups.h"

namespace lipschitz::group_sort {

// The largest group with a network; the smallest has two members.
constexpr int64_t kMaxNetworkSize = 64;

// Threads share the work by chunks. Every chunk has its own part of the trace,
// of the same length for all of them. Both depend on the processor's vectors.
struct NetworkPlan {
  int64_t chunk_groups;
  int64_t chunk_trace_bytes;
  int64_t chunks;
};
NetworkPlan PlanNetwork(const Groups& groups, int64_t element_bytes);

// Writes `step` of x to y, groups [chunk · chunk_groups, ...) of one chunk.
// `trace` is that of the whole tensor, chunks · chunk_trace_bytes long; kSort
// takes nullptr and writes none then. A comparison with NaN swaps nothing.
void RunNetwork(Step step, const Groups& groups, const float* x, float* y,
                uint8_t* trace, int64_t chunk);
void RunNetwork(Step step, const Groups& groups, const double* x, double* y,
                uint8_t* trace, int64_t chunk);

}  // namespace lipschitz::group_sort
