// Checks the step program, so that the interpreter needs no bounds check: every register, index and
// operand in range, branches forward (a program always ends), launches with the operands that their
// kernel takes, arena operands inside the arena at every legal number of rows.
#include "runtime/plan/CacheGroups.h"
#include "runtime/plan/Rules.h"

namespace quire::plan {
namespace {

class ProgramValidator {
public:
  explicit ProgramValidator(const Sections &sections)
      : sections_(sections), info_(recordsOf<InfoRecord>(sections, SectionKind::Info)[0]),
        instructions_(recordsOf<InstructionRecord>(sections, SectionKind::Instructions)),
        operands_(recordsOf<OperandRecord>(sections, SectionKind::Operands)),
        kernels_(recordsOf<KernelRecord>(sections, SectionKind::Kernels)),
        groupCount_(cacheGroups(recordsOf<PoolRecord>(sections, SectionKind::Pools)).count) {}

  Status run() {
    if (instructions_.empty() || instructions_.back().opcode != Opcode::End)
      return brokenRule(SectionKind::Instructions, kNoRecord,
                        "the program does not finish with End");
    for (uint64_t i = 0; i < operands_.size(); ++i)
      QUIRE_RETURN_IF_ERROR(operand(i));
    for (uint64_t i = 0; i < instructions_.size(); ++i)
      QUIRE_RETURN_IF_ERROR(instruction(i));
    return Status::ok();
  }

private:
  uint64_t count(SectionKind kind, size_t bytes) const {
    return sections_[static_cast<size_t>(kind)].size() / bytes;
  }

  Status instruction(uint64_t position) {
    const InstructionRecord &record = instructions_[position];
    RecordCheck rule(sections_, SectionKind::Instructions, position);
    auto reads = [&](uint32_t index, const char *field) {
      return rule.index(index, info_.registerCount, field);
    };
    QUIRE_RETURN_IF_ERROR(rule.enumeration(record.opcode, "opcode"));
    switch (record.opcode) {
    case Opcode::Constant:
      return reads(record.dst, "register dst");
    case Opcode::Add:
    case Opcode::Multiply:
    case Opcode::CeilDiv:
    case Opcode::Minimum:
    case Opcode::Maximum:
      QUIRE_RETURN_IF_ERROR(reads(record.dst, "register dst"));
      QUIRE_RETURN_IF_ERROR(reads(record.a, "register a"));
      return reads(record.b, "register b");
    case Opcode::BranchIfGreater:
      QUIRE_RETURN_IF_ERROR(reads(record.a, "register a"));
      QUIRE_RETURN_IF_ERROR(reads(record.b, "register b"));
      return branch(record, position, rule);
    case Opcode::Jump:
      return branch(record, position, rule);
    case Opcode::Partition:
      QUIRE_RETURN_IF_ERROR(rule.range(static_cast<uint64_t>(record.imm), 0, 1, "imm"));
      QUIRE_RETURN_IF_ERROR(reads(record.dst, "register dst"));
      return rule.index(record.index, count(SectionKind::Partitions, sizeof(PartitionRecord)),
                        "work list");
    case Opcode::Launch:
      QUIRE_RETURN_IF_ERROR(reads(record.a, "register a"));
      return launch(record, rule);
    case Opcode::End:
    case Opcode::Count:
      break;
    }
    return Status::ok();
  }

  Status branch(const InstructionRecord &record, uint64_t position, const RecordCheck &rule) const {
    if (record.imm <= static_cast<int64_t>(position) ||
        record.imm >= static_cast<int64_t>(instructions_.size()))
      return rule.broken("branches to instruction " + std::to_string(record.imm) +
                         ", legal are later ones up to " +
                         std::to_string(instructions_.size() - 1));
    return Status::ok();
  }

