// The binary version of CIFAR-10 (www.cs.toronto.edu/~kriz/cifar.html): one
// byte of label and 3072 of pixels per image, red, green and blue planes.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "lipschitz/data/labelled_images.h"

namespace lipschitz {

// The images of one batch file, raw or gzip: (n, 3, 32, 32). Any number of
// them from 1 to 60000. A record that is cut off and a label above 9 are
// errors that name the file and the record (from 0).
absl::StatusOr<LabelledImages> ReadCifar10(const std::string& path);

// The same from the file's content; `name` is what errors call it.
absl::StatusOr<LabelledImages> ParseCifar10(const std::string& name,
                                            std::string content);

}  // namespace lipschitz
