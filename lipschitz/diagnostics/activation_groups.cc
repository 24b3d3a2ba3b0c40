#include "lipschitz/diagnostics/activation_groups.h"

namespace lipschitz {

int64_t UnitsPerGroup(const ActivationSpec& activation, int64_t width) {
  switch (activation.kind) {
    case ActivationKind::kMaxMin:
    case ActivationKind::kGroupSort:
    case ActivationKind::kMaxOut:
      return activation.group_size;
    case ActivationKind::kFullSort:
      return width;
    case ActivationKind::kIdentity:
    case ActivationKind::kRelu:
    case ActivationKind::kLeakyRelu:
    case ActivationKind::kAbs:
    case ActivationKind::kCRelu:
      break;
  }
  return 0;
}

}  // namespace lipschitz
