#include "tests/testing/experiment_program.h"

namespace lipschitz::testing {

ProcessResult RunExperimentProgram(const std::string& name,
                                   const std::vector<std::string>& flags,
                                   const ProcessOptions& options) {
  std::vector<std::string> command = {
      DataFile("experiments/" + name + "/" + name), "--device=cpu",
      "--threads=1"};
  command.insert(command.end(), flags.begin(), flags.end());
  return RunProcess(command, options);
}

ProcessResult RunSmokeOnMnist(const std::string& name,
                              const std::vector<std::string>& flags,
                              const ProcessOptions& options) {
  std::vector<std::string> all = {"--preset=smoke", "--dataset=mnist"};
  all.insert(all.end(), flags.begin(), flags.end());
  return RunExperimentProgram(name, all, options);
}

}  // namespace lipschitz::testing
