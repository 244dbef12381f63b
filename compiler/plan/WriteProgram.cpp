// Implements WriteProgram.h.
//
//   plan.select %rows limits [1, 0] { A }, { B }
// becomes
//   if rows > 1 continue at b;  A;  continue at end;  b: B;  end:
#include "compiler/plan/WriteProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <map>

using namespace mlir;

namespace quire::compiler {
namespace {

using plan::Opcode;

/// The opcode of shape arithmetic on two registers.
std::optional<Opcode> binaryOpcode(Operation &op) {
  if (isa<arith::AddIOp>(op))
    return Opcode::Add;
  if (isa<arith::MulIOp>(op))
    return Opcode::Multiply;
  if (isa<arith::CeilDivUIOp, arith::CeilDivSIOp>(op))
    return Opcode::CeilDiv;
  if (isa<arith::MinUIOp, arith::MinSIOp>(op))
    return Opcode::Minimum;
  if (isa<arith::MaxUIOp, arith::MaxSIOp>(op))
    return Opcode::Maximum;
  return std::nullopt;
}

class ProgramWriter {
public:
  ProgramWriter(planir::EntryOp entry, const PlanIndices &indices, PlanWriter &writer)
      : entry(entry), indices(indices), writer(writer) {}

  LogicalResult run() {
    for (const plan::PartitionRecord &partition : writer.partitions())
      workspaceBytes += partition.workspaceItemBytes * partition.capacity;
    writer.info.arena = {workspaceBytes, entry.getPerToken().value_or(0), entry.getPerSample().value_or(0)};
    addConstants();
    if (failed(block(entry.getBody().front())))
      return failure();
    plan::InstructionRecord end{};
    end.opcode = Opcode::End;
    writer.add(end);
    writer.info.registerCount = nextRegister;
    return success();
  }

private:
  uint32_t newRegister() { return nextRegister++; }

  uint32_t constant(int64_t number) {
    auto [entry, isNew] = constants.try_emplace(number, nextRegister);
    if (isNew) {
      plan::InstructionRecord record{};
      record.opcode = Opcode::Constant;
      record.dst = newRegister();
      record.imm = number;
      writer.add(record);
    }
    return entry->second;
  }

  void addConstants() {
    entry.walk([&](Operation *op) {
      if (auto value = dyn_cast<arith::ConstantIndexOp>(op))
        registers[value.getResult()] = constant(value.value());
      else if (auto select = dyn_cast<planir::SelectOp>(op))
        for (int64_t limit : select.getLimits())
          if (limit != 0)
            constant(limit);
    });
  }

  LogicalResult block(Block &ops) {
    for (Operation &op : ops)
      if (failed(visit(op)))
        return failure();
    return success();
  }

  LogicalResult visit(Operation &op) {
    if (isa<arith::ConstantIndexOp, planir::ArenaOp, planir::UseOp, planir::BatchOp>(op))
      return success(); // constants are set already, buffers are read by the launches
    if (auto input = dyn_cast<planir::InputOp>(op)) {
      registers[input.getResult()] = static_cast<uint32_t>(input.getInput());
      return success();
    }
    plan::InstructionRecord record{};
    if (auto opcode = binaryOpcode(op)) {
      record.opcode = *opcode;
      record.a = registers.lookup(op.getOperand(0));
      record.b = registers.lookup(op.getOperand(1));
      record.dst = registers[op.getResult(0)] = newRegister();
      writer.add(record);
      return success();
    }
    if (auto items = dyn_cast<planir::ItemsOp>(op)) {
      record.opcode = Opcode::Partition;
      record.index = indices.partitions.lookup(items.getPartition());
      record.imm = items.getSplit();
      record.dst = registers[items.getResult()] = newRegister();
      writer.add(record);
      return success();
    }
    if (auto launch = dyn_cast<planir::LaunchOp>(op))
      return this->launch(launch);
    if (auto select = dyn_cast<planir::SelectOp>(op))
      return this->select(select);
    return op.emitOpError() << "has no instruction in a step program";
  }

