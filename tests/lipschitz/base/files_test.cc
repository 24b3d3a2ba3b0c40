#include "lipschitz/base/files.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/testing/status.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using lipschitz::testing::FailsWith;

// A fresh folder, removed afterwards.
class Files : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "/files_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const {
    return folder_ + "/" + name;
  }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  std::string folder_;
};

// While alive, no file can grow beyond `bytes`: what a full disk does to a
// write. Without the signal that would end the process.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_;
  void (*handler_)(int);
};

TEST_F(Files, ReadGivesBackWhatWasWritten) {
  const std::vector<std::string> contents = {
      "", "one line\n", std::string("with\0zero\r\n\xff bytes", 18),
      std::string(3 << 20, 'x')};
  for (const std::string& content : contents) {
    ASSERT_TRUE(WriteFileAtomically(Path("a"), content).ok());
    const auto read = ReadFile(Path("a"));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_TRUE(*read == content) << "of " << content.size() << " bytes";
  }
  EXPECT_EQ(Names(), std::vector<std::string>{"a"});
}

TEST_F(Files, WriteReplacesALongerFileWhole) {
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "a long first content").ok());
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "short").ok());
  EXPECT_EQ(*ReadFile(Path("a")), "short");
}

TEST_F(Files, WriteCreatesMissingParents) {
  ASSERT_TRUE(WriteFileAtomically(Path("b/c/d.json"), "{}").ok());
  EXPECT_EQ(*ReadFile(Path("b/c/d.json")), "{}");
}

TEST_F(Files, WriteTakesANameWithoutAFolder) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder_);
  const absl::Status written = WriteFileAtomically("plain", "content");
  std::filesystem::current_path(before);
  ASSERT_TRUE(written.ok()) << written;
  EXPECT_EQ(*ReadFile(Path("plain")), "content");
}

TEST_F(Files, FullDiskLeavesTheOldContentAndNoTemporary) {
  ASSERT_TRUE(WriteFileAtomically(Path("record.json"), "old").ok());
  absl::Status status;
  {
    const FileSizeLimit limit(4096);
    status = WriteFileAtomically(Path("record.json"), std::string(65536, 'n'));
  }
  EXPECT_TRUE(FailsWith(status, StatusCode::kResourceExhausted,
                        {Path("record.json"), "space"}));
  EXPECT_EQ(*ReadFile(Path("record.json")), "old");
  EXPECT_EQ(Names(), std::vector<std::string>{"record.json"});
  // Nothing is left that would hinder the next attempt.
  ASSERT_TRUE(WriteFileAtomically(Path("record.json"), "new").ok());
  EXPECT_EQ(*ReadFile(Path("record.json")), "new");
}

TEST_F(Files, FullDiskLeavesNothingWhereNothingWas) {
  absl::Status status;
  {
    const FileSizeLimit limit(10);
    status = WriteFileAtomically(Path("new"), std::string(11, 'n'));
  }
  EXPECT_TRUE(FailsWith(status, StatusCode::kResourceExhausted, {}));
  EXPECT_TRUE(Names().empty());
}

TEST_F(Files, AReaderSeesOldOrNewAndNothingBetween) {
  const std::string a(1 << 19, 'a');
  const std::string b((1 << 19) + 12345, 'b');
  ASSERT_TRUE(WriteFileAtomically(Path("shared"), a).ok());
  std::atomic<bool> done(false);
  std::atomic<int> torn(0);
  std::thread reader([&] {
    do {
      const auto content = ReadFile(Path("shared"));
      if (!content.ok() || (*content != a && *content != b)) ++torn;
    } while (!done);
  });
  bool written = true;
  for (int i = 0; i < 40; ++i) {
    written &= WriteFileAtomically(Path("shared"), i % 2 == 0 ? b : a).ok();
  }
  done = true;
  reader.join();
  EXPECT_TRUE(written);
  EXPECT_EQ(torn, 0);
}

TEST_F(Files, WriteBelowARegularFileIsAnErrorThatNamesThePath) {
  ASSERT_TRUE(WriteFileAtomically(Path("file"), "content").ok());
  const absl::Status status = WriteFileAtomically(Path("file/below"), "x");
  EXPECT_FALSE(status.ok());
  EXPECT_NE(std::string(status.message()).find(Path("file")), std::string::npos)
      << status;
  EXPECT_NE(std::string(status.message()).find("Not a directory"),
            std::string::npos)
      << status;
  EXPECT_EQ(*ReadFile(Path("file")), "content");
}

TEST_F(Files, CreateFolderBelowARegularFileIsAnErrorThatNamesThePath) {
  ASSERT_TRUE(WriteFileAtomically(Path("file"), "content").ok());
  const absl::Status status = CreateFolder(Path("file/a/b"));
  EXPECT_FALSE(status.ok());
  EXPECT_NE(std::string(status.message()).find(Path("file/a/b")),
            std::string::npos)
      << status;
}

