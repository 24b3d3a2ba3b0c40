#include "lipschitz/base/status.h"

namespace lipschitz {

std::string FirstLine(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

absl::Status WithContext(const absl::Status& status,
                         const std::string& context) {
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat(context, ": ", status.message()));
}

}  // namespace lipschitz
