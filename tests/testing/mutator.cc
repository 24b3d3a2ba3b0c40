#include "tests/testing/mutator.h"

#include <algorithm>

namespace lipschitz::testing {

std::string Mutator::operator()(std::string bytes) {
  const size_t changes = 1 + Below(4);
  for (size_t i = 0; i < changes; ++i) Change(&bytes);
  return bytes;
}

size_t Mutator::Place(size_t size) {
  return Below(Below(2) == 0 ? size : std::min<size_t>(size, 80));
}

void Mutator::Change(std::string* bytes) {
  static constexpr char kValues[] = {0, 1, 3, 8, '\x7f', '\x80', '\xff'};
  if (bytes->empty()) {
    bytes->push_back(static_cast<char>(Below(256)));
    return;
  }
  const size_t place = Place(bytes->size());
  switch (Below(7)) {
    case 0:  // one bit
      (*bytes)[place] ^= static_cast<char>(1 << Below(8));
      break;
    case 1:
      (*bytes)[place] = kValues[Below(sizeof(kValues))];
      break;
    case 2:  // a digit, for headers of text
      (*bytes)[place] = static_cast<char>('0' + Below(10));
      break;
    case 3:
      bytes->resize(place);
      break;
    case 4:
      bytes->erase(place, 1 + Below(16));
      break;
    case 5:
      bytes->insert(place, bytes->substr(Place(bytes->size()), Below(32)));
      break;
    default:
      bytes->insert(place, 1 + Below(8), static_cast<char>(Below(256)));
  }
}

}  // namespace lipschitz::testing
