// What a worker process tells the one that started it, a line each.
#pragma once

#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/training/train.h"

namespace lipschitz::experiments {

// A sentence for the user.
struct Notice {
  std::string text;
};

// What became of a run.
enum class RunEnd {
  kDone,
  kFailed,   // it left a failed record
  kKept,     // somebody else has done it
  kLocked,   // somebody else is at it
  kStopped,  // unfinished; it goes on from its checkpoint
};

struct RunReport {
  RunEnd end = RunEnd::kDone;
  // For the user: the headline metric, or why it failed.
  std::string summary;
};

// The status: nothing more can be run.
using WorkerMessage =
    std::variant<TrainingProgress, Notice, RunReport, absl::Status>;

// Without the line feed.
std::string ToLine(const WorkerMessage& message);

// InvalidArgument for what no worker says.
absl::StatusOr<WorkerMessage> FromLine(const std::string& line);

}  // namespace lipschitz::experiments
