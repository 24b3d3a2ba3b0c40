#include "experiments/common/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

// Whether `path` still names the open file: its last holder may have removed it
// between our opening it and our locking it.
bool IsFileAt(int file, const std::string& path) {
  struct stat opened = {};
  struct stat named = {};
  return fstat(file, &opened) == 0 && stat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

bool HasNoLocks(int error) {
  return error == ENOSYS || error == EOPNOTSUPP || error == ENOLCK;
}

absl::Status LockError(const std::string& path, int error) {
  return absl::ErrnoToStatus(error, absl::StrCat("cannot lock ", path));
}

}  // namespace

absl::StatusOr<std::optional<RunLock>> RunLock::TryTake(
    const std::string& path) {
  LIPSCHITZ_RETURN_IF_ERROR(
      CreateFolder(std::filesystem::path(path).parent_path().string()));
  while (true) {
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0) return LockError(path, errno);
    // Closed again, unlocked, wherever it is not returned.
    RunLock lock("", file);
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      if (error == EWOULDBLOCK) return std::nullopt;
      if (error == EINTR) continue;
      if (!HasNoLocks(error)) return LockError(path, error);
    }
    if (!IsFileAt(file, path)) continue;
    lock.path_ = path;
    return std::optional<RunLock>(std::move(lock));
  }
}

RunLock::RunLock(std::string path, int file)
    : path_(std::move(path)), file_(file) {}

RunLock::~RunLock() {
  if (file_ < 0) return;
  // Removed while it is locked: nobody else can hold this file.
  if (!path_.empty()) unlink(path_.c_str());
  close(file_);
}

RunLock::RunLock(RunLock&& other) noexcept
    : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)) {}

RunLock& RunLock::operator=(RunLock&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(file_, other.file_);
  return *this;
}

}  // namespace lipschitz::experiments
