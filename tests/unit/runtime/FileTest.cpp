// Protects atomic writes and the errors of file access.
#include "runtime/base/CpuInfo.h"
#include "runtime/base/File.h"
#include "tests/support/TemporaryFolder.h"

#include <gtest/gtest.h>

#include <csignal>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>

using namespace quire;
using namespace quire::test;

namespace {

std::span<const uint8_t> asBytes(const std::string &text) {
  return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}

size_t entriesOf(const TemporaryFolder &folder) {
  std::filesystem::directory_iterator begin(folder.path()), end;
  return static_cast<size_t>(std::distance(begin, end));
}

TEST(File, AtomicWriteReplacesTheFileAndLeavesNothingElse) {
  TemporaryFolder folder;
  std::string path = folder.write("file", "old");
  const std::string first = "new ", second = "content";
  const std::span<const uint8_t> pieces[] = {asBytes(first), asBytes(second)};
  ASSERT_TRUE(writeFileAtomically(path, pieces).isOk());
  auto bytes = readFile(path, 100);
  ASSERT_TRUE(bytes.isOk());
  EXPECT_EQ(std::string(bytes->begin(), bytes->end()), "new content");
  EXPECT_EQ(entriesOf(folder), 1u);
}

TEST(File, FailedWriteNamesThePathAndLeavesNothing) {
  TemporaryFolder folder;
  std::string path = folder.write("target", "old");
  const std::string text = "text that is longer than a file may be";
  const std::span<const uint8_t> pieces[] = {asBytes(text)};
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small{8, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  Status status = writeFileAtomically(path, pieces);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(status.code(), ErrorCode::Io);
  EXPECT_NE(status.message().find("target"), std::string::npos);
  EXPECT_EQ(entriesOf(folder), 1u);
  auto bytes = readFile(path, 100);
  ASSERT_TRUE(bytes.isOk());
  EXPECT_EQ(std::string(bytes->begin(), bytes->end()), "old");
  EXPECT_EQ(writeFileAtomically(folder.file("no/such/folder"), pieces).code(), ErrorCode::NotFound);
}

TEST(File, AtomicWriteReplacesNoFolderPipeOrDevice) {
  TemporaryFolder folder;
  const std::string text = "text";
  const std::span<const uint8_t> pieces[] = {asBytes(text)};
  std::filesystem::create_directories(folder.file("folder/inside"));
  ASSERT_EQ(::mkfifo(folder.file("pipe").c_str(), 0600), 0);
  std::filesystem::create_symlink("/dev/null", folder.file("null"));
  for (const char *name : {"folder", "pipe", "null"}) {
    Status status = writeFileAtomically(folder.file(name), pieces);
    EXPECT_EQ(status.code(), ErrorCode::InvalidArgument) << name;
    EXPECT_NE(status.message().find(name), std::string::npos);
    EXPECT_FALSE(std::filesystem::is_regular_file(folder.file(name))) << name;
  }
  EXPECT_EQ(entriesOf(folder), 3u);
}

TEST(File, AtomicWriteThroughALinkKeepsTheLink) {
  TemporaryFolder folder, elsewhere;
  std::string target = elsewhere.write("target", "old");
  std::filesystem::create_symlink(target, folder.file("link"));
  const std::string text = "new";
  const std::span<const uint8_t> pieces[] = {asBytes(text)};
  ASSERT_TRUE(writeFileAtomically(folder.file("link"), pieces).isOk());
  EXPECT_TRUE(std::filesystem::is_symlink(folder.file("link")));
  auto bytes = readFile(target, 100);
  ASSERT_TRUE(bytes.isOk());
  EXPECT_EQ(std::string(bytes->begin(), bytes->end()), "new");
}

TEST(File, ErrorsTellWhatIsWrong) {
  TemporaryFolder folder;
  EXPECT_EQ(File::open(folder.file("missing")).status().code(), ErrorCode::NotFound);
  EXPECT_EQ(File::open(folder.path()).status().code(), ErrorCode::InvalidArgument);
  ASSERT_EQ(::mkfifo(folder.file("pipe").c_str(), 0600), 0);
  EXPECT_EQ(File::open(folder.file("pipe")).status().code(), ErrorCode::InvalidArgument);
  std::string path = folder.write("short", "12345");
  EXPECT_EQ(readFile(path, 4).status().code(), ErrorCode::OutOfRange);
  auto file = File::open(path);
  ASSERT_TRUE(file.isOk());
  char buffer[6];
  EXPECT_EQ(file->readAt(0, buffer, 6).code(), ErrorCode::Corrupt);
  EXPECT_TRUE(file->readAt(1, buffer, 4).isOk());
  EXPECT_EQ(std::string(buffer, 4), "2345");
}

TEST(File, EmptyFileMapsToNoBytes) {
  TemporaryFolder folder;
  auto mapping = Mapping::open(folder.write("empty", ""));
  ASSERT_TRUE(mapping.isOk());
  EXPECT_TRUE(mapping->bytes().empty());
}

TEST(CpuInfo, AgreesWithTheCompilersOwnDetection) {
  CpuInfo info = queryCpuInfo();
  EXPECT_FALSE(info.name.empty());
  EXPECT_GE(info.cores, 1u);
  EXPECT_LE(info.cores, std::max(1u, std::thread::hardware_concurrency()));
  EXPECT_EQ(info.x86_64_v3, bool(__builtin_cpu_supports("avx2")) &&
                                bool(__builtin_cpu_supports("fma")) &&
                                bool(__builtin_cpu_supports("bmi2")));
  EXPECT_EQ(info.x86_64_v4, bool(__builtin_cpu_supports("avx512f")) &&
                                bool(__builtin_cpu_supports("avx512bw")) &&
                                bool(__builtin_cpu_supports("avx512cd")) &&
                                bool(__builtin_cpu_supports("avx512dq")) &&
                                bool(__builtin_cpu_supports("avx512vl")));
  EXPECT_EQ(info.avx512bf16, bool(__builtin_cpu_supports("avx512bf16")));
}

} // namespace
