#include "experiments/common/unusable_record.h"

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <optional>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

// Removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code error;
    std::string pattern = std::filesystem::temp_directory_path(error).string() +
                          "/lipschitz-XXXXXX";
    if (!error && mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  // Empty where none could be made.
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// What is thrown by `use`; none where nothing is.
std::optional<std::string> Exception(const std::vector<Record>& records,
                                     const std::string& folder,
                                     const UseOfRecords& use,
                                     absl::Status* status) {
  try {
    *status = use(records, folder);
    return std::nullopt;
  } catch (const std::exception& e) {
    return FirstLine(e.what());
  }
}

// "its record FILE", or what is meant where none is to blame alone.
std::string Culprit(const std::vector<Record>& records,
                    const std::string& folder, const UseOfRecords& use,
                    const std::string& exception) {
  const TemporaryFolder scratch;
  if (!scratch.path().empty()) {
    for (const Record& record : records) {
      absl::Status ignored;
      if (Exception({record}, scratch.path(), use, &ignored) != exception) {
        continue;
      }
      return absl::StrCat("its record ", RecordPath(folder, record.experiment,
                                                    record.slug, record.seed));
    }
  }
  return absl::StrCat("one of its ", records.size(), " records");
}

}  // namespace

absl::Status UseRecords(const std::vector<Record>& records,
                        const std::string& folder, const UseOfRecords& use) {
  absl::Status status;
  const auto exception = Exception(records, folder, use, &status);
  if (!exception.has_value()) return status;
  return absl::InternalError(absl::StrCat(
      records.empty() ? "" : records.front().experiment + ": ",
      Culprit(records, folder, use, *exception),
      " lacks what the tables and figures need, or holds it in another form: "
      "move it away, or run it again: ",
      *exception));
}

}  // namespace lipschitz::experiments
