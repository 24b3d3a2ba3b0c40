#include "experiments/reproduction/display.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "experiments/common/progress.h"

namespace lipschitz::experiments {
namespace {

constexpr int kBarWidth = 24;
constexpr double kBarSeconds = 0.2;
constexpr double kLineSeconds = 30.0;

std::string Bar(const PlanState& state) {
  const double share = static_cast<double>(state.ended) /
                       static_cast<double>(std::max(state.total, 1));
  const int full = static_cast<int>(std::lround(share * kBarWidth));
  std::string text =
      absl::StrCat("[", std::string(full, '#'),
                   std::string(kBarWidth - full, '.'), "] ", Describe(state));
  for (const RunningRun& run : state.running) {
    absl::StrAppend(
        &text, absl::StrFormat(" | %s %.0f %%", run.name, 100 * run.share));
  }
  return text;
}

}  // namespace

std::string Describe(const PlanState& state) {
  std::string text =
      absl::StrCat(state.ended - state.failed, " of ", state.total, " done");
  if (state.failed > 0) absl::StrAppend(&text, ", ", state.failed, " failed");
  return absl::StrCat(
      text, ", ", state.running.size(), " running, ",
      state.seconds_left ? FormatDuration(*state.seconds_left) : "? s",
      " left");
}

PlanDisplay::PlanDisplay(ProgressMode mode, std::FILE* stream)
    : mode_(mode),
      stream_(stream),
      last_shown_(std::chrono::steady_clock::now()) {
  if (mode_ == ProgressMode::kAuto) {
    mode_ = isatty(fileno(stream_)) != 0 ? ProgressMode::kBar
                                         : ProgressMode::kLines;
  }
}

void PlanDisplay::Show(const PlanState& state) {
  if (mode_ == ProgressMode::kNone) return;
  const bool bar = mode_ == ProgressMode::kBar;
  const auto now = std::chrono::steady_clock::now();
  if (std::chrono::duration<double>(now - last_shown_).count() <
      (bar ? kBarSeconds : kLineSeconds)) {
    return;
  }
  last_shown_ = now;
  if (bar) {
    ShowOverLine(stream_, Bar(state));
    bar_shown_ = true;
  } else {
    std::fprintf(stream_, "%s\n", Describe(state).c_str());
  }
  std::fflush(stream_);
}

void PlanDisplay::RunEnded(const PlanState& state, const std::string& name,
                           const std::string& summary) {
  Clear();
  if (mode_ == ProgressMode::kNone) return;
  std::fprintf(stream_, "[%d/%d] %s: %s\n", state.ended, state.total,
               name.c_str(), summary.c_str());
  std::fflush(stream_);
}

void PlanDisplay::Notice(const std::string& sentence) {
  Clear();
  std::fprintf(stream_, "%s\n", sentence.c_str());
  std::fflush(stream_);
}

void PlanDisplay::Clear() {
  if (!bar_shown_) return;
  std::fprintf(stream_, "\r\033[K");
  std::fflush(stream_);
  bar_shown_ = false;
}

}  // namespace lipschitz::experiments
