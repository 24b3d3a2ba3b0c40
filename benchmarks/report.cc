// bazel run //benchmarks:report: measures everything and writes
// benchmarks/README.md, results.json and figures/.
#include <gflags/gflags.h>
#include <unistd.h>

#include <cstdio>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "benchmarks/convolutions.h"
#include "benchmarks/document.h"
#include "benchmarks/results.h"
#include "experiments/common/figure.h"
#include "experiments/common/paths.h"
#include "experiments/common/process.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/status.h"

DEFINE_bool(measure, true,
            "Run the benchmark programs; false: write the page from the "
            "results that are there.");
DEFINE_int32(rounds, 3, "How often every program is run.");
DEFINE_string(programs, "all",
              "Programs to run, separated by commas; of the others the earlier "
              "results are kept.");
DEFINE_bool(pytorch, true, "Measure PyTorch too.");
DEFINE_string(python, "/usr/bin/python3", "A Python that has torch.");
DEFINE_string(folder, "",
              "Where the page, results.json and figures/ go; empty: "
              "benchmarks/ of the workspace.");

namespace lipschitz::benchmarks {
namespace {

using experiments::RunProcess;

struct Program {
  std::string name;  // in the results
  std::vector<std::string> arguments;
  // The argument that names the output, without its value.
  std::string output_flag = "--benchmark_out=";
};

std::vector<Program> Programs() {
  // Measurements of one program follow each other in random order, so that a
  // slow minute does not hit one side of a ratio alone.
  const std::string mix = "--benchmark_enable_random_interleaving=true";
  std::vector<Program> programs;
  for (const char* name :
       {"machine", "group_sort", "l1_projection", "orthonormalisation",
        "training_step", "convolution_step", "gan_iteration", "replacements"}) {
    programs.push_back({name, {absl::StrCat("benchmarks/", name), mix}});
  }
  programs.push_back(
      {"training_step_2_threads",
       {"benchmarks/training_step", mix, "--threads=2",
        "--benchmark_filter=step/(none|stiefel|polar)/"
        "width:(1024/batch:128|1024/batch:1024|256/batch:128)/"}});
  if (FLAGS_pytorch) {
    programs.push_back({"compare_pytorch",
                        {FLAGS_python, "benchmarks/compare_pytorch.py"},
                        "--out="});
  }
  if (FLAGS_programs == "all") return programs;
  const std::set<std::string> chosen =
      absl::StrSplit(FLAGS_programs, ',', absl::SkipEmpty());
  std::vector<Program> some;
  for (const Program& program : programs) {
    if (chosen.count(program.name) > 0) some.push_back(program);
  }
  return some;
}

// Before an hour is spent: are the programs there, and does Python have torch?
absl::Status CheckPrograms() {
  if (Programs().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--programs=", FLAGS_programs,
                     " names none of machine, group_sort, l1_projection, "
                     "orthonormalisation, "
                     "training_step, convolution_step, gan_iteration, "
                     "replacements, "
                     "training_step_2_threads, "
                     "compare_pytorch"));
  }
  if (access("benchmarks/training_step", X_OK) != 0) {
    return absl::FailedPreconditionError(
        "the benchmark programs are not beside this one; start it with: bazel "
        "run //benchmarks:report");
  }
  if (!FLAGS_pytorch) return absl::OkStatus();
  const auto exit_status =
      RunProcess({{FLAGS_python, "-c", "import torch"}, "", "/dev/null"});
  if (exit_status.ok() && *exit_status == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      FLAGS_python,
      " has no torch: install Debian's python3-torch, name another Python with "
      "--python, or leave the comparison out with --pytorch=false"));
}

absl::Status RunOnce(const Program& program, const std::string& output,
                     Results* results) {
  std::vector<std::string> arguments = program.arguments;
  arguments.push_back(program.output_flag + output);
  LIPSCHITZ_ASSIGN_OR_RETURN(const int exit_status,
                             RunProcess({arguments, "", ""}));
  if (exit_status != 0) {
    return absl::InternalError(
        absl::StrCat(program.name, " ended with status ", exit_status));
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::string text, ReadFile(output));
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) {
    return absl::InternalError(
        absl::StrCat("what ", program.name, " wrote is not JSON"));
  }
  return results->AddRound(program.name, json);
}

// What to add to: nothing, or the earlier results of the programs that are not
// run.
absl::StatusOr<Results> EarlierResults(const std::string& path) {
  if (FLAGS_programs == "all") return Results();
  LIPSCHITZ_ASSIGN_OR_RETURN(Results results, ReadResults(path));
  for (const Program& program : Programs()) results.Forget(program.name);
  return results;
}

absl::StatusOr<Results> Measure(const std::string& folder, Results results) {
  LIPSCHITZ_RETURN_IF_ERROR(CheckPrograms());
  const std::string output =
      absl::StrCat(folder, "/.output.", getpid(), ".tmp");
  absl::Status status;
  for (int round = 1; status.ok() && round <= FLAGS_rounds; ++round) {
    for (const Program& program : Programs()) {
      std::fprintf(stderr, "round %d of %d: %s\n", round, FLAGS_rounds,
                   program.name.c_str());
      status = RunOnce(program, output, &results);
      if (!status.ok()) break;
    }
  }
  unlink(output.c_str());
  LIPSCHITZ_RETURN_IF_ERROR(status);
  return results;
}

absl::Status Report(const std::string& folder) {
  const std::string path = folder + "/results.json";
  if (FLAGS_measure) {
    LIPSCHITZ_ASSIGN_OR_RETURN(Results earlier, EarlierResults(path));
    LIPSCHITZ_ASSIGN_OR_RETURN(const Results measured,
                               Measure(folder, std::move(earlier)));
    LIPSCHITZ_RETURN_IF_ERROR(WriteResults(path, measured));
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(const Results results, ReadResults(path));
  LIPSCHITZ_RETURN_IF_ERROR(
      experiments::WriteFigure(folder, "scaling", MakeScalingFigure(results)));
  LIPSCHITZ_RETURN_IF_ERROR(experiments::WriteFigure(
      folder, "convolution_gradients", MakeGradientFigure(results)));
  return WriteFileAtomically(folder + "/README.md", MakeDocument(results));
}

std::string Folder() {
  return FLAGS_folder.empty() ? experiments::WorkspacePath("benchmarks")
                              : experiments::UserPath(FLAGS_folder);
}

}  // namespace
}  // namespace lipschitz::benchmarks

int main(int argc, char** argv) {
  using namespace lipschitz::benchmarks;  // NOLINT
  gflags::SetUsageMessage(
      "Measures everything and writes benchmarks/README.md.");
  gflags::ParseCommandLineFlags(&argc, &argv, /*remove_flags=*/true);
  if (FLAGS_rounds < 1) {
    std::fprintf(stderr, "ERROR: --rounds must be at least 1, got %d\n",
                 FLAGS_rounds);
    return 2;
  }
  const std::string folder = Folder();
  const absl::Status status = Report(folder);
  if (!status.ok()) {
    std::fprintf(stderr, "ERROR: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  std::printf("%s/README.md\n", folder.c_str());
  return 0;
}
