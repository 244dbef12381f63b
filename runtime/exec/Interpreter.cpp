// Implements Interpreter.h.
#include "runtime/exec/Interpreter.h"

#include <algorithm>
#include <array>

namespace quire {
using namespace plan;

namespace {

constexpr size_t kMaxLaunchOperands = 256; // the validator's limit for each kind

/// Registers are 64-bit and wrap around; a hostile program must not be undefined behaviour.
int64_t wrap(uint64_t value) { return static_cast<int64_t>(value); }

} // namespace

Interpreter::Interpreter(const Plan &plan, const FixedAddresses &addresses)
    : plan_(plan), registers_(plan.info().registerCount) {
  StepSlots slots(plan);
  for (const OperandRecord &record : plan.operands()) {
    Operand operand{record.kind, record.index, false, {}};
    auto inRegion = [&](uint32_t slot) {
      operand.index = slot;
      operand.inRegion = true;
    };
    switch (record.kind) {
    case OperandKind::Arena:
      operand.address = record.offset;
      operand.address.constant += addresses.arena;
      break;
    case OperandKind::Weight:
      operand.address.constant = addresses.weights[record.index];
      break;
    case OperandKind::Pool:
      operand.address.constant = addresses.pools[record.index];
      break;
    case OperandKind::Tensor:
      if (plan.tensors()[record.index].isOutput)
        operand.address.constant = addresses.tensors[record.index];
      else
        inRegion(slots.tensor(record.index));
      break;
    case OperandKind::Batch:
      inRegion(StepSlots::field(static_cast<BatchField>(record.index), record.group));
      break;
    case OperandKind::WorkList:
      inRegion(slots.workList(record.index));
      break;
    case OperandKind::Workspace:
      operand.address.constant = addresses.arena +
                                 plan.partitions()[record.index].workspaceOffset +
                                 record.offset.constant;
      break;
    case OperandKind::Scalar:
    case OperandKind::Count:
      break;
    }
    operands_.push_back(operand);
  }
}

void Interpreter::setRegisters(const StepShape &shape, const Step &step) {
  std::fill(registers_.begin(), registers_.end(), 0);
  auto set = [&](InputRegister index, uint64_t value) {
    registers_[static_cast<size_t>(index)] = wrap(value);
  };
  set(InputRegister::Tokens, shape.tokens);
  set(InputRegister::Sequences, shape.sequences);
  set(InputRegister::Samples, shape.samples);
  set(InputRegister::PaddedTokens, step.paddedTokens);
  set(InputRegister::PaddedSamples, step.paddedSamples);
  set(InputRegister::MaxPages, shape.maxPages);
}

Status Interpreter::run(Device &device, const DeviceImage &image, const StepRegion &region,
                        const StepShape &shape, std::span<const int64_t> workItems,
                        StepTrace *trace) {
  uint32_t padding = plan_.info().rowPadding;
  Step step{device, image, region, padRows(shape.tokens, padding), padRows(shape.samples, padding),
            trace, false};
  setRegisters(shape, step);
  auto program = plan_.instructions();
  for (uint32_t position = 0;;) {
    const InstructionRecord &instruction = program[position];
    int64_t *r = registers_.data();
    auto a = [&] { return static_cast<uint64_t>(r[instruction.a]); };
    auto b = [&] { return static_cast<uint64_t>(r[instruction.b]); };
    uint32_t next = position + 1;
    switch (instruction.opcode) {
    case Opcode::Constant:
      r[instruction.dst] = instruction.imm;
      break;
    case Opcode::Add:
      r[instruction.dst] = wrap(a() + b());
      break;
    case Opcode::Multiply:
      r[instruction.dst] = wrap(a() * b());
      break;
    case Opcode::CeilDiv: {
      int64_t dividend = r[instruction.a], divisor = r[instruction.b];
      if (divisor <= 0)
        return Status::error(ErrorCode::Internal, "instruction " + std::to_string(position) +
                                                      " of the plan's program divides by " +
                                                      std::to_string(divisor));
      r[instruction.dst] = dividend / divisor + (dividend % divisor > 0);
      break;
    }
    case Opcode::Minimum:
      r[instruction.dst] = std::min(r[instruction.a], r[instruction.b]);
      break;
    case Opcode::Maximum:
      r[instruction.dst] = std::max(r[instruction.a], r[instruction.b]);
      break;
    case Opcode::BranchIfGreater:
      if (r[instruction.a] > r[instruction.b])
        next = static_cast<uint32_t>(instruction.imm);
      break;
    case Opcode::Jump:
      next = static_cast<uint32_t>(instruction.imm);
      break;
    case Opcode::Partition:
      r[instruction.dst] =
          workItems[instruction.index + (instruction.imm ? workItems.size() / 2 : 0)];
      break;
    case Opcode::Launch:
      QUIRE_RETURN_IF_ERROR(launch(step, position, instruction));
      break;
    case Opcode::End:
    case Opcode::Count:
      return endMeasurement(step);
    }
    position = next;
  }
}

Status Interpreter::launch(Step &step, uint32_t position,
                           const InstructionRecord &instruction) {
  std::array<void *, kMaxLaunchOperands> buffers;
  std::array<int64_t, kMaxLaunchOperands> scalars;
  size_t bufferCount = 0, scalarCount = 0;
  for (uint32_t i = 0; i < instruction.operandCount; ++i) {
    const Operand &operand = operands_[instruction.firstOperand + i];
    if (operand.kind == OperandKind::Scalar) {
      scalars[scalarCount++] = registers_[operand.index];
      continue;
    }
    uint64_t address = operand.inRegion
                           ? step.region.address(operand.index)
                           : evaluate(operand.address, step.paddedTokens, step.paddedSamples);
    buffers[bufferCount++] = reinterpret_cast<void *>(address);
  }
  int64_t items = registers_[instruction.a];
  auto submit = [&] {
    return items <= 0 ? Status::ok()
                      : step.device.launch(step.image, instruction.index,
                                           {buffers.data(), bufferCount},
                                           {scalars.data(), scalarCount}, items);
  };
  StepTrace *trace = step.trace;
  if (!trace)
    return submit();
  bool wanted = trace->wanted.empty() || trace->wanted[instruction.index];
  if (trace->together && (items <= 0 || (wanted && step.measuring)))
    return submit();
  QUIRE_RETURN_IF_ERROR(endMeasurement(step));
  if (!wanted)
    return submit();
  if (trace->count == trace->launches.size()) {
    ++trace->dropped;
    return submit();
  }
  if (trace->flush)
    QUIRE_RETURN_IF_ERROR(trace->flush->run(step.device));
  trace->launches[trace->count++] = {position, instruction.index, items, 0};
  QUIRE_RETURN_IF_ERROR(step.device.beginTiming());
  step.measuring = true;
  QUIRE_RETURN_IF_ERROR(submit());
  return trace->together ? Status::ok() : endMeasurement(step);
}

Status Interpreter::endMeasurement(Step &step) {
  if (!step.measuring)
    return Status::ok();
  step.measuring = false;
  QUIRE_ASSIGN_OR_RETURN(step.trace->launches[step.trace->count - 1].nanoseconds,
                         step.device.endTiming());
  return Status::ok();
}

} // namespace quire
