// Which runs of a plan are wanted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lipschitz::experiments {

// One of `count` parts of a plan: every count-th run, from the index-th.
struct Shard {
  int64_t index = 1;
  int64_t count = 1;

  // Whether the part has the run at `position` (from 0) of the whole plan.
  bool Has(int64_t position) const { return position % count == index - 1; }
};

// "INDEX/COUNT", from 1/1. InvalidArgument says what is wrong.
absl::StatusOr<Shard> ParseShard(const std::string& text);

// A run as globs see it.
struct RunNames {
  std::string experiment;
  std::string label;  // for people
  std::string slug;   // of its files
};

// Globs (*, ? and [...]) over the names of experiments, or with a slash over
// EXPERIMENT/LABEL and EXPERIMENT/SLUG.
class Selection {
 public:
  // `only` empty: all.
  Selection(std::vector<std::string> only, std::vector<std::string> skip);

  // Whether any of the experiment's runs can be wanted.
  bool WantsExperiment(const std::string& experiment) const;
  bool WantsRun(const RunNames& run) const;

  // InvalidArgument, listing what there is, for a glob that matches nothing.
  // `experiments` are all that there are, `runs` those of the wanted ones.
  absl::Status Check(const std::vector<std::string>& experiments,
                     const std::vector<RunNames>& runs) const;

 private:
  std::vector<std::string> only_;
  std::vector<std::string> skip_;
};

}  // namespace lipschitz::experiments
