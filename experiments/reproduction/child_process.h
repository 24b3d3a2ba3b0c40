// A program that runs beside ours and is talked to line by line.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lipschitz::experiments {

class ChildProcess {
 public:
  // Its standard input and output are ours, its standard error stays where ours
  // goes. Unavailable when it cannot be started.
  static absl::StatusOr<ChildProcess> Start(
      const std::vector<std::string>& arguments);

  // Kills it if it still runs.
  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Sends a line. Unavailable when nobody reads it any more; SIGPIPE must be
  // ignored.
  absl::Status SendLine(const std::string& line);
  // No more lines will be sent.
  void CloseInput();

  // Readable when there is something to read: for poll.
  int output() const { return output_; }
  // Adds the whole lines of what there is to read, waiting for something; false
  // at the end of its output.
  bool ReceiveLines(std::vector<std::string>* lines);

  void Signal(int signal) const;

  // Waits for its end. "exit status 2" or "signal 9 (Killed)".
  std::string Wait();

 private:
  ChildProcess(pid_t process, int input, int output)
      : process_(process), input_(input), output_(output) {}

  pid_t process_ = 0;  // 0: waited for
  int input_ = -1;
  int output_ = -1;
  std::string unfinished_line_;
};

}  // namespace lipschitz::experiments
