#include "experiments/common/category_figure.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace lipschitz::experiments {
namespace {

// What the dots of one place take of the way to the next.
constexpr double kSpread = 0.6;

size_t PlaceOf(const std::string& name, std::vector<std::string>* names) {
  const auto found = std::find(names->begin(), names->end(), name);
  const size_t place = static_cast<size_t>(found - names->begin());
  if (found == names->end()) names->push_back(name);
  return place;
}

}  // namespace

Panel DrawCategories(const CategoryPanel& categories,
                     const std::vector<VariantRecords>& groups) {
  Panel panel;
  panel.title = categories.title;
  panel.y = categories.y;
  std::vector<std::string> colours;
  for (const VariantRecords& group : groups) {
    PlaceOf(group.variant.value(categories.colour_key, ""), &colours);
  }
  std::vector<Series> dots(colours.size());
  for (size_t i = 0; i < colours.size(); ++i) {
    dots[i].label = colours[i];
    dots[i].colour = ActivationColour(colours[i]);
    dots[i].style = LineStyle::kPoints;
  }
  for (const VariantRecords& group : groups) {
    const Summary summary = SummariseMetric(group, categories.metric);
    if (summary.count == 0) continue;
    const size_t place =
        PlaceOf(group.variant.value(categories.place_key, ""), &panel.x.names);
    const size_t colour =
        PlaceOf(group.variant.value(categories.colour_key, ""), &colours);
    const double share =
        (static_cast<double>(colour) + 0.5) / static_cast<double>(dots.size());
    const double x = static_cast<double>(place) + kSpread * (share - 0.5);
    dots[colour].x.push_back(x);
    dots[colour].y.push_back(summary.mean);
    if (summary.count < 2) continue;
    Series bar;
    bar.colour = dots[colour].colour;
    bar.style = LineStyle::kLine;
    bar.x = {x, x};
    bar.y = {summary.mean - summary.deviation,
             summary.mean + summary.deviation};
    panel.series.push_back(std::move(bar));
  }
  for (Series& series : dots) {
    if (!series.x.empty()) panel.series.push_back(std::move(series));
  }
  panel.x.label = categories.place_key;
  for (size_t i = 0; i < panel.x.names.size(); ++i) {
    panel.x.tics.push_back(static_cast<double>(i));
  }
  panel.x.minimum = -0.5;
  panel.x.maximum =
      std::max(0.5, static_cast<double>(panel.x.names.size()) - 0.5);
  return panel;
}

}  // namespace lipschitz::experiments
