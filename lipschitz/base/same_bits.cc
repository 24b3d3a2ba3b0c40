#include "lipschitz/base/same_bits.h"

#include <ATen/ATen.h>

#include <cstring>

namespace lipschitz {

bool SameBits(const at::Tensor& a, const at::Tensor& b) {
  if (a.scalar_type() != b.scalar_type() || a.device() != b.device() ||
      a.sizes() != b.sizes()) {
    return false;
  }
  if (!a.is_cpu() || !a.is_contiguous() || !b.is_contiguous()) {
    return at::equal(a, b);
  }
  // An empty tensor may have no address.
  return a.numel() == 0 ||
         std::memcmp(a.data_ptr(), b.data_ptr(), a.nbytes()) == 0;
}

}  // namespace lipschitz
