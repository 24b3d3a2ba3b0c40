// tools/fetch_data.sh against a server on this machine.
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/base/files.h"
#include "tests/testing/http_server.h"
#include "tests/testing/subprocess.h"

namespace lipschitz {
namespace {

using testing::DataFile;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::HttpPage;
using testing::HttpRequest;
using testing::HttpServer;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::ProcessResult;

const char* const kNames[] = {
    "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"};

// Bytes of a file, some of them zero, that differ from name to name.
std::string Body(const std::string& name) {
  std::string body;
  for (size_t i = 0; i < 5000; ++i) {
    body.push_back(static_cast<char>(i * i + name[i % name.size()]));
  }
  return body;
}

ProcessResult RunScript(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(),
                   {"/bin/bash", DataFile("tools/fetch_data.sh")});
  testing::ProcessOptions options;
  options.environment = {{"no_proxy", "*"}};
  return testing::RunProcess(arguments, options);
}

// The output of a command that has to succeed.
std::string Output(const std::string& command) {
  const ProcessResult result =
      testing::RunProcess({"/bin/bash", "-c", command});
  EXPECT_EQ(result.exit_status, 0) << command << result.standard_error;
  return result.standard_output;
}

std::string Content(const std::string& path) {
  const auto content = ReadFile(path);
  return content.ok() ? *content : "(not there)";
}

// A set in MNIST's names with contents and sums of the test's own.
class FetchData : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::NewFolder("fetch");
    std::string published = folder_ + "/published";
    for (const char* const name : kNames) {
      ASSERT_TRUE(
          WriteFileAtomically(published + "/mnist/" + name, Body(name)).ok());
      server_.Put("/good/" + std::string(name), {Body(name)});
    }
    sums_ = folder_ + "/sums";
    Output("cd " + published + " && sha256sum mnist/* > " + sums_);
  }

  // Fetches MNIST from these folders of the server.
  ProcessResult Fetch(const std::vector<std::string>& mirrors) {
    std::vector<std::string> arguments = {"mnist", "--to=" + folder_ + "/data",
                                          "--sums=" + sums_};
    for (const std::string& mirror : mirrors) {
      arguments.push_back("--mirror=" + server_.url() + "/" + mirror);
    }
    return RunScript(arguments);
  }

  std::string Path(const std::string& name) const {
    return folder_ + "/data/mnist/" + name;
  }

  // The names that are there, sorted.
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry :
         std::filesystem::directory_iterator(folder_ + "/data/mnist")) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  void ExpectEverything() const {
    for (const char* const name : kNames) {
      EXPECT_TRUE(Content(Path(name)) == Body(name)) << name;
    }
    EXPECT_EQ(Names().size(), 4) << "only the files themselves";
  }

  // Other files have nothing to do: they are there.
  void HaveAllBut(const std::string& missing) {
    for (const char* const name : kNames) {
      if (name == missing) continue;
      ASSERT_TRUE(WriteFileAtomically(Path(name), Body(name)).ok());
    }
  }

  HttpServer server_;
  std::string folder_;
  std::string sums_;
  const std::string name_ = "t10k-labels-idx1-ubyte.gz";
};

TEST_F(FetchData, GetsEveryFileOnceAndThenNothing) {
  const ProcessResult first = Fetch({"good"});
  EXPECT_EQ(first.exit_status, 0) << first.standard_error;
  ExpectEverything();
  EXPECT_EQ(server_.requests().size(), 4);
  const ProcessResult again = Fetch({"good"});
  EXPECT_EQ(again.exit_status, 0) << again.standard_error;
  EXPECT_THAT(again.standard_error, HasSubstr("there already"));
  EXPECT_EQ(server_.requests().size(), 4);
}

TEST_F(FetchData, AFileOfTheWrongContentIsReplaced) {
  HaveAllBut(name_);
  ASSERT_TRUE(WriteFileAtomically(Path(name_), "<html>oops</html>").ok());
  const ProcessResult run = Fetch({"good"});
  EXPECT_EQ(run.exit_status, 0) << run.standard_error;
  EXPECT_THAT(run.standard_error, HasSubstr("will be replaced"));
  ExpectEverything();
  EXPECT_EQ(server_.requests().size(), 1);
}

TEST_F(FetchData, AFolderOfItsNameIsAnErrorAndStays) {
  HaveAllBut(name_);
  std::filesystem::create_directories(Path(name_));
  const ProcessResult run = Fetch({"good"});
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.standard_error, HasSubstr(name_ + " is a folder"));
  EXPECT_THAT(run.standard_error, Not(HasSubstr("will be replaced")));
  EXPECT_TRUE(std::filesystem::is_empty(Path(name_)));
}

// Programs prefer it, and its checksum is not known.
TEST_F(FetchData, AnUnpackedTwinIsNamed) {
  HaveAllBut(name_);
  const std::string twin = name_.substr(0, name_.size() - 3);
  ASSERT_TRUE(WriteFileAtomically(Path(twin), "damaged").ok());
  const ProcessResult run = Fetch({"good"});
  EXPECT_EQ(run.exit_status, 0) << run.standard_error;
  EXPECT_THAT(run.standard_error, HasSubstr(twin + " is there, too"));
}

