#include "experiments/reproduction/pool.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <deque>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "experiments/reproduction/child_process.h"
#include "experiments/reproduction/estimate.h"
#include "experiments/reproduction/message.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPollMilliseconds = 100;
constexpr auto kLockedRetry = std::chrono::milliseconds(500);

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A process and what it is at.
struct Worker {
  ChildProcess process;
  const PoolRun* run = nullptr;  // none: idle
  Clock::time_point begun = {};
  double share = 0.0;
  bool dismissed = false;
};

class Pool {
 public:
  Pool(const std::vector<PoolRun>& runs, const PoolOptions& options,
       PlanDisplay& display)
      : options_(options), display_(display) {
    for (const PoolRun& run : runs) queue_.push_back(&run);
    total_ = static_cast<int>(runs.size()) + options.done_before;
  }

  absl::StatusOr<PoolResult> Run(const std::function<bool()>& stop_requested) {
    while (true) {
      if (!stopping_ && stop_requested && stop_requested()) {
        result_.interrupted = true;
        Stop();
      }
      if (!stopping_) {
        HandOut();
        if (NothingLeft()) DismissIdle();
      }
      if (workers_.empty() && (stopping_ || NothingLeft())) break;
      Listen();
      display_.Show(State());
    }
    display_.Clear();
    LIPSCHITZ_RETURN_IF_ERROR(error_);
    return std::move(result_);
  }

 private:
  bool NothingLeft() const { return queue_.empty() && locked_.empty(); }

  // The next run, or none at the moment.
  const PoolRun* Next() {
    if (!queue_.empty()) {
      const PoolRun* const run = queue_.front();
      queue_.pop_front();
      return run;
    }
    if (locked_.empty() ||
        Clock::now() - locked_.front().second < kLockedRetry) {
      return nullptr;
    }
    const PoolRun* const run = locked_.front().first;
    locked_.pop_front();
    return run;
  }

  void HandOut() {
    for (Worker& worker : workers_) {
      if (worker.run != nullptr || worker.dismissed) continue;
      const PoolRun* const run = Next();
      if (run == nullptr) return;
      Give(run, &worker);
    }
    while (static_cast<int>(workers_.size()) < options_.jobs) {
      const PoolRun* const run = Next();
      if (run == nullptr) return;
      auto process = ChildProcess::Start(options_.command);
      if (!process.ok()) return Fatal(process.status());
      workers_.push_back({*std::move(process)});
      Give(run, &workers_.back());
    }
  }

  static void Give(const PoolRun* run, Worker* worker) {
    worker->run = run;
    worker->begun = Clock::now();
    worker->share = 0.0;
    // One that has ended in between is met again at the end of its output.
    worker->process.SendLine(run->name).IgnoreError();
  }

  void DismissIdle() {
    for (Worker& worker : workers_) {
      if (worker.run == nullptr) Dismiss(&worker);
    }
  }

  static void Dismiss(Worker* worker) {
    worker->dismissed = true;
    worker->process.CloseInput();
  }

  void Stop() {
    stopping_ = true;
    int running = 0;
    for (Worker& worker : workers_) {
      if (worker.run != nullptr) ++running;
      worker.process.Signal(SIGTERM);
      Dismiss(&worker);
    }
    if (running > 0) {
      display_.Notice(absl::StrCat("stopping: ", running,
                                   running == 1 ? " run writes its checkpoint"
                                                : " runs write checkpoints"));
    }
  }

