// Protects the prepacked layouts: random weights, stacked from all kinds of sources, equal an oracle
// that places one element at a time; and files that changed since compilation are refused.
#include "Random.h"
#include "SafetensorsFile.h"
#include "runtime/plan/Writer.h"
#include "runtime/weights/Safetensors.h"
#include "runtime/weights/WeightStore.h"
#include "tests/support/TemporaryFolder.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <tuple>

using namespace quire;
using namespace quire::plan;
using namespace quire::test;

namespace {

/// Random bytes as one tensor "t" of a safetensors file, and sources cut from them.
class WeightFiles {
public:
  static constexpr uint64_t kDataBytes = 6u << 20;

  explicit WeightFiles(Random &random) : data_(kDataBytes) {
    for (uint8_t &byte : data_)
      byte = static_cast<uint8_t>(random.integer(0, 255));
    // The padding makes the data start at an odd offset, as nothing in the format forbids.
    std::string json = R"({"t":{"dtype":"U8","shape":[)" + std::to_string(kDataBytes) +
                       R"(],"data_offsets":[0,)" + std::to_string(kDataBytes) + "]}}";
    json += std::string(1 + random.integer(0, 8), ' ');
    headerBytes_ = 8 + json.size();
    path_ = folder_.write("model.safetensors", safetensorsFile(json, data_));
  }

  FileRecord record(PlanWriter &writer) const {
    auto file = File::open(path_);
    return {writer.string("model.safetensors"), file->bytes(), *safetensorsHeaderChecksum(*file)};
  }
  const std::string &directory() const { return folder_.path(); }
  const std::string &path() const { return path_; }
  uint64_t headerBytes() const { return headerBytes_; }
  const std::vector<uint8_t> &data() const { return data_; }

private:
  TemporaryFolder folder_;
  std::string path_;
  std::vector<uint8_t> data_;
  uint64_t headerBytes_ = 0;
};

PlanWriter emptyPlan(const std::string &directory) {
  PlanWriter writer;
  writer.info.modelName = writer.string("weights");
  writer.info.modelDirectory = writer.string(directory);
  writer.info.maxTokens = 1;
  writer.info.rowPadding = 1;
  writer.info.registerCount = static_cast<uint32_t>(InputRegister::Count);
  InstructionRecord end{};
  end.opcode = Opcode::End;
  writer.add(end);
  return writer;
}

/// One element of a stacked weight, straight from the definition of the sources.
struct Oracle {
  std::vector<SourceRecord> sources;
  const WeightFiles &files;
  std::vector<uint8_t> inlineData;

