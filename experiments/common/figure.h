// Figures by gnuplot, as PNG and SVG.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace lipschitz::experiments {

enum class LineStyle { kSolid, kDashed, kDotted };

struct Series {
  std::string label;  // empty: not in the legend
  std::vector<double> x;
  std::vector<double> y;
  std::string colour = "#000000";
  LineStyle style = LineStyle::kSolid;
  double width = 2.0;
};

struct Axis {
  std::string label;
  // Both 0: chosen by gnuplot.
  double minimum = 0.0;
  double maximum = 0.0;
  bool logarithmic = false;
};

struct Panel {
  std::string title;
  Axis x;
  Axis y;
  std::vector<Series> series;
};

// Panels in a grid, row by row.
struct Figure {
  std::string title;
  int columns = 1;
  // Below each panel instead of inside: for more lines than leave room.
  bool legend_below = false;
  std::vector<Panel> panels;
};

// Colours that remain distinct for colour-blind readers (M. Okabe and K. Ito,
// "Color Universal Design", 2008), the same for one activation in every figure.
// An unknown name gets black.
std::string ActivationColour(const std::string& activation);

// The gnuplot program that draws the figure on the given terminal ("pngcairo"
// or "svg") into the file `output`.
std::string GnuplotScript(const Figure& figure, const std::string& terminal,
                          const std::string& output);

// RESULTS_DIR/figures/NAME.png and NAME.svg, through temporary names. NotFound,
// with what to install, when gnuplot is not there.
absl::Status WriteFigure(const std::string& results_dir,
                         const std::string& name, const Figure& figure);

}  // namespace lipschitz::experiments
