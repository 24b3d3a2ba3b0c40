#include "experiments/common/paths.h"

#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"

namespace lipschitz::experiments {

std::string UserPath(const std::string& path) {
  const std::filesystem::path given(path);
  const char* const working = std::getenv("BUILD_WORKING_DIRECTORY");
  if (given.is_absolute() || working == nullptr) return path;
  return (std::filesystem::path(working) / given).string();
}

std::string WorkspacePath(const std::string& path) {
  const char* const workspace = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  return workspace == nullptr ? path : absl::StrCat(workspace, "/", path);
}

}  // namespace lipschitz::experiments
