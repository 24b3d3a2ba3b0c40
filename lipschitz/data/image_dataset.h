// MNIST, Fashion-MNIST and CIFAR-10 from the files as they are published.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lipschitz/data/labelled_images.h"

namespace lipschitz {

// What the folders are made from. An empty string: not given.
struct DataSources {
  std::string data_dir;     // of the command line
  std::string environment;  // $LIPSCHITZ_DATA_DIR
  std::string workspace;    // root of the checkout; its data/ is looked into
};

// The folders in the order in which they are looked through: those of `sources`
// and at last /usr/share/datasets, where Debian's dataset-fashion-mnist is.
std::vector<std::string> DataDirectories(const DataSources& sources);

struct DataLookup {
  // Each may hold mnist/, fashion-mnist/ and cifar10/.
  std::vector<std::string> directories;
  // False: CIFAR-10 without a test batch is no error; its test part is empty.
  bool need_test = true;
};

struct ImageDataset {
  std::string name;    // "mnist", "fashion_mnist" or "cifar10"
  std::string folder;  // where its files are
  // Sentences for the user: what `auto` chose, what is there only in part.
  std::vector<std::string> notes;
  LabelledImages train;
  LabelledImages test;
  std::vector<std::string> class_names;  // label → name

  int64_t classes() const { return static_cast<int64_t>(class_names.size()); }
  int64_t channels() const { return train.images.size(1); }
  int64_t height() const { return train.images.size(2); }
  int64_t width() const { return train.images.size(3); }
  int64_t pixels() const { return channels() * height() * width(); }
};

// {"mnist", "fashion_mnist", "cifar10"}.
std::vector<std::string> DatasetNames();

// Reads a dataset by its name; "auto" is MNIST where it is found, else
// Fashion-MNIST. Files have their published names and are raw or gzip
// (NAME.gz). The first folder that holds any of the set's files is taken.
//
// Errors: InvalidArgument for an unknown name and for files that are malformed,
// incomplete or disagree with each other (it names the file); NotFound, with
// the folders and the command that fetches it, where the set is in none of
// them. CIFAR-10 may be there in part: every data_batch_N found, and
// test_batch or else test_batch_first1000; the notes say so.
absl::StatusOr<ImageDataset> LoadDataset(const std::string& name,
                                         const DataLookup& lookup);

}  // namespace lipschitz
