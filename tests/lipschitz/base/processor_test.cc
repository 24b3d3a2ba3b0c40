#include "lipschitz/base/processor.h"

#include "gtest/gtest.h"

namespace lipschitz {
namespace {

TEST(Processor, SaysWhichVectorsItHas) {
  const std::string description = DescribeProcessor();
  EXPECT_FALSE(description.empty());
  EXPECT_EQ(description.find('\n'), std::string::npos);
#if defined(__x86_64__)
  EXPECT_EQ(HasAvx512(), __builtin_cpu_supports("avx512f") > 0);
  EXPECT_EQ(description.find("AVX-512") != std::string::npos, HasAvx512());
#endif
}

}  // namespace
}  // namespace lipschitz
