// A classification task that needs no dataset: ten noisy pictures.
#pragma once

#include <cstdint>
#include <string>

#include "lipschitz/data/labelled_images.h"

namespace lipschitz::testing {

// `n` images (1, 28, 28) of classes 0, 1, ..., 9, 0, ...: the class's own
// random picture of large squares, and noise. A linear classifier is right on
// almost all of them; for one `seed` the pictures are the same for every `n`.
LabelledImages SyntheticDigits(int64_t n, uint64_t seed, uint64_t noise_seed);

// A folder for --data_dir with MNIST's files, made of them.
std::string SyntheticMnist(const std::string& folder, int64_t train,
                           int64_t test);

}  // namespace lipschitz::testing