  // Waits a moment for what the processes say.
  void Listen() {
    std::vector<pollfd> polled;
    for (const Worker& worker : workers_) {
      polled.push_back({worker.process.output(), POLLIN, 0});
    }
    if (poll(polled.data(), polled.size(), kPollMilliseconds) <= 0) return;
    for (size_t i = polled.size(); i-- > 0;) {
      if (polled[i].revents == 0) continue;
      std::vector<std::string> lines;
      const bool open = workers_[i].process.ReceiveLines(&lines);
      for (const std::string& line : lines) Hear(line, &workers_[i]);
      if (open) continue;
      Bury(&workers_[i]);
      workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  void Hear(const std::string& line, Worker* worker) {
    const auto message = FromLine(line);
    if (!message.ok()) {
      Fatal(message.status());
    } else if (const auto* progress =
                   std::get_if<TrainingProgress>(&*message)) {
      worker->share =
          static_cast<double>(progress->step) /
          static_cast<double>(std::max<int64_t>(progress->steps, 1));
    } else if (const auto* notice = std::get_if<Notice>(&*message)) {
      display_.Notice(
          worker->run == nullptr
              ? notice->text
              : absl::StrCat(worker->run->label, ": ", notice->text));
    } else if (const auto* report = std::get_if<RunReport>(&*message)) {
      End(*report, worker);
    } else {
      worker->run = nullptr;
      Fatal(std::get<absl::Status>(*message));
    }
  }

  void Fatal(const absl::Status& error) {
    error_.Update(error);
    if (!stopping_) Stop();
  }

  void End(const RunReport& report, Worker* worker) {
    const PoolRun* const run = std::exchange(worker->run, nullptr);
    if (run == nullptr) return;
    switch (report.end) {
      case RunEnd::kStopped:
        // Its process alone was asked to stop, and ends.
        if (!stopping_) {
          queue_.push_front(run);
          Dismiss(worker);
        }
        return;
      case RunEnd::kLocked:
        if (waited_for_.insert(run).second) {
          display_.Notice(absl::StrCat(
              run->label, ": another process runs it; waiting for that"));
        }
        locked_.emplace_back(run, Clock::now());
        return;
      case RunEnd::kKept:
        ++result_.kept;
        break;
      case RunEnd::kDone:
        ++result_.done;
        break;
      case RunEnd::kFailed:
        result_.failures.push_back(
            {run->label,
             std::string(absl::StripPrefix(report.summary, "FAILED: "))});
        break;
    }
    if (report.end != RunEnd::kKept) {
      pace_.Add(run->estimate, SecondsSince(worker->begun));
    }
    display_.RunEnded(State(), run->label, report.summary);
  }

  // A process has ended.
  void Bury(Worker* worker) {
    const std::string how = worker->process.Wait();
    const PoolRun* const run = worker->run;
    if (run == nullptr || stopping_) return;
    result_.failures.push_back(
        {run->label, absl::StrCat("its process ended with ", how)});
    worker->run = nullptr;
    display_.RunEnded(State(), run->label,
                      "FAILED: " + result_.failures.back().message);
  }

  PlanState State() const {
    PlanState state;
    state.total = total_;
    state.failed = static_cast<int>(result_.failures.size());
    state.ended =
        options_.done_before + result_.done + result_.kept + state.failed;
    std::vector<PendingRun> pending;
    for (const Worker& worker : workers_) {
      if (worker.run == nullptr) continue;
      state.running.push_back({worker.run->label, worker.share});
      pending.push_back({worker.run->estimate, SecondsSince(worker.begun)});
    }
    for (const PoolRun* run : queue_) pending.push_back({run->estimate, 0.0});
    state.seconds_left = pace_.SecondsLeft(pending, options_.jobs);
    return state;
  }

  const PoolOptions& options_;
  PlanDisplay& display_;
  int total_ = 0;
  std::deque<const PoolRun*> queue_;
  // What somebody else runs, and when we last met that.
  std::deque<std::pair<const PoolRun*, Clock::time_point>> locked_;
  std::set<const PoolRun*> waited_for_;
  std::vector<Worker> workers_;
  Pace pace_;
  bool stopping_ = false;
  absl::Status error_;
  PoolResult result_;
};

}  // namespace

absl::StatusOr<PoolResult> RunPool(
    const std::vector<PoolRun>& runs, const PoolOptions& options,
    PlanDisplay& display, const std::function<bool()>& stop_requested) {
  return Pool(runs, options, display).Run(stop_requested);
}

}  // namespace lipschitz::experiments
