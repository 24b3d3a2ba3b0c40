#include "experiments/common/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lipschitz::experiments {
namespace {

constexpr int kBarWidth = 24;
constexpr double kBarSeconds = 0.2;
constexpr double kLineSeconds = 10.0;
constexpr size_t kUsualWidth = 80;

// At most `width` characters, dots for what is left out.
std::string Cut(const std::string& text, size_t width) {
  constexpr size_t kDots = 3;
  if (text.size() <= width) return text;
  return width < kDots ? "" : text.substr(0, width - kDots) + "...";
}

}  // namespace

size_t LineWidth(std::FILE* stream) {
  winsize size = {};
  if (ioctl(fileno(stream), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
    return kUsualWidth - 1;
  }
  return size.ws_col - 1;
}

void ShowOverLine(std::FILE* stream, const std::string& text) {
  std::fprintf(stream, "\r\033[K%s", text.substr(0, LineWidth(stream)).c_str());
  std::fflush(stream);
}

std::string FormatDuration(double seconds) {
  const auto total = static_cast<int64_t>(std::llround(std::max(0.0, seconds)));
  if (total < 60) return absl::StrCat(total, " s");
  if (total < 3600) {
    return absl::StrFormat("%d min %02d s", total / 60, total % 60);
  }
  return absl::StrFormat("%d h %02d min", total / 3600, total % 3600 / 60);
}

ProgressDisplay::ProgressDisplay(ProgressMode mode, std::FILE* stream)
    : mode_(mode), stream_(stream) {
  if (mode_ == ProgressMode::kAuto) {
    mode_ = isatty(fileno(stream_)) != 0 ? ProgressMode::kBar
                                         : ProgressMode::kLines;
  }
}

void ProgressDisplay::BeginRun(int index, int count, const std::string& label) {
  index_ = index;
  count_ = count;
  label_ = label;
  last_shown_ = std::chrono::steady_clock::now();
}

void ProgressDisplay::Step(const TrainingProgress& progress) {
  if (mode_ == ProgressMode::kNone) return;
  const auto now = std::chrono::steady_clock::now();
  const double waited =
      std::chrono::duration<double>(now - last_shown_).count();
  const bool bar = mode_ == ProgressMode::kBar;
  if (waited < (bar ? kBarSeconds : kLineSeconds)) return;
  last_shown_ = now;
  const double done_here =
      static_cast<double>(progress.step - progress.first_step);
  const double rate = done_here / std::max(progress.seconds, 1e-9);
  const double left = static_cast<double>(progress.steps - progress.step) /
                      std::max(rate, 1e-9);
  const double share =
      static_cast<double>(progress.step) /
      static_cast<double>(std::max<int64_t>(progress.steps, 1));
  const std::string numbers = absl::StrFormat(
      "step %d/%d, %.1f steps/s, %s left, loss %.4g", progress.step,
      progress.steps, rate, FormatDuration(left), progress.loss);
  if (!bar) {
    std::fprintf(stream_, "%s: %s\n", Prefix().c_str(), numbers.c_str());
    std::fflush(stream_);
    return;
  }
  const int full = static_cast<int>(std::lround(share * kBarWidth));
  const std::string line =
      absl::StrCat(Prefix(), " [", std::string(full, '#'),
                   std::string(kBarWidth - full, '.'), "] ", numbers);
  if (line.size() <= LineWidth(stream_)) {
    ShowOverLine(stream_, line);
  } else {
    // The numbers say more than the bar, and than the end of a long name.
    const size_t rest = numbers.size() + 2;
    const size_t room =
        LineWidth(stream_) > rest ? LineWidth(stream_) - rest : size_t{0};
    ShowOverLine(stream_, absl::StrCat(Cut(Prefix(), room), ": ", numbers));
  }
  bar_shown_ = true;
}

void ProgressDisplay::EndRun(const std::string& summary) {
  ClearBar();
  if (mode_ == ProgressMode::kNone) return;
  std::fprintf(stream_, "%s: %s\n", Prefix().c_str(), summary.c_str());
  std::fflush(stream_);
}

void ProgressDisplay::Notice(const std::string& sentence) {
  ClearBar();
  std::fprintf(stream_, "%s\n", sentence.c_str());
  std::fflush(stream_);
}

void ProgressDisplay::ClearBar() {
  if (!bar_shown_) return;
  std::fprintf(stream_, "\r\033[K");
  bar_shown_ = false;
}

std::string ProgressDisplay::Prefix() const {
  return absl::StrCat("[", index_, "/", count_, "] ", label_);
}

}  // namespace lipschitz::experiments
