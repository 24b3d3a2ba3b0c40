// Sorting of large groups on the CPU, of any size: vectorised quicksort
// (Highway) of keys that hold the position, so that no two are equal and the
// sort is stable.
#pragma once

#include <cstdint>

#include "lipschitz/activations/groups.h"

namespace lipschitz::group_sort {

// The trace of one group: the position that each sorted member came from, in
// the smallest type that holds it.
int64_t KeyTraceBytes(int64_t size);

// Writes `step` of x to y, groups begin .. end. `trace` is that of the whole
// tensor, aligned to 4 bytes; kSort takes nullptr and writes none then. NaN
// come last. At most 2^32 members per group.
void RunKeys(Step step, const Groups& groups, const float* x, float* y,
             uint8_t* trace, int64_t begin, int64_t end);
void RunKeys(Step step, const Groups& groups, const double* x, double* y,
             uint8_t* trace, int64_t begin, int64_t end);

}  // namespace lipschitz::group_sort
