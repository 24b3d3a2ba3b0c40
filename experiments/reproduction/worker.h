// The process that runs what it is told to.
#pragma once

#include <sys/types.h>

#include <cstdio>
#include <vector>

#include "experiments/common/runner.h"
#include "experiments/common/settings.h"

namespace lipschitz::experiments {

// Ends this process when the one that started it, `parent`, ends in any way.
// From here on Ctrl-C, which reaches every process of a terminal, is the
// parent's, and SIGTERM is its request to stop, however often it comes.
void ObeyParent(pid_t parent);

// Reads names of tasks (TaskName) line by line, runs them, and writes messages
// (message.h), until the end of the input, a request to stop or an error that
// the next run would meet too. `tasks` are all that there are. Returns the
// process's exit status.
int RunWorker(const std::vector<Task>& tasks, const CommonSettings& settings,
              std::FILE* input, std::FILE* output);

}  // namespace lipschitz::experiments
