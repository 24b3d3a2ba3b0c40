#include "experiments/common/figure.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "experiments/common/process.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

constexpr int kTitleHeight = 40;
constexpr int kLegendLineHeight = 14;
// Series of so few points show them.
constexpr size_t kMostPointsShown = 12;

// Of a legend below the panel with the most lines; 0: inside.
int LegendHeight(const Figure& figure) {
  if (!figure.legend_below) return 0;
  std::ptrdiff_t lines = 0;
  for (const Panel& panel : figure.panels) {
    lines = std::max(
        lines, std::count_if(
                   panel.series.begin(), panel.series.end(),
                   [](const Series& series) { return !series.label.empty(); }));
  }
  // And one line that parts it from the axis's label.
  return static_cast<int>(lines + 1) * kLegendLineHeight;
}

// In gnuplot's single quotes only the quote itself is special.
std::string Quoted(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "''"}}), "'");
}

const char* DashType(LineStyle style) {
  switch (style) {
    case LineStyle::kSolid:
      return "solid";
    case LineStyle::kDashed:
      return "(8,6)";
    case LineStyle::kDotted:
      return "(2,4)";
    case LineStyle::kLine:
    case LineStyle::kPoints:
      break;
  }
  return "solid";
}

bool HasRange(const Axis& axis) { return axis.minimum != axis.maximum; }

bool IsVisible(const Axis& axis, double value) {
  if (!std::isfinite(value) || (axis.logarithmic && value <= 0)) return false;
  return !HasRange(axis) || (value >= std::min(axis.minimum, axis.maximum) &&
                             value <= std::max(axis.minimum, axis.maximum));
}

bool HasVisiblePoint(const Panel& panel) {
  for (const Series& series : panel.series) {
    for (size_t k = 0; k < series.x.size() && k < series.y.size(); ++k) {
      if (IsVisible(panel.x, series.x[k]) && IsVisible(panel.y, series.y[k])) {
        return true;
      }
    }
  }
  return false;
}

// `axis` with a range of its own, where it has none.
Axis WithRange(Axis axis) {
  if (HasRange(axis)) return axis;
  axis.minimum = axis.logarithmic ? 1.0 : 0.0;
  axis.maximum = axis.logarithmic ? 10.0 : 1.0;
  return axis;
}

void AppendAxis(const char* name, const Axis& axis, std::string* script) {
  absl::StrAppend(script, "set ", name, "label ", Quoted(axis.label),
                  " noenhanced\n");
  if (HasRange(axis)) {
    absl::StrAppend(script, absl::StrFormat("set %srange [%.9g:%.9g]\n", name,
                                            axis.minimum, axis.maximum));
  } else {
    absl::StrAppend(script, "set ", name, "range [*:*]\n");
  }
  absl::StrAppend(script, axis.logarithmic ? "set" : "unset", " logscale ",
                  name, "\n");
  std::vector<std::string> tics;
  for (size_t i = 0; i < axis.tics.size(); ++i) {
    const std::string place = absl::StrFormat("%.9g", axis.tics[i]);
    tics.push_back(i < axis.names.size()
                       ? absl::StrCat(Quoted(axis.names[i]), " ", place)
                       : place);
  }
  absl::StrAppend(
      script, "set ", name, "tics ", axis.names.empty() ? "" : "noenhanced ",
      tics.empty() ? "autofreq"
                   : absl::StrCat("(", absl::StrJoin(tics, ","), ")"),
      "\n");
}

const char* PlotStyle(const Series& series) {
  if (series.style == LineStyle::kPoints) {
    return "points pointtype 7 pointsize 0.9";
  }
  const bool dots =
      series.style != LineStyle::kLine && series.x.size() <= kMostPointsShown;
  return dots ? "linespoints pointtype 7 pointsize 0.5" : "lines";
}

