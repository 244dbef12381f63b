// Protects atomic writes and the errors of file access.
#include "TemporaryFolder.h"
#include "runtime/base/CpuInfo.h"
#include "runtime/base/File.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <thread>

using namespace quire;
using namespace quire::test;

namespace {

std::span<const uint8_t> asBytes(const std::string &text) {
  return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
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
  size_t entries = 0;
  for ([[maybe_unused]] const auto &entry : std::filesystem::directory_iterator(folder.path()))
    ++entries;
  EXPECT_EQ(entries, 1u);
}

TEST(File, FailedWriteNamesThePathAndLeavesNothing) {
  TemporaryFolder folder;
  // A folder cannot be replaced by a file: the rename fails after everything was written.
  std::filesystem::create_directories(folder.file("target/inside"));
  const std::string text = "text";
  const std::span<const uint8_t> pieces[] = {asBytes(text)};
  Status status = writeFileAtomically(folder.file("target"), pieces);
  EXPECT_EQ(status.code(), ErrorCode::Io);
  EXPECT_NE(status.message().find("target"), std::string::npos);
  size_t entries = 0;
  for ([[maybe_unused]] const auto &entry : std::filesystem::directory_iterator(folder.path()))
    ++entries;
  EXPECT_EQ(entries, 1u);
  EXPECT_EQ(writeFileAtomically(folder.file("no/such/folder"), pieces).code(), ErrorCode::NotFound);
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
