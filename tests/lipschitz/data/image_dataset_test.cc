#include "lipschitz/data/image_dataset.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/data_files.h"
#include "tests/testing/status.h"
#include "tests/testing/subprocess.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using testing::FailsWith;
using testing::Gzip;
using ::testing::HasSubstr;
using testing::IdxBytes;
using ::testing::IsEmpty;
using testing::RandomImages;
using testing::WriteData;
using testing::WriteMnist;

class ImageDatasetTest : public ::testing::Test {
 protected:
  void SetUp() override { folder_ = testing::NewFolder("data"); }

  absl::StatusOr<ImageDataset> Load(const std::string& name,
                                    bool need_test = true) const {
    return LoadDataset(name, {{folder_ + "/a", folder_ + "/b"}, need_test});
  }

  void ExpectError(const std::string& name,
                   const std::vector<std::string>& parts) const {
    EXPECT_TRUE(FailsWith(Load(name), StatusCode::kInvalidArgument, parts));
  }

  void Remove(const std::string& path) const {
    std::filesystem::remove_all(folder_ + path);
  }

  std::string folder_;
  const LabelledImages train_ = RandomImages(20, 1, 28, 1);
  const LabelledImages test_ = RandomImages(11, 1, 28, 2);
  const LabelledImages colour_ = RandomImages(15, 3, 32, 3);
};

TEST(DataDirectories, AreInTheOrderOfTheDesign) {
  EXPECT_THAT(DataDirectories({"/flag", "/environment", "/checkout"}),
              ElementsAre("/flag", "/environment", "/checkout/data",
                          "/usr/share/datasets"));
  EXPECT_THAT(DataDirectories({"", "", "/checkout/."}),
              ElementsAre("/checkout/data", "/usr/share/datasets"));
  EXPECT_THAT(DataDirectories({}), ElementsAre("/usr/share/datasets"));
}

TEST_F(ImageDatasetTest, ReadsBothPartsOfMnist) {
  WriteMnist(folder_ + "/b/mnist", train_, test_);
  const auto mnist = Load("mnist");
  ASSERT_TRUE(mnist.ok()) << mnist.status();
  EXPECT_EQ(mnist->name, "mnist");
  EXPECT_EQ(mnist->folder, folder_ + "/b/mnist");
  EXPECT_THAT(mnist->notes, IsEmpty());
  EXPECT_EQ(mnist->classes(), 10);
  EXPECT_EQ(mnist->channels(), 1);
  EXPECT_EQ(mnist->height(), 28);
  EXPECT_EQ(mnist->width(), 28);
  EXPECT_EQ(mnist->pixels(), 784);
  EXPECT_EQ(mnist->train.size(), 20);
  EXPECT_EQ(mnist->test.size(), 11);
  EXPECT_TRUE(at::equal(mnist->train.images, train_.images));
  EXPECT_TRUE(at::equal(mnist->train.labels, train_.labels));
  EXPECT_TRUE(at::equal(mnist->test.images, test_.images));
  EXPECT_TRUE(at::equal(mnist->test.labels, test_.labels));
}

TEST_F(ImageDatasetTest, TakesRawFilesToo) {
  WriteMnist(folder_ + "/b/mnist", train_, test_);
  Remove("/b/mnist/t10k-labels-idx1-ubyte.gz");
  WriteData(folder_ + "/b/mnist/t10k-labels-idx1-ubyte",
            IdxBytes(test_.labels));
  const auto mnist = Load("mnist");
  ASSERT_TRUE(mnist.ok()) << mnist.status();
  EXPECT_TRUE(at::equal(mnist->test.labels, test_.labels));
}

TEST_F(ImageDatasetTest, TheFirstFolderWins) {
  WriteMnist(folder_ + "/a/fashion-mnist", train_, test_);
  WriteMnist(folder_ + "/b/fashion-mnist", test_, train_);
  const auto fashion = Load("fashion_mnist");
  ASSERT_TRUE(fashion.ok()) << fashion.status();
  EXPECT_EQ(fashion->train.size(), 20);
  EXPECT_EQ(fashion->class_names[9], "ankle boot");
}

