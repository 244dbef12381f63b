// Protects finding tensors in a model directory: one file or shards, and nothing outside it.
#include "SafetensorsFile.h"
#include "runtime/weights/ModelFiles.h"
#include "tests/support/TemporaryFolder.h"

#include <gtest/gtest.h>

using namespace quire;
using namespace quire::test;

namespace {

std::vector<uint8_t> oneTensor(const std::string &name) {
  return safetensorsFile("{\"" + name + R"(":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
                         {1, 2});
}

std::string message(const TemporaryFolder &folder) {
  return ModelFiles::open(folder.path()).status().message();
}

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

TEST(ModelFiles, FindsTensorsOfASingleFile) {
  TemporaryFolder folder;
  folder.write("model.safetensors", oneTensor("a"));
  auto model = ModelFiles::open(folder.path());
  ASSERT_TRUE(model.isOk()) << model.status().message();
  ASSERT_EQ(model->files().size(), 1u);
  auto location = model->find("a");
  ASSERT_TRUE(location);
  EXPECT_EQ(location->file, 0u);
  EXPECT_EQ(location->tensor->bytes, 2u);
  EXPECT_FALSE(model->find("b"));
}

TEST(ModelFiles, FindsTensorsInShards) {
  TemporaryFolder folder;
  folder.write("one.safetensors", oneTensor("a"));
  folder.write("two.safetensors", oneTensor("b"));
  folder.write("model.safetensors.index.json",
               R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  auto model = ModelFiles::open(folder.path());
  ASSERT_TRUE(model.isOk()) << model.status().message();
  ASSERT_EQ(model->files().size(), 2u);
  EXPECT_EQ(model->files()[model->find("a")->file].name, "one.safetensors");
  EXPECT_EQ(model->files()[model->find("b")->file].name, "two.safetensors");
  EXPECT_EQ(model->tensors().size(), 2u);
}

TEST(ModelFiles, ExplainsADirectoryWithoutSafetensors) {
  TemporaryFolder folder;
  EXPECT_TRUE(contains(message(folder), "download the model's safetensors"));
  folder.write("model.gguf", "x");
  EXPECT_TRUE(contains(message(folder), "GGUF"));
  folder.write("pytorch_model.bin", "x");
  EXPECT_TRUE(contains(message(folder), "safe_serialization"));
  EXPECT_TRUE(contains(ModelFiles::open(folder.file("none")).status().message(),
                       "there is no model directory"));
}

TEST(ModelFiles, RefusesAnIndexThatDisagreesWithItsShards) {
  TemporaryFolder folder;
  folder.write("one.safetensors", oneTensor("a"));
  auto index = [&](const std::string &text) {
    folder.write("model.safetensors.index.json", text);
    return message(folder);
  };
  EXPECT_TRUE(contains(index(R"({"weight_map":{"b":"one.safetensors"}})"), "is not there"));
  EXPECT_TRUE(contains(index(R"({"weight_map":{"a":"gone.safetensors"}})"), "no weight file"));
  EXPECT_TRUE(contains(index(R"({"weight_map":{"a":"one.safetensors","a":"x"}})"), "twice"));
  EXPECT_TRUE(contains(index(R"({"weight_map":{"a":3}})"), "not a string"));
  EXPECT_TRUE(contains(index(R"({"weight_map":{}})"), "is empty"));
  EXPECT_TRUE(contains(index(R"({"weight_map":[]})"), "no object 'weight_map'"));
  EXPECT_TRUE(contains(index("{"), "no valid JSON"));
}

TEST(ModelFiles, RefusesShardsOutsideTheDirectory) {
  TemporaryFolder folder;
  std::filesystem::create_directory(folder.file("model"));
  folder.write("secret.safetensors", oneTensor("a"));
  std::filesystem::create_symlink("../secret.safetensors", folder.file("model/link.safetensors"));
  for (const char *name : {"../secret.safetensors", "..", ".", "", "/etc/passwd", "a/b",
                           "link.safetensors"}) {
    auto path = resolveModelFile(folder.file("model"), name);
    EXPECT_EQ(path.status().code(), ErrorCode::InvalidArgument) << name;
  }
  folder.write("model/model.safetensors.index.json",
               R"({"weight_map":{"a":"../secret.safetensors"}})");
  auto model = ModelFiles::open(folder.file("model"));
  EXPECT_TRUE(contains(model.status().message(), "must be a plain file name"));
}

TEST(ModelFiles, FollowsTheLinksOfAModelCache) {
  TemporaryFolder folder;
  std::filesystem::create_directories(folder.file("m/blobs"));
  std::filesystem::create_directories(folder.file("m/snapshots/1"));
  folder.write("m/blobs/abc", oneTensor("a"));
  std::filesystem::create_symlink("../../blobs/abc", folder.file("m/snapshots/1/model.safetensors"));
  auto model = ModelFiles::open(folder.file("m/snapshots/1"));
  EXPECT_TRUE(model.isOk()) << model.status().message();
}

} // namespace
