#include "lipschitz/base/blas.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <set>
#include <string>

#include "gtest/gtest.h"

namespace lipschitz {
namespace {

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(DetectBlas, NamesTheLibraryThatMultiplies) {
  // Makes the linker keep LibTorch, which brings the BLAS.
  ASSERT_EQ(at::mm(at::ones({2, 3}), at::ones({3, 2})).sum().item<float>(), 12);
  const BlasInfo blas = DetectBlas();
  const std::set<std::string> known = {
      "openblas-openmp", "openblas-pthread", "openblas-serial", "mkl", "blis",
      "atlas",           "reference",        "unknown"};
  EXPECT_EQ(known.count(blas.name), 1u) << blas.name;
  EXPECT_TRUE(std::filesystem::is_regular_file(blas.library)) << blas.library;
  // A path behind links, so that it names the package's own file.
  EXPECT_EQ(std::filesystem::canonical(blas.library).string(), blas.library);
  if (Contains(blas.library, "openblas")) {
    EXPECT_EQ(blas.name.rfind("openblas-", 0), 0u) << blas.name;
    EXPECT_TRUE(Contains(blas.description, "OpenBLAS")) << blas.description;
  }
}

TEST(DetectBlas, FindsAnOptimisedLibraryOnThisMachine) {
  const BlasInfo blas = DetectBlas();
  EXPECT_FALSE(blas.IsReference()) << ReferenceBlasWarning(blas);
}

TEST(BlasInfo, OnlyTheReferenceBlasIsReference) {
  BlasInfo blas;
  blas.name = "reference";
  EXPECT_TRUE(blas.IsReference());
  for (const char* name : {"openblas-openmp", "mkl", "unknown"}) {
    blas.name = name;
    EXPECT_FALSE(blas.IsReference()) << name;
  }
}

TEST(MissesAvx512, AskWhatTheLibraryRunsAndWhatTheProcessorHas) {
  BlasInfo blas;
  for (const char* core : {"Zen", "Haswell"}) {
    blas.description =
        "OpenBLAS 0.3.21 USE_OPENMP " + std::string(core) + " MAX_THREADS=64";
    EXPECT_TRUE(MissesAvx512(blas, true)) << core;
    EXPECT_FALSE(MissesAvx512(blas, false)) << core;
    EXPECT_TRUE(Contains(Avx512Hint(blas), core));
    EXPECT_TRUE(Contains(Avx512Hint(blas), "OPENBLAS_CORETYPE=SkylakeX"));
  }
  for (const char* core : {"SkylakeX", "Cooperlake", "Sapphirerapids"}) {
    blas.description =
        "OpenBLAS 0.3.21 USE_OPENMP " + std::string(core) + " MAX_THREADS=64";
    EXPECT_FALSE(MissesAvx512(blas, true)) << core;
  }
  blas.description = "";
  EXPECT_FALSE(MissesAvx512(blas, true));
}

TEST(ReferenceBlasWarning, NamesTheLibraryAndSaysHowToMendIt) {
  BlasInfo blas;
  blas.name = "reference";
  blas.library = "/usr/lib/some/blas/libblas.so.3.11.0";
  const std::string warning = ReferenceBlasWarning(blas);
  EXPECT_TRUE(Contains(warning, blas.library)) << warning;
  EXPECT_TRUE(Contains(warning, "tools/setup.sh")) << warning;
  EXPECT_TRUE(Contains(warning, "apt-get install libopenblas0-openmp"))
      << warning;
  EXPECT_TRUE(Contains(warning, "update-alternatives")) << warning;
  EXPECT_EQ(warning.back(), '\n');
}

}  // namespace
}  // namespace lipschitz