TEST_F(ImageDatasetTest, AutoIsMnistElseFashionMnistAndSaysWhich) {
  WriteMnist(folder_ + "/a/fashion-mnist", train_, test_);
  auto dataset = Load("auto");
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(dataset->name, "fashion_mnist");
  EXPECT_THAT(dataset->notes, ElementsAre(::testing::AllOf(
                                  HasSubstr("Fashion-MNIST of " + folder_),
                                  HasSubstr(folder_ + "/b/mnist"))));
  // MNIST in a later folder still comes first.
  WriteMnist(folder_ + "/b/mnist", test_, train_);
  dataset = Load("auto");
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(dataset->name, "mnist");
  EXPECT_THAT(dataset->notes, ElementsAre(HasSubstr("auto: MNIST of ")));
  // Not a reason for the other set.
  Remove("/b/mnist/train-labels-idx1-ubyte.gz");
  ExpectError("auto", {folder_ + "/b/mnist", "train-labels-idx1-ubyte"});
}

TEST_F(ImageDatasetTest, MissingSetsSayWhereTheyWereLookedForAndHowToGetThem) {
  EXPECT_TRUE(
      FailsWith(Load("mnist"), StatusCode::kNotFound,
                {"MNIST", "train-images-idx3-ubyte", folder_ + "/a/mnist",
                 folder_ + "/b/mnist", "tools/fetch_data.sh mnist"}));
  EXPECT_TRUE(FailsWith(Load("fashion_mnist"), StatusCode::kNotFound,
                        {folder_ + "/a/fashion-mnist", "dataset-fashion-mnist",
                         "tools/fetch_data.sh fashion_mnist"}));
  EXPECT_TRUE(FailsWith(Load("cifar10"), StatusCode::kNotFound,
                        {"data_batch_1.bin", folder_ + "/b/cifar10",
                         "tools/fetch_data.sh cifar10"}));
  EXPECT_TRUE(FailsWith(
      Load("auto"), StatusCode::kNotFound,
      {folder_ + "/a/mnist", folder_ + "/a/fashion-mnist",
       "tools/fetch_data.sh mnist", "tools/fetch_data.sh fashion_mnist"}));
  EXPECT_TRUE(FailsWith(LoadDataset("mnist", {}), StatusCode::kNotFound,
                        {"no folders given"}));
  ExpectError("imagenet", {"'imagenet'", "mnist, fashion_mnist, cifar10"});
}

TEST_F(ImageDatasetTest, AnIncompleteSetIsAnErrorWithTheMissingFile) {
  for (const std::string file :
       {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}) {
    WriteMnist(folder_ + "/a/mnist", train_, test_);
    WriteMnist(folder_ + "/b/mnist", train_, test_);
    Remove("/a/mnist/" + file + ".gz");
    ExpectError("mnist", {folder_ + "/a/mnist", file,
                          "tools/fetch_data.sh mnist --to=" + folder_ + "/a "});
  }
}

TEST_F(ImageDatasetTest, FilesThatDisagreeAreErrorsThatNameThem) {
  const std::string folder = folder_ + "/a/mnist";
  WriteMnist(folder, train_, test_);
  WriteData(folder + "/train-labels-idx1-ubyte.gz",
            Gzip(IdxBytes(train_.labels.slice(0, 1))));
  ExpectError("mnist", {folder + "/train-images-idx3-ubyte.gz", "20 images",
                        folder + "/train-labels-idx1-ubyte.gz", "19 labels"});

  at::Tensor labels = train_.labels.clone();
  labels[13] = 11;
  WriteData(folder + "/train-labels-idx1-ubyte.gz", Gzip(IdxBytes(labels)));
  ExpectError("mnist", {folder + "/train-labels-idx1-ubyte.gz",
                        "label 13 (from 0) is 11", "0 to 9"});

  WriteMnist(folder, train_, test_);
  WriteData(folder + "/t10k-images-idx3-ubyte.gz",
            IdxBytes(at::zeros({11, 32, 32}, at::kByte)));
  ExpectError("mnist", {folder + "/t10k-images-idx3-ubyte.gz", "32 x 32"});

  // Images and labels exchanged.
  WriteData(folder + "/t10k-images-idx3-ubyte.gz", IdxBytes(test_.labels));
  ExpectError("mnist", {folder + "/t10k-images-idx3-ubyte.gz", "(labels)"});
}

TEST_F(ImageDatasetTest, MalformedFilesAreErrorsWithTheirName) {
  const std::string folder = folder_ + "/a/mnist";
  const std::string path = folder + "/t10k-images-idx3-ubyte.gz";
  WriteMnist(folder, train_, test_);
  WriteData(path, "");
  ExpectError("mnist", {path, "empty"});
  WriteData(path, Gzip(IdxBytes(test_.images.squeeze(1))).substr(0, 3000));
  ExpectError("mnist", {path, "cut off"});
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  ExpectError("mnist", {path, "directory"});
}