  const uint8_t *element(uint64_t row, uint64_t column) const {
    size_t s = 0;
    while (row >= sources[s].rows)
      row -= sources[s++].rows;
    const SourceRecord &source = sources[s];
    uint64_t index = source.kind == SourceKind::TransposedTensor ? column * source.rows + row
                                                                 : row * source.columns + column;
    uint64_t bytes = elementBytes(source.element);
    if (source.kind == SourceKind::Inline)
      return inlineData.data() + source.offset + index * bytes;
    return files.data().data() + (source.offset - files.headerBytes()) + index * bytes;
  }
};

struct WeightCase {
  WeightRecord record{};
  Oracle oracle;
};

WeightCase randomWeight(Random &random, PlanWriter &writer, const WeightFiles &files, bool large) {
  constexpr ElementType elements[] = {ElementType::F32, ElementType::F16, ElementType::BF16,
                                      ElementType::I64, ElementType::U8};
  constexpr uint32_t panels[] = {1, 3, 4, 8, 16, 32, 48};
  WeightCase result{{}, {{}, files, {}}};
  WeightRecord &weight = result.record;
  weight.name = writer.string("w");
  weight.element = elements[random.integer(0, 4)];
  weight.layout = random.chance(0.7) ? WeightLayout::Panel : WeightLayout::RowMajor;
  weight.panel = panels[random.integer(0, 6)];
  if (weight.layout == WeightLayout::RowMajor && random.chance(0.5))
    weight.panel = 0;
  weight.columns = static_cast<uint64_t>(random.integer(1, large ? 700 : 70));
  for (int64_t count = random.integer(1, 3); count > 0; --count) {
    SourceRecord source{};
    source.element = weight.element;
    source.columns = weight.columns;
    source.rows = static_cast<uint64_t>(random.integer(1, large ? 1000 : 100));
    source.bytes = source.rows * source.columns * elementBytes(source.element);
    source.kind = random.chance(0.5) ? SourceKind::Tensor : SourceKind::TransposedTensor;
    if (source.bytes > WeightFiles::kDataBytes || random.chance(0.2)) {
      source.kind = SourceKind::Inline;
      source.file = kNone;
      std::vector<uint8_t> bytes(source.bytes);
      for (uint8_t &byte : bytes)
        byte = static_cast<uint8_t>(random.integer(0, 255));
      source.offset = writer.data(bytes);
      result.oracle.inlineData.resize(source.offset + source.bytes);
      std::copy(bytes.begin(), bytes.end(),
                result.oracle.inlineData.begin() + static_cast<ptrdiff_t>(source.offset));
    } else {
      uint64_t room = WeightFiles::kDataBytes - source.bytes;
      source.offset = files.headerBytes() + static_cast<uint64_t>(random.integer(0, int64_t(room)));
    }
    weight.rows += source.rows;
    result.oracle.sources.push_back(source);
  }
  return result;
}

void expectLayout(const WeightCase &test, const uint8_t *memory) {
  const WeightRecord &weight = test.record;
  uint64_t bytes = elementBytes(weight.element);
  bool panel = weight.layout == WeightLayout::Panel;
  uint64_t rows = weight.panel ? roundUp(weight.rows, weight.panel) : weight.rows;
  const uint64_t zero = 0;
  for (uint64_t row = 0; row < rows; ++row)
    for (uint64_t column = 0; column < weight.columns; ++column) {
      uint64_t index = row * weight.columns + column;
      if (panel)
        index = ((row / weight.panel) * weight.columns + column) * weight.panel + row % weight.panel;
      const void *expected = row < weight.rows ? test.oracle.element(row, column)
                                               : static_cast<const void *>(&zero);
      ASSERT_EQ(std::memcmp(memory + index * bytes, expected, bytes), 0)
          << "row " << row << " of " << weight.rows << ", column " << column << ", panel "
          << weight.panel << ", " << elementName(weight.element);
    }
}

void checkRandomWeights(bool large, int rounds) {
  Random random;
  WeightFiles files(random);
  for (int round = 0; round < rounds; ++round) {
    PlanWriter writer = emptyPlan(files.directory());
    writer.add(files.record(writer));
    std::vector<WeightCase> cases;
    for (int i = 0; i < (large ? 2 : 5); ++i) {
      cases.push_back(randomWeight(random, writer, files, large));
      writer.addWeight(cases.back().record, cases.back().oracle.sources);
    }
    auto plan = Plan::fromBytes(writer.bytes());
    ASSERT_TRUE(plan.isOk()) << plan.status().message();
    WeightOptions options;
    options.threads = static_cast<uint32_t>(random.integer(1, 3));
    auto store = WeightStore::load(*plan, options);
    ASSERT_TRUE(store.isOk()) << store.status().message();
    EXPECT_EQ((*store)->bytes(), plan->info().weightBytes);
    for (uint32_t i = 0; i < cases.size(); ++i) {
      auto *memory = static_cast<const uint8_t *>((*store)->data(i));
      EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 64, 0u);
      expectLayout(cases[i], memory);
      if (testing::Test::HasFatalFailure())
        return;
    }
  }
}

TEST(WeightStore, SmallRandomWeightsEqualTheOracle) { checkRandomWeights(false, 60); }

// Sources beyond a megabyte are cut into pieces, in rows and in columns.
TEST(WeightStore, LargeRandomWeightsEqualTheOracle) { checkRandomWeights(true, 6); }

TEST(WeightStore, SingleLongRowsAreCutToo) {
  Random random;
  WeightFiles files(random);
  for (SourceKind kind : {SourceKind::Tensor, SourceKind::TransposedTensor})
    for (bool wide : {true, false}) {
      PlanWriter writer = emptyPlan(files.directory());
      writer.add(files.record(writer));
      WeightCase test{{}, {{}, files, {}}};
      SourceRecord source{};
      source.kind = kind;
      source.element = ElementType::F16;
      source.rows = wide ? 1 : WeightFiles::kDataBytes / 2;
      source.columns = wide ? WeightFiles::kDataBytes / 2 : 1;
      source.bytes = WeightFiles::kDataBytes;
      source.offset = files.headerBytes();
      test.record.element = ElementType::F16;
      test.record.rows = source.rows;
      test.record.columns = source.columns;
      test.record.name = writer.string("w");
      test.oracle.sources.push_back(source);
      writer.addWeight(test.record, test.oracle.sources);
      auto plan = Plan::fromBytes(writer.bytes());
      ASSERT_TRUE(plan.isOk()) << plan.status().message();
      auto store = WeightStore::load(*plan, {});
      ASSERT_TRUE(store.isOk()) << store.status().message();
      expectLayout(test, static_cast<const uint8_t *>((*store)->data(0)));
    }
}