void AppendPanel(const Panel& panel, int index, std::string* script) {
  // A block of data for every series, then one plot command.
  for (size_t i = 0; i < panel.series.size(); ++i) {
    const Series& series = panel.series[i];
    absl::StrAppend(script, "$data_", index, "_", i, " << END\n");
    for (size_t k = 0; k < series.x.size() && k < series.y.size(); ++k) {
      if (!std::isfinite(series.x[k]) || !std::isfinite(series.y[k])) continue;
      absl::StrAppend(script,
                      absl::StrFormat("%.9g %.9g\n", series.x[k], series.y[k]));
    }
    absl::StrAppend(script, "END\n");
  }
  absl::StrAppend(script, "set title ", Quoted(panel.title), " noenhanced\n");
  // gnuplot fails, and the other panels with it, where it is to choose a range
  // and there is no point.
  const bool empty =
      panel.series.empty() ||
      (!(HasRange(panel.x) && HasRange(panel.y)) && !HasVisiblePoint(panel));
  AppendAxis("x", empty ? WithRange(panel.x) : panel.x, script);
  AppendAxis("y", empty ? WithRange(panel.y) : panel.y, script);
  if (empty) {
    absl::StrAppend(script, "plot NaN notitle\n");
    return;
  }
  for (size_t i = 0; i < panel.series.size(); ++i) {
    const Series& series = panel.series[i];
    absl::StrAppend(
        script, i == 0 ? "plot " : ", ", "$data_", index, "_", i,
        " using 1:2 with ", PlotStyle(series), " linecolor rgb ",
        Quoted(series.colour), absl::StrFormat(" linewidth %g", series.width),
        " dashtype ", DashType(series.style), " ",
        series.label.empty()
            ? std::string("notitle")
            : absl::StrCat("title ", Quoted(series.label), " noenhanced"));
  }
  absl::StrAppend(script, "\n");
}

// A panel with a map, whose settings end with it.
void AppendMapPanel(const Panel& panel, int index, std::string* script) {
  const HeatMap& map = *panel.map;
  absl::StrAppend(script, "set title ", Quoted(panel.title), " noenhanced\n");
  const int columns = std::max(2, map.columns);
  const int rows = static_cast<int>(map.value.size()) / columns;
  if (rows < 2) {
    absl::StrAppend(script,
                    "set xrange [0:1]\nset yrange [0:1]\nplot NaN notitle\n");
    return;
  }
  const auto at = [](double first, double last, int i, int n) {
    return first + (last - first) * i / (n - 1);
  };
  absl::StrAppend(script, "$data_", index, " << END\n");
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      absl::StrAppend(
          script,
          absl::StrFormat(
              "%.6g %.6g %.6g\n", at(map.x_first, map.x_last, column, columns),
              at(map.y_first, map.y_last, row, rows),
              map.value[static_cast<size_t>(row) * columns + column]));
    }
    absl::StrAppend(script, "\n");
  }
  absl::StrAppend(script, "END\n");
  AppendAxis("x", panel.x, script);
  AppendAxis("y", panel.y, script);
  absl::StrAppend(
      script,
      "set palette defined (0 '#0d0887', 1 '#7e03a8', 2 '#cc4778', 3 "
      "'#f89540', 4 '#f0f921')\nunset key\n",
      map.minimum == map.maximum ? std::string("set cbrange [*:*]\n")
                                 : absl::StrFormat("set cbrange [%.9g:%.9g]\n",
                                                   map.minimum, map.maximum),
      map.relief ? "set pm3d\nset view 55, 20, 1, 1\nset xyplane 0\n"
                   "unset colorbox\n"
                 : "set view map\n");
  if (!map.contours.empty()) {
    absl::StrAppend(script, "set contour base\nset cntrparam levels discrete ");
    for (size_t i = 0; i < map.contours.size(); ++i) {
      absl::StrAppend(script, i == 0 ? "" : ", ", map.contours[i]);
    }
    // The first line style of contours follows that of the plot.
    absl::StrAppend(script, "\nset cntrlabel onecolor\n");
  }
  absl::StrAppend(script, "splot $data_", index);
  if (map.relief) {
    // A polygon for every second point: in an SVG each takes its own line.
    absl::StrAppend(script,
                    " every 2:2 using 1:2:3 with lines linecolor rgb '#ffffff' "
                    "linewidth 0.1 notitle\n");
  } else {
    // One picture in the SVG too, and the lines over it.
    absl::StrAppend(script, " using 1:2:3 with image nocontour notitle");
    if (!map.contours.empty()) {
      absl::StrAppend(script, ", $data_", index,
                      " using 1:2:3 with lines nosurface linecolor rgb "
                      "'#ffffff' linewidth 1.2 notitle");
    }
    absl::StrAppend(script, "\n");
  }
  absl::StrAppend(script, "unset pm3d\nunset contour\nset key\nset colorbox\n");
}

struct Size {
  double width = 0.0;
  double height = 0.0;
};

int ColumnsOf(const Figure& figure) { return std::max(1, figure.columns); }

int RowsOf(const Figure& figure) {
  const int panels = static_cast<int>(figure.panels.size());
  return std::max(1, (panels + ColumnsOf(figure) - 1) / ColumnsOf(figure));
}

