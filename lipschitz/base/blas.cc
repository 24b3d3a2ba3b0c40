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

// The file that answers to `sgemm_`; empty when none does.
std::string GemmLibrary() {
  void* const gemm = dlsym(RTLD_DEFAULT, "sgemm_");
  Dl_info where;
  if (gemm == nullptr || dladdr(gemm, &where) == 0) return "";
  return RealPath(where.dli_fname);
}

// A function of the loaded library `path` or of what it needs; null when there
// is none. Only that library is asked whether it is OpenBLAS: Debian's
// libblas.so.3 may be any BLAS, and OpenBLAS may be loaded beside it, for
// LAPACK, without answering for a product.
template <typename Function>
Function Find(const std::string& path, const char* name) {
  void* const library = dlopen(path.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (library == nullptr) return nullptr;
  const auto function = reinterpret_cast<Function>(dlsym(library, name));
  dlclose(library);  // It stays loaded: the program is linked to it.
  return function;
}

}  // namespace

BlasInfo DetectBlas() {
  BlasInfo blas;
  blas.name = "unknown";
  blas.library = GemmLibrary();
  if (blas.library.empty()) return blas;

  const auto parallel = Find<int (*)()>(blas.library, "openblas_get_parallel");
  const auto config = Find<char* (*)()>(blas.library, "openblas_get_config");
  if (config != nullptr) blas.description = config();
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

void SetBlasThreads(int threads) {
  const auto set =
      Find<void (*)(int)>(GemmLibrary(), "openblas_set_num_threads");
  if (set != nullptr) set(threads);
}

int OpenBlasThreads() {
  const auto get = Find<int (*)()>(GemmLibrary(), "openblas_get_num_threads");
  return get == nullptr ? 0 : get();
}

bool MissesAvx512(const BlasInfo& blas, bool processor_has_avx512) {
  return processor_has_avx512 &&
         (absl::StrContains(blas.description, " Zen ") ||
          absl::StrContains(blas.description, " Haswell "));
}

std::string Avx512Hint(const BlasInfo& blas) {
  return absl::StrCat("NOTE: this processor has AVX-512 and ", blas.description,
                      " does not use it; OPENBLAS_CORETYPE=SkylakeX in the "
                      "environment makes matrix products faster.\n");
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
