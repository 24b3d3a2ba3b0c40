#include "tools/inspect/figure.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lipschitz::tools {
namespace {

using experiments::Figure;
using experiments::LineStyle;
using experiments::Panel;
using experiments::Series;

// Distinct for colour-blind readers (M. Okabe and K. Ito, 2008).
constexpr std::array<const char*, 7> kColours = {
    "#0072B2", "#D55E00", "#009E73", "#CC79A7",
    "#E69F00", "#56B4E9", "#000000"};

// From 0, and somewhat above the largest value.
void ShowFromZero(Panel* panel) {
  double largest = 0.0;
  for (const Series& series : panel->series) {
    for (const double y : series.y) largest = std::max(largest, y);
  }
  panel->y.maximum = largest > 0.0 ? 1.1 * largest : 1.0;
}

Panel GradientPanel(const std::vector<LayerGradient>& gradients) {
  Panel panel;
  panel.title = "Gradient of the largest output";
  panel.x = {"layers from the input"};
  panel.y = {"l2 norm"};
  Series mean{"mean over inputs", {}, {}, "#0072B2"};
  Series least{"least", {}, {}, "#56B4E9", LineStyle::kDashed};
  Series largest{"largest", {}, {}, "#D55E00", LineStyle::kDashed};
  double low = 0.0;
  double high = 0.0;
  for (size_t i = 0; i < gradients.size(); ++i) {
    const LayerGradient& gradient = gradients[i];
    for (Series* series : {&mean, &least, &largest}) {
      series->x.push_back(static_cast<double>(i));
    }
    mean.y.push_back(gradient.mean);
    least.y.push_back(gradient.min);
    largest.y.push_back(gradient.max);
    low = i == 0 ? gradient.mean : std::min(low, gradient.mean);
    high = std::max(high, gradient.mean);
  }
  panel.series = {std::move(mean), std::move(least), std::move(largest)};
  // Decay over many layers is seen in powers of ten alone.
  if (low > 0.0 && low < 0.1 * high) {
    panel.y.logarithmic = true;
  } else {
    ShowFromZero(&panel);
  }
  return panel;
}

Panel SpectrumPanel(const std::vector<WeightSpectrum>& spectra) {
  Panel panel;
  panel.title = "Singular values of the weights";
  panel.x = {"share of them", 0.0, 1.0};
  panel.y = {"singular value"};
  for (const WeightSpectrum& spectrum : spectra) {
    Series series;
    series.label = absl::StrCat(spectrum.layer, " (", spectrum.constraint, ")");
    series.colour = kColours[panel.series.size() % kColours.size()];
    const at::Tensor values = spectrum.values.to(at::kDouble).contiguous();
    const int64_t count = values.numel();
    const double* const begin = values.data_ptr<double>();
    if (!spectrum.complete && count > 0) {
      // No more is known than how large the largest is.
      series.style = LineStyle::kDotted;
      series.x = {0.0, 1.0};
      series.y = {begin[0], begin[0]};
    } else {
      for (int64_t i = 0; i < count; ++i) {
        // Each value over its share, as a stair.
        for (const int64_t end : {i, i + 1}) {
          series.x.push_back(static_cast<double>(end) /
                             static_cast<double>(count));
          series.y.push_back(begin[i]);
        }
      }
    }
    panel.series.push_back(std::move(series));
  }
  ShowFromZero(&panel);
  return panel;
}

}  // namespace

Figure InspectionFigure(const std::string& title,
                        const std::vector<LayerGradient>& gradients,
                        const std::vector<WeightSpectrum>& spectra) {
  Figure figure;
  figure.title = title;
  figure.columns = 2;
  figure.legend_below = true;
  figure.panel_width = 420;
  figure.panels = {GradientPanel(gradients), SpectrumPanel(spectra)};
  return figure;
}

}  // namespace lipschitz::tools
