#include "lipschitz/diagnostics/projective_polygon.h"

#include <cmath>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace lipschitz {
namespace {

// Every piece cut along every line.
std::vector<ProjectivePolygon> CutAll(std::vector<ProjectivePolygon> pieces,
                                      const std::vector<LinearForm>& lines,
                                      double tolerance) {
  for (const LinearForm& line : lines) {
    std::vector<ProjectivePolygon> parts;
    for (const ProjectivePolygon& piece : pieces) {
      const ProjectivePolygon::Halves halves = piece.Cut(line, tolerance);
      EXPECT_TRUE(halves.positive.has_value() || halves.negative.has_value());
      if (halves.positive) {
        EXPECT_GT(Dot(line, halves.positive->Centre()), 0.0);
        parts.push_back(*halves.positive);
      }
      if (halves.negative) {
        EXPECT_LT(Dot(line, halves.negative->Centre()), 0.0);
        parts.push_back(*halves.negative);
      }
    }
    pieces = parts;
  }
  return pieces;
}

TEST(ProjectivePolygonTest, LinesDivideTheSquareWhereTheyMeetIt) {
  const std::vector<ProjectivePolygon> square = {ProjectivePolygon::Square()};
  // x = 0.3; x = 1.5 misses it; x = 1 is its side.
  EXPECT_EQ(CutAll(square, {{1, 0, -0.3}}, 0).size(), 2u);
  EXPECT_EQ(CutAll(square, {{1, 0, -1.5}}, 0).size(), 1u);
  EXPECT_EQ(CutAll(square, {{1, 0, -1}}, 0).size(), 1u);
  // A grid, whose lines are cut again by their copies in vain.
  const std::vector<LinearForm> grid = {
      {1, 0, -0.3}, {1, 0, 0.3}, {0, 1, -0.3}, {0, 1, 0.3}, {-2, 0, 0.6}};
  EXPECT_EQ(CutAll(square, grid, 0).size(), 9u);
  // Both diagonals and a line through their crossing.
  EXPECT_EQ(CutAll(square, {{1, 1, 0}, {1, -1, 0}, {2, 1, 0}}, 0).size(), 6u);
}

TEST(ProjectivePolygonTest, QuadrantsAreThePlane) {
  const auto quadrants = ProjectivePolygon::Quadrants();
  // Far away from the origin as well: one half of each line in two quadrants
  // or three.
  EXPECT_EQ(CutAll(quadrants, {{1, 0, -1e6}}, 0).size(), 6u);
  EXPECT_EQ(CutAll(quadrants, {{1, 1, -1e6}}, 0).size(), 7u);
  // A form that is constant on the plane is the line at infinity.
  EXPECT_EQ(CutAll(quadrants, {{0, 0, 1}}, 0).size(), 4u);
}

// k lines in general position: 1 + k + k(k−1)/2 pieces of the plane, of which
// those through the axes are counted twice.
TEST(ProjectivePolygonTest, RandomArrangementsHaveAllTheirPieces) {
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  for (int k = 1; k <= 12; ++k) {
    std::vector<LinearForm> lines;
    for (int i = 0; i < k; ++i) {
      lines.push_back({normal(random), normal(random), normal(random)});
    }
    const size_t all = static_cast<size_t>(1 + (k + 2) + (k + 2) * (k + 1) / 2);
    EXPECT_EQ(CutAll(ProjectivePolygon::Quadrants(), lines, 1e-12).size(), all);
  }
}

TEST(ProjectivePolygonTest, WhatIsThinnerThanTheToleranceIsNotCutOff) {
  const std::vector<ProjectivePolygon> square = {ProjectivePolygon::Square()};
  EXPECT_EQ(CutAll(square, {{1, 0, 0}, {1, 0, -1e-10}}, 0).size(), 3u);
  EXPECT_EQ(CutAll(square, {{1, 0, -1 + 1e-10}}, 1e-9).size(), 1u);
  // It is on the side on which the rest is.
  const auto halves = square[0].Cut({1, 0, -1 + 1e-10}, 1e-9);
  EXPECT_TRUE(halves.negative.has_value());
  EXPECT_FALSE(halves.positive.has_value());
}

TEST(ProjectivePolygonTest, ManyCutsNextToEachOtherBreakNothing) {
  std::mt19937 random(2);
  std::normal_distribution<double> normal;
  std::vector<LinearForm> lines;
  // A pencil through one point, up to rounding, and copies shifted by less than
  // the tolerance.
  for (int i = 0; i < 30; ++i) {
    const double angle = 0.1 * i;
    const double noise = 1e-15 * normal(random);
    const LinearForm line = {
        std::cos(angle), std::sin(angle),
        -0.3 * std::cos(angle) - 0.1 * std::sin(angle) + noise};
    lines.push_back(line);
    lines.push_back({line[0], line[1], line[2] + 1e-12 * normal(random)});
  }
  const auto pieces = CutAll({ProjectivePolygon::Square()}, lines, 1e-9);
  EXPECT_EQ(pieces.size(), 60u);
}

}  // namespace
}  // namespace lipschitz
