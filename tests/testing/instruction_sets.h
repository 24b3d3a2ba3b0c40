// Tests of vectorised loops with the vectors of every kind of processor that
// this one can stand in for.
#pragma once

#include <cstdint>
#include <string>

#include "gtest/gtest.h"
#include "hwy/highway.h"

namespace lipschitz::testing {

// The fixture: using GroupSortOnTarget = OnInstructionSet; then the suite
// instantiated with EveryInstructionSet() and InstructionSetName.
class OnInstructionSet : public ::testing::TestWithParam<int64_t> {
 protected:
  OnInstructionSet() { Choose(GetParam()); }
  ~OnInstructionSet() override { Choose(0); }

 private:
  // 0 is the processor's own.
  static void Choose(int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};

inline auto EveryInstructionSet() {
  return ::testing::ValuesIn(hwy::SupportedAndGeneratedTargets());
}

inline std::string InstructionSetName(
    const ::testing::TestParamInfo<int64_t>& target) {
  return hwy::TargetName(target.param);
}

}  // namespace lipschitz::testing
