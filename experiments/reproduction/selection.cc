#include "experiments/reproduction/selection.h"

#include <fnmatch.h>

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

bool Matches(const std::string& glob, const std::string& name) {
  return fnmatch(glob.c_str(), name.c_str(), 0) == 0;
}

bool IsAboutRuns(const std::string& glob) {
  return glob.find('/') != std::string::npos;
}

// What a glob about experiments or runs asks of the experiment.
std::string ExperimentPart(const std::string& glob) {
  return glob.substr(0, glob.find('/'));
}

bool MatchesRun(const std::string& glob, const RunNames& run) {
  if (!IsAboutRuns(glob)) return Matches(glob, run.experiment);
  return Matches(glob, absl::StrCat(run.experiment, "/", run.label)) ||
         Matches(glob, absl::StrCat(run.experiment, "/", run.slug));
}

absl::Status CheckGlob(const std::string& flag, const std::string& glob,
                       const std::vector<std::string>& experiments,
                       const std::vector<RunNames>& runs) {
  std::vector<std::string> matching;
  for (const std::string& name : experiments) {
    if (Matches(ExperimentPart(glob), name)) matching.push_back(name);
  }
  if (matching.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--", flag, ": '", glob, "' matches no experiment; there are ",
        absl::StrJoin(experiments, ", ")));
  }
  if (!IsAboutRuns(glob)) return absl::OkStatus();
  // What was not planned, because the experiment is not wanted, is not listed.
  std::vector<std::string> labels;
  for (const RunNames& run : runs) {
    if (MatchesRun(glob, run)) return absl::OkStatus();
    if (std::count(matching.begin(), matching.end(), run.experiment) > 0) {
      labels.push_back(absl::StrCat(run.experiment, "/", run.label));
    }
  }
  if (labels.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, ": '", glob, "' matches no run; there are\n  ",
                   absl::StrJoin(labels, "\n  ")));
}

}  // namespace

absl::StatusOr<Shard> ParseShard(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  Shard shard;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &shard.index) ||
      !absl::SimpleAtoi(parts[1], &shard.count) || shard.index < 1 ||
      shard.index > shard.count) {
    return absl::InvalidArgumentError(
        absl::StrCat("--shard must be INDEX/COUNT with 1 <= INDEX <= COUNT, "
                     "got '",
                     text, "'"));
  }
  return shard;
}

Selection::Selection(std::vector<std::string> only,
                     std::vector<std::string> skip)
    : only_(std::move(only)), skip_(std::move(skip)) {}

bool Selection::WantsExperiment(const std::string& experiment) const {
  const auto names_it = [&](const std::string& glob) {
    return Matches(ExperimentPart(glob), experiment);
  };
  if (!only_.empty() && std::none_of(only_.begin(), only_.end(), names_it)) {
    return false;
  }
  return std::none_of(skip_.begin(), skip_.end(), [&](const std::string& glob) {
    return !IsAboutRuns(glob) && names_it(glob);
  });
}

bool Selection::WantsRun(const RunNames& run) const {
  const auto matches = [&](const std::string& glob) {
    return MatchesRun(glob, run);
  };
  return (only_.empty() || std::any_of(only_.begin(), only_.end(), matches)) &&
         std::none_of(skip_.begin(), skip_.end(), matches);
}

absl::Status Selection::Check(const std::vector<std::string>& experiments,
                              const std::vector<RunNames>& runs) const {
  for (const std::string& glob : only_) {
    LIPSCHITZ_RETURN_IF_ERROR(CheckGlob("only", glob, experiments, runs));
  }
  for (const std::string& glob : skip_) {
    LIPSCHITZ_RETURN_IF_ERROR(CheckGlob("skip", glob, experiments, runs));
  }
  return absl::OkStatus();
}

}  // namespace lipschitz::experiments
