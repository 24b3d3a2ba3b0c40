#include "benchmarks/document.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "benchmarks/convolutions.h"
#include "benchmarks/text.h"
#include "experiments/common/table.h"

namespace lipschitz::benchmarks {
namespace {

using experiments::Cell;
using experiments::Figure;
using experiments::Panel;
using experiments::Series;
using experiments::Table;

constexpr char kPeak[] = "machine:gemm/float/1024";
constexpr char kPyTorch[] = "compare_pytorch";

// What a measurement is compared with to say how far it is from the machine's
// limits.
enum class Floor { kNone, kGemm, kCopies };

// A promise about a quotient, or about milliseconds.
struct Target {
  std::string what;
  std::string numerator;
  // Empty: the numerator itself, in milliseconds.
  std::string denominator;
  double bound = 0.0;
  bool at_most = true;
  // Of the measurement that is ours.
  Floor floor = Floor::kNone;
  std::string ours;
  // What does the work of the floor: the copies, or the step whose operations
  // count.
  std::string floor_of;
};

std::string Step(const std::string& constraint, int64_t width, int64_t batch,
                 const std::string& program = "training_step") {
  return absl::StrCat(program, ":step/", constraint, "/width:", width,
                      "/batch:", batch);
}

std::string Sort(const std::string& method, int64_t group,
                 const std::string& input = "1024x1024/float") {
  return absl::StrCat("group_sort:", method, "/", input, "/group:", group);
}

std::string Copies(const std::string& input = "1024x1024/float") {
  return absl::StrCat("group_sort:copies/", input);
}

std::string Both(const std::string& method, const std::string& shape,
                 const std::string& spectrum) {
  return absl::StrCat("orthonormalisation:both/", method, "/", shape, "/",
                      spectrum);
}

Target StepTarget(const std::string& constraint, int64_t width, int64_t batch,
                  double bound) {
  return {absl::StrFormat("training step 784-%d×3-10, batch %d: %s / "
                          "unconstrained",
                          width, batch, constraint),
          Step(constraint, width, batch),
          Step("none", width, batch),
          bound,
          true,
          Floor::kGemm,
          Step(constraint, width, batch),
          Step("none", width, batch)};
}

std::vector<Target> Targets() {
  std::vector<Target> targets;
  for (const char* constraint : {"stiefel", "stiefel_every_step"}) {
    targets.push_back(StepTarget(constraint, 1024, 128, 4.0));
    targets.push_back(StepTarget(constraint, 1024, 1024, 1.8));
    targets.push_back(StepTarget(constraint, 256, 128, 2.0));
  }
  for (const char* shape : {"256x256", "256x784", "1024x1024"}) {
    for (const char* spectrum :
         {"near_orthonormal", "condition10", "gaussian"}) {
      const std::string polar = Both("polar", shape, spectrum);
      targets.push_back({absl::StrCat("polar / unrolled 20-step Björck, ",
                                      shape, ", ", spectrum),
                         polar, Both("bjorck20", shape, spectrum), 0.25, true,
                         Floor::kNone, polar, ""});
    }
  }
  for (const int64_t group : {2, 4, 8, 16}) {
    targets.push_back({absl::StrCat("GroupSort 1024×1024, groups of ", group,
                                    ": composed / kernel"),
                       Sort("composed", group), Sort("kernel", group), 6.0,
                       false, Floor::kCopies, Sort("kernel", group), Copies()});
  }
  for (const int64_t group : {2, 4, 8}) {
    targets.push_back({absl::StrCat("GroupSort 1024×1024, groups of ", group,
                                    ": kernel / copies"),
                       Sort("kernel", group), Copies(), 3.0, true,
                       Floor::kCopies, Sort("kernel", group), Copies()});
  }
  targets.push_back({"FullSort 1024×1024: composed / kernel",
                     Sort("composed", 1024), Sort("kernel", 1024), 4.0, false,
                     Floor::kCopies, Sort("kernel", 1024), Copies()});
  for (const auto& [direction, text] :
       {std::pair("forward", "forwards"), std::pair("both", "and backwards")}) {
    const std::string kernel =
        absl::StrCat("l1_projection:ball/kernel/", direction);
    targets.push_back({absl::StrCat("L1-ball projection 1024×784, ", text,
                                    ": composed / kernel"),
                       absl::StrCat("l1_projection:ball/composed/", direction),
                       kernel, 4.0, false, Floor::kCopies, kernel,
                       absl::StrCat("l1_projection:copies/", direction)});
  }
  targets.push_back(
      {"training step of a convolution, 32→32, 3×3, 28×28, "
       "batch 64: orthogonal / unconstrained",
       ConvolutionStep("orthogonal"), ConvolutionStep("none"), 3.0, true,
       Floor::kGemm, ConvolutionStep("orthogonal"), ConvolutionStep("none")});
  const std::string bound = ConvolutionBound("orthogonal");
  targets.push_back({"K of a LeNet of orthogonal convolutions: milliseconds",
                     bound, "", 1000.0, true, Floor::kNone, bound, ""});
  for (const char* size : {"quick", "paper"}) {
    const std::string iteration =
        absl::StrCat("gan_iteration:iteration/", size, "/");
    targets.push_back({absl::StrCat("iteration of a GAN, ", size,
                                    " preset: critic of constant 1 / gradient "
                                    "penalty"),
                       iteration + "lwgan", iteration + "wgan_gp", 1.5, true,
                       Floor::kNone, iteration + "lwgan", ""});
  }
  for (const auto& [width, batch] :
       {std::pair<int64_t, int64_t>(1024, 128), {1024, 1024}, {256, 128}}) {
    targets.push_back(
        {absl::StrFormat("unconstrained step 784-%d×3-10, batch %d: ours / "
                         "PyTorch",
                         width, batch),
         Step("none", width, batch), Step("none", width, batch, kPyTorch), 1.0,
         true, Floor::kGemm, Step("none", width, batch),
         Step("none", width, batch)});
  }
  return targets;
}

// Floating point operations a second, from "flop" and the time; 0: unknown.
double FlopRate(const Measurement* measurement) {
  const double flop = Counter(measurement, "flop");
  return flop > 0.0 ? flop / (1e-3 * measurement->Median()) : 0.0;
}

// "46 %" of the GEMM peak: the operations of `work` in the time of `name`.
std::string ShareOfPeak(const Results& results, const std::string& name,
                        const std::string& work) {
  const double peak = FlopRate(results.Find(kPeak));
  const double flop = Counter(results.Find(work), "flop");
  const Measurement* const measurement = results.Find(name);
  if (!(peak > 0.0 && flop > 0.0) || measurement == nullptr) return kNothing;
  return absl::StrFormat("%.0f %%",
                         100.0 * flop / (1e-3 * measurement->Median()) / peak);
}

std::string FloorText(const Results& results, const Target& target) {
  switch (target.floor) {
    case Floor::kNone:
      return kNothing;
    case Floor::kGemm: {
      const std::string share =
          ShareOfPeak(results, target.ours, target.floor_of);
      return share == kNothing ? share : share + " of the GEMM peak";
    }
    case Floor::kCopies: {
      const auto ratio = results.RatioOf(target.ours, target.floor_of);
      return ratio.has_value() ? Number(ratio->median) + "× the copies"
                               : kNothing;
    }
  }
  return kNothing;
}

// What the target is about.
std::optional<Ratio> Promised(const Results& results, const Target& target) {
  return target.denominator.empty()
             ? results.ValueOf(target.numerator)
             : results.RatioOf(target.numerator, target.denominator);
}

std::string Verdict(const Target& target, const std::optional<Ratio>& ratio) {
  if (!ratio.has_value()) return "not measured";
  const bool met = target.at_most ? ratio->median <= target.bound
                                  : ratio->median >= target.bound;
  return met ? "met" : "**missed**";
}

std::string MachineSection(const Results& results) {
  Table table;
  table.columns = Columns({"what", "value"});
  for (const auto& [key, value] : results.context.items()) {
    table.rows.push_back(
        {key, value.is_string() ? value.get<std::string>() : value.dump()});
  }
  for (const auto& [name, what] :
       {std::pair(kPeak, "GEMM 1024, float"),
        std::pair("machine:gemm/double/1024", "GEMM 1024, double")}) {
    const double rate = FlopRate(results.Find(name));
    table.rows.push_back(
        {what, rate > 0 ? absl::StrFormat("%.0f GFLOP/s", 1e-9 * rate)
                        : std::string(kNothing)});
  }
  for (const auto& [name, what] :
       {std::pair("machine:copy/4MiB", "copying 4 MiB, in the cache"),
        std::pair("machine:copy/256MiB", "copying 256 MiB, in memory")}) {
    const Measurement* const copy = results.Find(name);
    const double bytes = Counter(copy, "bytes");
    table.rows.push_back(
        {what, bytes > 0 ? absl::StrFormat("%.1f GB/s read and written",
                                           1e-6 * bytes / copy->Median())
                         : std::string(kNothing)});
  }
  return table.ToMarkdown();
}

std::string TargetSection(const Results& results) {
  Table table;
  table.columns = Columns({"what", "measured", "over the rounds", "target", "",
                           "distance to the "
                           "floor"});
  for (const Target& target : Targets()) {
    const auto ratio = Promised(results, target);
    table.rows.push_back(
        {target.what, Text(ratio), Range(ratio),
         absl::StrFormat("%s %g", target.at_most ? "≤" : "≥", target.bound),
         Verdict(target, ratio), FloorText(results, target)});
  }
  return table.ToMarkdown();
}

std::string StepSection(const Results& results) {
  Table table;
  const std::vector<std::pair<int64_t, int64_t>> sizes = {
      {1024, 128}, {1024, 1024}, {256, 128}};
  std::vector<std::string> titles = {"by", "constraint"};
  for (const auto& [width, batch] : sizes) {
    titles.push_back(absl::StrFormat("%d×3, batch %d: ms", width, batch));
    titles.push_back("/ none");
    titles.push_back("of the peak");
  }
  table.columns = Columns(titles);
  const auto add = [&](const std::string& by, const std::string& program,
                       const std::string& constraint) {
    std::vector<Cell> row = {by, constraint};
    for (const auto& [width, batch] : sizes) {
      const std::string name = Step(constraint, width, batch, program);
      row.emplace_back(Milliseconds(results.Find(name)));
      row.emplace_back(
          Text(results.RatioOf(name, Step("none", width, batch, program))));
      row.emplace_back(ShareOfPeak(results, name, Step("none", width, batch)));
    }
    table.rows.push_back(row);
  };
  for (const char* constraint :
       {"none", "spectral", "stiefel", "stiefel_ambient", "stiefel_every_step",
        "polar", "bjorck"}) {
    add("this library", "training_step", constraint);
  }
  for (const char* constraint :
       {"none", "spectral_norm", "orthogonal_cayley", "orthogonal_matrix_exp",
        "orthogonal_householder", "bjorck20"}) {
    add("PyTorch", kPyTorch, constraint);
  }
  return table.ToMarkdown();
}

std::string ThreadSection(const Results& results) {
  Table table;
  table.columns =
      Columns({"step", "1 thread: ms", "2 threads: ms", "2 threads / 1"});
  for (const char* constraint : {"none", "stiefel", "polar"}) {
    for (const auto& [width, batch] :
         {std::pair<int64_t, int64_t>(1024, 128), {1024, 1024}, {256, 128}}) {
      const std::string one = Step(constraint, width, batch);
      const std::string two =
          Step(constraint, width, batch, "training_step_2_threads");
      table.rows.push_back(
          {absl::StrFormat("%s, %d×3, batch %d", constraint, width, batch),
           Milliseconds(results.Find(one)), Milliseconds(results.Find(two)),
           Text(results.RatioOf(two, one))});
    }
  }
  return table.ToMarkdown();
}

std::string CandidateSection(const Results& results) {
  const std::vector<std::string> spectra = {"condition1.2", "condition10",
                                            "condition1000", "gaussian"};
  Table table;
  std::vector<std::string> titles = {"method"};
  for (const std::string& spectrum : spectra) {
    titles.push_back(spectrum + ": ms");
    titles.push_back("steps");
    titles.push_back("error");
  }
  table.columns = Columns(titles);
  for (const char* method : {"bjorck1", "bjorck2", "bjorck3", "bjorck4",
                             "newton", "halley", "eigenvalues", "minimax"}) {
    std::vector<Cell> row = {std::string(method)};
    for (const std::string& spectrum : spectra) {
      const Measurement* const found = results.Find(
          absl::StrCat("orthonormalisation:candidate/", method, "/", spectrum));
      row.emplace_back(Milliseconds(found));
      row.emplace_back(found == nullptr
                           ? std::string(kNothing)
                           : absl::StrFormat("%.0f", Counter(found, "steps")));
      row.emplace_back(found == nullptr
                           ? std::string(kNothing)
                           : absl::StrFormat("%.0e", Counter(found, "error")));
    }
    table.rows.push_back(row);
  }
  return table.ToMarkdown();
}

std::string SortSection(const Results& results) {
  Table table;
  table.columns = Columns({"input", "group", "kernel: ms", "composed: ms",
                           "composed / kernel", "kernel / copies"});
  const auto add = [&](const std::string& input,
                       const std::vector<int64_t>& groups) {
    for (const int64_t group : groups) {
      const std::string kernel = Sort("kernel", group, input);
      const std::string composed = Sort("composed", group, input);
      table.rows.push_back({input, absl::StrCat(group),
                            Milliseconds(results.Find(kernel)),
                            Milliseconds(results.Find(composed)),
                            Text(results.RatioOf(composed, kernel)),
                            Text(results.RatioOf(kernel, Copies(input)))});
    }
  };
  add("1024x1024/float", {2, 4, 8, 16, 32, 64, 128, 256, 512, 1024});
  add("1024x1024/double", {2, 4, 8, 16, 32, 1024});
  add("64x32x28x28/float", {2, 4, 32});
  return table.ToMarkdown();
}

// Empty where nothing of it was measured.
std::string ReplacementSection(const Results& results) {
  if (results.Find("replacements:max_pool/ours/forward") == nullptr) return "";
  Table table;
  table.columns =
      Columns({"what", "ours: ms", "LibTorch's: ms", "LibTorch's / ours"});
  const auto add = [&](const std::string& what, const std::string& kind,
                       const std::string& size) {
    const auto name = [&](const char* by) {
      return absl::StrCat("replacements:", kind, "/", by, "/", size);
    };
    table.rows.push_back(
        {what, Milliseconds(results.Find(name("ours"))),
         Milliseconds(results.Find(name("libtorch"))),
         Text(results.RatioOf(name("libtorch"), name("ours")))});
  };
  add("max-pooling 2×2, 256×10×24×24, forwards", "max_pool", "forward");
  add("max-pooling 2×2, 256×10×24×24, and backwards", "max_pool", "both");
  for (const int64_t width : {32, 256, 1024}) {
    add(absl::StrCat("a step of Adam for three layers of ", width), "adam",
        absl::StrCat("width:", width));
  }
  return R"(
## What replaces LibTorch's operators

Loops of the library that give the values of LibTorch's operators, float32.

)" + table.ToMarkdown();
}

// x is the number in the names that `name` makes of the values.
template <typename Name>
Series MakeSeries(const Results& results, const std::string& label,
                  const std::string& colour, const std::vector<int64_t>& values,
                  const Name& name) {
  Series series;
  series.label = label;
  series.colour = colour;
  for (const int64_t value : values) {
    const Measurement* const found = results.Find(name(value));
    if (found == nullptr) continue;
    series.x.push_back(static_cast<double>(value));
    series.y.push_back(found->Median());
  }
  return series;
}

Panel MakePanel(const std::string& title, const std::string& x) {
  Panel panel;
  panel.title = title;
  panel.x = {x, 0, 0, /*logarithmic=*/true};
  panel.y = {"milliseconds", 0, 0, /*logarithmic=*/true};
  return panel;
}

constexpr char kGrey[] = "#7F7F7F";
constexpr char kBlue[] = "#0072B2";
constexpr char kRed[] = "#D55E00";

// "3", or "1 to 3" where programs ran in different numbers of rounds.
std::string RoundsText(const Results& results) {
  size_t fewest = 0;
  size_t most = 0;
  for (const auto& [name, measurement] : results.measurements) {
    const size_t rounds = measurement.milliseconds.size();
    fewest = most == 0 ? rounds : std::min(fewest, rounds);
    most = std::max(most, rounds);
  }
  return fewest == most ? absl::StrCat(most)
                        : absl::StrCat(fewest, " to ", most);
}

}  // namespace

