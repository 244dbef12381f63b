// Builds the sample plan.
#include "SamplePlan.h"

namespace quire::test {
using namespace plan;

namespace {

enum Register : uint32_t {
  One = static_cast<uint32_t>(InputRegister::Count),
  Columns,
  PageSize,
  PrefillItems,
  DecodeItems,
  Limit,
  Factor,
  Stride,
  RowsAnItem,
  StoreItems,
  Scratch,
  RegisterCount
};

constexpr uint32_t input(InputRegister index) { return static_cast<uint32_t>(index); }

class SampleBuilder {
public:
  explicit SampleBuilder(bool files) : files_(files) {}

  PlanWriter build() {
    info();
    memory();
    kernels();
    program();
    return std::move(writer_);
  }

private:
  void info() {
    InfoRecord &info = writer_.info;
    info.modelName = writer_.string("sample");
    info.modelDirectory = writer_.string("/nowhere");
    info.compiler = writer_.string("test");
    info.options = writer_.string("{}");
    info.rowPadding = Sample::rowPadding;
    info.maxTokens = Sample::maxTokens;
    info.maxSequences = Sample::maxSequences;
    info.maxSamples = Sample::maxSamples;
    info.maxContext = Sample::maxContext;
    info.pageSize = Sample::pageSize;
    info.vocabularySize = Sample::vocabulary;
    info.registerCount = RegisterCount;
    info.arena = {Sample::decode.capacity * Sample::decode.workspaceItemBytes, Sample::columns * sizeof(float),
                  4};
    writer_.addStop(7);
    writer_.addText("graph", "module {}");
    writer_.addText("report", "nothing to say");
  }

  void memory() {
    WeightRecord weight{};
    weight.name = writer_.string("factors");
    weight.element = ElementType::F32;
    weight.rows = 1;
    weight.columns = Sample::columns;
    SourceRecord source{};
    source.kind = SourceKind::Inline;
    source.file = kNone;
    source.rows = 1;
    source.columns = Sample::columns;
    source.bytes = sizeof(Sample::weight);
    source.offset = writer_.data({reinterpret_cast<const uint8_t *>(Sample::weight.data()),
                                  sizeof(Sample::weight)});
    writer_.addWeight(weight, {&source, 1});
    if (files_)
      fileWeights();

    writer_.add(PoolRecord{writer_.string("keys"), ElementType::I32, 0,
                           Sample::pageSize * sizeof(int32_t), 0, 0});
    writer_.add(PoolRecord{writer_.string("windowed"), ElementType::BF16, 1, 32, 8, 1});
    writer_.add(PoolRecord{writer_.string("others"), ElementType::I32, 1,
                           Sample::pageSize * sizeof(int32_t), 0, 0});
    writer_.add(tensor("x", ElementType::F32, Extent::Tokens, Sample::columns, Sample::inputStride,
                       false));
    writer_.add(tensor("sums", ElementType::I32, Extent::Tokens, 1, 1, true));
    writer_.add(tensor("sampled", ElementType::I32, Extent::Samples, 1, 1, true));
    writer_.add(
        tensor("scaled", ElementType::F32, Extent::Tokens, Sample::columns, Sample::columns, true));
    writer_.add(Sample::prefill);
    writer_.add(Sample::decode);
  }

  void fileWeights() {
    writer_.add(FileRecord{writer_.string("model.safetensors"), 10000, 0});
    WeightRecord weight{};
    weight.name = writer_.string("stacked");
    weight.element = ElementType::BF16;
    weight.layout = WeightLayout::Panel;
    weight.panel = 8;
    weight.rows = 30;
    weight.columns = 6;
    SourceRecord sources[2] = {};
    for (SourceRecord &source : sources) {
      source.element = ElementType::BF16;
      source.columns = 6;
    }
    sources[0].kind = SourceKind::Tensor;
    sources[0].tensor = writer_.string("a");
    sources[0].offset = 100;
    sources[0].rows = 10;
    sources[0].bytes = 120;
    sources[1].kind = SourceKind::TransposedTensor;
    sources[1].tensor = writer_.string("b");
    sources[1].offset = 220;
    sources[1].rows = 20;
    sources[1].bytes = 240;
    writer_.addWeight(weight, sources);

    WeightRecord table{};
    table.name = writer_.string("rotary");
    table.rows = Sample::maxContext;
    table.columns = 4;
    SourceRecord rotary{};
    rotary.kind = SourceKind::RotaryTable;
    rotary.file = kNone;
    rotary.scale = 1;
    rotary.rows = table.rows;
    rotary.columns = table.columns;
    const float frequencies[2] = {1, 0.25f};
    rotary.bytes = sizeof(frequencies);
    rotary.offset =
        writer_.data({reinterpret_cast<const uint8_t *>(frequencies), sizeof(frequencies)});
    writer_.addWeight(table, {&rotary, 1});
  }

  TensorRecord tensor(const char *name, ElementType element, Extent extent, uint64_t columns,
                      uint64_t stride, bool isOutput) {
    return {writer_.string(name), element, extent, columns, stride, isOutput, 0};
  }

  void kernels() {
    auto add = [&](const char *name, uint32_t buffers, uint32_t scalars) {
      writer_.add(KernelRecord{writer_.string(name), writer_.string("graph.test"), buffers, scalars,
                               writer_.string("tile 1"), 2, 3});
    };
    add("append", 3, 0);
    add("sum", 4, kSumScalars);
    add("partial", 4, kSumScalars);
    add("combine", 3, 0);
    add("gather", 3, 0);
    add("scale", 3, 3);
    add("store", 2, 3);
  }

