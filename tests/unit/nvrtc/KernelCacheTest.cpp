// The cache returns what was stored, for exactly the same request, and nothing damaged, foreign or too
// much of it.
#include "NvrtcFixture.h"

#include "runtime/nvrtc/KernelCache.h"
#include "tests/support/TemporaryFolder.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace quire;
using quire::test::addKernel;
namespace fs = std::filesystem;

namespace {

NvrtcResult madeUp(size_t bytes, uint8_t fill) {
  NvrtcResult result;
  result.cubin.assign(bytes, fill);
  result.log = "ptxas info    : Used 40 registers";
  result.registers = 40;
  result.spillBytes = 8;
  result.stackBytes = 16;
  result.sharedBytes = 1024;
  result.seconds = 0.25;
  return result;
}

std::string keyOf(int number) {
  std::string key = std::to_string(number);
  return std::string(64 - key.size(), '0') + key;
}

class KernelCacheTest : public testing::Test {
protected:
  quire::test::TemporaryFolder folder;
  KernelCache cache = *KernelCache::open(folder.path() + "/kernels");
};

class CompileCachedTest : public quire::test::NvrtcFixture {
protected:
  quire::test::TemporaryFolder folder;
};

} // namespace

TEST_F(KernelCacheTest, ReturnsWhatWasStored) {
  EXPECT_FALSE(cache.find(keyOf(1)).has_value());
  NvrtcResult stored = madeUp(5000, 7);
  ASSERT_TRUE(cache.store(keyOf(1), stored).isOk());
  auto found = cache.find(keyOf(1));
  ASSERT_TRUE(found.has_value());
  EXPECT_TRUE(found->cached);
  EXPECT_EQ(found->cubin, stored.cubin);
  EXPECT_EQ(found->log, stored.log);
  EXPECT_EQ(found->registers, stored.registers);
  EXPECT_EQ(found->spillBytes, stored.spillBytes);
  EXPECT_EQ(found->stackBytes, stored.stackBytes);
  EXPECT_EQ(found->sharedBytes, stored.sharedBytes);
  EXPECT_EQ(found->seconds, stored.seconds);
  EXPECT_FALSE(cache.find(keyOf(2)).has_value());
}

TEST_F(KernelCacheTest, EntriesAreTheirOwnersAlone) {
  ASSERT_TRUE(cache.store(keyOf(1), madeUp(10, 1)).isOk());
  struct stat info {};
  ASSERT_EQ(::stat(cache.folder().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  ASSERT_EQ(::stat((cache.folder() + "/" + keyOf(1) + ".kernel").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  fs::permissions(cache.folder(), fs::perms(0777));
  auto opened = KernelCache::open(cache.folder());
  ASSERT_FALSE(opened.isOk());
  EXPECT_NE(opened.status().message().find("chmod 700"), std::string::npos);
}

TEST_F(KernelCacheTest, EveryDamagedByteIsAMiss) {
  ASSERT_TRUE(cache.store(keyOf(1), madeUp(40, 3)).isOk());
  std::string path = cache.folder() + "/" + keyOf(1) + ".kernel";
  std::ifstream in(path, std::ios::binary);
  std::string whole((std::istreambuf_iterator<char>(in)), {});
  auto write = [&](const std::string &bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  };
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    write(damaged);
    EXPECT_FALSE(cache.find(keyOf(1)).has_value()) << "byte " << at;
  }
  write(whole.substr(0, whole.size() - 1));
  EXPECT_FALSE(cache.find(keyOf(1)).has_value());
  write(whole + "x");
  EXPECT_FALSE(cache.find(keyOf(1)).has_value());
  write(whole);
  EXPECT_TRUE(cache.find(keyOf(1)).has_value());
}

TEST_F(KernelCacheTest, StaysBelowItsSizeAndForgetsTheLongestUnused) {
  KernelCache small = *KernelCache::open(folder.path() + "/small", 10 * 1200);
  for (int i = 0; i < 9; ++i) {
    ASSERT_TRUE(small.store(keyOf(i), madeUp(1000, 1)).isOk());
    // The clock of a file system may be coarse: set the times apart by hand.
    fs::last_write_time(small.folder() + "/" + keyOf(i) + ".kernel",
                        fs::file_time_type::clock::now() - std::chrono::seconds(100 - i));
  }
  ASSERT_TRUE(small.find(keyOf(0)).has_value()); // used just now
  for (int i = 9; i < 12; ++i)
    ASSERT_TRUE(small.store(keyOf(i), madeUp(1000, 1)).isOk());
  uint64_t total = 0;
  for (const auto &item : fs::directory_iterator(small.folder()))
    total += item.file_size();
  EXPECT_LE(total, 12000u);
  EXPECT_TRUE(small.find(keyOf(0)).has_value());
  EXPECT_FALSE(small.find(keyOf(1)).has_value());
  EXPECT_TRUE(small.find(keyOf(11)).has_value());
}

TEST_F(KernelCacheTest, ManyWritersAndReadersSeeWholeEntries) {
  std::vector<std::jthread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 60; ++i) {
        auto fill = static_cast<uint8_t>(i % 5);
        if (t % 2 == 0)
          (void)cache.store(keyOf(i % 5), madeUp(20000, fill));
        else if (auto found = cache.find(keyOf(i % 5)))
          wrong += found->cubin != std::vector<uint8_t>(20000, fill);
      }
    });
  threads.clear();
  EXPECT_EQ(wrong, 0);
  for (const auto &item : fs::directory_iterator(cache.folder()))
    EXPECT_EQ(item.path().extension(), ".kernel") << "left behind: " << item.path();
}

TEST_F(CompileCachedTest, HitsForTheSameRequestAndForNothingElse) {
  KernelCache cache = *KernelCache::open(folder.path());
  NvrtcRequest request = addKernel(1);
  request.headers = {{"quire/a.h", "// a"}};
  request.flags = {"-DX=1"};
  std::set<std::string> keys{KernelCache::key(request, *nvrtc)};
  auto changed = [&](auto change) {
    NvrtcRequest other = request;
    change(other);
    EXPECT_TRUE(keys.insert(KernelCache::key(other, *nvrtc)).second);
  };
  changed([](NvrtcRequest &r) { r.text += " "; });
  changed([](NvrtcRequest &r) { r.name = "other"; });
  changed([](NvrtcRequest &r) { r.target = "sm_80"; });
  changed([](NvrtcRequest &r) { r.flags = {"-DX=2"}; });
  changed([](NvrtcRequest &r) { r.flags.clear(); });
  changed([](NvrtcRequest &r) { r.headers[0].text += " "; });
  changed([](NvrtcRequest &r) { r.headers[0].name = "quire/b.h"; });

  auto first = compileCached(*nvrtc, &cache, request);
  ASSERT_TRUE(first.isOk()) << first.status().message();
  EXPECT_FALSE(first->cached);
  auto second = compileCached(*nvrtc, &cache, request);
  ASSERT_TRUE(second.isOk());
  EXPECT_TRUE(second->cached);
  EXPECT_EQ(second->cubin, first->cubin);
  EXPECT_EQ(second->log, first->log);
  EXPECT_EQ(second->registers, first->registers);
}

TEST_F(CompileCachedTest, FailuresAreNotKept) {
  KernelCache cache = *KernelCache::open(folder.path());
  NvrtcRequest request = addKernel(1);
  request.text = "no kernel";
  EXPECT_FALSE(compileCached(*nvrtc, &cache, request).isOk());
  EXPECT_TRUE(fs::is_empty(folder.path()));
}