TEST_F(Files, CreateFolderIsContentWithOneThatIsThere) {
  EXPECT_TRUE(CreateFolder(Path("a/b/c")).ok());
  EXPECT_TRUE(CreateFolder(Path("a/b/c")).ok());
  EXPECT_TRUE(std::filesystem::is_directory(Path("a/b/c")));
}

// Not even root can create a file there.
TEST_F(Files, WriteWhereNobodyMayWriteIsAnError) {
  const absl::Status status = WriteFileAtomically("/proc/nope", "x");
  EXPECT_FALSE(status.ok());
  EXPECT_NE(std::string(status.message()).find("/proc/nope"), std::string::npos)
      << status;
  EXPECT_FALSE(CreateFolder("/proc/nope").ok());
}

TEST_F(Files, WriteOverAFolderIsAnErrorAndLeavesIt) {
  ASSERT_TRUE(WriteFileAtomically(Path("a/inner"), "content").ok());
  EXPECT_FALSE(WriteFileAtomically(Path("a"), "x").ok());
  EXPECT_EQ(*ReadFile(Path("a/inner")), "content");
  EXPECT_EQ(Names(), std::vector<std::string>{"a"});
}

TEST_F(Files, WriteToALinkWritesTheFileBehindIt) {
  ASSERT_TRUE(WriteFileAtomically(Path("file"), "old").ok());
  std::filesystem::create_symlink(Path("file"), Path("link"));
  std::filesystem::create_symlink("later", Path("dangling"));
  ASSERT_TRUE(WriteFileAtomically(Path("link"), "new").ok());
  ASSERT_TRUE(WriteFileAtomically(Path("dangling"), "made").ok());
  EXPECT_TRUE(std::filesystem::is_symlink(Path("link")));
  EXPECT_TRUE(std::filesystem::is_symlink(Path("dangling")));
  EXPECT_EQ(*ReadFile(Path("file")), "new");
  EXPECT_EQ(*ReadFile(Path("later")), "made");
}

TEST_F(Files, LinkToItselfIsAnError) {
  std::filesystem::create_symlink("b", Path("a"));
  std::filesystem::create_symlink("a", Path("b"));
  EXPECT_TRUE(FailsWith(WriteFileAtomically(Path("a"), "x"),
                        StatusCode::kUnavailable, {Path("a"), "symbolic"}));
}

TEST_F(Files, WriteToAPipeIsAnErrorAndLeavesIt) {
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  std::filesystem::create_symlink(Path("pipe"), Path("link"));
  for (const std::string& path : {Path("pipe"), Path("link")}) {
    EXPECT_TRUE(FailsWith(WriteFileAtomically(path, "x"),
                          StatusCode::kInvalidArgument, {path, "pipe"}));
  }
  EXPECT_TRUE(std::filesystem::is_fifo(Path("pipe")));
  EXPECT_TRUE(std::filesystem::is_symlink(Path("link")));
}

TEST_F(Files, WrittenFilesHaveTheModeOfTheProcess) {
  const mode_t before = umask(027);
  const absl::Status written = WriteFileAtomically(Path("a"), "content");
  EXPECT_EQ(umask(before), 027u);
  ASSERT_TRUE(written.ok()) << written;
  EXPECT_EQ(std::filesystem::status(Path("a")).permissions(),
            static_cast<std::filesystem::perms>(0640));
}

// Its first bytes cannot be read.
TEST_F(Files, ReadThatFailsMidwayIsAnErrorAndNotAShortFile) {
  EXPECT_TRUE(FailsWith(ReadFile("/proc/self/mem"), StatusCode::kUnavailable,
                        {"/proc/self/mem", "Input/output error"}));
}

TEST_F(Files, ReadingAFolderIsAnError) {
  EXPECT_TRUE(FailsWith(ReadFile(folder_), StatusCode::kInvalidArgument,
                        {folder_, "directory"}));
}

TEST_F(Files, ReadingADeviceIsAnErrorAndEnds) {
  for (const std::string device : {"/dev/zero", "/dev/null"}) {
    EXPECT_TRUE(FailsWith(ReadFile(device), StatusCode::kInvalidArgument,
                          {device, "device"}));
  }
}

TEST_F(Files, ReadingAMissingFileIsNotFound) {
  EXPECT_TRUE(FailsWith(ReadFile(Path("missing")), StatusCode::kNotFound,
                        {Path("missing"), "No such file"}));
}

TEST_F(Files, ReadingBelowARegularFileIsAnError) {
  ASSERT_TRUE(WriteFileAtomically(Path("file"), "content").ok());
  const auto read = ReadFile(Path("file/below"));
  EXPECT_FALSE(read.ok());
  EXPECT_NE(std::string(read.status().message()).find(Path("file/below")),
            std::string::npos)
      << read.status();
}

}  // namespace
}  // namespace lipschitz
