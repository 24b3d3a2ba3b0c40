#include "benchmarks/convolutions.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "benchmarks/text.h"
#include "experiments/common/table.h"

namespace lipschitz::benchmarks {
namespace {

using experiments::Cell;
using experiments::Figure;
using experiments::Panel;
using experiments::Series;
using experiments::Table;

// In the order of the tables.
constexpr const char* kConstraints[] = {"none",     "rko_polar",  "rko_stiefel",
                                        "spectral", "orthogonal", "bcop",
                                        "separable"};

constexpr int kDeepest = 10;

std::string Name(const std::string& what, const std::string& constraint,
                 const std::string& size = "") {
  return absl::StrCat("convolution_step:", what, "/", constraint, size);
}

std::string GradientCounter(int depth) {
  return absl::StrCat("gradient_norm_", depth);
}

std::string Fixed(const Measurement* measurement, const std::string& counter) {
  return measurement == nullptr
             ? kNothing
             : absl::StrFormat("%.6f", Counter(measurement, counter));
}

Table Steps(const Results& results) {
  const std::vector<std::pair<std::string, std::string>> sizes = {
      {"32→32, 3×3", "/32to32/kernel:3/stride:1/side:28/batch:64"},
      {"32→64, 4×4, stride 2", "/32to64/kernel:4/stride:2/side:28/batch:64"},
      {"128→128, 3×3, 8×8", "/128to128/kernel:3/stride:1/side:8/batch:64"}};
  Table table;
  std::vector<std::string> titles = {"constraint"};
  for (const auto& [title, size] : sizes) {
    titles.push_back(title + ": ms");
    titles.push_back("/ none");
  }
  titles.push_back("gradient norm through 10");
  titles.push_back("K of LeNet: ms");
  table.columns = Columns(titles);
  for (const std::string constraint : kConstraints) {
    std::vector<Cell> row = {constraint};
    for (const auto& [title, size] : sizes) {
      const std::string name = Name("step", constraint, size);
      row.emplace_back(Milliseconds(results.Find(name)));
      row.emplace_back(Text(results.RatioOf(name, Name("step", "none", size))));
    }
    row.emplace_back(Fixed(results.Find(Name("gradient", constraint)),
                           GradientCounter(kDeepest)));
    row.emplace_back(Milliseconds(results.Find(Name("bound", constraint))));
    table.rows.push_back(row);
  }
  return table;
}

Table Fits(const Results& results) {
  const std::vector<std::string> rates = {"0.003", "0.01", "0.03"};
  Table table;
  std::vector<std::string> titles = {"constraint", "kernel"};
  for (const std::string& rate : rates) {
    titles.push_back("left at rate " + rate);
  }
  titles.push_back("largest |σ − 1|");
  table.columns = Columns(titles);
  for (const std::string constraint : kConstraints) {
    for (const int kernel : {3, 5}) {
      std::vector<Cell> row = {constraint, absl::StrCat(kernel, "×", kernel)};
      double worst = 0.0;
      for (const std::string& rate : rates) {
        const Measurement* const fit = results.Find(
            Name("fit", constraint,
                 absl::StrCat("/kernel:", kernel, "/rate:", rate)));
        worst = std::max(worst, Counter(fit, "sigma_error"));
        row.emplace_back(fit == nullptr
                             ? std::string(kNothing)
                             : absl::StrFormat("%.3f", Counter(fit, "loss")));
      }
      row.emplace_back(worst > 0.0 ? absl::StrFormat("%.0e", worst)
                                   : std::string(kNothing));
      table.rows.push_back(row);
    }
  }
  return table;
}

}  // namespace

std::string ConvolutionStep(const std::string& constraint) {
  return Name("step", constraint, "/32to32/kernel:3/stride:1/side:28/batch:64");
}

std::string ConvolutionBound(const std::string& constraint) {
  return Name("bound", constraint);
}

std::string ConvolutionSection(const Results& results) {
  const Measurement* const step = results.Find(ConvolutionStep("none"));
  return absl::StrCat(
      "Rounds: ", step == nullptr ? 0 : step->milliseconds.size(), ". ",
      R"(A training step of one layer inside a network, Adam, circular padding, 28×28 images where
no other size is named, batch 64. The *gradient norm* is that of a unit vector sent
back through ten layers of 8 channels (3×3, MaxMin between them), as initialised. *K of LeNet*:
the proven bound of the whole network, 28×28, every convolution under the constraint
and every dense layer on the Stiefel manifold.

)",
      Steps(results).ToMarkdown(), R"(
![Gradient norm through networks of growing depth](figures/convolution_gradients.png)

How well the layers fit: a network of three layers of 8 channels is trained for
600 steps to follow a teacher whose layers are orthogonal, commute with circular shifts
and belong to no method; what it leaves of the teacher's squares is shown, for three
learning rates, and the worst distance of a singular value from 1 after these trainings.
Layers whose singular values may be smaller than 1 fit it better than those that keep
all of them at 1. Among these, AOC (`orthogonal`) and BCOP are one method at stride 1 and
leave the same, the separable one somewhat more; AOC is the default because it keeps its
promise at every stride that fits the image, in one convolution.

)",
      Fits(results).ToMarkdown());
}

Figure MakeGradientFigure(const Results& results) {
  const std::vector<std::pair<std::string, std::string>> colours = {
      {"none", "#7F7F7F"},
      {"rko_polar", "#D55E00"},
      {"spectral", "#E69F00"},
      {"orthogonal", "#0072B2"},
      {"bcop", "#009E73"}};
  Panel panel;
  panel.title = "8 channels, 3×3, MaxMin, as initialised";
  panel.x = {"layers", 0, 0, false};
  panel.y = {"norm of a unit vector sent back", 0, 0, /*logarithmic=*/true};
  for (const auto& [constraint, colour] : colours) {
    Series series;
    series.label = constraint;
    series.colour = colour;
    const Measurement* const found = results.Find(Name("gradient", constraint));
    for (int depth = 1; found != nullptr && depth <= kDeepest; ++depth) {
      series.x.push_back(depth);
      series.y.push_back(Counter(found, GradientCounter(depth)));
    }
    panel.series.push_back(series);
  }
  Figure figure;
  figure.title = "What convolutions leave of a gradient";
  figure.panel_width = 480;
  figure.panels = {panel};
  return figure;
}

}  // namespace lipschitz::benchmarks
