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

// Sets the number of threads of OpenBLAS: with pthreads it does not follow
// LibTorch's, with OpenMP it does. Every other BLAS is left alone.
void SetBlasThreads(int threads);

// The number of threads that OpenBLAS would use now; 0 for any other BLAS.
int OpenBlasThreads();

// Whether the BLAS is an OpenBLAS that does not know this processor and runs
// kernels without AVX-512 on it: products take up to 1.6 times as long as with
// OPENBLAS_CORETYPE=SkylakeX in the environment.
bool MissesAvx512(const BlasInfo& blas, bool processor_has_avx512);

// What to tell a user about that.
std::string Avx512Hint(const BlasInfo& blas);

// What to tell a user who runs on the reference BLAS, and how to mend it.
std::string ReferenceBlasWarning(const BlasInfo& blas);

}  // namespace lipschitz