float asFloat(const uint8_t *bytes, ElementType element) {
  uint16_t half = 0;
  std::memcpy(&half, bytes, 2);
  if (element == ElementType::BF16) {
    uint32_t bits = static_cast<uint32_t>(half) << 16;
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
  }
  if (element == ElementType::F16) {
    float magnitude = (half & 0x7c00) ? std::ldexp(1024.0f + (half & 0x3ff), ((half >> 10) & 31) - 25)
                                      : std::ldexp(float(half & 0x3ff), -24);
    return (half & 0x8000) ? -magnitude : magnitude;
  }
  float value;
  std::memcpy(&value, bytes, 4);
  return value;
}

TEST(WeightStore, RotaryTableHasCosinesThenSines) {
  constexpr uint64_t kPositions = 3000, kFrequencies = 7;
  constexpr float kScale = 1.25f;
  std::array<float, kFrequencies> frequencies;
  for (uint64_t i = 0; i < kFrequencies; ++i)
    frequencies[i] = std::pow(10000.0f, -static_cast<float>(i) / kFrequencies);
  for (auto [element, bound] : {std::pair(ElementType::F32, 1e-6f), std::pair(ElementType::F16, 7e-4f),
                                std::pair(ElementType::BF16, 5e-3f)}) {
    PlanWriter writer = emptyPlan("/");
    SourceRecord source{};
    source.kind = SourceKind::RotaryTable;
    source.element = element;
    source.file = kNone;
    source.scale = kScale;
    source.rows = kPositions;
    source.columns = 2 * kFrequencies;
    source.bytes = sizeof(frequencies);
    source.offset =
        writer.data({reinterpret_cast<const uint8_t *>(frequencies.data()), sizeof(frequencies)});
    WeightRecord weight{};
    weight.element = element;
    weight.rows = source.rows;
    weight.columns = source.columns;
    writer.addWeight(weight, {&source, 1});
    auto plan = Plan::fromBytes(writer.bytes());
    ASSERT_TRUE(plan.isOk()) << plan.status().message();
    auto store = WeightStore::load(*plan, {});
    ASSERT_TRUE(store.isOk()) << store.status().message();
    auto *table = static_cast<const uint8_t *>((*store)->data(0));
    for (uint64_t p = 0; p < kPositions; ++p)
      for (uint64_t f = 0; f < kFrequencies; ++f) {
        float angle = static_cast<float>(p) * frequencies[f];
        uint64_t at = p * 2 * kFrequencies + f;
        ASSERT_NEAR(asFloat(table + at * elementBytes(element), element),
                    std::cos(double(angle)) * kScale, bound);
        ASSERT_NEAR(asFloat(table + (at + kFrequencies) * elementBytes(element), element),
                    std::sin(double(angle)) * kScale, bound);
      }
  }
}

/// A weight of two random sources, [900, 700] and [500, 700], in panels of 32.
Result<Plan> randomPlan(ElementType element, float scale) {
  PlanWriter writer = emptyPlan("/");
  SourceRecord sources[2] = {};
  for (SourceRecord &source : sources) {
    source.kind = SourceKind::Random;
    source.element = element;
    source.file = kNone;
    source.scale = scale;
    source.columns = 700;
  }
  sources[0].rows = 900;
  sources[1].rows = 500;
  sources[1].offset = 1u << 20;
  for (SourceRecord &source : sources)
    source.bytes = source.rows * source.columns * elementBytes(element);
  WeightRecord weight{};
  weight.element = element;
  weight.layout = WeightLayout::Panel;
  weight.panel = 32;
  weight.rows = 1400;
  weight.columns = 700;
  writer.addWeight(weight, sources);
  return Plan::fromBytes(writer.bytes());
}

