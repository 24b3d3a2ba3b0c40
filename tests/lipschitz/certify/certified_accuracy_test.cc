#include "lipschitz/certify/certified_accuracy.h"

#include <ATen/ATen.h>

#include <vector>

#include "gtest/gtest.h"

namespace lipschitz {
namespace {

at::Tensor Radii(std::vector<double> radii) {
  return at::tensor(radii, at::kDouble);
}

TEST(CertifiedAccuracyTest, CountsPositiveRadiiThatReachEpsilon) {
  EXPECT_EQ(CertifiedAccuracy(Radii({0, 0.5, 1, 2}), {0, 0.5, 0.75, 2, 3}),
            (std::vector<double>{0.75, 0.75, 0.5, 0.25, 0}));
}

TEST(CertifiedAccuracyTest, WrongImagesAreNotCertifiedAtZeroEither) {
  EXPECT_EQ(CertifiedAccuracy(Radii({0, 0}), {0, -1}),
            (std::vector<double>{0, 0}));
}

TEST(CertifiedAccuracyTest, MeanAndMedianCountWrongImages) {
  EXPECT_EQ(MeanRadius(Radii({0, 1, 5})), 2.0);
  EXPECT_EQ(MedianRadius(Radii({5, 0, 1})), 1.0);
  EXPECT_EQ(MedianRadius(Radii({4, 0, 1, 2})), 1.5);
  EXPECT_EQ(MedianRadius(Radii({3})), 3.0);
}

}  // namespace
}  // namespace lipschitz
