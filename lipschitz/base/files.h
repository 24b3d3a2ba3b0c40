// Files that are either whole or not there.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lipschitz {

// The whole content of `path`. NotFound when there is no such file, otherwise
// an error that names the path and the system's reason.
absl::StatusOr<std::string> ReadFile(const std::string& path);

// Creates `path` and its parents; an error names the folder and the reason.
absl::Status CreateFolder(const std::string& path);

// Writes `content` to a temporary name in the same folder, flushes it to the
// device and renames it to `path`: whatever happens, `path` holds either what
// it held before or the whole of `content`. Missing parents are created. The
// temporary file is removed on an error. Where `path` is a link to a file, that
// file is written; a device or a pipe is an InvalidArgument.
absl::Status WriteFileAtomically(const std::string& path,
                                 const std::string& content);

}  // namespace lipschitz