Figure MakeScalingFigure(const Results& results) {
  const std::vector<int64_t> widths = {128, 256, 512, 1024, 2048, 4096};
  const std::vector<int64_t> batches = {128, 256, 512, 1024, 2048, 4096};
  const std::vector<int64_t> groups = {2,  4,   8,   16,  32,
                                       64, 128, 256, 512, 1024};
  Panel width = MakePanel("training step, batch 128", "width of 3 layers");
  Panel batch = MakePanel("training step, width 1024", "batch");
  Panel group = MakePanel("GroupSort 1024×1024, both ways", "group size");
  for (const auto& [constraint, colour] :
       {std::pair("none", kGrey), std::pair("stiefel", kBlue)}) {
    const std::string name = constraint;
    width.series.push_back(
        MakeSeries(results, name, colour, widths,
                   [&](int64_t w) { return Step(name, w, 128); }));
    batch.series.push_back(
        MakeSeries(results, name, colour, batches,
                   [&](int64_t b) { return Step(name, 1024, b); }));
  }
  for (const auto& [method, colour] :
       {std::pair("composed", kRed), std::pair("kernel", kBlue)}) {
    const std::string name = method;
    group.series.push_back(
        MakeSeries(results, name, colour, groups,
                   [&](int64_t size) { return Sort(name, size); }));
  }
  group.series.push_back(MakeSeries(results, "copies", kGrey, groups,
                                    [](int64_t) { return Copies(); }));
  Figure figure;
  figure.title = "How the cost grows";
  figure.columns = 3;
  figure.panels = {width, batch, group};
  return figure;
}

