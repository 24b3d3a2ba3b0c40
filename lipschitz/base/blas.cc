#include "lipschitz/base/blas.h"

#include <dlfcn.h>

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace lipschitz {
namespace {

std::string RealPath(const char* path) {
  char* resolved = realpath(path, nullptr);
  if (resolved == nullptr) return path;
  std::string result = resolved;
  std::free(resolved);
  return result;
}

}  // namespace

BlasInfo DetectBlas() {
  BlasInfo blas;
  blas.name = "unknown";
  void* const gemm = dlsym(RTLD_DEFAULT, "sgemm_");
  Dl_info where;
  if (gemm == nullptr || dladdr(gemm, &where) == 0) return blas;
  blas.library = RealPath(where.dli_fname);

  // Only that library and what it needs are asked whether it is OpenBLAS:
  // Debian's libblas.so.3 may be any BLAS, and OpenBLAS may be loaded beside
  // it, for LAPACK, without answering for a product.
  using GetParallel = int (*)();
  using GetConfig = char* (*)();
  GetParallel parallel = nullptr;
  void* const library = dlopen(blas.library.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (library != nullptr) {
    parallel =
        reinterpret_cast<GetParallel>(dlsym(library, "openblas_get_parallel"));
    const auto config =
        reinterpret_cast<GetConfig>(dlsym(library, "openblas_get_config"));
    if (config != nullptr) blas.description = config();
    dlclose(library);
  }
  const std::string file =
      blas.library.substr(blas.library.find_last_of('/') + 1);
  if (absl::StrContains(file, "mkl")) {
    blas.name = "mkl";
  } else if (absl::StrContains(file, "blis") ||
             absl::StrContains(blas.library, "/blis")) {
    blas.name = "blis";
  } else if (absl::StrContains(blas.library, "/atlas/")) {
    blas.name = "atlas";
  } else if (parallel != nullptr) {
    const int kind = parallel();
    blas.name = kind == 2   ? "openblas-openmp"
                : kind == 1 ? "openblas-pthread"
                            : "openblas-serial";
  } else if (absl::StrContains(blas.library, "/blas/libblas") ||
             absl::StrContains(blas.library, "librefblas")) {
    blas.name = "reference";
  }
  return blas;
}

std::string ReferenceBlasWarning(const BlasInfo& blas) {
  return absl::StrCat(
      "WARNING: the BLAS in use is the reference BLAS (", blas.library,
      "): every matrix product runs tens of times slower than it could.\n"
      "WARNING: to mend it, run tools/setup.sh, or by hand\n"
      "WARNING:   sudo apt-get install libopenblas0-openmp\n"
      "WARNING:   sudo update-alternatives --auto "
      "libblas.so.3-$(gcc -dumpmachine)\n");
}

}  // namespace lipschitz