// However they are cut into pieces: the oracle draws them one after the other.
TEST(WeightStore, RandomWeightsAreTheNumbersOfSplitMix64) {
  for (auto [element, bound] :
       {std::pair(ElementType::F32, 0.0f), std::pair(ElementType::F16, 2e-4f),
        std::pair(ElementType::BF16, 2e-3f)}) {
    auto plan = randomPlan(element, 0.5f);
    ASSERT_TRUE(plan.isOk()) << plan.status().message();
    WeightOptions options;
    options.threads = 2;
    auto store = WeightStore::load(*plan, options);
    ASSERT_TRUE(store.isOk()) << store.status().message();
    auto *memory = static_cast<const uint8_t *>((*store)->data(0));
    for (auto [firstRow, rows, offset] : {std::tuple(0, 900, 0), std::tuple(900, 500, 1 << 20)}) {
      uint64_t state = static_cast<uint64_t>(offset) * 0x9e3779b97f4a7c15ull;
      for (int row = firstRow; row < firstRow + rows; ++row)
        for (int column = 0; column < 700; ++column) {
          state += 0x9e3779b97f4a7c15ull;
          uint64_t bits = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9ull;
          bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebull;
          double unit = double((bits ^ (bits >> 31)) >> 40) / 8388608.0 - 1;
          auto at = static_cast<uint64_t>((row / 32 * 700 + column) * 32 + row % 32);
          ASSERT_NEAR(asFloat(memory + at * elementBytes(element), element), 0.5 * unit, bound)
              << "row " << row << ", column " << column;
        }
    }
  }
}

TEST(WeightStore, RandomWeightsMustBeFiniteNumbers) {
  EXPECT_FALSE(randomPlan(ElementType::I32, 1).isOk());
  EXPECT_FALSE(randomPlan(ElementType::F32, INFINITY).isOk());
}

struct OneTensorPlan {
  Random random;
  WeightFiles files{random};
  Plan plan = *make();
  Result<Plan> make() {
    PlanWriter writer = emptyPlan(files.directory());
    writer.add(files.record(writer));
    SourceRecord source{};
    source.element = ElementType::U8;
    source.rows = 3;
    source.columns = WeightFiles::kDataBytes / 3;
    source.bytes = source.rows * source.columns;
    source.offset = files.headerBytes();
    WeightRecord weight{};
    weight.name = writer.string("w");
    weight.element = ElementType::U8;
    weight.rows = source.rows;
    weight.columns = source.columns;
    writer.addWeight(weight, {&source, 1});
    return Plan::fromBytes(writer.bytes());
  }
};

TEST(WeightStore, ProgressRisesToTheTotal) {
  OneTensorPlan test;
  WeightOptions options;
  options.threads = 2;
  uint64_t last = 0, total = 0, calls = 0;
  options.progress = [&](uint64_t done, uint64_t all) {
    EXPECT_GE(done, last);
    last = done;
    total = all;
    ++calls;
  };
  ASSERT_TRUE(WeightStore::load(test.plan, options).isOk());
  EXPECT_EQ(last, total);
  EXPECT_EQ(total, WeightFiles::kDataBytes / 3 * 3);
  EXPECT_GT(calls, 3u);
}

TEST(WeightStore, ADifferentDirectoryCanBeGiven) {
  OneTensorPlan test;
  TemporaryFolder other;
  WeightOptions options;
  options.modelDirectory = other.path();
  EXPECT_EQ(WeightStore::load(test.plan, options).status().code(), ErrorCode::NotFound);
  std::filesystem::copy(test.files.path(), other.file("model.safetensors"));
  EXPECT_TRUE(WeightStore::load(test.plan, options).isOk());
}

TEST(WeightStore, ChangedFilesAreRefused) {
  OneTensorPlan test;
  std::filesystem::resize_file(test.files.path(), WeightFiles::kDataBytes);
  auto shorter = WeightStore::load(test.plan, {});
  EXPECT_EQ(shorter.status().code(), ErrorCode::Corrupt);
  EXPECT_NE(shorter.status().message().find("compile the model again"), std::string::npos);

  OneTensorPlan other;
  {
    // Another header of the same length.
    std::fstream file(other.files.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(10);
    file.put('u');
  }
  auto changed = WeightStore::load(other.plan, {});
  EXPECT_EQ(changed.status().code(), ErrorCode::Corrupt);
  EXPECT_NE(changed.status().message().find("other tensors"), std::string::npos);
}

} // namespace