TEST_F(FetchData, WrongChecksumLeavesNoFile) {
  HaveAllBut(name_);
  std::string body = Body(name_);
  body[1234] ^= 1;
  server_.Put("/bad/" + name_, {body});
  const ProcessResult run = Fetch({"bad"});
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.standard_error, HasSubstr("/bad/" + name_));
  EXPECT_THAT(run.standard_error, HasSubstr("wrong checksum"));
  EXPECT_THAT(Names(), Not(::testing::Contains(HasSubstr(name_))));
}

TEST_F(FetchData, NotFoundLeavesNoFileAndSaysTheAddress) {
  const ProcessResult run = Fetch({"nowhere"});
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.standard_error,
              HasSubstr("/nowhere/" + std::string(kNames[2])));
  EXPECT_THAT(run.standard_error, HasSubstr("404"));
  EXPECT_THAT(run.standard_error, HasSubstr("--mirror"));
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(FetchData, NoServerIsAnErrorThatSaysSo) {
  const ProcessResult run =
      RunScript({"mnist", "--to=" + folder_ + "/data", "--sums=" + sums_,
                 "--mirror=http://127.0.0.1:1/"});
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.standard_error, HasSubstr("onnect"));
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(FetchData, TruncatedTransferIsResumedByTheNextRun) {
  HaveAllBut(name_);
  server_.Put("/short/" + name_, {Body(name_), true, 2000});
  const ProcessResult cut = Fetch({"short"});
  EXPECT_EQ(cut.exit_status, 1);
  EXPECT_THAT(cut.standard_error, HasSubstr("broke off after 2000 bytes"));
  EXPECT_FALSE(std::filesystem::exists(Path(name_)));
  EXPECT_TRUE(Content(Path(name_ + ".part")) == Body(name_).substr(0, 2000));
  const ProcessResult rest = Fetch({"good"});
  EXPECT_EQ(rest.exit_status, 0) << rest.standard_error;
  ExpectEverything();
  EXPECT_THAT(server_.requests(),
              ElementsAre(HttpRequest{"/short/" + name_, ""},
                          HttpRequest{"/good/" + name_, "bytes=2000-"}));
}

TEST_F(FetchData, TheNextMirrorGoesOnWhereTheFirstBroke) {
  HaveAllBut(name_);
  server_.Put("/short/" + name_, {Body(name_), true, 4999});
  const ProcessResult run = Fetch({"nowhere", "short", "good"});
  EXPECT_EQ(run.exit_status, 0) << run.standard_error;
  ExpectEverything();
  EXPECT_THAT(server_.requests(),
              ElementsAre(HttpRequest{"/nowhere/" + name_, ""},
                          HttpRequest{"/short/" + name_, ""},
                          HttpRequest{"/good/" + name_, "bytes=4999-"}));
}

TEST_F(FetchData, ServerThatCannotResumeSendsTheWholeFile) {
  HaveAllBut(name_);
  server_.Put("/plain/" + name_, {Body(name_), /*ranges=*/false});
  ASSERT_TRUE(
      WriteFileAtomically(Path(name_ + ".part"), Body(name_).substr(0, 100))
          .ok());
  const ProcessResult run = Fetch({"plain"});
  EXPECT_EQ(run.exit_status, 0) << run.standard_error;
  ExpectEverything();
  EXPECT_THAT(server_.requests(),
              ElementsAre(HttpRequest{"/plain/" + name_, "bytes=100-"},
                          HttpRequest{"/plain/" + name_, ""}));
}

// A part of another file, shorter than this one, as long, longer.
TEST_F(FetchData, APartThatDoesNotFitIsDownloadedAgain) {
  for (const size_t size : {100, 5000, 6000}) {
    HaveAllBut(name_);
    std::filesystem::remove(Path(name_));
    ASSERT_TRUE(
        WriteFileAtomically(Path(name_ + ".part"), std::string(size, 'x'))
            .ok());
    const ProcessResult run = Fetch({"good"});
    EXPECT_EQ(run.exit_status, 0) << run.standard_error;
    EXPECT_THAT(run.standard_error, HasSubstr("downloading all of it"));
    ExpectEverything();
  }
}

TEST_F(FetchData, AWholePartIsTakenWithoutADownload) {
  HaveAllBut(name_);
  ASSERT_TRUE(WriteFileAtomically(Path(name_ + ".part"), Body(name_)).ok());
  const ProcessResult run = Fetch({"nowhere"});
  EXPECT_EQ(run.exit_status, 0) << run.standard_error;
  ExpectEverything();
  EXPECT_THAT(server_.requests(), IsEmpty());
}

