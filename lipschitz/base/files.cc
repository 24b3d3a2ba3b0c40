#include "lipschitz/base/files.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

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

// Appends the rest of the file to `content`; returns 0 or the error number.
int ReadToEnd(int file, std::string* content) {
  char buffer[1 << 16];
  for (;;) {
    const ssize_t n = read(file, buffer, sizeof(buffer));
    if (n == 0) return 0;
    if (n > 0) {
      content->append(buffer, static_cast<size_t>(n));
    } else if (errno != EINTR) {
      return errno;
    }
  }
}

// Opens a new file beside `path` under a name that no other writer has, on this
// machine or another. Returns its descriptor, or -1 with errno set.
int OpenTemporary(const std::string& path, std::string* temporary) {
  constexpr int kTries = 100;
  for (int i = 0; i < kTries; ++i) {
    uint32_t number = 0;
    if (getrandom(&number, sizeof(number), 0) < 0) return -1;
    *temporary = absl::StrCat(path, absl::StrFormat(".%08x.tmp", number));
    const int file =
        open(temporary->c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file >= 0 || errno != EEXIST) return file;
  }
  return -1;
}

// What a file is to replace: `path`, or what it links to.
absl::StatusOr<std::string> Target(const std::string& path) {
  std::error_code error;
  const std::filesystem::file_status there =
      std::filesystem::status(path, error);
  if (std::filesystem::exists(there) &&
      !std::filesystem::is_regular_file(there) &&
      !std::filesystem::is_directory(there)) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot write ", path,
                     ": it is a device or a pipe, and only a file can be "
                     "replaced as a whole"));
  }
  constexpr int kMostLinks = 40;
  std::filesystem::path target = path;
  for (int i = 0; i < kMostLinks; ++i) {
    if (!std::filesystem::is_symlink(target, error)) return target.string();
    const std::filesystem::path next =
        std::filesystem::read_symlink(target, error);
    if (error) return SystemError("write", path, error.value());
    // An absolute one replaces the whole.
    target = target.parent_path() / next;
  }
  return SystemError("write", path, ELOOP);
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
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return SystemError("read", path, errno);
  std::string content;
  const int failed = ReadToEnd(file, &content);
  close(file);
  if (failed != 0) return SystemError("read", path, failed);
  return content;
}

absl::Status CreateFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return SystemError("create the folder", path, error.value());
  return absl::OkStatus();
}

absl::Status WriteFileAtomically(const std::string& path,
                                 const std::string& content) {
  const absl::StatusOr<std::string> target = Target(path);
  if (!target.ok()) return target.status();
  const std::filesystem::path parent =
      std::filesystem::path(*target).parent_path();
  if (!parent.empty()) {
    const absl::Status created = CreateFolder(parent.string());
    if (!created.ok()) return created;
  }
  std::string temporary;
  const int file = OpenTemporary(*target, &temporary);
  if (file < 0) return SystemError("write", path, errno);
  int error = WriteAndFlush(file, content);
  if (close(file) != 0 && error == 0) error = errno;
  if (error == 0 && rename(temporary.c_str(), target->c_str()) != 0) {
    error = errno;
  }
  if (error != 0) {
    unlink(temporary.c_str());
    return SystemError("write", path, error);
  }
  return absl::OkStatus();
}

}  // namespace lipschitz