std::string MakeDocument(const Results& results) {
  std::string text = R"(# Benchmarks

This page is generated from `results.json` by `bazel run //benchmarks:report`, which
first measures everything again (`-- --measure=false` only writes the page). The
comparison needs PyTorch (Debian: `python3-torch`; `-- --pytorch=false` leaves it out).

)";
  absl::StrAppend(&text, "Every program ran once a round, ",
                  RoundsText(results),
                  R"( rounds. A time is the median over the
rounds of the median of their repetitions; a ratio is taken within a round, and its
median and range over the rounds are shown. One thread unless it says otherwise,
wall-clock time.

## Machine and versions

)",
                  MachineSection(results));
  absl::StrAppend(&text, "\n## Targets\n\n", TargetSection(results), R"(
*Composed* is the same map from LibTorch's own operators, differentiated by autograd.
*Copies* move the bytes that forwards and backwards cannot do without, into memory that
is there already. The *GEMM peak* is that of a 1024×1024×1024 product; a step's
operations are the network's products, whatever a constraint adds to them.
)");
  absl::StrAppend(&text, R"(
## A training step

Adam, cross-entropy, MaxMin, 784-w-w-w-10. `bjorck` and PyTorch's `bjorck20`
differentiate 20 iterations; `polar` has the same limit with the gradient in closed form.
`stiefel` retracts when its drift asks for it, here at a learning rate of 1e-4 after 20 steps;
`stiefel_every_step` always, which is the price at large learning rates;
`stiefel_ambient` does not project the gradient.

)",
                  StepSection(results));
  absl::StrAppend(&text, R"(
## How the cost grows

![Cost over width, batch and group size](figures/scaling.png)

## Threads

What the second thread brings here; `--threads=0`, the default of every experiment, takes
one thread per physical core that the system reports.

)",
                  ThreadSection(results));
  absl::StrAppend(&text, R"(
## The polar factor: what it was chosen from

Forwards, 1024×1024, float32, from a matrix with the given condition number to a Gram
matrix within 1e-6 √n of I. *Error* is the distance from the exact polar factor in the
Frobenius norm over √n. `minimax`, quintics that are the best for the spectrum at hand,
is the library's.

)",
                  CandidateSection(results));
  absl::StrAppend(&text, R"(
## GroupSort

Forwards and backwards through autograd. The last input is sorted over its channels.

)",
                  SortSection(results));
  absl::StrAppend(&text, ReplacementSection(results));
  absl::StrAppend(&text, "\n## Convolutions\n\n", ConvolutionSection(results));
  return text;
}

}  // namespace lipschitz::benchmarks
