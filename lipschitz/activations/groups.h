// What the kernels of GroupSort share: where groups lie, and what to do to
// them.
#pragma once

#include <cstdint>

namespace lipschitz::group_sort {

// A contiguous tensor (outer, number of groups, size, inner) of `count` groups
// in all. Member m of group g is at Offset(g) + m · inner.
struct Groups {
  int64_t count = 0;
  int64_t size = 0;
  int64_t inner = 1;

  int64_t Offset(int64_t group) const {
    return inner == 1 ? group * size
                      : group / inner * size * inner + group % inner;
  }
};

// A sort can record a trace: the permutation of every group.
enum class Step {
  kSort,           // sorts, and writes the trace
  kReplay,         // permutes as the recorded sort did
  kReplayInverse,  // undoes that permutation
};

}  // namespace lipschitz::group_sort
