// Protects the strict reader of safetensors headers: what the format allows is read, everything else
// is refused with the tensor and the rule.
#include "Random.h"
#include "SafetensorsFile.h"
#include "runtime/weights/Safetensors.h"
#include "tests/support/TemporaryFolder.h"

#include <cstring>
#include <gtest/gtest.h>

using namespace quire;
using namespace quire::test;

namespace {

Result<SafetensorsHeader> parse(const std::string &json, size_t dataBytes) {
  auto file = safetensorsFile(json, std::vector<uint8_t>(dataBytes));
  return parseSafetensorsHeader(file, file.size(), "file");
}

TEST(Safetensors, ReadsTensorsAndMetadata) {
  std::string json = R"({"__metadata__":{"format":"pt"},
    "b":{"dtype":"F32","shape":[],"data_offsets":[12,16]},
    "a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},
    "none":{"dtype":"I64","shape":[0,7],"data_offsets":[12,12]}}   )";
  auto header = parse(json, 16);
  ASSERT_TRUE(header.isOk()) << header.status().message();
  EXPECT_EQ(header->metadata.find("format")->second, "pt");
  ASSERT_EQ(header->tensors.size(), 3u);
  const StoredTensor &a = header->tensors.find("a")->second;
  EXPECT_EQ(a.type, StoredType::BF16);
  EXPECT_EQ(a.shape, (std::vector<uint64_t>{2, 3}));
  EXPECT_EQ(a.offset, 8 + json.size());
  EXPECT_EQ(a.bytes, 12u);
  EXPECT_EQ(a.typeText(), "BF16[2, 3]");
  EXPECT_EQ(header->tensors.find("b")->second.offset, 8 + json.size() + 12);
  EXPECT_EQ(header->headerBytes, 8 + json.size());
}

struct BadHeader {
  const char *name;
  const char *json;
  size_t dataBytes;
  const char *message;
};

const BadHeader kBad[] = {
    {"empty", "", 0, "does not start with '{'"},
    {"array", "[]", 0, "does not start with '{'"},
    {"leadingSpace", " {}", 0, "does not start with '{'"},
    {"unclosed", R"({"a":)", 0, "no valid JSON"},
    {"trailing", "{} {}", 0, "no valid JSON"},
    {"zeroPadded", "{}\0", 1, "tensors take 0 bytes"},
    {"notObject", R"({"a":3})", 0, "tensor 'a' has the number 3"},
    {"nested", R"({"a":{"dtype":{}}})", 0, "tensor 'a' has an object"},
    {"unknownField", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", 4,
     "unknown field 'x'"},
    {"unknownType", R"({"a":{"dtype":"F7","shape":[1],"data_offsets":[0,4]}})", 4,
     "unknown dtype 'F7'"},
    {"missingShape", R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4, "needs dtype, shape"},
    {"missingOffsets", R"({"a":{"dtype":"F32","shape":[1]}})", 4, "needs dtype, shape"},
    {"typeTwice", R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4,
     "has 'dtype' twice"},
    {"tensorTwice",
     R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},
         "a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
     2, "tensor 'a' appears twice"},
    {"metadataTwice", R"({"__metadata__":{},"__metadata__":{}})", 0, "appears twice"},
    {"metadataKeyTwice", R"({"__metadata__":{"k":"1","k":"2"}})", 0, "metadata 'k' appears twice"},
    {"metadataNumber", R"({"__metadata__":{"k":1}})", 0, "the number 1"},
    {"negativeShape", R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4,
     "the number -1"},
    {"realShape", R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4,
     "the number 1.0"},
    {"hugeNumber", R"({"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}})",
     4, "the number 99999999999999999999"},
    {"nestedShape", R"({"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})", 4, "an array"},
    {"manyDimensions",
     R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", 1,
     "more than 16 dimensions"},
    {"oneOffset", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4]}})", 4, "[begin, end]"},
    {"threeOffsets", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4,
     "the number 8"},
    {"offsetsFall", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, "begin <= end"},
    {"shapeTooLarge", R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4,
     "F32[2], that is 8 bytes"},
    {"productWraps",
     R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0,
     "beyond 2^64"},
    {"hole",
     R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},
         "b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
     3, "leaving a hole"},
    {"overlap",
     R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},
         "b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
     3, "overlapping"},
    {"beyondFile", R"({"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}})", 8, "incomplete"},
    {"unusedBytes", R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 2,
     "tensors take 1 bytes, the file has 2"},
};

class BadSafetensors : public testing::TestWithParam<BadHeader> {};

TEST_P(BadSafetensors, IsRefused) {
  auto header = parse(GetParam().json, GetParam().dataBytes);
  ASSERT_FALSE(header.isOk());
  EXPECT_EQ(header.status().code(), ErrorCode::Corrupt);
  EXPECT_NE(header.status().message().find(GetParam().message), std::string::npos)
      << header.status().message();
}

INSTANTIATE_TEST_SUITE_P(Rules, BadSafetensors, testing::ValuesIn(kBad),
                         [](const auto &info) { return std::string(info.param.name); });

TEST(Safetensors, LengthWordIsChecked) {
  auto file = safetensorsFile("{}", {});
  auto status = [&](uint64_t length) {
    std::memcpy(file.data(), &length, 8);
    return parseSafetensorsHeader(file, file.size(), "file").status();
  };
  EXPECT_NE(status(100'000'001).message().find("at most 100000000"), std::string::npos);
  EXPECT_NE(status(~0ull).message().find("at most 100000000"), std::string::npos);
  EXPECT_NE(status(3).message().find("incomplete"), std::string::npos);
  file.resize(5);
  EXPECT_EQ(parseSafetensorsHeader(file, 5, "file").status().code(), ErrorCode::Corrupt);
}

TEST(Safetensors, DeeplyNestedJsonIsRefusedWithoutRecursion) {
  EXPECT_FALSE(parse(R"({"a":)" + std::string(1'000'000, '['), 0).isOk());
}

TEST(Safetensors, RandomDamageNeverCrashes) {
  std::string json = R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})";
  Random random;
  for (int i = 0; i < 20000; ++i) {
    auto file = safetensorsFile(json, {1, 2});
    for (int64_t n = random.integer(1, 3); n > 0; --n)
      file[static_cast<size_t>(random.integer(0, int64_t(file.size()) - 1))] =
          static_cast<uint8_t>(random.integer(0, 255));
    auto header = parseSafetensorsHeader(file, file.size(), "file");
    if (!header.isOk())
      continue;
    for (const auto &[name, tensor] : header->tensors)
      EXPECT_LE(tensor.offset + tensor.bytes, file.size());
  }
}

} // namespace
