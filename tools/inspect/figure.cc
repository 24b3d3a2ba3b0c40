#include "tools/inspect/figure.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <tuple>
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

// A stair from the largest value to the smallest, each over its share.
void DrawDescending(const at::Tensor& values, Series* series) {
  if (!values.defined()) return;
  const at::Tensor sorted =
      std::get<0>(values.flatten().to(at::kDouble).sort(0, true)).contiguous();
  const int64_t count = sorted.numel();
  const double* const begin = sorted.data_ptr<double>();
  for (int64_t i = 0; i < count; ++i) {
    for (const int64_t end : {i, i + 1}) {
      series->x.push_back(static_cast<double>(end) /
                          static_cast<double>(count));
      series->y.push_back(begin[i]);
    }
  }
}

Panel SharePanel(const char* title, const char* unit) {
  Panel panel;
  panel.title = title;
  panel.x = {"share of them", 0.0, 1.0};
  panel.y = {unit};
  return panel;
}

const char* NextColour(const Panel& panel) {
  return kColours[panel.series.size() % kColours.size()];
}

Panel SpectrumPanel(const std::vector<WeightSpectrum>& spectra) {
  Panel panel = SharePanel("Singular values of the weights", "singular value");
  for (const WeightSpectrum& spectrum : spectra) {
    Series series;
    series.label = absl::StrCat(spectrum.layer, " (", spectrum.constraint, ")");
    series.colour = NextColour(panel);
    if (!spectrum.complete && spectrum.values.numel() > 0) {
      // No more is known than how large the largest is.
      const double largest = spectrum.values.max().item<double>();
      series.style = LineStyle::kDotted;
      series.x = {0.0, 1.0};
      series.y = {largest, largest};
    } else {
      DrawDescending(spectrum.values, &series);
    }
    panel.series.push_back(std::move(series));
  }
  ShowFromZero(&panel);
  return panel;
}

Panel JacobianPanel(const JacobianSpectrum& jacobian) {
  Panel panel = SharePanel("Singular values of the Jacobian", "singular value");
  Series series;
  series.label =
      jacobian.exact ? "all, of all inputs" : "largest ones, of all inputs";
  series.colour = NextColour(panel);
  DrawDescending(jacobian.values, &series);
  panel.series = {std::move(series)};
  ShowFromZero(&panel);
  return panel;
}

Panel ActivityPanel(const std::vector<ActivationStatistics>& statistics) {
  Panel panel = SharePanel("Units at work", "share of inputs");
  panel.y.maximum = 1.05;
  for (const ActivationStatistics& activation : statistics) {
    Series series;
    series.label =
        absl::StrCat(activation.layer, " (", activation.activation.Name(), ")");
    series.colour = NextColour(panel);
    DrawDescending(ActiveShare(activation), &series);
    panel.series.push_back(std::move(series));
  }
  return panel;
}

}  // namespace

const at::Tensor& ActiveShare(const ActivationStatistics& statistics) {
  return statistics.moved.defined() ? statistics.moved : statistics.positive;
}

Figure InspectionFigure(const std::string& title,
                        const LayerMeasurements& measured) {
  Figure figure;
  figure.title = title;
  figure.columns = 2;
  figure.legend_below = true;
  figure.panel_width = 420;
  figure.panels = {
      GradientPanel(measured.gradients), SpectrumPanel(measured.spectra),
      JacobianPanel(measured.jacobian), ActivityPanel(measured.statistics)};
  return figure;
}

}  // namespace lipschitz::tools