  LogicalResult select(planir::SelectOp select) {
    std::vector<uint32_t> jumps;
    for (auto [number, region] : llvm::enumerate(select.getCases())) {
      int64_t limit = select.getLimits()[number];
      std::optional<uint32_t> branch;
      if (limit != 0) {
        plan::InstructionRecord record{};
        record.opcode = Opcode::BranchIfGreater;
        record.a = registers.lookup(select.getRows());
        record.b = constants.at(limit);
        branch = writer.add(record);
      }
      if (failed(block(region.front())))
        return failure();
      if (number + 1 < select.getCases().size()) {
        plan::InstructionRecord jump{};
        jump.opcode = Opcode::Jump;
        jumps.push_back(writer.add(jump));
      }
      if (branch)
        writer.instruction(*branch).imm = writer.instructionCount();
    }
    for (uint32_t jump : jumps)
      writer.instruction(jump).imm = writer.instructionCount();
    return success();
  }

  LogicalResult launch(planir::LaunchOp launch) {
    std::vector<plan::OperandRecord> operands;
    for (Value argument : launch.getArguments()) {
      FailureOr<plan::OperandRecord> operand = this->operand(launch, argument);
      if (failed(operand))
        return failure();
      operands.push_back(*operand);
    }
    writer.addLaunch(indices.kernels.lookup(launch.getKernel()),
                     registers.lookup(launch.getItems()), operands);
    return success();
  }

  FailureOr<plan::OperandRecord> operand(planir::LaunchOp launch, Value argument) {
    using plan::OperandKind;
    if (isa<IndexType>(argument.getType()))
      return plan::OperandRecord{OperandKind::Scalar, registers.lookup(argument), {}, 0, 0};
    if (auto batch = argument.getDefiningOp<planir::BatchOp>())
      return plan::OperandRecord{OperandKind::Batch, static_cast<uint32_t>(batch.getArray()), {},
                                 static_cast<uint32_t>(batch.getGroup()), 0};
    if (auto arena = argument.getDefiningOp<planir::ArenaOp>())
      return this->arena(arena);
    auto use = argument.getDefiningOp<planir::UseOp>();
    if (!use)
      return launch.emitOpError() << "passes a buffer that is no memory of the plan";
    const std::pair<OperandKind, const llvm::StringMap<uint32_t> *> memories[] = {
        {OperandKind::Weight, &indices.weights},
        {OperandKind::Pool, &indices.pools},
        {OperandKind::Tensor, &indices.tensors},
        {OperandKind::WorkList, &indices.partitions}};
    for (auto [kind, map] : memories)
      if (auto found = map->find(use.getSymbol()); found != map->end())
        return plan::OperandRecord{kind, found->second, {}, 0, 0};
    return use.emitOpError() << "@" << use.getSymbol() << " names no memory of the plan";
  }

  FailureOr<plan::OperandRecord> arena(planir::ArenaOp arena) {
    if (!arena.getOffset())
      return arena.emitOpError() << "has no place in the arena; run quire-plan-buffers first";
    uint64_t offset = *arena.getOffset();
    plan::OperandRecord record{plan::OperandKind::Arena, 0, {workspaceBytes, 0, 0}, 0, 0};
    switch (arena.getExtent()) {
    case planir::RowExtent::Tokens:
      record.offset.perToken = offset;
      return record;
    case planir::RowExtent::Samples: // after the region of the token rows
      record.offset.perToken = entry.getPerToken().value_or(0);
      record.offset.perSample = offset;
      return record;
    case planir::RowExtent::Items: {
      auto found = indices.partitions.find(*arena.getPartition());
      if (found == indices.partitions.end())
        return arena.emitOpError() << "counts items of @" << *arena.getPartition()
                                   << ", which is no work list";
      uint64_t capacity = writer.partitions()[found->second].capacity;
      return plan::OperandRecord{plan::OperandKind::Workspace, found->second,
                                 {offset * capacity, 0, 0}, 0, 0};
    }
    case planir::RowExtent::One:
      break;
    }
    return arena.emitOpError() << "counts no rows";
  }

  planir::EntryOp entry;
  const PlanIndices &indices;
  PlanWriter &writer;
  uint64_t workspaceBytes = 0; ///< the arena's constant part, before the token rows
  uint32_t nextRegister = static_cast<uint32_t>(plan::InputRegister::Count);
  llvm::DenseMap<Value, uint32_t> registers;
  std::map<int64_t, uint32_t> constants;
};

} // namespace

LogicalResult writeProgram(planir::EntryOp entry, const PlanIndices &indices, PlanWriter &writer) {
  return ProgramWriter(entry, indices, writer).run();
}

} // namespace quire::compiler
