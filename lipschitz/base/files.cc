#include "lipschitz/base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace lipschitz {
namespace {

absl::Status SystemError(const std::string& what, const std::string& path,
                         int error) {
  const std::string message =
      absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(error));
  if (error == ENOENT) return absl::NotFoundError(message);
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    return absl::ResourceExhaustedError(
        absl::StrCat(message, "; free some space and run again"));
  }
  if (error == EACCES || error == EPERM || error == EROFS) {
    return absl::PermissionDeniedError(message);
  }
  return absl::UnavailableError(message);
}

// Writes and flushes; returns 0 or the error number.
int WriteAndFlush(int file, const std::string& content) {
  size_t written = 0;
  while (written < content.size()) {
    const ssize_t n =
        write(file, content.data() + written, content.size() - written);
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    written += static_cast<size_t>(n);
  }
  return fsync(file) == 0 ? 0 : errno;
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot read ", path, ": it is a directory"));
  }
  // One such as /dev/zero never ends.
  if (std::filesystem::is_character_file(path, error) ||
      std::filesystem::is_block_file(path, error)) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot read ", path, ": it is a device"));
  }
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return SystemError("read", path, errno != 0 ? errno : EIO);
  std::ostringstream content;
  content << stream.rdbuf();
  if (stream.bad()) return SystemError("read", path, EIO);
  return content.str();
}

absl::Status CreateFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return SystemError("create the folder", path, error.value());
  return absl::OkStatus();
}

absl::Status WriteFileAtomically(const std::string& path,
                                 const std::string& content) {
  const std::filesystem::path parent =
      std::filesystem::path(path).parent_path();
  if (!parent.empty()) {
    const absl::Status created = CreateFolder(parent.string());
    if (!created.ok()) return created;
  }
  // A name that no other writer has, on this machine or another.
  std::string temporary = absl::StrCat(path, ".XXXXXX.tmp");
  const int file = mkostemps(temporary.data(), /*suffixlen=*/4, O_CLOEXEC);
  if (file < 0) return SystemError("write", path, errno);
  // mkostemps gives the file to its owner alone.
  const mode_t mask = umask(0);
  umask(mask);
  fchmod(file, 0666 & ~mask);
  int error = WriteAndFlush(file, content);
  if (close(file) != 0 && error == 0) error = errno;
  if (error == 0 && rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    unlink(temporary.c_str());
    return SystemError("write", path, error);
  }
  return absl::OkStatus();
}

}  // namespace lipschitz
