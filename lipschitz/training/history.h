// What a training reports as it goes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lipschitz {

// Named numbers, in the order of their names.
using Metrics = std::map<std::string, double>;

struct HistoryEntry {
  // Optimiser steps done.
  int64_t step = 0;
  // Always "loss" (mean since the entry before) and "learning_rate", and what
  // the training's report adds.
  Metrics metrics;
};

using History = std::vector<HistoryEntry>;

}  // namespace lipschitz
