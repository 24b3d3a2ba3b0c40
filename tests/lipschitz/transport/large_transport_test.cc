// 2000 × 2000 points, in a process of their own: what memory they need shows
// only there.
#include <ATen/ATen.h>
#include <sys/resource.h>

#include <cstdint>

#include "gtest/gtest.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/data/random.h"
#include "lipschitz/transport/exact_wasserstein.h"

namespace lipschitz {
namespace {

constexpr int64_t kPoints = 2000;

at::Tensor Points(int64_t dim, uint64_t seed) {
  return at::randn({kPoints, dim}, RandomSource(seed).generator(),
                   at::TensorOptions(at::kDouble));
}

TEST(LargeTransport, AgreesWithTheClosedFormOnTheLine) {
  const EmpiricalMeasure p = {Points(1, 1), {}};
  const EmpiricalMeasure q = {Points(1, 2) * 2 + 1, {}};
  const auto solved = SolveTransport(p, q, Norm::kL2);
  ASSERT_TRUE(solved.ok()) << solved.status();
  EXPECT_NEAR(solved->value, *WassersteinOnTheLine(p, q), 1e-8);
}

TEST(LargeTransport, TranslatedImagesAreAsFarAsTheTranslation) {
  const at::Tensor p = Points(784, 1);
  const at::Tensor shift = Points(784, 2)[0];
  const auto solved =
      SolveTransport({p, {}}, {(p + shift).flip(0), {}}, Norm::kL2);
  ASSERT_TRUE(solved.ok()) << solved.status();
  EXPECT_NEAR(solved->value, shift.norm().item<double>(), 1e-7);
}

TEST(LargeTransport, NeedsAtMostAGibibyte) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer's own memory counts too";
#endif
  const auto solved =
      SolveTransport({Points(16, 1), {}}, {Points(16, 2), {}}, Norm::kL2);
  ASSERT_TRUE(solved.ok()) << solved.status();
  rusage usage;
  ASSERT_EQ(getrusage(RUSAGE_SELF, &usage), 0);
  // Of the whole process, with LibTorch and the tests before this.
  EXPECT_LE(usage.ru_maxrss, 1024 * 1024) << "KiB";
}

}  // namespace
}  // namespace lipschitz
