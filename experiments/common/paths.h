// Where a program that `bazel run` started finds the user's files: it runs in
// another folder than the user's.
#pragma once

#include <string>

namespace lipschitz::experiments {

// `path` made absolute as the user meant it.
std::string UserPath(const std::string& path);

// A file or folder of the workspace, from its path in it; as it is outside of
// `bazel run`.
std::string WorkspacePath(const std::string& path);

}  // namespace lipschitz::experiments
