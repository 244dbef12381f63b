// Protects the plan reader: what was written comes back, every single rule is enforced (each broken
// once, with a correct checksum), and random damage is refused or harmless.
#include "Random.h"
#include "SamplePlan.h"
#include "runtime/plan/Describe.h"
#include "runtime/plan/Plan.h"
#include "tests/support/TemporaryFolder.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace quire;
using namespace quire::plan;
using namespace quire::test;

namespace {

/// A plan file in memory whose records can be changed.
class Editable {
public:
  Editable() : bytes_(samplePlan(true).bytes()) {}

  Header &header() { return *reinterpret_cast<Header *>(bytes_.data()); }
  SectionRecord &section(SectionKind kind) {
    auto *table = reinterpret_cast<SectionRecord *>(bytes_.data() + sizeof(Header));
    for (uint32_t i = 0; i < header().sectionCount; ++i)
      if (table[i].kind == kind)
        return table[i];
    std::abort();
  }
  template <typename Record> Record &record(SectionKind kind, uint64_t index = 0) {
    return reinterpret_cast<Record *>(bytes_.data() + section(kind).offset)[index];
  }
  InfoRecord &info() { return record<InfoRecord>(SectionKind::Info); }
  InstructionRecord &instruction(Opcode opcode) {
    uint64_t index = 0;
    while (record<InstructionRecord>(SectionKind::Instructions, index).opcode != opcode)
      ++index;
    return record<InstructionRecord>(SectionKind::Instructions, index);
  }
  OperandRecord &operand(OperandKind kind) {
    uint64_t index = 0;
    while (record<OperandRecord>(SectionKind::Operands, index).kind != kind)
      ++index;
    return record<OperandRecord>(SectionKind::Operands, index);
  }
  std::vector<uint8_t> &bytes() { return bytes_; }

private:
  std::vector<uint8_t> bytes_;
};

struct Violation {
  const char *name;
  void (*apply)(Editable &);
  const char *message; ///< part of the error
};

#define EDIT(Record, kind, index, change)                                                          \
  [](Editable &p) {                                                                                \
    auto &r = p.record<Record>(SectionKind::kind, index);                                          \
    change;                                                                                        \
  }

const Violation kViolations[] = {
    {"magic", [](Editable &p) { p.header().magic ^= 1; }, "not a plan"},
    {"futureVersion", [](Editable &p) { p.header().version = 99; }, "format version 99"},
    {"nextVersion", [](Editable &p) { p.header().version = 7; }, "format version 7, this program"},
    {"oldVersion", [](Editable &p) { p.header().version = 0; }, "old format version"},
    {"lastVersion", [](Editable &p) { p.header().version = 5; },
     "old format version 5, this program reads version 6"},
    {"fileBytes", [](Editable &p) { ++p.header().fileBytes; }, "cut short"},
    {"sectionCount", [](Editable &p) { p.header().sectionCount = 18; }, "18 sections"},
    {"noSections", [](Editable &p) { p.header().sectionCount = 0; }, "has 0 sections"},
    {"unknownSection",
     [](Editable &p) { p.section(SectionKind::Stops).kind = static_cast<SectionKind>(77); },
     "unknown kind 77"},
    {"sectionTwice", [](Editable &p) { p.section(SectionKind::Stops).kind = SectionKind::Texts; },
     "section Texts: appears twice"},
    {"elementBytes", [](Editable &p) { ++p.section(SectionKind::Pools).elementBytes; },
     "section Pools: its records have"},
    {"partialRecord", [](Editable &p) { --p.section(SectionKind::Pools).bytes; },
     "no whole number"},
    {"sectionAlignment", [](Editable &p) { p.section(SectionKind::Strings).offset += 4; },
     "not a multiple of 64"},
    {"sectionInHeader", [](Editable &p) { p.section(SectionKind::Strings).offset = 0; },
     "overlaps the header"},
    {"sectionBeyondEnd",
     [](Editable &p) { p.section(SectionKind::Strings).bytes = 1ull << 63; }, "the file has"},
    {"sectionOverlap",
     [](Editable &p) {
       p.section(SectionKind::Stops).offset = p.section(SectionKind::Data).offset;
       p.section(SectionKind::Stops).bytes = 4;
     },
     "overlaps section"},
    {"noInfo", [](Editable &p) { p.section(SectionKind::Info).bytes = 0; }, "0 records"},
    {"infoString", EDIT(InfoRecord, Info, 0, r.options.offset = 1u << 30), "options is the string"},
    {"stringWraps", EDIT(InfoRecord, Info, 0, r.options.size = kNone), "options is the string"},
    {"noTokens", EDIT(InfoRecord, Info, 0, r.maxTokens = 0), "maxTokens is 0"},
    {"absurdTokens", EDIT(InfoRecord, Info, 0, r.maxTokens = 1u << 21), "maxTokens is 2097152"},
    {"absurdSequences", EDIT(InfoRecord, Info, 0, r.maxSequences = kNone), "maxSequences"},
    {"absurdSamples", EDIT(InfoRecord, Info, 0, r.maxSamples = kNone), "maxSamples"},
    {"absurdContext", EDIT(InfoRecord, Info, 0, r.maxContext = kNone), "maxContext"},
    {"absurdPage", EDIT(InfoRecord, Info, 0, r.pageSize = kNone), "pageSize"},
    {"pageWithoutContext", EDIT(InfoRecord, Info, 0, r.maxContext = 0), "both or neither"},
    {"absurdVocabulary", EDIT(InfoRecord, Info, 0, r.vocabularySize = kNone), "vocabularySize"},
    {"weightElement", EDIT(InfoRecord, Info, 0, r.weightElement = 6), "weightElement"},
    {"fewRegisters", EDIT(InfoRecord, Info, 0, r.registerCount = 5), "registerCount is 5"},
    {"absurdRegisters", EDIT(InfoRecord, Info, 0, r.registerCount = 1u << 17), "registerCount"},
    {"noRowPadding", EDIT(InfoRecord, Info, 0, r.rowPadding = 0), "rowPadding is 0"},
    {"oddRowPadding", EDIT(InfoRecord, Info, 0, r.rowPadding = 48), "powers of two"},
    {"absurdRowPadding", EDIT(InfoRecord, Info, 0, r.rowPadding = 2048), "rowPadding is 2048"},
    {"arenaWraps", EDIT(InfoRecord, Info, 0, r.arena.perToken = 1ull << 62), "arena is beyond"},
    {"arenaAbsurd", EDIT(InfoRecord, Info, 0, r.arena.constant = 1ull << 50), "arena is beyond"},
    {"weightTotal", EDIT(InfoRecord, Info, 0, r.weightBytes += 64), "weightBytes is"},
    {"pageTotal", EDIT(InfoRecord, Info, 0, ++r.pageBytes), "pageBytes is"},
    {"workListTotal", EDIT(InfoRecord, Info, 0, r.workListBytes = 0), "workListBytes is"},
    {"fileName", EDIT(FileRecord, Files, 0, r.name.size = 0), "section Files, record 0: the length"},
    {"fileBytesAbsurd", EDIT(FileRecord, Files, 0, r.bytes = ~0ull), "section Files, record 0"},
    {"sourceKind", EDIT(SourceRecord, Sources, 1, r.kind = SourceKind::Count),
     "section Sources, record 1: kind"},
    {"sourceElement", EDIT(SourceRecord, Sources, 1, r.element = ElementType::Count), "element"},
    {"sourceString", EDIT(SourceRecord, Sources, 1, r.tensor.size = 1u << 31), "tensor is the"},
    {"sourceFile", EDIT(SourceRecord, Sources, 1, r.file = 1), "file is index 1 of 1"},
    {"inlineWithFile", EDIT(SourceRecord, Sources, 0, r.file = 0), "data in the plan"},
    {"sourceBeyondFile", EDIT(SourceRecord, Sources, 1, r.offset = 9990), "10000 bytes of its file"},
    {"sourceWraps", EDIT(SourceRecord, Sources, 1, r.offset = ~0ull - 10), "of its file"},
    {"inlineBeyondData", EDIT(SourceRecord, Sources, 0, r.offset = 1u << 30), "section Data"},
    {"sourceBytes", EDIT(SourceRecord, Sources, 1, --r.bytes), "do not take"},
    {"sourceProductWraps",
     EDIT(SourceRecord, Sources, 1, r.rows = 1ull << 45; r.columns = 1ull << 45; r.bytes = 0),
     "do not take"},
    {"sourceNoRows", EDIT(SourceRecord, Sources, 1, r.rows = 0), "rows is 0"},
    {"rotaryElement", EDIT(SourceRecord, Sources, 3, r.element = ElementType::I32), "rotary table"},
    {"rotaryOdd", EDIT(SourceRecord, Sources, 3, r.columns = 3), "even number of columns"},
    {"rotaryScale", EDIT(SourceRecord, Sources, 3, r.scale = NAN), "not finite"},
    {"rotaryBytes", EDIT(SourceRecord, Sources, 3, r.bytes = 4), "float frequencies"},
    {"weightString", EDIT(WeightRecord, Weights, 1, r.name.offset = kNone), "name is the string"},
    {"weightElementKind", EDIT(WeightRecord, Weights, 1, r.element = ElementType::Count), "element"},
    {"weightLayout", EDIT(WeightRecord, Weights, 1, r.layout = WeightLayout::Count), "layout"},
    {"weightPanelZero", EDIT(WeightRecord, Weights, 1, r.panel = 0), "panel is 0"},
    {"rowMajorPadding", EDIT(WeightRecord, Weights, 0, r.panel = 8), "the size of its layout"},
    {"rowMajorPaddingAbsurd", EDIT(WeightRecord, Weights, 0, r.panel = 4097), "panel is 4097"},
    {"weightBytes", EDIT(WeightRecord, Weights, 1, --r.bytes), "the size of its layout"},
    {"weightWraps",
     EDIT(WeightRecord, Weights, 1, r.rows = 1ull << 40; r.columns = 1ull << 40; r.bytes = 0),
     "its size is beyond"},
    {"weightNoColumns", EDIT(WeightRecord, Weights, 1, r.columns = 0), "columns is 0"},
    {"weightSources", EDIT(WeightRecord, Weights, 1, r.firstSource = 3), "sources 3 to +2 of 4"},
    {"weightSourceWraps", EDIT(WeightRecord, Weights, 1, r.firstSource = kNone), "sources"},
    {"sourceTypeDiffers", EDIT(WeightRecord, Weights, 1, r.element = ElementType::F16),
     "one of its sources has bf16"},
    {"sourceWidthDiffers", EDIT(SourceRecord, Sources, 1, r.rows = 12; r.columns = 5),
     "the width of a source is 5"},
    {"sourceRowsMissing", EDIT(WeightRecord, Weights, 1, r.sourceCount = 1),
     "the rows of its sources is 10"},
    {"sourceRowsTooMany", EDIT(WeightRecord, Weights, 1, r.rows = 29), "the rows of its sources"},
    {"poolElement", EDIT(PoolRecord, Pools, 0, r.element = ElementType::Count), "section Pools"},
    {"poolString", EDIT(PoolRecord, Pools, 0, r.name.offset = kNone), "name is the string"},
    {"poolGroup", EDIT(PoolRecord, Pools, 1, r.group = 3), "group is index 3 of 3"},
    {"poolPlace", EDIT(PoolRecord, Pools, 1, r.place = 3), "place is index 3 of 3"},
    {"poolPlaceTaken", EDIT(PoolRecord, Pools, 2, r.place = 1), "another pool of group 1"},
    {"poolPlaceOfAnotherSize", EDIT(PoolRecord, Pools, 2, r.bytesPerPage = 32),
     "bytesPerPage is 32, but that of the pools at its place is 16"},
    {"poolEmpty", EDIT(PoolRecord, Pools, 0, r.bytesPerPage = 0), "bytesPerPage is 0"},
    {"poolAbsurd", EDIT(PoolRecord, Pools, 0, r.bytesPerPage = ~0ull), "bytesPerPage"},
    {"poolsWithoutPages", EDIT(InfoRecord, Info, 0, r.pageSize = r.maxContext = 0),
     "pageSize is 0"},
    {"tensorElement", EDIT(TensorRecord, Tensors, 0, r.element = ElementType::Count), "element"},
    {"tensorExtent", EDIT(TensorRecord, Tensors, 0, r.extent = Extent::Count), "extent"},
    {"tensorOutput", EDIT(TensorRecord, Tensors, 0, r.isOutput = 2), "isOutput is 2"},
    {"tensorColumns", EDIT(TensorRecord, Tensors, 0, r.columns = 0), "columns is 0"},
    {"tensorStride", EDIT(TensorRecord, Tensors, 0, r.rowStride = 4), "rowStride is 4"},
    {"tensorNameEmpty", EDIT(TensorRecord, Tensors, 0, r.name.size = 0), "length of name"},
    {"tensorNameTwice",
     [](Editable &p) {
       p.record<TensorRecord>(SectionKind::Tensors, 1).name =
           p.record<TensorRecord>(SectionKind::Tensors, 0).name;
     },
     "the name 'x' appears twice"},
    {"kernelString", EDIT(KernelRecord, Kernels, 2, r.schedule.size = kNone), "schedule is the"},
    {"kernelBuffers", EDIT(KernelRecord, Kernels, 2, r.bufferCount = 257), "bufferCount is 257"},
    {"kernelScalars", EDIT(KernelRecord, Kernels, 2, r.scalarCount = 257), "scalarCount is 257"},
    {"imageTarget", EDIT(ImageRecord, Images, 0, r.target = ImageTarget::Count), "target"},
    {"imageBeyondData", EDIT(ImageRecord, Images, 0, r.bytes = 1ull << 40), "its code lies at"},
    {"imageWraps", EDIT(ImageRecord, Images, 0, r.dataOffset = ~0ull), "its code lies at"},
    {"imageEntryCount", EDIT(ImageRecord, Images, 0, r.entryCount = 6), "the number of kernels"},
    {"imageEntries", EDIT(ImageRecord, Images, 0, r.firstEntry = 1), "section Entries"},
    {"entryBeyondCode", EDIT(EntryRecord, Entries, 3, r.codeOffset = 1u << 20),
     "kernel 3 lies at byte"},
    {"entryBytes", EDIT(EntryRecord, Entries, 3, r.codeBytes = 8), "codeBytes is 8"},
    {"entrySymbol", EDIT(EntryRecord, Entries, 3, r.symbol.size = 1), "the length of symbol is 1"},
    {"entryThreads", EDIT(EntryRecord, Entries, 3, r.threads = 32), "threads is 32"},
    {"entryShared", EDIT(EntryRecord, Entries, 3, r.sharedBytes = 32), "sharedBytes is 32"},
    {"entryRegisters", EDIT(EntryRecord, Entries, 3, r.registers = 32), "registers is 32"},
    {"entryFlags", EDIT(EntryRecord, Entries, 3, r.flags = 1), "flags is 1"},
    {"entryTensorMaps", EDIT(EntryRecord, Entries, 3, r.tensorMapCount = 1), "tensorMapCount is 1"},
    {"partitionTile", EDIT(PartitionRecord, Partitions, 0, r.queryTile = 0), "queryTile is 0"},
    {"partitionRange", EDIT(PartitionRecord, Partitions, 0, r.minQuery = 65), "above maxQuery"},
    {"partitionSplits", EDIT(PartitionRecord, Partitions, 0, r.maxSplits = 2), "maxSplits is 2"},
    {"partitionNoSplits", EDIT(PartitionRecord, Partitions, 1, r.maxSplits = 0), "maxSplits is 0"},
    {"partitionSplit", EDIT(PartitionRecord, Partitions, 1, r.split = kNone), "split is"},
    {"partitionCapacity", EDIT(PartitionRecord, Partitions, 1, r.capacity = kNone), "capacity"},
    {"partitionContext", EDIT(PartitionRecord, Partitions, 1, r.maxSplits = 11),
     "11 splits of 8 keys do not hold a context of 96"},
    {"partitionContextWraps",
     EDIT(PartitionRecord, Partitions, 1, r.split = 1u << 26; r.maxSplits = 0), "maxSplits is 0"},
    {"workspaceUnsplit", EDIT(PartitionRecord, Partitions, 0, r.workspaceItemBytes = 4),
     "its keys are not split"},
    {"workspaceNowhere", EDIT(PartitionRecord, Partitions, 0, r.workspaceOffset = 64),
     "workspaceOffset is 64"},
    {"workspaceUnaligned", EDIT(PartitionRecord, Partitions, 1, r.workspaceOffset = 4),
     "must lie aligned"},
    {"workspaceBeyond", EDIT(PartitionRecord, Partitions, 1, ++r.workspaceItemBytes),
     "96 x 5 bytes at byte 0 must lie aligned behind byte 0 inside the 384 constant bytes"},
    {"workspaceFarBeyond", EDIT(PartitionRecord, Partitions, 1, r.workspaceOffset = ~63ull),
     "must lie aligned"},
    {"workspaceWraps", EDIT(PartitionRecord, Partitions, 1, r.workspaceItemBytes = 1ull << 59),
     "must lie aligned"},
    {"workspaceOverlap",
     EDIT(PartitionRecord, Partitions, 0, r = p.record<PartitionRecord>(SectionKind::Partitions, 1);
          r.capacity = 64),
     "behind byte 256"},
    {"textName", EDIT(TextRecord, Texts, 0, r.name.offset = kNone), "section Texts, record 0"},
    {"textText", EDIT(TextRecord, Texts, 1, r.text.size = kNone), "section Texts, record 1"},
    {"stopNegative", EDIT(int32_t, Stops, 0, r = -1), "token id -1 is negative"},
    {"emptyProgram", [](Editable &p) { p.section(SectionKind::Instructions).bytes = 0; },
     "does not finish with End"},
    {"noEnd", [](Editable &p) { p.instruction(Opcode::End).opcode = Opcode::Constant; },
     "does not finish with End"},
    {"opcode", [](Editable &p) { p.instruction(Opcode::Add).opcode = Opcode::Count; }, "opcode"},
    {"constantDst", [](Editable &p) { p.instruction(Opcode::Constant).dst = 17; },
     "register dst is index 17 of 17"},
    {"addA", [](Editable &p) { p.instruction(Opcode::Add).a = 17; }, "register a"},
    {"multiplyB", [](Editable &p) { p.instruction(Opcode::Multiply).b = kNone; }, "register b"},
    {"ceilDivDst", [](Editable &p) { p.instruction(Opcode::CeilDiv).dst = 17; }, "register dst"},
    {"minimumA", [](Editable &p) { p.instruction(Opcode::Minimum).a = 17; }, "register a"},
    {"maximumB", [](Editable &p) { p.instruction(Opcode::Maximum).b = 17; }, "register b"},
    {"branchA", [](Editable &p) { p.instruction(Opcode::BranchIfGreater).a = 17; }, "register a"},
    {"branchB", [](Editable &p) { p.instruction(Opcode::BranchIfGreater).b = 17; }, "register b"},
    {"branchBack", [](Editable &p) { p.instruction(Opcode::BranchIfGreater).imm = 0; },
     "branches to instruction 0"},
    {"branchSelf", [](Editable &p) { p.instruction(Opcode::BranchIfGreater).imm = 7; },
     "branches to instruction 7"},
    {"jumpBeyond", [](Editable &p) { p.instruction(Opcode::Jump).imm = 1 << 20; },
     "branches to instruction"},
    {"jumpNegative", [](Editable &p) { p.instruction(Opcode::Jump).imm = -1; },
     "branches to instruction -1"},
    {"partitionDst", [](Editable &p) { p.instruction(Opcode::Partition).dst = 17; }, "register"},
    {"partitionImm", [](Editable &p) { p.instruction(Opcode::Partition).imm = 2; }, "imm"},
    {"partitionIndex", [](Editable &p) { p.instruction(Opcode::Partition).index = 2; },
     "work list is index 2 of 2"},
    {"launchKernel", [](Editable &p) { p.instruction(Opcode::Launch).index = 7; },
     "kernel is index 7 of 7"},
    {"launchItems", [](Editable &p) { p.instruction(Opcode::Launch).a = 17; }, "register a"},
    {"launchOperands", [](Editable &p) { p.instruction(Opcode::Launch).firstOperand = kNone; },
     "operands"},
    {"launchFewBuffers", [](Editable &p) { p.instruction(Opcode::Launch).operandCount = 2; },
     "the number of buffers is 2"},
    {"launchScalars",
     [](Editable &p) { p.record<KernelRecord>(SectionKind::Kernels, 5).scalarCount = 2; },
     "the number of scalars is 3"},
    {"operandKind", [](Editable &p) { p.operand(OperandKind::Pool).kind = OperandKind::Count; },
     "section Operands, record 2: kind"},
    {"operandWeight", [](Editable &p) { p.operand(OperandKind::Weight).index = 3; }, "weight is"},
    {"operandPool", [](Editable &p) { p.operand(OperandKind::Pool).index = 3; }, "pool is index 3"},
    {"operandTensor", [](Editable &p) { p.operand(OperandKind::Tensor).index = 4; }, "tensor is"},
    {"operandBatch",
     [](Editable &p) {
       p.operand(OperandKind::Batch).index = static_cast<uint32_t>(BatchField::Count);
     },
     "batch field"},
    {"operandGroup", [](Editable &p) { p.operand(OperandKind::Pool).group = 1; }, "group is index 1"},
    {"batchGroup",
     [](Editable &p) {
       p.operand(OperandKind::Batch).index = static_cast<uint32_t>(BatchField::Slots);
       p.operand(OperandKind::Batch).group = 2;
     },
     "group is index 2 of 2"},
    {"operandWorkList", [](Editable &p) { p.operand(OperandKind::WorkList).index = 2; },
     "work list is index 2"},
    {"operandWorkspace", [](Editable &p) { p.operand(OperandKind::Workspace).index = 2; },
     "workspace is index 2"},
    {"operandNoWorkspace", [](Editable &p) { p.operand(OperandKind::Workspace).index = 0; },
     "of a workspace of 0 bytes"},
    {"operandBeyondWorkspace",
     [](Editable &p) { p.operand(OperandKind::Workspace).offset.constant = 384; },
     "starts at byte 384 of a workspace of 384 bytes"},
    {"operandScalar", [](Editable &p) { p.operand(OperandKind::Scalar).index = 17; },
     "register is index 17"},
    {"arenaBeyond", [](Editable &p) { p.operand(OperandKind::Arena).offset.constant = 1 << 20; },
     "of an arena of"},
    {"arenaBeyondManyTokens",
     [](Editable &p) {
       p.operand(OperandKind::Arena).offset = {330, 21, 0};
     },
     "at 64 token rows"},
    {"arenaOffsetWraps",
     [](Editable &p) { p.operand(OperandKind::Arena).offset.perSample = ~0ull; }, "2^64"},
};

Result<Plan> readEdited(Editable &plan) {
  fixPlanChecksum(plan.bytes());
  return Plan::fromBytes(plan.bytes());
}

TEST(Plan, RoundTripKeepsEveryRecord) {
  TemporaryFolder folder;
  PlanWriter writer = samplePlan(true);
  std::string path = folder.file("sample.plan");
  Status written = writer.write(path);
  ASSERT_TRUE(written.isOk()) << written.message();
  auto plan = Plan::open(path);
  ASSERT_TRUE(plan.isOk()) << plan.status().message();
  EXPECT_EQ(plan->string(plan->info().modelName), "sample");
  EXPECT_EQ(plan->info().maxTokens, Sample::maxTokens);
  ASSERT_EQ(plan->weights().size(), 3u);
  EXPECT_EQ(plan->string(plan->weights()[1].name), "stacked");
  EXPECT_EQ(plan->weights()[1].bytes, 32u * 6 * 2);
  EXPECT_EQ(plan->info().weightBytes, 64u + 384 + 1536);
  EXPECT_EQ(plan->info().pageBytes, 48u);
  EXPECT_EQ(plan->info().workListBytes, (64u + 96) * 32);
  ASSERT_EQ(plan->sources().size(), 4u);
  EXPECT_EQ(plan->sources()[2].offset, 220u);
  EXPECT_EQ(plan->files().size(), 1u);
  EXPECT_EQ(plan->kernels().size(), size_t(TestKernel::Count));
  EXPECT_EQ(plan->operands().size(), plan->section(SectionKind::Operands).size() / 40);
  ASSERT_EQ(plan->images().size(), 1u);
  auto code = plan->code(plan->images()[0]);
  EXPECT_TRUE(std::equal(code.begin(), code.end(), testCode().begin(), testCode().end()));
  EXPECT_EQ(plan->findTensor("sampled"), 2u);
  EXPECT_EQ(plan->findTensor("none"), kNone);
  ASSERT_EQ(plan->stops().size(), 1u);
  EXPECT_EQ(plan->stops()[0], 7);
  EXPECT_EQ(plan->instructions().back().opcode, Opcode::End);
}

TEST(Plan, WriterStoresEqualStringsAndDataOnce) {
  PlanWriter writer;
  EXPECT_EQ(writer.string("norm").offset, writer.string("norm").offset);
  const uint8_t a[] = {1, 2, 3}, b[] = {1, 2, 4};
  EXPECT_EQ(writer.data(a), writer.data(a));
  EXPECT_NE(writer.data(a), writer.data(b));
  EXPECT_EQ(writer.data(b) % 64, 0u);
}

TEST(Plan, WriterRefusesAnInvalidPlanAndLeavesNoFile) {
  TemporaryFolder folder;
  PlanWriter writer = samplePlan(false);
  writer.info.maxTokens = 0;
  Status status = writer.write(folder.file("bad.plan"));
  EXPECT_EQ(status.code(), ErrorCode::Internal);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Plan, UnbrokenSampleIsAccepted) {
  Editable plan;
  auto result = readEdited(plan);
  EXPECT_TRUE(result.isOk()) << result.status().message();
}

class BrokenPlan : public testing::TestWithParam<Violation> {};

TEST_P(BrokenPlan, IsRefusedByItsRule) {
  Editable plan;
  GetParam().apply(plan);
  auto result = readEdited(plan);
  ASSERT_FALSE(result.isOk());
  EXPECT_NE(result.status().message().find(GetParam().message), std::string::npos)
      << result.status().message();
}

INSTANTIATE_TEST_SUITE_P(Rules, BrokenPlan, testing::ValuesIn(kViolations),
                         [](const auto &info) { return std::string(info.param.name); });

TEST(Plan, EveryTruncationIsRefused) {
  std::vector<uint8_t> bytes = samplePlan(true).bytes();
  for (size_t length = 0; length < bytes.size(); length += length < 600 ? 1 : 61) {
    auto result = Plan::fromBytes({bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length)});
    ASSERT_FALSE(result.isOk()) << length;
  }
}

