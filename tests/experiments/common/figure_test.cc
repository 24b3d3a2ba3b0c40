#include "experiments/common/figure.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/files.h"
#include "tests/testing/status.h"

namespace lipschitz::experiments {
namespace {

using ::lipschitz::testing::FailsWith;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

std::string Folder() {
  return ::testing::TempDir() + "/figure_test/" +
         ::testing::UnitTest::GetInstance()->current_test_info()->name();
}

std::vector<std::string> FileNames(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

// An environment variable with another value until the end of the scope.
class ScopedVariable {
 public:
  ScopedVariable(const std::string& name, const std::string& value)
      : name_(name) {
    const char* const before = std::getenv(name.c_str());
    was_set_ = before != nullptr;
    if (was_set_) before_ = before;
    setenv(name.c_str(), value.c_str(), 1);
  }
  ~ScopedVariable() {
    if (was_set_) {
      setenv(name_.c_str(), before_.c_str(), 1);
    } else {
      unsetenv(name_.c_str());
    }
  }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  std::string name_;
  std::string before_;
  bool was_set_ = false;
};

Panel OnePanel(std::vector<Series> series) {
  Panel panel;
  panel.title = "panel";
  panel.x.label = "x";
  panel.y.label = "y";
  panel.series = std::move(series);
  return panel;
}

Figure OnePanelFigure(std::vector<Series> series) {
  Figure figure;
  figure.title = "title";
  figure.panels = {OnePanel(std::move(series))};
  return figure;
}

std::string Script(const Figure& figure) {
  return GnuplotScript(figure, "svg", "out.svg");
}

// Writes a figure and expects both files, not empty.
void ExpectDrawn(const Figure& figure) {
  const absl::Status status = WriteFigure(Folder(), "figure", figure);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(FileNames(Folder() + "/figures"),
              UnorderedElementsAre("figure.png", "figure.svg"));
}

TEST(ActivationColourTest, EveryActivationHasAColourOfItsOwn) {
  std::set<std::string> colours;
  int count = 0;
  for (const char* name : {"identity", "relu", "leaky_relu", "abs", "crelu",
                           "maxout", "maxmin", "groupsort", "fullsort"}) {
    const std::string colour = ActivationColour(name);
    ASSERT_EQ(colour.size(), 7u) << name;
    EXPECT_EQ(colour[0], '#') << name;
    EXPECT_EQ(colour.find_first_not_of("0123456789ABCDEF", 1),
              std::string::npos)
        << name;
    colours.insert(colour);
    ++count;
  }
  EXPECT_EQ(static_cast<int>(colours.size()), count);
}

TEST(ActivationColourTest, GroupSizesOfAFamilyShareItsColour) {
  for (const char* family : {"groupsort", "maxout"}) {
    const std::string colour = ActivationColour(family);
    for (const char* size : {"2", "4", "128"}) {
      EXPECT_EQ(ActivationColour(absl::StrCat(family, size)), colour);
    }
  }
}

TEST(ActivationColourTest, EveryNameOfTheLibraryIsKnown) {
  for (const std::string& name : ActivationNames()) {
    if (name == "identity") continue;
    EXPECT_NE(ActivationColour(name), "#000000") << name;
  }
  EXPECT_EQ(ActivationColour("no_such"), "#000000");
  EXPECT_EQ(ActivationColour(""), "#000000");
}

TEST(ConstraintColourTest, NoneIsAnActivationsNorAnotherConstraints) {
  std::set<std::string> colours;
  for (const std::string& name : ActivationNames()) {
    colours.insert(ActivationColour(name));
  }
  for (const char* name :
       {"dropout", "spectral", "parseval", "linf", "orthogonal"}) {
    EXPECT_TRUE(colours.insert(ConstraintColour(name)).second) << name;
  }
  for (const char* name : {"none", "stiefel", "bjorck", "rko", ""}) {
    EXPECT_EQ(ConstraintColour(name), "") << name;
  }
}

TEST(GnuplotScriptTest, SeriesHaveTheirLooks) {
  Series solid{"first", {0, 1}, {2, 3}, "#123456", LineStyle::kSolid, 3.5};
  Series dashed{"second", {0, 1}, {2, 3}, "#ABCDEF", LineStyle::kDashed, 1};
  Series dotted{"", {0, 1}, {2, 3}, "#000001", LineStyle::kDotted, 2};
  const std::string script = Script(OnePanelFigure({solid, dashed, dotted}));
  EXPECT_THAT(script, HasSubstr("linecolor rgb '#123456' linewidth 3.5 "
                                "dashtype solid title 'first' noenhanced"));
  EXPECT_THAT(script, HasSubstr("linecolor rgb '#ABCDEF' linewidth 1 "
                                "dashtype (8,6) title 'second' noenhanced"));
  EXPECT_THAT(script, HasSubstr("linecolor rgb '#000001' linewidth 2 "
                                "dashtype (2,4) notitle"));
}

TEST(GnuplotScriptTest, NamesStandWhereNumbersWould) {
  Figure figure = OnePanelFigure({{"a", {0, 1}, {1, 2}}});
  figure.panels[0].x.tics = {0.0, 1.0};
  figure.panels[0].x.names = {"linf_rows", "it's"};
  EXPECT_THAT(Script(figure),
              HasSubstr("set xtics noenhanced ('linf_rows' 0,'it''s' 1)\n"));
  ASSERT_TRUE(DrawFigure(Folder() + "/names.svg", figure).ok());
}

TEST(GnuplotScriptTest, DotsAndLinesCanBeAlone) {
  Figure figure =
      OnePanelFigure({{"dots", {0, 1}, {2, 3}, "#123456", LineStyle::kPoints},
                      {"line", {0, 1}, {2, 3}, "#123456", LineStyle::kLine}});
  const std::string script = Script(figure);
  EXPECT_THAT(script, HasSubstr("using 1:2 with points "));
  EXPECT_THAT(script, HasSubstr("using 1:2 with lines "));
  ASSERT_TRUE(DrawFigure(Folder() + "/alone.png", figure).ok());
}

TEST(GnuplotScriptTest, PointsKeepTheirOrderAndDigits) {
  const std::string script =
      Script(OnePanelFigure({{"a", {3, 1, 0.125}, {1e-9, -2, 123456.789}}}));
  EXPECT_THAT(script, HasSubstr("<< END\n3 1e-09\n1 -2\n0.125 123456.789\n"
                                "END\n"));
}

TEST(GnuplotScriptTest, PointsThatAreNotFiniteAreLeftOut) {
  const double nan = std::nan("");
  const double infinity = std::numeric_limits<double>::infinity();
  const std::string script = Script(OnePanelFigure(
      {{"a", {1, 2, 3, nan, 5, infinity}, {nan, 20, infinity, 40, 50, 60}}}));
  EXPECT_THAT(script, HasSubstr("<< END\n2 20\n5 50\nEND\n"));
}

TEST(GnuplotScriptTest, TextsAreQuotedAndTakenAsTheyAre) {
  Figure figure = OnePanelFigure({{"it's a_b", {1, 2}, {1, 2}}});
  figure.title = "the figure's";
  figure.panels[0].title = "the panel's";
  figure.panels[0].x.label = "test_accuracy";
  figure.panels[0].y.label = "f'(x)";
  const std::string script = GnuplotScript(figure, "svg", "o'ut.svg");
  EXPECT_THAT(script, HasSubstr("title 'it''s a_b' noenhanced"));
  EXPECT_THAT(script, HasSubstr("title 'the figure''s' noenhanced"));
  EXPECT_THAT(script, HasSubstr("set title 'the panel''s' noenhanced\n"));
  // "_" would be a subscript.
  EXPECT_THAT(script, HasSubstr("set xlabel 'test_accuracy' noenhanced\n"));
  EXPECT_THAT(script, HasSubstr("set ylabel 'f''(x)' noenhanced\n"));
  EXPECT_THAT(script, HasSubstr("set output 'o''ut.svg'\n"));
}

TEST(GnuplotScriptTest, AxesHaveTheirRangesAndScales) {
  Figure figure = OnePanelFigure({{"a", {1, 2}, {1, 2}}});
  figure.columns = 2;
  figure.panels[0].x = {"x", -2.5, 2.5, false};
  figure.panels[0].y = {"y", 0, 0, true};
  figure.panels.push_back(OnePanel({{"b", {1, 2}, {1, 2}}}));
  const std::string script = Script(figure);
  const size_t second = script.find("$data_1_0");
  ASSERT_NE(second, std::string::npos);
  EXPECT_THAT(script.substr(0, second),
              AllOf(HasSubstr("set xrange [-2.5:2.5]\nunset logscale x\n"),
                    HasSubstr("set yrange [*:*]\nset logscale y\n")));
  // Nothing of the first panel stays.
  EXPECT_THAT(script.substr(second),
              AllOf(HasSubstr("set xrange [*:*]\nunset logscale x\n"),
                    HasSubstr("set yrange [*:*]\nunset logscale y\n")));
}

TEST(GnuplotScriptTest, AxesNameTheValuesThatAreAskedFor) {
  Figure figure = OnePanelFigure({{"a", {300, 5000}, {1, 2}}});
  figure.panels[0].x.tics = {300, 5000};
  figure.panels.push_back(OnePanel({{"b", {1, 2}, {1, 2}}}));
  const std::string script = Script(figure);
  const size_t second = script.find("$data_1_0");
  ASSERT_NE(second, std::string::npos);
  EXPECT_THAT(script.substr(0, second),
              AllOf(HasSubstr("set xtics (300,5000)\n"),
                    HasSubstr("set ytics autofreq\n")));
  EXPECT_THAT(script.substr(second), HasSubstr("set xtics autofreq\n"));
}

TEST(GnuplotScriptTest, FewPointsAreShown) {
  EXPECT_THAT(Script(OnePanelFigure({{"a", {1, 2}, {1, 2}}})),
              HasSubstr("with linespoints "));
  const std::vector<double> many(50, 1.0);
  EXPECT_THAT(Script(OnePanelFigure({{"a", many, many}})),
              HasSubstr("with lines linecolor"));
}

TEST(GnuplotScriptTest, PanelsFillAGridRowByRow) {
  Figure figure;
  figure.columns = 2;
  for (int i = 0; i < 5; ++i) {
    figure.panels.push_back(OnePanel({{"a", {1, 2}, {1, 2}}}));
  }
  EXPECT_THAT(Script(figure), HasSubstr("set multiplot layout 3,2 "));
  figure.columns = 0;
  EXPECT_THAT(Script(figure), HasSubstr("set multiplot layout 5,1 "));
}

TEST(GnuplotScriptTest, DrawsOnTheTerminal) {
  const Figure figure = OnePanelFigure({{"a", {1, 2}, {1, 2}}});
  EXPECT_THAT(GnuplotScript(figure, "pngcairo", "a.png"),
              StartsWith("set terminal pngcairo size "));
  EXPECT_THAT(GnuplotScript(figure, "svg", "a.svg"),
              StartsWith("set terminal svg size "));
}

TEST(WriteFigureTest, MakesAPngAndAnSvgAndLeavesNothingElse) {
  Figure figure = OnePanelFigure({{"it's |x|", {0, 1, 2}, {0, 1, 4}}});
  figure.title = "Learned critics of 0 against ±1";
  ExpectDrawn(figure);
  const std::string png = *ReadFile(Folder() + "/figures/figure.png");
  EXPECT_THAT(png, StartsWith("\x89PNG\r\n\x1a\n"));
  const std::string svg = *ReadFile(Folder() + "/figures/figure.svg");
  EXPECT_THAT(svg, HasSubstr("<svg"));
  EXPECT_THAT(svg, HasSubstr("</svg>"));
  EXPECT_THAT(svg, HasSubstr("Learned critics of 0 against ±1"));
  EXPECT_THAT(svg, HasSubstr("it's |x|"));
}

TEST(WriteFigureTest, TheSameFigureGivesTheSameBytes) {
  Figure figure = OnePanelFigure(
      {{"a", {1, 2, 3}, {1, 4, 9}},
       {"b", {1, 2, 3}, {3, 2, 1}, "#0072B2", LineStyle::kDashed}});
  figure.panels.push_back(figure.panels[0]);
  std::vector<std::string> png;
  std::vector<std::string> svg;
  for (const char* folder : {"/one", "/another/and/longer"}) {
    ASSERT_TRUE(WriteFigure(Folder() + folder, "figure", figure).ok());
    const std::string stem = Folder() + folder + "/figures/figure";
    png.push_back(*ReadFile(stem + ".png"));
    svg.push_back(*ReadFile(stem + ".svg"));
  }
  EXPECT_TRUE(png[0] == png[1]);
  EXPECT_EQ(svg[0], svg[1]);
}

TEST(WriteFigureTest, SettingsOfTheUserDoNotMatter) {
  const ScopedVariable home("HOME", Folder() + "/home");
  ASSERT_TRUE(WriteFileAtomically(Folder() + "/home/.gnuplot",
                                  "set terminal dumb\nexit status 3\n")
                  .ok());
  ExpectDrawn(OnePanelFigure({{"a", {1, 2}, {1, 2}}}));
}

// Every run of a panel may have failed.
TEST(WriteFigureTest, PanelWithNothingToDrawDoesNotSpoilTheOthers) {
  const double nan = std::nan("");
  Figure figure = OnePanelFigure({{"alone", {1, 2}, {1, 2}}});
  figure.columns = 3;
  figure.panels.push_back(OnePanel({}));
  figure.panels.push_back(OnePanel({{"no points", {}, {}}}));
  figure.panels.push_back(OnePanel({{"all NaN", {1, 2}, {nan, nan}}}));
  figure.panels.push_back(OnePanel(
      {{"no points", {}, {}}, {"beside an empty one", {1, 2}, {1, 2}}}));
  Panel logarithmic = OnePanel({{"not positive", {1, 2}, {0, -1}}});
  logarithmic.y.logarithmic = true;
  figure.panels.push_back(logarithmic);
  logarithmic.x.logarithmic = true;
  figure.panels.push_back(logarithmic);
  Panel outside = OnePanel({{"outside", {5, 6}, {1, 2}}});
  outside.x = {"x", -1, 1};
  figure.panels.push_back(outside);
  outside.y = {"y", -1, 1};
  figure.panels.push_back(outside);
  outside = OnePanel({{"above", {5, 6}, {7, 8}}});
  outside.y = {"y", -1, 1};
  figure.panels.push_back(outside);
  ExpectDrawn(figure);
  const std::string svg = *ReadFile(Folder() + "/figures/figure.svg");
  EXPECT_THAT(svg, HasSubstr("alone"));
  EXPECT_THAT(svg, HasSubstr("beside an empty one"));
}

TEST(WriteFigureTest, OnePointIsEnough) {
  ExpectDrawn(OnePanelFigure({{"a", {1}, {1}}, {"b", {1}, {1}}}));
}

TEST(WriteFigureTest, WithoutGnuplotSaysHowToGetIt) {
  ASSERT_TRUE(CreateFolder(Folder() + "/empty").ok());
  const ScopedVariable path("PATH", Folder() + "/empty");
  const Figure figure = OnePanelFigure({{"a", {1, 2}, {1, 2}}});
  EXPECT_TRUE(FailsWith(WriteFigure(Folder(), "figure", figure),
                        absl::StatusCode::kNotFound,
                        {"figure", "gnuplot", "tools/setup.sh"}));
  EXPECT_THAT(FileNames(Folder() + "/figures"), UnorderedElementsAre());
}

TEST(WriteFigureTest, FailureKeepsThePreviousFigureAndQuotesGnuplot) {
  const Figure figure = OnePanelFigure({{"a", {1, 2}, {1, 2}}});
  ExpectDrawn(figure);
  const std::string stem = Folder() + "/figures/figure";
  const std::string png = *ReadFile(stem + ".png");
  const std::string svg = *ReadFile(stem + ".svg");

  // A gnuplot that writes half a drawing and fails.
  const std::string fake = Folder() + "/bin/gnuplot";
  ASSERT_TRUE(
      WriteFileAtomically(
          fake,
          "#!/bin/sh\nfor script; do :; done\n"
          "out=$(/bin/sed -n \"s/^set output '\\(.*\\)'/\\1/p\" $script)\n"
          "echo half > $out\necho 'the pen broke' >&2\nexit 4\n")
          .ok());
  std::filesystem::permissions(fake, std::filesystem::perms::owner_all);
  {
    const ScopedVariable path("PATH", Folder() + "/bin:/usr/bin:/bin");
    EXPECT_TRUE(
        FailsWith(WriteFigure(Folder(), "figure",
                              OnePanelFigure({{"other", {1, 2}, {2, 1}}})),
                  absl::StatusCode::kInternal, {"figure", "the pen broke"}));
  }
  EXPECT_TRUE(*ReadFile(stem + ".png") == png);
  EXPECT_EQ(*ReadFile(stem + ".svg"), svg);
  EXPECT_THAT(FileNames(Folder() + "/figures"),
              UnorderedElementsAre("figure.png", "figure.svg"));
}

TEST(WriteFigureTest, GnuplotThatIsKilledIsAnError) {
  const std::string fake = Folder() + "/bin/gnuplot";
  ASSERT_TRUE(WriteFileAtomically(fake, "#!/bin/sh\nkill -9 $$\n").ok());
  std::filesystem::permissions(fake, std::filesystem::perms::owner_all);
  const ScopedVariable path("PATH", Folder() + "/bin");
  EXPECT_EQ(
      WriteFigure(Folder(), "figure", OnePanelFigure({{"a", {1, 2}, {1, 2}}}))
          .code(),
      absl::StatusCode::kInternal);
}

TEST(WriteFigureTest, FolderThatCannotBeMadeIsAnErrorThatNamesIt) {
  ASSERT_TRUE(WriteFileAtomically(Folder() + "/figures", "a file").ok());
  const absl::Status status =
      WriteFigure(Folder(), "figure", OnePanelFigure({}));
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(Folder() + "/figures"));
}

TEST(GnuplotScript, ALegendBelowMakesTheFigureHigherByItsLines) {
  Figure figure;
  Panel panel;
  for (int i = 0; i < 10; ++i) {
    Series series;
    series.label = absl::StrCat("model ", i);
    series.x = {0, 1};
    series.y = {0, 1};
    panel.series.push_back(series);
  }
  figure.panels = {panel};
  const auto height = [](const std::string& script) {
    int width = 0;
    int value = 0;
    std::sscanf(script.c_str(), "set terminal svg size %d,%d", &width, &value);
    return value;
  };
  const std::string inside = GnuplotScript(figure, "svg", "a.svg");
  figure.legend_below = true;
  const std::string below = GnuplotScript(figure, "svg", "a.svg");
  EXPECT_THAT(inside, HasSubstr("set key top center"));
  EXPECT_THAT(below, HasSubstr("set key outside below"));
  EXPECT_GT(height(inside), 0);
  EXPECT_GE(height(below), height(inside) + 100);
  // A series without a label takes no line of the legend.
  Series unnamed = figure.panels[0].series[0];
  unnamed.label = "";
  figure.panels[0].series.resize(200, unnamed);
  EXPECT_EQ(height(GnuplotScript(figure, "svg", "a.svg")), height(below));
}

// A polygon for every point would make an SVG of megabytes.
TEST(HeatMapTest, IsDrawnInFewBytes) {
  Figure figure;
  for (const bool relief : {false, true}) {
    Panel panel;
    panel.map.emplace();
    panel.map->columns = 60;
    panel.map->relief = relief;
    panel.map->contours = {10.0, 20.0};
    for (int i = 0; i < 60 * 40; ++i) panel.map->value.push_back(i % 60);
    figure.panels.push_back(panel);
  }
  const std::string results = ::testing::TempDir() + "/heat_map";
  ASSERT_TRUE(WriteFigure(results, "map", figure).ok());
  std::ifstream stream(results + "/figures/map.svg");
  std::stringstream svg;
  svg << stream.rdbuf();
  EXPECT_NE(svg.str().find("<image"), std::string::npos);
  EXPECT_LT(svg.str().size(), 400000u);
}

TEST(HeatMapTest, WithoutValuesLeavesAnEmptyPanel) {
  Figure figure;
  figure.panels.emplace_back();
  figure.panels[0].map.emplace();
  EXPECT_TRUE(
      WriteFigure(::testing::TempDir() + "/heat_map", "none", figure).ok());
}

Figure PictureFigure() {
  Figure figure;
  for (const bool is_signed : {false, true}) {
    Panel panel;
    panel.y.label = "row";
    panel.picture.emplace();
    panel.picture->columns = 3;
    panel.picture->value = {0, 1, std::nan(""), -2, 0.5, 2};
    panel.picture->is_signed = is_signed;
    panel.picture->limit = 2.0;
    figure.panels.push_back(panel);
  }
  return figure;
}

TEST(PictureTest, RowsAreFromTheTopAndColoursFromZero) {
  const std::string script = Script(PictureFigure());
  EXPECT_THAT(script, HasSubstr("<< END\n0 1 NaN\n-2 0.5 2\nEND\n"));
  EXPECT_THAT(script,
              HasSubstr("set xrange [-0.5:2.5]\nset yrange [1.5:-0.5]\n"));
  EXPECT_THAT(script, HasSubstr("set cbrange [0:2]\n"));
  EXPECT_THAT(script, HasSubstr("set cbrange [-2:2]\n"));
}

// Pixels are squares, inside the panel's own cell.
TEST(PictureTest, HasItsPlace) {
  Figure figure = PictureFigure();
  figure.panel_width = 100;
  figure.panel_height = 80;
  const std::string script = Script(figure);
  double width = 0.0;
  double height = 0.0;
  ASSERT_EQ(std::sscanf(script.c_str(), "set terminal svg size %lf,%lf", &width,
                        &height),
            2);
  // The second one, below.
  const size_t second = script.find("$data_1");
  const auto margin = [&](const std::string& side) {
    const std::string start = "set " + side + "margin at screen ";
    const size_t place = script.rfind(start, second);
    return std::atof(script.c_str() + place + start.size());
  };
  const double pixel = width * (margin("r") - margin("l")) / 3;
  EXPECT_NEAR(pixel, height * (margin("t") - margin("b")) / 2, 1e-3);
  EXPECT_GT(pixel, 20.0);
  EXPECT_GE(margin("l"), 0.0);
  EXPECT_LE(margin("r"), 1.0);
  EXPECT_LE(height * margin("t"), 80.0);
  EXPECT_GE(margin("b"), 0.0);
}

TEST(PictureTest, StandsBesideOtherPanels) {
  Figure figure = PictureFigure();
  figure.panels.push_back(OnePanel({{"curve", {1, 2}, {1, 2}}}));
  figure.panels.emplace_back();
  figure.panels.back().picture.emplace();
  ExpectDrawn(figure);
  const std::string svg = *ReadFile(Folder() + "/figures/figure.svg");
  EXPECT_THAT(svg, HasSubstr("<image"));
  EXPECT_THAT(svg, HasSubstr("curve"));
}

TEST(DrawFigureTest, TheNameSaysTheKind) {
  const Figure figure = OnePanelFigure({{"a", {1, 2}, {1, 2}}});
  ASSERT_TRUE(DrawFigure(Folder() + "/a.png", figure).ok());
  ASSERT_TRUE(DrawFigure(Folder() + "/b.svg", figure).ok());
  EXPECT_THAT(FileNames(Folder()), UnorderedElementsAre("a.png", "b.svg"));
  EXPECT_THAT(*ReadFile(Folder() + "/a.png"), StartsWith("\x89PNG"));
  EXPECT_THAT(*ReadFile(Folder() + "/b.svg"), HasSubstr("<svg"));
  EXPECT_TRUE(FailsWith(DrawFigure(Folder() + "/c.pdf", figure),
                        absl::StatusCode::kInvalidArgument,
                        {"c.pdf", ".png", ".svg"}));
}

}  // namespace
}  // namespace lipschitz::experiments
