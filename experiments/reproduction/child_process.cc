#include "experiments/reproduction/child_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

extern char** environ;

namespace lipschitz::experiments {
namespace {

// Both ends of a pipe; those that are not taken are closed.
class Pipe {
 public:
  Pipe() {
    if (pipe2(ends_.data(), O_CLOEXEC) != 0) ends_ = {-1, -1};
  }
  ~Pipe() {
    for (const int end : ends_) {
      if (end >= 0) close(end);
    }
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  bool ok() const { return ends_[0] >= 0; }
  int reading() const { return ends_[0]; }
  int writing() const { return ends_[1]; }
  int TakeReading() { return std::exchange(ends_[0], -1); }
  int TakeWriting() { return std::exchange(ends_[1], -1); }

 private:
  std::array<int, 2> ends_;
};

}  // namespace

absl::StatusOr<ChildProcess> ChildProcess::Start(
    const std::vector<std::string>& arguments) {
  Pipe input;
  Pipe output;
  if (!input.ok() || !output.ok()) {
    return absl::UnavailableError(
        absl::StrCat("cannot make a pipe: ", std::strerror(errno)));
  }
  std::vector<std::string> copies = arguments;
  std::vector<char*> pointers;
  for (std::string& copy : copies) pointers.push_back(copy.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input.reading(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output.writing(), STDOUT_FILENO);
  pid_t process = 0;
  const int error = posix_spawnp(&process, pointers[0], &actions, nullptr,
                                 pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return absl::UnavailableError(absl::StrCat("cannot start ", arguments[0],
                                               ": ", std::strerror(error)));
  }
  return ChildProcess(process, input.TakeWriting(), output.TakeReading());
}

ChildProcess::~ChildProcess() {
  if (process_ > 0) {
    Signal(SIGKILL);
    Wait();
  }
  CloseInput();
  if (output_ >= 0) close(output_);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : process_(std::exchange(other.process_, 0)),
      input_(std::exchange(other.input_, -1)),
      output_(std::exchange(other.output_, -1)),
      unfinished_line_(std::move(other.unfinished_line_)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(process_, other.process_);
  std::swap(input_, other.input_);
  std::swap(output_, other.output_);
  std::swap(unfinished_line_, other.unfinished_line_);
  return *this;
}

absl::Status ChildProcess::SendLine(const std::string& line) {
  const std::string text = line + "\n";
  size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t n = write(input_, text.data() + sent, text.size() - sent);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      return absl::UnavailableError(
          absl::StrCat("cannot write to a process: ", std::strerror(errno)));
    }
    sent += static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

void ChildProcess::CloseInput() {
  if (input_ >= 0) close(std::exchange(input_, -1));
}

bool ChildProcess::ReceiveLines(std::vector<std::string>* lines) {
  std::array<char, 4096> buffer;
  ssize_t n = 0;
  do {
    n = read(output_, buffer.data(), buffer.size());
  } while (n < 0 && errno == EINTR);
  if (n <= 0) return false;
  for (ssize_t i = 0; i < n; ++i) {
    if (buffer[i] != '\n') {
      unfinished_line_.push_back(buffer[i]);
      continue;
    }
    lines->push_back(std::exchange(unfinished_line_, {}));
  }
  return true;
}

void ChildProcess::Signal(int signal) const {
  // Not yet waited for: the number is still its own.
  if (process_ > 0) kill(process_, signal);
}

std::string ChildProcess::Wait() {
  int state = 0;
  while (waitpid(process_, &state, 0) < 0 && errno == EINTR) {
  }
  process_ = 0;
  if (WIFEXITED(state)) return absl::StrCat("exit status ", WEXITSTATUS(state));
  const int signal = WTERMSIG(state);
  return absl::StrCat("signal ", signal, " (", strsignal(signal), ")");
}

}  // namespace lipschitz::experiments