TEST_F(FetchData, UsageIsChecked) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"imagenet"},
      {"mnist", "cifar10"},
      {"mnist", "--miror=http://127.0.0.1"},
      {"mnist", "--mirror=ftp://127.0.0.1"}};
  for (const auto& arguments : wrong) {
    const ProcessResult run = RunScript(arguments);
    EXPECT_EQ(run.exit_status, 2);
    EXPECT_THAT(run.standard_error, HasSubstr("usage:"));
  }
}

TEST_F(FetchData, MissingSumsAreAnError) {
  const ProcessResult none =
      RunScript({"mnist", "--to=" + folder_, "--sums=" + folder_ + "/none"});
  EXPECT_EQ(none.exit_status, 1);
  EXPECT_THAT(none.standard_error, HasSubstr("checksums"));
  const ProcessResult other =
      RunScript({"fashion_mnist", "--to=" + folder_, "--sums=" + sums_});
  EXPECT_EQ(other.exit_status, 1);
  EXPECT_THAT(other.standard_error, HasSubstr("no checksum"));
}

TEST(FetchDataSums, TheScriptsOwnSumsAreOfEveryPublishedFile) {
  const std::string sums = Content(DataFile("tools/datasets.sha256"));
  EXPECT_EQ(std::count(sums.begin(), sums.end(), '\n'), 15);
  for (const std::string folder : {"mnist", "fashion-mnist"}) {
    for (const std::string name : kNames) {
      EXPECT_THAT(sums, HasSubstr("  " + folder + "/" + name + "\n"));
    }
  }
  EXPECT_THAT(sums,
              HasSubstr("440fcabf73cc546fa21475e81ea370265605f56be210a402"
                        "4d2ca8f203523609  mnist/train-images-idx3-ubyte"));
  // Without --sums they are the ones that count.
  HttpServer server;
  for (const std::string name : kNames) {
    server.Put("/" + name, {Body(name)});
  }
  const std::string folder = testing::NewFolder("fetch");
  const ProcessResult run =
      RunScript({"mnist", "--to=" + folder, "--mirror=" + server.url()});
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.standard_error, HasSubstr("wrong checksum"));
  EXPECT_TRUE(std::filesystem::is_empty(folder + "/mnist"));
}

// CIFAR-10 comes in one archive.
class FetchCifar : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::NewFolder("fetch");
    Output("mkdir -p " + folder_ + "/cifar10/cifar-10-batches-bin && cd " +
           folder_ +
           "/cifar10/cifar-10-batches-bin && echo one > data_batch_1.bin && "
           "echo test > test_batch.bin && echo more > readme.html && "
           "sha256sum *.bin | sed 's|  |  cifar10/|' > " +
           folder_ + "/sums && cd .. && tar -czf cifar-10-binary.tar.gz " +
           "cifar-10-batches-bin && cd .. && "
           "sha256sum cifar10/cifar-10-binary.tar.gz >> sums");
    server_.Put("/cifar-10-binary.tar.gz",
                {Content(folder_ + "/cifar10/cifar-10-binary.tar.gz")});
  }

  ProcessResult Fetch() {
    return RunScript({"cifar10", "--to=" + folder_ + "/data",
                      "--sums=" + folder_ + "/sums",
                      "--mirror=" + server_.url()});
  }

  HttpServer server_;
  std::string folder_;
};

TEST_F(FetchCifar, UnpacksTheBatchesOnce) {
  const ProcessResult first = Fetch();
  EXPECT_EQ(first.exit_status, 0) << first.standard_error;
  EXPECT_EQ(Output("cd " + folder_ + "/data/cifar10 && ls"),
            "data_batch_1.bin\ntest_batch.bin\n");
  EXPECT_EQ(Content(folder_ + "/data/cifar10/data_batch_1.bin"), "one\n");
  const ProcessResult again = Fetch();
  EXPECT_EQ(again.exit_status, 0) << again.standard_error;
  EXPECT_EQ(server_.requests().size(), 1);
  // A damaged file is fetched again.
  Output("echo two > " + folder_ + "/data/cifar10/data_batch_1.bin");
  EXPECT_EQ(Fetch().exit_status, 0);
  EXPECT_EQ(Content(folder_ + "/data/cifar10/data_batch_1.bin"), "one\n");
}

TEST_F(FetchCifar, AFolderOfAFilesNameIsAnErrorBeforeTheDownload) {
  const std::string place = folder_ + "/data/cifar10/data_batch_1.bin";
  std::filesystem::create_directories(place);
  const ProcessResult run = Fetch();
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.standard_error, HasSubstr("data_batch_1.bin is a folder"));
  EXPECT_TRUE(std::filesystem::is_empty(place));
  EXPECT_EQ(server_.requests().size(), 0);
}

TEST_F(FetchCifar, AnArchiveWithoutAFileIsAnError) {
  Output("echo " + std::string(64, '0') + "'  cifar10/data_batch_2.bin' >> " +
         folder_ + "/sums");
  const ProcessResult run = Fetch();
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.standard_error, HasSubstr("data_batch_2.bin"));
  EXPECT_FALSE(
      std::filesystem::exists(folder_ + "/data/cifar10/data_batch_1.bin"));
}

}  // namespace
}  // namespace lipschitz