  uint32_t emit(Opcode opcode, uint32_t dst, uint32_t a, uint32_t b, int64_t imm = 0,
                uint32_t index = 0) {
    return writer_.add(InstructionRecord{opcode, dst, a, b, imm, index, 0, 0, 0});
  }
  void constant(uint32_t dst, int64_t value) { emit(Opcode::Constant, dst, 0, 0, value); }
  void launch(TestKernel kernel, uint32_t items, std::initializer_list<OperandRecord> operands) {
    writer_.addLaunch(static_cast<uint32_t>(kernel), items, {operands.begin(), operands.size()});
  }
  void here(uint32_t branch) { writer_.instruction(branch).imm = writer_.instructionCount(); }

  static OperandRecord operand(OperandKind kind, uint32_t index) { return {kind, index, {}, 0, 0}; }
  static OperandRecord batch(BatchField field, uint32_t group = 0) {
    return {OperandKind::Batch, static_cast<uint32_t>(field), {}, group, 0};
  }
  static OperandRecord scalar(uint32_t index) { return operand(OperandKind::Scalar, index); }
  static OperandRecord arena(ByteSize offset) {
    return {OperandKind::Arena, 0, offset, 0, 0};
  }

  void program() {
    const OperandRecord keys = operand(OperandKind::Pool, 0), table = batch(BatchField::BlockTable);
    const OperandRecord others = operand(OperandKind::Pool, 2);
    const OperandRecord x = operand(OperandKind::Tensor, 0), sums = operand(OperandKind::Tensor, 1);
    const OperandRecord sampled = operand(OperandKind::Tensor, 2);
    const OperandRecord scaled = operand(OperandKind::Tensor, 3);
    const OperandRecord pageSize = scalar(PageSize), pages = scalar(input(InputRegister::MaxPages));
    const OperandRecord partials = operand(OperandKind::Workspace, 1);
    const ByteSize scaledOffset{Sample::decode.capacity * Sample::decode.workspaceItemBytes, 0, 0};

    constant(One, 1);
    constant(PageSize, Sample::pageSize);
    constant(Columns, Sample::columns);
    launch(TestKernel::Append, input(InputRegister::Tokens),
           {batch(BatchField::TokenIds), batch(BatchField::Slots), keys});
    launch(TestKernel::Append, input(InputRegister::Tokens),
           {batch(BatchField::TokenIds), batch(BatchField::Slots, 1), others});

    emit(Opcode::Partition, PrefillItems, 0, 0, 0, 0);
    launch(TestKernel::Sum, PrefillItems,
           {operand(OperandKind::WorkList, 0), keys, table, sums, pageSize, pages});
    emit(Opcode::Partition, DecodeItems, 0, 0, 0, 1);
    uint32_t noDecode = emit(Opcode::BranchIfGreater, 0, One, DecodeItems);
    launch(TestKernel::Partial, DecodeItems,
           {operand(OperandKind::WorkList, 1), others, batch(BatchField::BlockTable, 1), partials,
            pageSize, pages});
    launch(TestKernel::Combine, DecodeItems,
           {operand(OperandKind::WorkList, 1), partials, sums});
    here(noDecode);
    launch(TestKernel::Gather, input(InputRegister::Samples),
           {batch(BatchField::SampleRows), sums, sampled});

    // Factor 1 up to the limit, 2 * 3 + 1 beyond it.
    constant(Stride, Sample::inputStride);
    constant(Limit, Sample::variantLimit);
    uint32_t many = emit(Opcode::BranchIfGreater, 0, input(InputRegister::Tokens), Limit);
    constant(Factor, 1);
    uint32_t join = emit(Opcode::Jump, 0, 0, 0);
    here(many);
    constant(Factor, 3);
    constant(Scratch, 2);
    emit(Opcode::Multiply, Factor, Factor, Scratch);
    emit(Opcode::Add, Factor, Factor, One);
    here(join);
    launch(TestKernel::Scale, input(InputRegister::Tokens),
           {x, operand(OperandKind::Weight, 0), arena(scaledOffset), scalar(Columns),
            scalar(Stride), scalar(Factor)});
    // Rows an item: between 2 and 8.
    constant(Scratch, 8);
    emit(Opcode::Minimum, RowsAnItem, input(InputRegister::Tokens), Scratch);
    constant(Scratch, 2);
    emit(Opcode::Maximum, RowsAnItem, RowsAnItem, Scratch);
    emit(Opcode::CeilDiv, StoreItems, input(InputRegister::Tokens), RowsAnItem);
    launch(TestKernel::Store, StoreItems,
           {arena(scaledOffset), scaled, scalar(Columns), scalar(input(InputRegister::Tokens)),
            scalar(RowsAnItem)});
    emit(Opcode::End, 0, 0, 0);
  }

  PlanWriter writer_;
  bool files_;
};

} // namespace

PlanWriter samplePlanWithoutCode() { return SampleBuilder(false).build(); }

PlanWriter samplePlan(bool files) {
  PlanWriter writer = SampleBuilder(files).build();
  writer.addImage(ImageTarget::X86_64_V3, testCode(), testEntries());
  return writer;
}

} // namespace quire::test
