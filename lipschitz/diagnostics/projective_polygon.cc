#include "lipschitz/diagnostics/projective_polygon.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace lipschitz {
namespace {

// A corner this close to a line is on it: what rounding makes of one that is.
constexpr double kOnLine = 1e-14;

HomogeneousPoint Normalised(const HomogeneousPoint& point) {
  const double length = Length(point);
  return {point[0] / length, point[1] / length, point[2] / length};
}

}  // namespace

double Dot(const LinearForm& form, const HomogeneousPoint& point) {
  return form[0] * point[0] + form[1] * point[1] + form[2] * point[2];
}

double Length(const LinearForm& form) {
  return std::hypot(form[0], form[1], form[2]);
}

std::vector<ProjectivePolygon> ProjectivePolygon::Quadrants() {
  std::vector<ProjectivePolygon> quadrants(4);
  for (int i = 0; i < 4; ++i) {
    quadrants[i].corners_ = {{0, 0, 1},
                             {i % 2 == 0 ? 1.0 : -1.0, 0, 0},
                             {0, i / 2 == 0 ? 1.0 : -1.0, 0}};
  }
  return quadrants;
}

ProjectivePolygon ProjectivePolygon::Square() {
  ProjectivePolygon square;
  for (const auto& [x, y] :
       {std::pair<double, double>{-1, -1}, {1, -1}, {1, 1}, {-1, 1}}) {
    square.corners_.push_back(Normalised({x, y, 1.0}));
  }
  return square;
}

HomogeneousPoint ProjectivePolygon::Centre() const {
  HomogeneousPoint sum = {0, 0, 0};
  for (const HomogeneousPoint& corner : corners_) {
    for (size_t i = 0; i < 3; ++i) sum[i] += corner[i];
  }
  return Normalised(sum);
}

ProjectivePolygon::Halves ProjectivePolygon::Cut(const LinearForm& form,
                                                 double tolerance) const {
  const double length = Length(form);
  std::vector<double> height;
  for (const HomogeneousPoint& corner : corners_) {
    height.push_back(length > 0.0 ? Dot(form, corner) / length : 0.0);
  }
  const auto [lowest, highest] =
      std::minmax_element(height.begin(), height.end());
  const double wide = std::max(tolerance, kOnLine);
  Halves halves;
  const bool rises = *highest > wide;
  const bool falls = *lowest < -wide;
  if (!rises || !falls) {
    const bool positive = rises || (!falls && Dot(form, Centre()) > 0.0);
    (positive ? halves.positive : halves.negative) = *this;
    return halves;
  }
  ProjectivePolygon positive;
  ProjectivePolygon negative;
  for (size_t i = 0; i < corners_.size(); ++i) {
    const size_t next = (i + 1) % corners_.size();
    const double here = std::abs(height[i]) <= kOnLine ? 0.0 : height[i];
    const double there = std::abs(height[next]) <= kOnLine ? 0.0 : height[next];
    if (here >= 0.0) positive.corners_.push_back(corners_[i]);
    if (here <= 0.0) negative.corners_.push_back(corners_[i]);
    if (here * there < 0.0) {
      // Between the two corners, so rounding cannot carry it far.
      HomogeneousPoint crossing;
      for (size_t j = 0; j < 3; ++j) {
        crossing[j] = corners_[i][j] * std::abs(there) +
                      corners_[next][j] * std::abs(here);
      }
      crossing = Normalised(crossing);
      positive.corners_.push_back(crossing);
      negative.corners_.push_back(crossing);
    }
  }
  halves.positive = positive;
  halves.negative = negative;
  return halves;
}

}  // namespace lipschitz
