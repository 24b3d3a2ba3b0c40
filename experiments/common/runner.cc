#include "experiments/common/runner.h"

#include <ATen/Parallel.h>
#include <torch/version.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "experiments/common/environment.h"
#include "experiments/common/run_lock.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

constexpr auto kLockPoll = std::chrono::milliseconds(200);

// RESULTS_DIR/FOLDER/EXPERIMENT/SLUG-sSEED.SUFFIX.
std::string TaskPath(const std::string& results_dir, const char* folder,
                     const Task& task, const char* suffix) {
  return absl::StrCat(results_dir, "/", folder, "/", TaskName(task), suffix);
}

std::string CheckpointPath(const std::string& results_dir, const Task& task) {
  return TaskPath(results_dir, "checkpoints", task, ".checkpoint");
}

// The run's own, and those of its further trainings.
void RemoveCheckpoints(const std::string& path) {
  const std::filesystem::path own(path);
  const std::string further = own.filename().string() + "-";
  std::error_code ignored;
  std::filesystem::remove(own, ignored);
  for (const auto& entry :
       std::filesystem::directory_iterator(own.parent_path(), ignored)) {
    if (absl::StartsWith(entry.path().filename().string(), further)) {
      std::filesystem::remove(entry.path(), ignored);
    }
  }
}

// What a checkpoint must agree in to be of the same training. Another device,
// number of threads or LibTorch would go on with other rounding errors.
std::string Fingerprint(const Task& task, const std::string& device) {
  const Json identity = {{"experiment", task.experiment->name()},
                         {"preset", PresetName(task.preset)},
                         {"seed", task.seed},
                         {"variant", task.run.variant},
                         {"dataset", task.run.dataset},
                         {"config", task.run.config},
                         {"device", device},
                         {"threads", at::get_num_threads()},
                         {"libtorch", TORCH_VERSION}};
  // The name of a file need not be UTF-8.
  return identity.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string Describe(const Experiment& experiment, const Record& record) {
  std::string text = record.ok() ? "" : "FAILED: " + record.message + "; ";
  const auto headline = record.metrics.find(experiment.headline_metric());
  if (headline != record.metrics.end()) {
    absl::StrAppend(
        &text, absl::StrFormat("%s %.6g, ", headline->first, headline->second));
  } else {
    // A comparison of settings has these in its place.
    for (const auto& [name, value] : record.metrics) {
      if (!absl::StartsWith(name, "validation_")) continue;
      absl::StrAppend(&text, absl::StrFormat("%s %.6g, ", name, value));
    }
  }
  return absl::StrCat(text, absl::StrFormat("%.1f s", record.cost_seconds()));
}

class Runner {
 public:
  Runner(const CommonSettings& settings, std::string device,
         RunObserver& observer, const std::function<bool()>& stop_requested,
         LockPolicy policy)
      : settings_(settings),
        device_(std::move(device)),
        environment_(DescribeEnvironment(device_)),
        observer_(observer),
        stop_requested_(stop_requested),
        policy_(policy) {}

  // Cancelled when a stop was requested.
  absl::Status RunTask(const Task& task, RunnerResult* result) {
    if (KeepDone(task, result)) return absl::OkStatus();
    LIPSCHITZ_ASSIGN_OR_RETURN(const std::optional<RunLock> lock, Lock(task));
    if (!lock) {
      ++result->locked;
      observer_.EndRun("left to another process, which runs it");
      return absl::OkStatus();
    }
    // Another process may have finished it meanwhile.
    if (KeepDone(task, result)) return absl::OkStatus();
    if (const absl::Status obstacle = Obstacle(task); !obstacle.ok()) {
      ++result->failed;
      observer_.EndRun(
          absl::StrCat("not run: ", obstacle.message(),
                       "; it is left alone: move it away to run this again"));
      return absl::OkStatus();
    }
    LIPSCHITZ_ASSIGN_OR_RETURN(Record record, Execute(task));
    LIPSCHITZ_RETURN_IF_ERROR(WriteRecord(settings_.results_dir, record));
    // A run that failed may be mended; its training is kept.
    if (record.ok()) {
      RemoveCheckpoints(CheckpointPath(settings_.results_dir, task));
    }
    ++result->executed;
    if (!record.ok()) ++result->failed;
    observer_.EndRun(Describe(*task.experiment, record));
    result->records.push_back(std::move(record));
    return absl::OkStatus();
  }

 private:
  // Whether the task's record is there, and is kept.
  bool KeepDone(const Task& task, RunnerResult* result) {
    if (!settings_.resume) return false;
    auto existing =
        ReadRecord(TaskPath(settings_.results_dir, "records", task, ".json"));
    if (!existing.ok() || !IsDone(*existing, task)) return false;
    ++result->kept;
    observer_.EndRun("kept: " + Describe(*task.experiment, *existing));
    result->records.push_back(*std::move(existing));
    return true;
  }

  // What lies at the record's place and is no record of a known schema: it may
  // be of a newer program, or all that is left of a long run.
  absl::Status Obstacle(const Task& task) {
    const absl::Status read =
        ReadRecord(TaskPath(settings_.results_dir, "records", task, ".json"))
            .status();
    return absl::IsNotFound(read) ? absl::OkStatus() : read;
  }

  // None where another process has it and the policy is to skip such runs.
  absl::StatusOr<std::optional<RunLock>> Lock(const Task& task) {
    const std::string path =
        TaskPath(settings_.results_dir, "locks", task, ".lock");
    for (bool told = false;; told = true) {
      LIPSCHITZ_ASSIGN_OR_RETURN(std::optional<RunLock> lock,
                                 RunLock::TryTake(path));
      if (lock || policy_ == LockPolicy::kSkip) return lock;
      if (stop_requested_ && stop_requested_()) {
        return absl::CancelledError("stopped");
      }
      if (!told) {
        observer_.Notice(absl::StrCat("another process runs ", task.run.label,
                                      ", seed ", task.seed,
                                      ": waiting for it (", path, ")"));
      }
      std::this_thread::sleep_for(kLockPoll);
    }
  }

  absl::StatusOr<Record> Execute(const Task& task) {
    SetSeed(task.seed);
    RunContext context;
    context.seed = task.seed;
    context.device = device_;
    context.checkpoint.path = CheckpointPath(settings_.results_dir, task);
    context.model_path =
        TaskPath(settings_.results_dir, "models", task, ".lip");
    context.picture_stem = TaskPath(settings_.results_dir, "figures", task, "");
    context.checkpoint.fingerprint = Fingerprint(task, device_);
    context.checkpoint.resume = settings_.resume;
    context.checkpoint.every_steps = settings_.checkpoint_steps;
    context.progress = [this](const TrainingProgress& progress) {
      observer_.Step(progress);
    };
    context.notice = [this](const std::string& sentence) {
      observer_.Notice(sentence);
    };
    context.stop_requested = stop_requested_;

    const auto start = std::chrono::steady_clock::now();
    auto outcome =
        CatchTorch(task.run.label, [&] { return task.run.execute(context); });
    // A stop, and a disk that refuses a checkpoint, end the plan: the next run
    // would meet the same.
    const absl::Status& status = outcome.status();
    if (absl::IsCancelled(status) || absl::IsResourceExhausted(status) ||
        absl::IsPermissionDenied(status) || absl::IsUnavailable(status)) {
      return status;
    }
    Record record;
    record.experiment = task.experiment->name();
    record.slug = task.run.slug;
    record.variant = task.run.variant;
    record.preset = PresetName(task.preset);
    record.dataset = task.run.dataset;
    record.seed = task.seed;
    record.config = task.run.config;
    record.environment = environment_;
    record.run_seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count();
    record.wall_seconds = record.run_seconds;
    record.peak_memory_mib = PeakMemoryMib();
    absl::Status verdict = status;
    if (outcome.ok()) {
      record.metrics = outcome->metrics;
      record.curves = outcome->curves;
      record.lipschitz = outcome->lipschitz;
      record.history = outcome->history;
      record.message = outcome->message;
      record.parameters = outcome->parameters;
      record.wall_seconds = outcome->seconds;
      // A training that was resumed began before this process.
      record.run_seconds = std::max(record.run_seconds, outcome->seconds);
      verdict = outcome->verdict;
    }
    if (!verdict.ok()) {
      record.status = "failed";
      record.message = std::string(verdict.message());
    }
    return record;
  }

  const CommonSettings& settings_;
  std::string device_;
  // As it is at the beginning: a commit that is made while a run goes on is not
  // the code that runs.
  Json environment_;
  RunObserver& observer_;
  const std::function<bool()>& stop_requested_;
  LockPolicy policy_;
};

}  // namespace

