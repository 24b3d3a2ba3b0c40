#include "lipschitz/transport/student_t.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lipschitz {
namespace {

TEST(StudentT, IsWhatTablesSay) {
  // Two-sided 95 %, and 99.9 %.
  const struct {
    double degrees;
    double t95;
    double t999;
  } kRows[] = {{1, 12.7062047, 636.6192488}, {2, 4.3026527, 31.5990546},
               {3, 3.1824463, 12.9239786},   {5, 2.5705818, 6.8688266},
               {10, 2.2281389, 4.5868939},   {30, 2.0422725, 3.6459586},
               {100, 1.9839715, 3.3904913},  {1000, 1.9623391, 3.3002826}};
  for (const auto& row : kRows) {
    EXPECT_NEAR(StudentTQuantile(0.95, row.degrees) / row.t95, 1.0, 1e-6)
        << row.degrees;
    EXPECT_NEAR(StudentTQuantile(0.999, row.degrees) / row.t999, 1.0, 1e-6)
        << row.degrees;
  }
}

// With 1 and 2 degrees of freedom the distribution function has a closed form.
TEST(StudentT, ClosedForms) {
  for (const double confidence : {1e-6, 0.1, 0.5, 0.9, 0.99, 0.9999}) {
    EXPECT_NEAR(StudentTQuantile(confidence, 1) /
                    std::tan(std::acos(-1.0) / 2 * confidence),
                1.0, 1e-6)
        << confidence;
    EXPECT_NEAR(StudentTQuantile(confidence, 2) /
                    (confidence * std::sqrt(2 / (1 - confidence * confidence))),
                1.0, 1e-6)
        << confidence;
  }
}

TEST(StudentT, TendsToTheNormalDistribution) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_NEAR(StudentTQuantile(0.95, infinity), 1.959963985, 1e-8);
  double last = StudentTQuantile(0.95, 0.7);
  for (double degrees = 1.5; degrees < 1e9; degrees *= 1.7) {
    const double t = StudentTQuantile(0.95, degrees);
    EXPECT_LT(t, last + 1e-8) << degrees;
    last = t;
  }
  EXPECT_NEAR(last, 1.959963985, 1e-6);
}

}  // namespace
}  // namespace lipschitz
