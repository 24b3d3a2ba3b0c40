// Which BLAS the process really runs on.
#pragma once

#include <string>

namespace lipschitz {

struct BlasInfo {
  // "openblas-openmp", "openblas-pthread", "openblas-serial", "mkl", "blis",
  // "atlas", "reference" or "unknown".
  std::string name;
  // The shared library that answers to `sgemm_`.
  std::string library;
  // The library's own description, where it has one.
  std::string description;

  // LibTorch runs tens of times slower on it.
  bool IsReference() const { return name == "reference"; }
};

// Looks up the library that the dynamic linker chose for `sgemm_`.
BlasInfo DetectBlas();

// What to tell a user who runs on the reference BLAS, and how to mend it.
std::string ReferenceBlasWarning(const BlasInfo& blas);

}  // namespace lipschitz
