#include "lipschitz/attacks/l2_ball_kernel.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lipschitz/attacks/l2_ball_kernel.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include <hwy/highway.h>

#include "lipschitz/base/float64_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lipschitz::HWY_NAMESPACE {
namespace {

// A point that moves from x towards z.
template <typename T>
class Step {
 public:
  Step(const T* x, const T* z, size_t dim, T lower, T upper)
      : x_(x),
        z_(z),
        dim_(dim),
        lower_(hn::Set(kD, lower)),
        upper_(hn::Set(kD, upper)),
        padding_(std::min(std::max(T{0}, lower), upper)) {}

  // ‖z − x‖².
  double Square() const {
    V square = hn::Zero(kD);
    for (size_t i = 0; i < dim_; i += hn::Lanes(kD)) {
      const V step = hn::Sub(Entries(z_, i), Entries(x_, i));
      square = hn::MulAdd(step, step, square);
    }
    return Sum(square);
  }

  struct Squares {
    double all;
    // Of the coordinates that the box does not cut.
    double free;
  };

  // Of clamp(scale (z − x)).
  Squares CutSquares(double scale) const {
    V all = hn::Zero(kD);
    V free = hn::Zero(kD);
    for (size_t i = 0; i < dim_; i += hn::Lanes(kD)) {
      const V x = Entries(x_, i);
      const V offset = Offset(x, i, scale);
      const V inside = Cut(x, offset);
      const V square = hn::Mul(inside, inside);
      all = hn::Add(all, square);
      free = hn::Add(free, hn::IfThenElseZero(hn::Eq(inside, offset), square));
    }
    return {Sum(all), Sum(free)};
  }

  void Write(double scale, T* out) const {
    for (size_t i = 0; i < dim_; i += hn::Lanes(kD)) {
      const V x = Entries(x_, i);
      // The sum and T round; the bounds of the box are of T.
      const V point = hn::Min(
          hn::Max(hn::Add(x, Cut(x, Offset(x, i, scale))), lower_), upper_);
      Store(point, out + i, dim_ - i);
    }
  }

 private:
  // Those from i on. After the last come some that lie in the box and do not
  // move.
  HWY_INLINE V Entries(const T* from, size_t i) const {
    return Load(from + i, dim_ - i, padding_);
  }

  HWY_INLINE V Offset(V x, size_t i, double scale) const {
    return hn::Mul(hn::Set(kD, scale), hn::Sub(Entries(z_, i), x));
  }

  HWY_INLINE V Cut(V x, V offset) const {
    return hn::Min(hn::Max(offset, hn::Sub(lower_, x)), hn::Sub(upper_, x));
  }

  const T* x_;
  const T* z_;
  size_t dim_;
  V lower_;
  V upper_;
  T padding_;
};

// The scale grows: what the box cuts off is spent on the coordinates that it
// does not cut. Those that are cut stay cut, so the step never becomes too
// long.
template <typename T>
double LargestScale(const Step<T>& step, double square, double radius) {
  double scale = std::min(1.0, radius / std::sqrt(square));
  for (int iteration = 0; iteration < 16; ++iteration) {
    const auto squares = step.CutSquares(scale);
    if (!(squares.free > 0.0)) break;
    const double growth =
        (radius * radius - (squares.all - squares.free)) / squares.free;
    const double larger =
        std::min(1.0, scale * std::sqrt(std::max(1.0, growth)));
    if (larger <= scale * (1.0 + 1e-9)) break;
    scale = larger;
  }
  return scale;
}

template <typename T>
void Project(const T* x, const T* z, const double* radius, size_t n, size_t dim,
             T lower, T upper, T* out) {
  for (size_t i = 0; i < n; ++i, x += dim, z += dim, out += dim) {
    const Step<T> step(x, z, dim, lower, upper);
    const double square = step.Square();
    if (!(square > 0.0) || !std::isfinite(square)) {
      std::copy(x, x + dim, out);
    } else {
      step.Write(LargestScale(step, square, radius[i]), out);
    }
  }
}

}  // namespace

ProjectOnL2Balls<float> ProjectFloat() { return Project<float>; }
ProjectOnL2Balls<double> ProjectDouble() { return Project<double>; }

}  // namespace lipschitz::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lipschitz {

HWY_EXPORT(ProjectFloat);
HWY_EXPORT(ProjectDouble);

template <>
ProjectOnL2Balls<float> GetProjectOnL2Balls() {
  return HWY_DYNAMIC_DISPATCH(ProjectFloat)();
}

template <>
ProjectOnL2Balls<double> GetProjectOnL2Balls() {
  return HWY_DYNAMIC_DISPATCH(ProjectDouble)();
}

}  // namespace lipschitz
#endif  // HWY_ONCE