// Of the whole figure, in pixels.
Size SizeOf(const Figure& figure) {
  return {static_cast<double>(ColumnsOf(figure) * figure.panel_width),
          static_cast<double>(RowsOf(figure) *
                                  (figure.panel_height + LegendHeight(figure)) +
                              kTitleHeight)};
}

// Margins of the figure's panel `index` in which pixels are squares: gnuplot's
// own would differ from panel to panel.
std::string PictureMargins(const Figure& figure, int index, int columns,
                           int rows) {
  constexpr double kLeft = 18.0;  // the label of y
  constexpr double kTop = 18.0;   // the title
  constexpr double kRest = 2.0;
  const Size whole = SizeOf(figure);
  const Size cell = {static_cast<double>(figure.panel_width),
                     (whole.height - kTitleHeight) / RowsOf(figure)};
  const double pixel =
      std::max(0.1, std::min((cell.width - kLeft - kRest) / columns,
                             (cell.height - kTop - kRest) / rows));
  // From the left and from the top.
  const int column = index % ColumnsOf(figure);
  const int row = index / ColumnsOf(figure);
  const double left = column * cell.width + kLeft;
  const double top = kTitleHeight + row * cell.height + kTop;
  return absl::StrFormat(
      "set lmargin at screen %.6f\nset rmargin at screen %.6f\n"
      "set tmargin at screen %.6f\nset bmargin at screen %.6f\n",
      left / whole.width, (left + pixel * columns) / whole.width,
      1.0 - top / whole.height, 1.0 - (top + pixel * rows) / whole.height);
}

// A panel with a picture, whose settings end with it.
void AppendPicturePanel(const Figure& figure, int index, std::string* script) {
  const Panel& panel = figure.panels[index];
  const Picture& picture = *panel.picture;
  const int columns = std::max(1, picture.columns);
  const int rows = static_cast<int>(picture.value.size()) / columns;
  absl::StrAppend(script, "set title ", Quoted(panel.title),
                  " noenhanced offset 0,-0.5\nunset xlabel\nunset ylabel\n"
                  "set label 1 ",
                  Quoted(panel.y.label),
                  " at graph -0.1, graph 0.5 center rotate by 90 noenhanced\n"
                  "unset logscale\nunset tics\nunset key\nunset colorbox\n",
                  PictureMargins(figure, index, columns, std::max(1, rows)));
  if (rows < 1) {
    absl::StrAppend(script,
                    "set xrange [0:1]\nset yrange [0:1]\nplot NaN notitle\n");
  } else {
    absl::StrAppend(script, "$data_", index, " << END\n");
    for (int row = 0; row < rows; ++row) {
      for (int column = 0; column < columns; ++column) {
        const double value =
            picture.value[static_cast<size_t>(row) * columns + column];
        absl::StrAppend(script, column == 0 ? "" : " ",
                        std::isfinite(value) ? absl::StrFormat("%.6g", value)
                                             : std::string("NaN"));
      }
      absl::StrAppend(script, "\n");
    }
    absl::StrAppend(
        script, "END\n",
        picture.is_signed
            ? "set palette defined (0 '#053061', 1 '#4393c3', 2 '#ffffff', 3 "
              "'#d6604d', 4 '#67001f')\n"
            : "set palette defined (0 '#ffffff', 1 '#000000')\n",
        absl::StrFormat("set cbrange [%.9g:%.9g]\n",
                        picture.is_signed ? -picture.limit : 0.0,
                        picture.limit),
        // The first row on top.
        absl::StrFormat("set xrange [-0.5:%d.5]\nset yrange [%d.5:-0.5]\n",
                        columns - 1, rows - 1),
        "plot $data_", index, " matrix with image notitle\n");
  }
  absl::StrAppend(script,
                  "set title offset 0,0\nset tics\nset key\nset colorbox\n"
                  "unset label 1\n"
                  "set lmargin -1\nset rmargin -1\nset tmargin -1\n"
                  "set bmargin -1\n");
}

// Runs gnuplot on a script file; its error output becomes the message.
absl::Status RunGnuplot(const std::string& script_path,
                        const std::string& error_path) {
  // -d: without ~/.gnuplot.
  const auto exit_status =
      RunProcess({{"gnuplot", "-d", script_path}, "", error_path});
  if (absl::IsNotFound(exit_status.status())) {
    return absl::NotFoundError(
        "cannot draw figures: gnuplot is not installed; run tools/setup.sh or "
        "install the package gnuplot-nox");
  }
  LIPSCHITZ_RETURN_IF_ERROR(exit_status.status());
  if (*exit_status == 0) return absl::OkStatus();
  const auto text = ReadFile(error_path);
  return absl::InternalError(
      absl::StrCat("gnuplot failed: ", text.ok() ? *text : "(no message)"));
}

}  // namespace