TEST_F(ImageDatasetTest, ReadsAllOfCifar10InOrder) {
  const std::string folder = folder_ + "/a/cifar10";
  for (int i = 1; i <= 5; ++i) {
    const at::Tensor indices = at::arange(3 * i - 3, 3 * i, at::kLong);
    const std::string bytes = testing::Cifar10Bytes(colour_.Select(indices));
    const std::string path =
        folder + "/data_batch_" + std::to_string(i) + ".bin";
    if (i % 2 == 0) {
      WriteData(path, bytes);
    } else {
      WriteData(path + ".gz", Gzip(bytes));
    }
  }
  WriteData(folder + "/test_batch.bin",
            testing::Cifar10Bytes(RandomImages(4, 3, 32, 9)));
  const auto cifar = Load("cifar10");
  ASSERT_TRUE(cifar.ok()) << cifar.status();
  EXPECT_THAT(cifar->notes, IsEmpty());
  EXPECT_TRUE(at::equal(cifar->train.images, colour_.images));
  EXPECT_TRUE(at::equal(cifar->train.labels, colour_.labels));
  EXPECT_EQ(cifar->test.size(), 4);
  EXPECT_EQ(cifar->pixels(), 3072);
  EXPECT_EQ(cifar->class_names[0], "airplane");
}

TEST_F(ImageDatasetTest, APartOfCifar10IsTakenAndNoted) {
  const std::string folder = folder_ + "/b/cifar10";
  WriteData(folder + "/data_batch_3.bin", testing::Cifar10Bytes(colour_));
  ExpectError("cifar10", {folder, "test_batch.bin"});

  auto cifar = Load("cifar10", /*need_test=*/false);
  ASSERT_TRUE(cifar.ok()) << cifar.status();
  EXPECT_EQ(cifar->train.size(), 15);
  EXPECT_EQ(cifar->test.size(), 0);
  EXPECT_THAT(cifar->notes,
              ElementsAre(::testing::AllOf(HasSubstr("data_batch_1.bin"),
                                           HasSubstr("data_batch_5.bin"),
                                           HasSubstr("15 training images")),
                          HasSubstr("no test images")));

  WriteData(folder + "/test_batch_first1000.bin.gz",
            Gzip(testing::Cifar10Bytes(RandomImages(4, 3, 32, 9))));
  cifar = Load("cifar10");
  ASSERT_TRUE(cifar.ok()) << cifar.status();
  EXPECT_EQ(cifar->test.size(), 4);
  EXPECT_THAT(cifar->notes[1], HasSubstr("test_batch_first1000.bin.gz"));

  Remove("/b/cifar10/data_batch_3.bin");
  WriteData(folder + "/test_batch.bin",
            testing::Cifar10Bytes(RandomImages(4, 3, 32, 9)));
  ExpectError("cifar10", {folder, "data_batch_N.bin"});
}

TEST(LabelledImages, SelectKeepsTheOrderOfTheIndices) {
  const LabelledImages images = RandomImages(5, 1, 4, 1);
  const LabelledImages some = images.Select(at::tensor({3, 0}, at::kLong));
  EXPECT_TRUE(at::equal(some.labels, at::tensor({3, 0}, at::kLong)));
  EXPECT_TRUE(at::equal(some.images[0], images.images[3]));
  EXPECT_TRUE(at::equal(some.images[1], images.images[0]));
  EXPECT_EQ(LabelledImages().size(), 0);
}

TEST(UnitPixels, AreTheFloatNearestToAFractionOf255) {
  const at::Tensor bytes = at::arange(256, at::kByte).reshape({4, 64});
  const at::Tensor pixels = UnitPixels(bytes);
  EXPECT_EQ(pixels.scalar_type(), at::kFloat);
  EXPECT_EQ(pixels.sizes(), bytes.sizes());
  for (int k = 0; k < 256; ++k) {
    EXPECT_EQ(pixels[k / 64][k % 64].item<float>(),
              static_cast<float>(k / 255.0))
        << k;
  }
  EXPECT_THROW(UnitPixels(at::zeros({2})), c10::Error);
}

}  // namespace
}  // namespace lipschitz