  Status launch(const InstructionRecord &record, const RecordCheck &rule) const {
    QUIRE_RETURN_IF_ERROR(rule.index(record.index, kernels_.size(), "kernel"));
    QUIRE_RETURN_IF_ERROR(
        rule.range(record.operandCount, 0, 2 * kMaxOperandsPerLaunch, "operandCount"));
    if (!fits(record.firstOperand, record.operandCount, operands_.size()))
      return rule.broken("operands " + std::to_string(record.firstOperand) + " to +" +
                         std::to_string(record.operandCount) + " of " +
                         std::to_string(operands_.size()));
    uint64_t buffers = 0, scalars = 0;
    for (const OperandRecord &operand : operands_.subspan(record.firstOperand, record.operandCount))
      ++(operand.kind == OperandKind::Scalar ? scalars : buffers);
    const KernelRecord &kernel = kernels_[record.index];
    QUIRE_RETURN_IF_ERROR(
        rule.equal(buffers, kernel.bufferCount, "the number of buffers", "the kernel's"));
    return rule.equal(scalars, kernel.scalarCount, "the number of scalars", "the kernel's");
  }

  Status operand(uint64_t position) const {
    const OperandRecord &record = operands_[position];
    RecordCheck rule(sections_, SectionKind::Operands, position);
    QUIRE_RETURN_IF_ERROR(rule.enumeration(record.kind, "kind"));
    bool grouped = record.kind == OperandKind::Batch && isByGroup(BatchField{record.index});
    QUIRE_RETURN_IF_ERROR(rule.index(record.group, grouped ? groupCount_ : 1, "group"));
    switch (record.kind) {
    case OperandKind::Arena:
      return arena(record, rule);
    case OperandKind::Weight:
      return rule.index(record.index, count(SectionKind::Weights, sizeof(WeightRecord)), "weight");
    case OperandKind::Pool:
      return rule.index(record.index, count(SectionKind::Pools, sizeof(PoolRecord)), "pool");
    case OperandKind::Tensor:
      return rule.index(record.index, count(SectionKind::Tensors, sizeof(TensorRecord)), "tensor");
    case OperandKind::Batch: {
      QUIRE_RETURN_IF_ERROR(
          rule.index(record.index, static_cast<uint32_t>(BatchField::Count), "batch field"));
      if (grouped && info_.pageSize == 0)
        return rule.broken("it reads cache pages, but pageSize is 0");
      return Status::ok();
    }
    case OperandKind::WorkList:
      return rule.index(record.index, count(SectionKind::Partitions, sizeof(PartitionRecord)),
                        "work list");
    case OperandKind::Workspace:
      return workspace(record, rule);
    case OperandKind::Scalar:
      return rule.index(record.index, info_.registerCount, "register");
    case OperandKind::Count:
      break;
    }
    return Status::ok();
  }

  Status workspace(const OperandRecord &record, const RecordCheck &rule) const {
    auto partitions = recordsOf<PartitionRecord>(sections_, SectionKind::Partitions);
    QUIRE_RETURN_IF_ERROR(rule.index(record.index, partitions.size(), "workspace"));
    const PartitionRecord &partition = partitions[record.index];
    uint64_t bytes = partition.workspaceItemBytes * partition.capacity;
    if (record.offset.constant >= bytes)
      return rule.broken("it starts at byte " + std::to_string(record.offset.constant) +
                         " of a workspace of " + std::to_string(bytes) + " bytes");
    return Status::ok();
  }

  /// Offset and arena size are linear in both row counts, so their corners decide for all counts.
  Status arena(const OperandRecord &record, const RecordCheck &rule) const {
    uint32_t padding = info_.rowPadding;
    for (uint64_t tokens : {uint64_t(padding), padRows(info_.maxTokens, padding)})
      for (uint64_t samples : {uint64_t(0), padRows(info_.maxSamples, padding)}) {
        auto offset = checkedEvaluate(record.offset, tokens, samples);
        uint64_t size = evaluate(info_.arena, tokens, samples);
        if (!offset || *offset > size)
          return rule.broken("at " + std::to_string(tokens) + " token rows and " +
                             std::to_string(samples) + " sample rows it starts at byte " +
                             (offset ? std::to_string(*offset) : "2^64 or beyond") +
                             " of an arena of " + std::to_string(size) + " bytes");
      }
    return Status::ok();
  }

  const Sections &sections_;
  const InfoRecord &info_;
  std::span<const InstructionRecord> instructions_;
  std::span<const OperandRecord> operands_;
  std::span<const KernelRecord> kernels_;
  uint32_t groupCount_;
};

} // namespace

Status validateProgram(const Sections &sections) { return ProgramValidator(sections).run(); }

} // namespace quire::plan
