#include "tests/testing/subprocess.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "gtest/gtest.h"

namespace lipschitz::testing {
namespace {

std::string Content(const std::string& path) {
  std::ifstream stream(path);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

// In the child: never returns.
[[noreturn]] void Execute(std::vector<char*>* arguments,
                          const ProcessOptions& options,
                          const std::string& output, const std::string& error) {
  dup2(open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), STDOUT_FILENO);
  dup2(open(error.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), STDERR_FILENO);
  for (const auto& [name, value] : options.environment) {
    setenv(name.c_str(), value.c_str(), 1);
  }
  if (options.largest_file > 0) {
    const auto bytes = static_cast<rlim_t>(options.largest_file);
    const rlimit limit = {bytes, bytes};
    setrlimit(RLIMIT_FSIZE, &limit);
    std::signal(SIGXFSZ, SIG_IGN);
  }
  execv((*arguments)[0], arguments->data());
  _exit(127);
}

bool HasEnded(pid_t child) {
  siginfo_t info = {};
  return waitid(P_PID, static_cast<id_t>(child), &info,
                WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == child;
}

// Until the child is to get its signal, or needs none any more.
void WaitForTheMoment(pid_t child, const ProcessOptions& options) {
  if (options.kill_when_exists.empty()) {
    std::this_thread::sleep_for(options.kill_after);
    return;
  }
  while (!HasEnded(child) &&
         !std::filesystem::exists(options.kill_when_exists)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace

ProcessResult RunProcess(const std::vector<std::string>& arguments,
                         const ProcessOptions& options) {
  const std::string folder = NewFolder("process");
  const std::string output = folder + "/out";
  const std::string error = folder + "/err";
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) {
    pointers.push_back(const_cast<char*>(argument.c_str()));
  }
  pointers.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) Execute(&pointers, options, output, error);
  std::thread killer;
  if (options.kill_after.count() > 0 || !options.kill_when_exists.empty()) {
    killer = std::thread([&] {
      WaitForTheMoment(child, options);
      kill(child, options.kill_signal);
    });
  }
  int state = 0;
  // Joined before the child is reaped: until then its number is its own.
  siginfo_t info;
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  if (killer.joinable()) killer.join();
  waitpid(child, &state, 0);
  ProcessResult result;
  if (WIFEXITED(state)) result.exit_status = WEXITSTATUS(state);
  if (WIFSIGNALED(state)) result.signal = WTERMSIG(state);
  result.standard_output = Content(output);
  result.standard_error = Content(error);
  return result;
}

std::string DataFile(const std::string& path) {
  const char* const runfiles = std::getenv("TEST_SRCDIR");
  const char* const workspace = std::getenv("TEST_WORKSPACE");
  if (runfiles == nullptr || workspace == nullptr) return path;
  return std::string(runfiles) + "/" + workspace + "/" + path;
}

std::string NewFolder(const std::string& name) {
  std::string pattern = ::testing::TempDir() + "/" + name + "-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) {
    ADD_FAILURE() << "cannot create " << pattern;
  }
  return pattern;
}

}  // namespace lipschitz::testing
