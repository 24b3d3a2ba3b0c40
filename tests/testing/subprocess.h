// Running the project's programs as a user does.
#pragma once

#include <chrono>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

namespace lipschitz::testing {

struct ProcessOptions {
  // Added to this process's environment.
  std::vector<std::pair<std::string, std::string>> environment;
  // Largest file that the process may write, in bytes; 0: no limit. Writing
  // more fails as on a full disk.
  long largest_file = 0;
  // A signal after so long; 0: never.
  std::chrono::milliseconds kill_after{0};
  // The signal instead as soon as there is such a file or folder; empty: does
  // not matter.
  std::string kill_when_exists;
  int kill_signal = SIGKILL;
};

struct ProcessResult {
  // The exit status, or −1 when a signal ended it.
  int exit_status = -1;
  int signal = 0;
  std::string standard_output;
  std::string standard_error;
};

// Runs a program to its end.
ProcessResult RunProcess(const std::vector<std::string>& arguments,
                         const ProcessOptions& options = {});

// A file of the project among this test's data, from its path in the workspace.
std::string DataFile(const std::string& path);

// A new empty folder for this test.
std::string NewFolder(const std::string& name);

}  // namespace lipschitz::testing
