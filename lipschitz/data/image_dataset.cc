#include "lipschitz/data/image_dataset.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/cifar10.h"
#include "lipschitz/data/idx.h"

namespace lipschitz {
namespace {

// What is known of a dataset before any file is read.
struct Description {
  const char* name;
  const char* folder;
  const char* title;
  // Each may also be there as NAME.gz; the test part's last.
  std::vector<std::string> files;
  std::vector<std::string> class_names;
};

const std::vector<std::string>& MnistFiles() {
  static const auto* const files = new std::vector<std::string>{
      "train-images-idx3-ubyte", "train-labels-idx1-ubyte",
      "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
  return *files;
}

const std::vector<Description>& Descriptions() {
  static const auto* const descriptions = new std::vector<Description>{
      {"mnist",
       "mnist",
       "MNIST",
       MnistFiles(),
       {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}},
      {"fashion_mnist",
       "fashion-mnist",
       "Fashion-MNIST",
       MnistFiles(),
       {"T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal",
        "shirt", "sneaker", "bag", "ankle boot"}},
      {"cifar10",
       "cifar10",
       "CIFAR-10",
       {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
        "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"},
       {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse",
        "ship", "truck"}},
  };
  return *descriptions;
}

const Description* Find(const std::string& name) {
  for (const Description& description : Descriptions()) {
    if (name == description.name) return &description;
  }
  return nullptr;
}

// The path of `file` in `folder`, raw or gzip; empty where it is neither. A
// folder under that name is found, and what may not be seen: reading it is the
// error that the user sees.
std::string FindFile(const std::string& folder, const std::string& file) {
  for (const char* const suffix : {"", ".gz"}) {
    const std::string path = absl::StrCat(folder, "/", file, suffix);
    std::error_code error;
    if (std::filesystem::exists(path, error) ||
        error == std::errc::permission_denied) {
      return path;
    }
  }
  return "";
}

std::string HowToGet(const Description& set) {
  return absl::StrCat("tools/fetch_data.sh ", set.name,
                      " downloads it into data/ of the workspace");
}

absl::Status Incomplete(const Description& set, const std::string& folder,
                        const std::string& missing) {
  return absl::InvalidArgumentError(absl::StrCat(
      folder, " holds a part of ", set.title, " without ", missing,
      " (or .gz); tools/fetch_data.sh ", set.name,
      " --to=", std::filesystem::path(folder).parent_path().string(),
      " downloads what is missing into it"));
}

// One part of a set in MNIST's format from its two files.
absl::StatusOr<LabelledImages> ReadMnistPart(const Description& set,
                                             const std::string& folder,
                                             const std::string& image_file,
                                             const std::string& label_file) {
  const std::string image_path = FindFile(folder, image_file);
  const std::string label_path = FindFile(folder, label_file);
  if (image_path.empty()) return Incomplete(set, folder, image_file);
  if (label_path.empty()) return Incomplete(set, folder, label_file);
  LIPSCHITZ_ASSIGN_OR_RETURN(const at::Tensor images, ReadIdx(image_path, 3));
  LIPSCHITZ_ASSIGN_OR_RETURN(const at::Tensor labels, ReadIdx(label_path, 1));
  if (images.size(1) != 28 || images.size(2) != 28) {
    return absl::InvalidArgumentError(
        absl::StrCat(image_path, ": its images have ", images.size(1), " x ",
                     images.size(2), " pixels, and those of ", set.title,
                     " have 28 x 28; is it another file under this name?"));
  }
  if (images.size(0) != labels.size(0)) {
    return absl::InvalidArgumentError(absl::StrCat(
        image_path, " holds ", images.size(0), " images and ", label_path, " ",
        labels.size(0), " labels; one of them is of another set"));
  }
  const auto classes = static_cast<int64_t>(set.class_names.size());
  const at::Tensor wrong = labels.ge(classes).nonzero();
  if (wrong.size(0) > 0) {
    const auto first = wrong[0].item<int64_t>();
    return absl::InvalidArgumentError(absl::StrCat(
        label_path, ": label ", first, " (from 0) is ",
        labels[first].item<int64_t>(), ", and ", set.title,
        " has classes 0 to ", classes - 1, "; get the file again"));
  }
  return LabelledImages{images.unsqueeze(1), labels.to(at::kLong)};
}

absl::Status ReadMnist(const Description& set, ImageDataset* dataset) {
  LIPSCHITZ_ASSIGN_OR_RETURN(
      dataset->train,
      ReadMnistPart(set, dataset->folder, set.files[0], set.files[1]));
  LIPSCHITZ_ASSIGN_OR_RETURN(
      dataset->test,
      ReadMnistPart(set, dataset->folder, set.files[2], set.files[3]));
  return absl::OkStatus();
}

// Every training batch that is there.
absl::Status ReadCifarTrain(const Description& set, ImageDataset* dataset) {
  std::vector<at::Tensor> images;
  std::vector<at::Tensor> labels;
  std::vector<std::string> missing;
  for (size_t i = 0; i + 1 < set.files.size(); ++i) {
    const std::string path = FindFile(dataset->folder, set.files[i]);
    if (path.empty()) {
      missing.push_back(set.files[i]);
      continue;
    }
    LIPSCHITZ_ASSIGN_OR_RETURN(const LabelledImages batch, ReadCifar10(path));
    images.push_back(batch.images);
    labels.push_back(batch.labels);
  }
  if (images.empty()) {
    return Incomplete(set, dataset->folder, "any data_batch_N.bin");
  }
  dataset->train = {at::cat(images), at::cat(labels)};
  if (!missing.empty()) {
    dataset->notes.push_back(
        absl::StrCat(set.title, " in ", dataset->folder, " is a part: without ",
                     absl::StrJoin(missing, ", "), " there are ",
                     dataset->train.size(), " training images"));
  }
  return absl::OkStatus();
}

absl::Status ReadCifarTest(const Description& set, bool need_test,
                           ImageDataset* dataset) {
  const std::string& folder = dataset->folder;
  std::string path = FindFile(folder, set.files.back());
  const bool whole = !path.empty();
  if (!whole) path = FindFile(folder, "test_batch_first1000.bin");
  if (path.empty() && need_test) {
    return Incomplete(set, folder, set.files.back());
  }
  if (path.empty()) {
    dataset->test = {at::empty({0, 3, 32, 32}, at::kByte),
                     at::empty({0}, at::kLong)};
    dataset->notes.push_back(
        absl::StrCat(set.title, " in ", folder, " has no test images"));
    return absl::OkStatus();
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(dataset->test, ReadCifar10(path));
  if (!whole) {
    dataset->notes.push_back(absl::StrCat("the test images of ", set.title,
                                          " are the ", dataset->test.size(),
                                          " of ", path));
  }
  return absl::OkStatus();
}

absl::Status ReadCifar(const Description& set, bool need_test,
                       ImageDataset* dataset) {
  LIPSCHITZ_RETURN_IF_ERROR(ReadCifarTrain(set, dataset));
  return ReadCifarTest(set, need_test, dataset);
}

// The first folder with any of the set's files; empty where there is none.
std::string FindFolder(const Description& set, const DataLookup& lookup) {
  for (const std::string& directory : lookup.directories) {
    const std::string folder = absl::StrCat(directory, "/", set.folder);
    for (const std::string& file : set.files) {
      if (!FindFile(folder, file).empty()) return folder;
    }
  }
  return "";
}

std::string Looked(const Description& set, const DataLookup& lookup) {
  std::vector<std::string> folders;
  for (const std::string& directory : lookup.directories) {
    folders.push_back(absl::StrCat(directory, "/", set.folder));
  }
  return folders.empty() ? "nowhere (no folders given)"
                         : absl::StrJoin(folders, ", ");
}

absl::Status Missing(const Description& set, const DataLookup& lookup) {
  std::string message = absl::StrCat(
      set.title, " is not there; looked for ", set.files[0], " (or .gz) ",
      "and the other files in ", Looked(set, lookup), "; ", HowToGet(set));
  if (std::string(set.name) == "fashion_mnist") {
    message += ", and so does Debian's package dataset-fashion-mnist";
  }
  return absl::NotFoundError(message);
}

absl::StatusOr<ImageDataset> LoadFrom(const Description& set,
                                      const std::string& folder,
                                      const DataLookup& lookup) {
  ImageDataset dataset;
  dataset.name = set.name;
  dataset.folder = folder;
  dataset.class_names = set.class_names;
  LIPSCHITZ_RETURN_IF_ERROR(CatchTorch(set.title, [&] {
    return dataset.name == "cifar10"
               ? ReadCifar(set, lookup.need_test, &dataset)
               : ReadMnist(set, &dataset);
  }));
  return dataset;
}

}  // namespace

std::vector<std::string> DataDirectories(const DataSources& sources) {
  std::vector<std::string> directories;
  if (!sources.data_dir.empty()) directories.push_back(sources.data_dir);
  if (!sources.environment.empty()) directories.push_back(sources.environment);
  if (!sources.workspace.empty()) {
    // It may be given as ".", or as a folder and ".".
    directories.push_back((std::filesystem::path(sources.workspace) / "data")
                              .lexically_normal()
                              .string());
  }
  directories.push_back("/usr/share/datasets");
  return directories;
}

std::vector<std::string> DatasetNames() {
  std::vector<std::string> names;
  for (const Description& set : Descriptions()) names.push_back(set.name);
  return names;
}

absl::StatusOr<ImageDataset> LoadDataset(const std::string& name,
                                         const DataLookup& lookup) {
  const bool choose = name == "auto";
  const Description* set = Find(choose ? "mnist" : name);
  if (set == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown dataset '", name, "'; known are ",
                     absl::StrJoin(DatasetNames(), ", "), " and auto"));
  }
  std::string folder = FindFolder(*set, lookup);
  std::string choice = absl::StrCat("auto: ", set->title, " of ", folder);
  if (folder.empty() && choose) {
    const std::string looked = Looked(*set, lookup);
    set = Find("fashion_mnist");
    folder = FindFolder(*set, lookup);
    choice = absl::StrCat("auto: ", set->title, " of ", folder,
                          ", because MNIST is not in ", looked);
    if (folder.empty()) {
      return absl::NotFoundError(
          absl::StrCat(Missing(*Find("mnist"), lookup).message(), "; ",
                       Missing(*set, lookup).message()));
    }
  }
  if (folder.empty()) return Missing(*set, lookup);
  LIPSCHITZ_ASSIGN_OR_RETURN(ImageDataset dataset,
                             LoadFrom(*set, folder, lookup));
  if (choose) dataset.notes.insert(dataset.notes.begin(), choice);
  return dataset;
}

}  // namespace lipschitz
