#include "lipschitz/base/processor.h"

#include <fstream>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace lipschitz {
namespace {

// The first processor's entries in /proc/cpuinfo; empty elsewhere.
std::map<std::string, std::string> ReadCpuInfo() {
  std::map<std::string, std::string> entries;
  std::ifstream stream("/proc/cpuinfo");
  std::string line;
  while (std::getline(stream, line) && !line.empty()) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    entries[std::string(absl::StripAsciiWhitespace(line.substr(0, colon)))] =
        std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }
  return entries;
}

bool HasFlag(const std::map<std::string, std::string>& entries,
             const std::string& flag) {
  const auto flags = entries.find("flags");
  return flags != entries.end() &&
         absl::StrContains(absl::StrCat(" ", flags->second, " "),
                           absl::StrCat(" ", flag, " "));
}

}  // namespace

std::string DescribeProcessor() {
  auto entries = ReadCpuInfo();
  if (entries["model name"].empty()) return "unknown";
  return absl::StrCat(entries["model name"], " (family ", entries["cpu family"],
                      ", model ", entries["model"], ")",
                      HasFlag(entries, "avx512f") ? ", AVX-512"
                      : HasFlag(entries, "avx2")  ? ", AVX2"
                                                  : "");
}

bool HasAvx512() { return HasFlag(ReadCpuInfo(), "avx512f"); }

}  // namespace lipschitz
