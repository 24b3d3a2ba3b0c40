// Figures by gnuplot, as PNG and SVG.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace lipschitz::experiments {

// The first three with a dot at every point where there are few.
enum class LineStyle {
  kSolid,
  kDashed,
  kDotted,
  kLine,   // solid, never with dots
  kPoints  // dots alone
};

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
  // Where numbers stand; empty: chosen by gnuplot.
  std::vector<double> tics = {};
  // What stands there in place of the numbers, as many; empty: the numbers.
  std::vector<std::string> names = {};
};

// Values over a regular grid, in colours that remain ordered in grey.
struct HeatMap {
  // Of the first and the last column and row.
  double x_first = 0.0;
  double x_last = 1.0;
  double y_first = 0.0;
  double y_last = 1.0;
  int columns = 0;  // at least 2, and so many rows
  // Row by row, from y_first.
  std::vector<double> value;
  // Of the colours; both equal: those of the values.
  double minimum = 0.0;
  double maximum = 0.0;
  // Lines where the value is one of these.
  std::vector<double> contours;
  // Drawn as a surface in space instead of seen from above.
  bool relief = false;
};

// A picture, without axes; pixels are squares.
struct Picture {
  int columns = 0;
  // Row by row, from the top. NaN is left white.
  std::vector<double> value;
  // True: from −limit (blue) over 0 (white) to limit (red). Else from 0 (white)
  // to limit (black).
  bool is_signed = false;
  double limit = 1.0;
};

// Series, or a map, or a picture, beside which of the axes only the label of y
// is written.
struct Panel {
  std::string title;
  Axis x;
  Axis y;
  std::vector<Series> series;
  std::optional<HeatMap> map;
  std::optional<Picture> picture;
};

// Panels in a grid, row by row.
struct Figure {
  std::string title;
  int columns = 1;
  // Below each panel instead of inside: for more lines than leave room.
  bool legend_below = false;
  // Pixels.
  int panel_width = 360;
  int panel_height = 300;
  std::vector<Panel> panels;
};

// Colours that remain distinct for colour-blind readers (M. Okabe and K. Ito,
// "Color Universal Design", 2008), the same for one activation in every figure.
// An unknown name gets black.
std::string ActivationColour(const std::string& activation);

// The colour of a constraint where a figure compares constraints, none of them
// an activation's (P. Tol, "Colour Schemes", 2021: muted). Empty for "none" and
// for the constraints that keep gradient norms, which have their activation's.
std::string ConstraintColour(const std::string& constraint);

// The gnuplot program that draws the figure on the given terminal ("pngcairo"
// or "svg") into the file `output`.
std::string GnuplotScript(const Figure& figure, const std::string& terminal,
                          const std::string& output);

// InvalidArgument unless `path` ends in .png or .svg.
absl::Status CheckFigureName(const std::string& path);

// Into the file `path`, through a temporary name. InvalidArgument where the
// name ends neither in .png nor in .svg; NotFound, with what to install, when
// gnuplot is not there.
absl::Status DrawFigure(const std::string& path, const Figure& figure);

// RESULTS_DIR/figures/NAME.png and NAME.svg, as DrawFigure.
absl::Status WriteFigure(const std::string& results_dir,
                         const std::string& name, const Figure& figure);

}  // namespace lipschitz::experiments
