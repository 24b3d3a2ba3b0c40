// One process at a time works on a run.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace lipschitz::experiments {

// An advisory lock (flock) on a file, held until the object is destroyed or the
// process ends, in whatever way. The file is there only while the lock is held.
// A file system that knows no locks gives every caller one.
class RunLock {
 public:
  // None while somebody else has it. The folder is made; an error names the
  // path.
  static absl::StatusOr<std::optional<RunLock>> TryTake(
      const std::string& path);

  ~RunLock();
  RunLock(RunLock&& other) noexcept;
  RunLock& operator=(RunLock&& other) noexcept;
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  RunLock(std::string path, int file);

  std::string path_;
  int file_ = -1;
};

}  // namespace lipschitz::experiments