absl::StatusOr<RunnerResult> RunTasks(
    const std::vector<Task>& tasks, const CommonSettings& settings,
    RunObserver& observer, const std::function<bool()>& stop_requested,
    LockPolicy policy) {
  LIPSCHITZ_RETURN_IF_ERROR(CheckResultsDir(settings.results_dir));
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::string device,
                             ResolveDevice(settings.device));
  SetThreads(settings.threads);
  KeepFreedMemory();
  Runner runner(settings, device, observer, stop_requested, policy);
  RunnerResult result;
  for (size_t i = 0; i < tasks.size(); ++i) {
    observer.BeginRun(
        static_cast<int>(i) + 1, static_cast<int>(tasks.size()),
        absl::StrCat(tasks[i].run.label, ", seed ", tasks[i].seed));
    const absl::Status status = stop_requested && stop_requested()
                                    ? absl::CancelledError("stopped")
                                    : runner.RunTask(tasks[i], &result);
    if (absl::IsCancelled(status)) {
      result.interrupted = true;
      return result;
    }
    LIPSCHITZ_RETURN_IF_ERROR(status);
  }
  return result;
}

std::vector<std::string> NotesOf(const std::vector<Task>& tasks) {
  std::vector<std::string> notes;
  for (const Task& task : tasks) {
    for (const std::string& note : task.run.notes) {
      if (std::find(notes.begin(), notes.end(), note) == notes.end()) {
        notes.push_back(note);
      }
    }
  }
  return notes;
}

std::string TaskName(const Task& task) {
  return absl::StrCat(task.experiment->name(), "/", task.run.slug, "-s",
                      task.seed);
}

bool IsDone(const Record& record, const Task& task) {
  return record.ok() && record.preset == PresetName(task.preset) &&
         record.seed == task.seed && record.variant == task.run.variant &&
         record.dataset == task.run.dataset && record.config == task.run.config;
}

absl::Status CheckResultsDir(const std::string& results_dir) {
  const std::string probe = absl::StrCat(results_dir, "/.writable");
  const absl::Status written = WriteFileAtomically(probe, "");
  unlink(probe.c_str());
  if (written.ok() || absl::IsResourceExhausted(written)) return written;
  return absl::InvalidArgumentError(absl::StrCat(
      "--results_dir=", results_dir, " cannot be used: ", written.message()));
}

}  // namespace lipschitz::experiments