std::string ActivationColour(const std::string& activation) {
  static constexpr std::array<std::pair<const char*, const char*>, 8> kColours =
      {{
          {"relu", "#D55E00"},
          {"leaky_relu", "#E69F00"},
          {"abs", "#009E73"},
          {"maxmin", "#0072B2"},
          {"groupsort", "#56B4E9"},
          {"fullsort", "#CC79A7"},
          {"maxout", "#8C6D1F"},
          {"crelu", "#7F7F7F"},
      }};
  for (const auto& [name, colour] : kColours) {
    // "groupsort4" and "maxout3" are of their families.
    if (absl::StartsWith(activation, name)) return colour;
  }
  return "#000000";
}

std::string ConstraintColour(const std::string& constraint) {
  static constexpr std::array<std::pair<const char*, const char*>, 5> kColours =
      {{
          {"dropout", "#999999"},
          {"spectral", "#882255"},
          {"parseval", "#999933"},
          {"linf", "#117733"},
          {"orthogonal", "#44AA99"},
      }};
  for (const auto& [name, colour] : kColours) {
    if (constraint == name) return colour;
  }
  return "";
}

std::string GnuplotScript(const Figure& figure, const std::string& terminal,
                          const std::string& output) {
  const int panels = static_cast<int>(figure.panels.size());
  const Size size = SizeOf(figure);
  std::string script;
  absl::StrAppend(&script, "set terminal ", terminal, " size ", size.width, ",",
                  size.height, terminal == "svg" ? " dynamic" : "",
                  " font 'DejaVu Sans,10' background rgb 'white'\n");
  absl::StrAppend(&script, "set output ", Quoted(output), "\n");
  absl::StrAppend(&script,
                  "set encoding utf8\nset grid linecolor rgb '#dddddd'\n"
                  "set key ",
                  figure.legend_below
                      ? "outside below center maxcols 1 height 0.5"
                      : "top center",
                  " samplen 2 spacing 0.9\n"
                  "set border linecolor rgb '#444444'\n");
  absl::StrAppend(&script, "set multiplot layout ", RowsOf(figure), ",",
                  ColumnsOf(figure), " title ", Quoted(figure.title),
                  " noenhanced\n");
  for (int i = 0; i < panels; ++i) {
    const Panel& panel = figure.panels[i];
    if (panel.picture.has_value()) {
      AppendPicturePanel(figure, i, &script);
    } else if (panel.map.has_value()) {
      AppendMapPanel(panel, i, &script);
    } else {
      AppendPanel(panel, i, &script);
    }
  }
  absl::StrAppend(&script, "unset multiplot\nunset output\n");
  return script;
}

absl::Status CheckFigureName(const std::string& path) {
  if (absl::EndsWith(path, ".png") || absl::EndsWith(path, ".svg")) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "a figure's name must end in .png or .svg, got '", path, "'"));
}

absl::Status DrawFigure(const std::string& path, const Figure& figure) {
  LIPSCHITZ_RETURN_IF_ERROR(CheckFigureName(path));
  const bool is_png = absl::EndsWith(path, ".png");
  const size_t name = path.rfind('/') + 1;  // 0 without a folder
  const std::string temporary =
      absl::StrCat(path.substr(0, name), ".", path.substr(name), ".", getpid());
  const std::string drawing = temporary + ".tmp";
  const std::string script = temporary + ".gp.tmp";
  const std::string errors = temporary + ".err.tmp";
  absl::Status status = WriteFileAtomically(
      script, GnuplotScript(figure, is_png ? "pngcairo" : "svg", drawing));
  if (status.ok()) status.Update(RunGnuplot(script, errors));
  if (status.ok()) {
    auto content = ReadFile(drawing);
    status.Update(content.status());
    if (content.ok()) status.Update(WriteFileAtomically(path, *content));
  }
  for (const std::string& file : {drawing, script, errors}) {
    unlink(file.c_str());
  }
  return status;
}

absl::Status WriteFigure(const std::string& results_dir,
                         const std::string& name, const Figure& figure) {
  const std::string stem = absl::StrCat(results_dir, "/figures/", name);
  absl::Status status = DrawFigure(stem + ".png", figure);
  if (status.ok()) status.Update(DrawFigure(stem + ".svg", figure));
  return WithContext(status, absl::StrCat("figure ", name));
}

}  // namespace lipschitz::experiments
