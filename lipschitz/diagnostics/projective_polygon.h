// Convex polygons of the plane, bounded or not.
#pragma once

#include <array>
#include <optional>
#include <vector>

namespace lipschitz {

// (x, y, t) with t ≥ 0: the point (x/t, y/t) or, where t = 0, the direction
// (x, y) at infinity.
using HomogeneousPoint = std::array<double, 3>;

// a x + b y + c t, which at t = 1 is an affine function on the plane.
using LinearForm = std::array<double, 3>;

double Dot(const LinearForm& form, const HomogeneousPoint& point);
// √(a² + b² + c²).
double Length(const LinearForm& form);

// The corners in cyclic order, each of length 1 as a vector: with them the
// polygon is the cone that they span, which reaches to infinity as easily as
// not.
class ProjectivePolygon {
 public:
  // The four quadrants, which together are the plane. (The plane itself has no
  // corners.)
  static std::vector<ProjectivePolygon> Quadrants();

  // [−1, 1]².
  static ProjectivePolygon Square();

  // A point inside.
  HomogeneousPoint Centre() const;

  struct Halves;
  // The parts on either side of form = 0. There is only one where no corner is
  // further than `tolerance` beyond the line on the other side, measured by the
  // angle between corner and line as seen from the origin of (x, y, t): a
  // distance, for lines and corners that are not far from (0, 0).
  Halves Cut(const LinearForm& form, double tolerance) const;

 private:
  std::vector<HomogeneousPoint> corners_;
};

struct ProjectivePolygon::Halves {
  std::optional<ProjectivePolygon> positive;
  std::optional<ProjectivePolygon> negative;
};

}  // namespace lipschitz