TEST(Plan, EveryFlippedByteIsRefused) {
  std::vector<uint8_t> bytes = samplePlan(true).bytes();
  // The checksum does not cover the header.
  for (size_t position = 0; position < sizeof(Header); ++position)
    for (int flip = 1; flip < 256; ++flip) {
      bytes[position] ^= static_cast<uint8_t>(flip);
      EXPECT_FALSE(Plan::fromBytes(bytes).isOk()) << position << " ^ " << flip;
      bytes[position] ^= static_cast<uint8_t>(flip);
    }
  Random random;
  for (int i = 0; i < 2000; ++i) {
    auto position = static_cast<size_t>(random.integer(0, int64_t(bytes.size()) - 1));
    uint8_t old = bytes[position];
    bytes[position] ^= static_cast<uint8_t>(random.integer(1, 255));
    EXPECT_FALSE(Plan::fromBytes(bytes).isOk()) << position;
    bytes[position] = old;
  }
}

// What still passes all rules must be safe to describe.
TEST(Plan, DamageWithACorrectChecksumIsRefusedOrHarmless) {
  const std::vector<uint8_t> original = samplePlan(true).bytes();
  Random random;
  int accepted = 0;
  for (int i = 0; i < 3000; ++i) {
    std::vector<uint8_t> bytes = original;
    for (int64_t n = random.integer(1, 3); n > 0; --n)
      bytes[static_cast<size_t>(random.integer(24, int64_t(bytes.size()) - 1))] =
          static_cast<uint8_t>(random.integer(0, 255));
    fixPlanChecksum(bytes);
    auto plan = Plan::fromBytes(std::move(bytes));
    if (!plan.isOk())
      continue;
    ++accepted;
    EXPECT_FALSE(describe(*plan).empty());
    EXPECT_FALSE(describeJson(*plan).dump().empty());
  }
  EXPECT_GT(accepted, 0);
}

} // namespace
