// Damaged copies of a file.
#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace lipschitz::testing {

// Flips, overwrites, cuts, drops, repeats and inserts bytes: one to four
// damages at a time, half of them among the first 80 bytes, where formats have
// their headers. Always the same for one seed.
class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  std::string operator()(std::string bytes);

 private:
  size_t Below(size_t bound) { return random_() % bound; }
  size_t Place(size_t size);
  void Change(std::string* bytes);

  std::mt19937_64 random_;
};

}  // namespace lipschitz::testing
