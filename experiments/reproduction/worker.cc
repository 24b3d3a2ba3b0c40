#include "experiments/reproduction/worker.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "experiments/common/program.h"
#include "experiments/common/progress.h"
#include "experiments/reproduction/message.h"

namespace lipschitz::experiments {
namespace {

constexpr auto kStepInterval = std::chrono::milliseconds(200);

std::atomic<bool> stop_requested{false};

void OnTerminate(int /*signal*/) { stop_requested = true; }

// Sends what is told of a run to the parent.
class Reporter : public RunObserver {
 public:
  explicit Reporter(std::FILE* output) : output_(output) {}

  void BeginRun(int, int, const std::string&) override {}
  void Step(const TrainingProgress& progress) override {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_step_ < kStepInterval) return;
    last_step_ = now;
    Send(progress);
  }
  void EndRun(const std::string& summary) override { summary_ = summary; }
  void Notice(const std::string& sentence) override {
    Send(experiments::Notice{sentence});
  }

  void Send(const WorkerMessage& message) {
    std::fprintf(output_, "%s\n", ToLine(message).c_str());
    std::fflush(output_);
  }

  // Of the run that ended last.
  const std::string& summary() const { return summary_; }

 private:
  std::FILE* output_;
  std::string summary_;
  std::chrono::steady_clock::time_point last_step_;
};

RunEnd EndOf(const RunnerResult& result) {
  if (result.interrupted) return RunEnd::kStopped;
  if (result.locked > 0) return RunEnd::kLocked;
  if (result.kept > 0) return RunEnd::kKept;
  return result.failed > 0 ? RunEnd::kFailed : RunEnd::kDone;
}

std::string ReadLine(std::FILE* input) {
  std::string line;
  for (int c = std::fgetc(input); c != EOF && c != '\n';
       c = std::fgetc(input)) {
    line.push_back(static_cast<char>(c));
  }
  return line;
}

}  // namespace

void ObeyParent(pid_t parent) {
  std::signal(SIGINT, SIG_IGN);
  struct sigaction action = {};
  action.sa_handler = OnTerminate;
  // Waiting for the next task ends with the parent's end of input.
  action.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &action, nullptr);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // It may have ended before it was known.
  if (getppid() != parent) std::_Exit(kExitFailed);
}

int RunWorker(const std::vector<Task>& tasks, const CommonSettings& settings,
              std::FILE* input, std::FILE* output) {
  std::map<std::string, const Task*> by_name;
  for (const Task& task : tasks) by_name[TaskName(task)] = &task;
  Reporter reporter(output);
  const std::function<bool()> stop = [] { return stop_requested.load(); };
  for (std::string name = ReadLine(input); !name.empty();
       name = ReadLine(input)) {
    const auto task = by_name.find(name);
    if (task == by_name.end()) {
      reporter.Send(absl::InternalError(
          absl::StrCat("a worker process plans no run '", name, "'")));
      return kExitFailed;
    }
    const auto result =
        RunTasks({*task->second}, settings, reporter, stop, LockPolicy::kSkip);
    if (!result.ok()) {
      reporter.Send(result.status());
      return kExitFailed;
    }
    reporter.Send(RunReport{EndOf(*result), reporter.summary()});
    if (result->interrupted) return kExitInterrupted;
  }
  return kExitDone;
}

}  // namespace lipschitz::experiments
