#include "lipschitz/layers/max_pool_kernel.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lipschitz/layers/max_pool_kernel.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lipschitz::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Rows of images are short: four windows at a time, and single ones.
constexpr size_t kMostLanes = 4;
template <typename T>
using Several = hn::CappedTag<T, kMostLanes>;
template <typename T>
using One = hn::CappedTag<T, 1>;

// The four pixels of neighbouring windows.
template <class D>
struct Pixels {
  hn::Vec<D> top_left, top_right, bottom_left, bottom_right;
};

// Where the pixel is the window's place.
template <class D>
struct Places {
  hn::Mask<D> top_right, bottom_left, bottom_right;
};

template <class D>
HWY_INLINE Pixels<D> Load(D d, const hn::TFromD<D>* top,
                          const hn::TFromD<D>* bottom) {
  Pixels<D> pixels;
  if constexpr (hn::MaxLanes(D()) == 1) {
    pixels = {hn::LoadU(d, top), hn::LoadU(d, top + 1), hn::LoadU(d, bottom),
              hn::LoadU(d, bottom + 1)};
  } else {
    hn::LoadInterleaved2(d, top, pixels.top_left, pixels.top_right);
    hn::LoadInterleaved2(d, bottom, pixels.bottom_left, pixels.bottom_right);
  }
  return pixels;
}

template <class D>
HWY_INLINE void Store(D d, const Pixels<D>& pixels, hn::TFromD<D>* top,
                      hn::TFromD<D>* bottom) {
  if constexpr (hn::MaxLanes(D()) == 1) {
    hn::StoreU(pixels.top_left, d, top);
    hn::StoreU(pixels.top_right, d, top + 1);
    hn::StoreU(pixels.bottom_left, d, bottom);
    hn::StoreU(pixels.bottom_right, d, bottom + 1);
  } else {
    hn::StoreInterleaved2(pixels.top_left, pixels.top_right, d, top);
    hn::StoreInterleaved2(pixels.bottom_left, pixels.bottom_right, d, bottom);
  }
}

// Whether a later pixel takes the place of the largest before, and that of the
// two. Nothing exceeds what is not a number.
template <class V>
HWY_INLINE auto Takes(V later, V* largest) {
  const auto takes = hn::Or(hn::Gt(later, *largest), hn::IsNaN(later));
  *largest = hn::IfThenElse(takes, later, *largest);
  return takes;
}

template <class D>
HWY_INLINE Places<D> PlacesOf(const Pixels<D>& x) {
  hn::Vec<D> largest = x.top_left;
  Places<D> places;
  places.top_right = Takes(x.top_right, &largest);
  places.bottom_left = Takes(x.bottom_left, &largest);
  places.bottom_right = Takes(x.bottom_right, &largest);
  // Who was taken from again is not the place.
  places.bottom_left = hn::AndNot(places.bottom_right, places.bottom_left);
  places.top_right = hn::AndNot(hn::Or(places.bottom_left, places.bottom_right),
                                places.top_right);
  return places;
}

template <class D>
HWY_INLINE void GatherWindows(D d, const hn::TFromD<D>* x,
                              const hn::TFromD<D>* image, size_t width,
                              hn::TFromD<D>* out) {
  const Places<D> places = PlacesOf(Load(d, x, x + width));
  const Pixels<D> pixels = Load(d, image, image + width);
  hn::Vec<D> found = pixels.top_left;
  found = hn::IfThenElse(places.top_right, pixels.top_right, found);
  found = hn::IfThenElse(places.bottom_left, pixels.bottom_left, found);
  found = hn::IfThenElse(places.bottom_right, pixels.bottom_right, found);
  hn::StoreU(found, d, out);
}

template <class D>
HWY_INLINE void ScatterWindows(D d, const hn::TFromD<D>* x,
                               const hn::TFromD<D>* windows, size_t width,
                               hn::TFromD<D>* out) {
  const Places<D> places = PlacesOf(Load(d, x, x + width));
  const hn::Vec<D> numbers = hn::LoadU(d, windows);
  const hn::Mask<D> elsewhere =
      hn::Or(places.top_right, hn::Or(places.bottom_left, places.bottom_right));
  const Pixels<D> pixels = {hn::IfThenZeroElse(elsewhere, numbers),
                            hn::IfThenElseZero(places.top_right, numbers),
                            hn::IfThenElseZero(places.bottom_left, numbers),
                            hn::IfThenElseZero(places.bottom_right, numbers)};
  Store(d, pixels, out, out + width);
}

// Calls visit(tag, pixel, window) with the offsets of a first top left pixel
// and of its window, for all windows, in rows of `width` pixels.
template <typename T, class Visit>
HWY_INLINE void ForWindows(size_t planes, size_t height, size_t width,
                           const Visit& visit) {
  const Several<T> several;
  const size_t lanes = hn::Lanes(several);
  const size_t columns = width / 2;
  size_t window = 0;
  for (size_t plane = 0; plane < planes; ++plane) {
    for (size_t row = 0; row < height / 2; ++row, window += columns) {
      const size_t pixel = (plane * height + 2 * row) * width;
      size_t j = 0;
      for (; j + lanes <= columns; j += lanes) {
        visit(several, pixel + 2 * j, window + j);
      }
      for (; j < columns; ++j) visit(One<T>(), pixel + 2 * j, window + j);
    }
  }
}

template <typename T>
void Gather(const T* x, const T* image, size_t planes, size_t height,
            size_t width, T* out) {
  ForWindows<T>(
      planes, height, width, [=](auto d, size_t pixel, size_t window) HWY_ATTR {
        GatherWindows(d, x + pixel, image + pixel, width, out + window);
      });
}

template <typename T>
void Scatter(const T* x, const T* windows, size_t planes, size_t height,
             size_t width, T* out) {
  if (height % 2 != 0 || width % 2 != 0) {
    std::fill(out, out + planes * height * width, T{0});
  }
  ForWindows<T>(
      planes, height, width, [=](auto d, size_t pixel, size_t window) HWY_ATTR {
        ScatterWindows(d, x + pixel, windows + window, width, out + pixel);
      });
}

}  // namespace

MaxPoolKernel<float> MaxPoolFloat() { return {Gather<float>, Scatter<float>}; }
MaxPoolKernel<double> MaxPoolDouble() {
  return {Gather<double>, Scatter<double>};
}

}  // namespace lipschitz::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lipschitz {

HWY_EXPORT(MaxPoolFloat);
HWY_EXPORT(MaxPoolDouble);

template <>
MaxPoolKernel<float> GetMaxPoolKernel() {
  return HWY_DYNAMIC_DISPATCH(MaxPoolFloat)();
}

template <>
MaxPoolKernel<double> GetMaxPoolKernel() {
  return HWY_DYNAMIC_DISPATCH(MaxPoolDouble)();
}

}  // namespace lipschitz
#endif  // HWY_ONCE
