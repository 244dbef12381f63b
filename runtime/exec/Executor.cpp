// Implements Executor.h: resolves every operand that has a fixed address once, then walks the step
// program with a handful of registers.
#include "runtime/exec/Executor.h"

#include "runtime/exec/Batch.h"
#include "runtime/exec/Partition.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

namespace quire {
using namespace plan;

namespace {

constexpr size_t kMaxLaunchOperands = 256; // the validator's limit for each kind

uint64_t addressOf(const void *pointer) { return reinterpret_cast<uint64_t>(pointer); }

/// An operand with its address, or for the arena with the linear form of its address.
struct Operand {
  OperandKind kind;
  uint32_t scalarRegister;
  ByteSize address; ///< constant includes the base; the row terms are 0 but for the arena
};

uint32_t limitOf(uint32_t wanted, uint32_t planLimit) {
  return wanted == 0 ? planLimit : std::min(wanted, planLimit);
}

uint64_t rowsOf(Extent extent, uint64_t tokens, uint64_t samples) {
  return extent == Extent::Tokens ? tokens : extent == Extent::Samples ? samples : 1;
}

/// Registers are 64-bit and wrap around; a hostile program must not be undefined behaviour.
int64_t wrap(uint64_t value) { return static_cast<int64_t>(value); }

} // namespace

struct Executor::State {
  State(const Plan &plan, Device &device, const WeightStore &weights)
      : plan(plan), device(device), weights(weights) {}

  const Plan &plan;
  Device &device;
  const WeightStore &weights;
  ExecutorOptions limits;
  ExecutorMemory memory;
  std::unique_ptr<DeviceImage> image;
  DeviceBuffer arena;
  std::vector<DeviceBuffer> pools;
  std::vector<DeviceBuffer> tensors;
  std::vector<DeviceBuffer> workLists;
  std::vector<int64_t> workCounts;
  Batch batch;
  std::vector<Operand> operands;
  std::vector<int64_t> registers;
  uint64_t paddedTokens = 0, paddedSamples = 0;
  uint32_t tokens = 0, samples = 0;
  bool hasResult = false;

  Status setLimits(const ExecutorOptions &options);
  Status allocate();
  void resolveOperands();
  uint64_t tensorBytes(const TensorRecord &tensor, uint64_t rows) const {
    return rows * tensor.rowStride * elementBytes(tensor.element);
  }
  Status checkInputs(const StepBatch &step) const;
  void stageInputs(const StepBatch &step);
  void setRegisters(const StepBatch &step);
  Status interpret(StepTrace *trace);
  Status partition(const InstructionRecord &instruction);
  Status launch(uint32_t position, const InstructionRecord &instruction, StepTrace *trace);
};

Status Executor::State::setLimits(const ExecutorOptions &options) {
  const InfoRecord &info = plan.info();
  limits.maxTokens = limitOf(options.maxTokens, info.maxTokens);
  limits.maxSequences = limitOf(options.maxSequences, info.maxSequences);
  limits.maxSamples = limitOf(options.maxSamples, info.maxSamples);
  limits.pageCount = options.pageCount;
  if (plan.pools().empty())
    return Status::ok();
  uint64_t most = INT32_MAX / info.pageSize;
  if (options.pageCount == 0 || options.pageCount > most)
    return Status::error(ErrorCode::InvalidArgument,
                         "a cache of " + std::to_string(options.pageCount) +
                             " pages is not possible: this plan needs 1 to " +
                             std::to_string(most) + " pages of " + std::to_string(info.pageSize) +
                             " tokens");
  return Status::ok();
}

Status Executor::State::allocate() {
  uint64_t maxTokens = padRows(limits.maxTokens, plan.info().rowPadding);
  uint64_t maxSamples = padRows(limits.maxSamples, plan.info().rowPadding);
  memory.arena = evaluate(plan.info().arena, maxTokens, maxSamples);
  QUIRE_ASSIGN_OR_RETURN(arena, device.allocate(memory.arena, "the arena"));
  for (const PoolRecord &pool : plan.pools()) {
    auto bytes = checkedMultiply(limits.pageCount, pool.bytesPerPage);
    if (!bytes)
      return Status::error(ErrorCode::ResourceExhausted,
                           "the cache pool '" + std::string(plan.string(pool.name)) + "' of " +
                               std::to_string(limits.pageCount) + " pages is beyond 2^64 bytes");
    QUIRE_ASSIGN_OR_RETURN(DeviceBuffer buffer, device.allocate(*bytes, "the cache; use fewer pages"));
    pools.push_back(std::move(buffer));
    memory.pools += *bytes;
  }
  for (const TensorRecord &tensor : plan.tensors()) {
    uint64_t bytes = tensorBytes(tensor, rowsOf(tensor.extent, maxTokens, maxSamples));
    QUIRE_ASSIGN_OR_RETURN(DeviceBuffer buffer, device.allocate(bytes, "inputs and outputs"));
    tensors.push_back(std::move(buffer));
    memory.tensors += bytes;
  }
  for (const PartitionRecord &partition : plan.partitions()) {
    uint64_t bytes = uint64_t(partition.capacity) * sizeof(WorkItem);
    QUIRE_ASSIGN_OR_RETURN(DeviceBuffer buffer, device.allocate(bytes, "work lists"));
    workLists.push_back(std::move(buffer));
    memory.workLists += bytes;
  }
  workCounts.assign(plan.partitions().size(), 0);
  QUIRE_ASSIGN_OR_RETURN(batch, Batch::create(plan, device, limits));
  memory.batch = batch.bytes();
  return Status::ok();
}

void Executor::State::resolveOperands() {
  for (const OperandRecord &record : plan.operands()) {
    Operand operand{record.kind, 0, {}};
    switch (record.kind) {
    case OperandKind::Arena:
      operand.address = record.offset;
      operand.address.constant += addressOf(arena.data());
      break;
    case OperandKind::Weight:
      operand.address.constant = addressOf(weights.data(record.index));
      break;
    case OperandKind::Pool:
      operand.address.constant = addressOf(pools[record.index].data());
      break;
    case OperandKind::Tensor:
      operand.address.constant = addressOf(tensors[record.index].data());
      break;
    case OperandKind::Batch:
      operand.address.constant = addressOf(batch.field(static_cast<BatchField>(record.index)));
      break;
    case OperandKind::WorkList:
      operand.address.constant = addressOf(workLists[record.index].data());
      break;
    case OperandKind::Scalar:
      operand.scalarRegister = record.index;
      break;
    case OperandKind::Count:
      break;
    }
    operands.push_back(operand);
  }
  registers.assign(plan.info().registerCount, 0);
}

Status Executor::State::checkInputs(const StepBatch &step) const {
  auto refuse = [](const std::string &what) {
    return Status::error(ErrorCode::InvalidArgument, "step refused: " + what);
  };
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    const StepInput &input = step.inputs[i];
    uint32_t index = plan.findTensor(input.name);
    if (index == kNone || plan.tensors()[index].isOutput)
      return refuse("the plan has no input '" + std::string(input.name) + "'");
    for (size_t k = 0; k < i; ++k)
      if (step.inputs[k].name == input.name)
        return refuse("input '" + std::string(input.name) + "' is given twice");
    const TensorRecord &tensor = plan.tensors()[index];
    uint64_t rows = rowsOf(tensor.extent, step.tokens, step.sampleRows.size());
    if (input.rows != rows)
      return refuse("input '" + std::string(input.name) + "' has " + std::to_string(input.rows) +
                    " rows, this step needs " + std::to_string(rows));
    if (input.rowStride != 0 && input.rowStride < tensor.columns)
      return refuse("input '" + std::string(input.name) + "' has a row stride of " +
                    std::to_string(input.rowStride) + " below its " +
                    std::to_string(tensor.columns) + " columns");
    if (!input.data && rows > 0)
      return refuse("input '" + std::string(input.name) + "' has no data");
  }
  size_t wanted = 0;
  for (const TensorRecord &tensor : plan.tensors())
    wanted += tensor.isOutput == 0;
  if (step.inputs.size() != wanted)
    return refuse(std::to_string(step.inputs.size()) + " inputs are given, the plan has " +
                  std::to_string(wanted));
  return Status::ok();
}

void Executor::State::stageInputs(const StepBatch &step) {
  for (const StepInput &input : step.inputs) {
    uint32_t index = plan.findTensor(input.name);
    const TensorRecord &tensor = plan.tensors()[index];
    uint64_t element = elementBytes(tensor.element);
    uint64_t stride = input.rowStride ? input.rowStride : tensor.columns;
    uint8_t *target = tensors[index].data();
    for (uint64_t row = 0; row < input.rows; ++row)
      std::memcpy(target + row * tensor.rowStride * element,
                  static_cast<const uint8_t *>(input.data) + row * stride * element,
                  tensor.columns * element);
    uint64_t padded = rowsOf(tensor.extent, paddedTokens, paddedSamples);
    uint64_t filled = tensorBytes(tensor, input.rows);
    if (padded > input.rows)
      std::memset(target + filled, 0, tensorBytes(tensor, padded) - filled);
  }
}

void Executor::State::setRegisters(const StepBatch &step) {
  std::fill(registers.begin(), registers.end(), 0);
  auto set = [&](InputRegister index, uint64_t value) {
    registers[static_cast<size_t>(index)] = wrap(value);
  };
  set(InputRegister::Tokens, tokens);
  set(InputRegister::Sequences, Batch::sequences(step));
  set(InputRegister::Samples, samples);
  set(InputRegister::PaddedTokens, paddedTokens);
  set(InputRegister::PaddedSamples, paddedSamples);
  set(InputRegister::MaxPages, step.maxPages);
}

Status Executor::State::interpret(StepTrace *trace) {
  auto program = plan.instructions();
  for (uint32_t position = 0;;) {
    const InstructionRecord &instruction = program[position];
    int64_t *r = registers.data();
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
      QUIRE_RETURN_IF_ERROR(partition(instruction));
      break;
    case Opcode::Launch:
      QUIRE_RETURN_IF_ERROR(launch(position, instruction, trace));
      break;
    case Opcode::End:
    case Opcode::Count:
      return device.synchronize();
    }
    position = next;
  }
}

Status Executor::State::partition(const InstructionRecord &instruction) {
  const PartitionRecord &record = plan.partitions()[instruction.index];
  auto *items = reinterpret_cast<WorkItem *>(workLists[instruction.index].data());
  QUIRE_ASSIGN_OR_RETURN(int64_t count,
                         buildWorkList(record, batch.queryOffsets(), batch.keyLengths(),
                                       {items, static_cast<size_t>(record.capacity)}));
  workCounts[instruction.index] = count;
  registers[instruction.dst] = count;
  return Status::ok();
}

Status Executor::State::launch(uint32_t position, const InstructionRecord &instruction,
                               StepTrace *trace) {
  std::array<void *, kMaxLaunchOperands> buffers;
  std::array<int64_t, kMaxLaunchOperands> scalars;
  size_t bufferCount = 0, scalarCount = 0;
  for (uint32_t i = 0; i < instruction.operandCount; ++i) {
    const Operand &operand = operands[instruction.firstOperand + i];
    if (operand.kind == OperandKind::Scalar)
      scalars[scalarCount++] = registers[operand.scalarRegister];
    else
      buffers[bufferCount++] =
          reinterpret_cast<void *>(evaluate(operand.address, paddedTokens, paddedSamples));
  }
  int64_t items = registers[instruction.a];
  auto submit = [&] {
    return items <= 0 ? Status::ok()
                      : device.launch(*image, instruction.index, {buffers.data(), bufferCount},
                                      {scalars.data(), scalarCount}, items);
  };
  if (!trace)
    return submit();
  if (trace->count == trace->launches.size()) {
    ++trace->dropped;
    return submit();
  }
  auto start = std::chrono::steady_clock::now();
  QUIRE_RETURN_IF_ERROR(submit());
  QUIRE_RETURN_IF_ERROR(device.synchronize());
  auto time = std::chrono::steady_clock::now() - start;
  trace->launches[trace->count++] = {
      position, instruction.index, items,
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(time).count())};
  return Status::ok();
}

Executor::Executor(std::unique_ptr<State> state) : state_(std::move(state)) {}
Executor::~Executor() = default;

Result<std::unique_ptr<Executor>> Executor::create(const Plan &plan, Device &device,
                                                   const WeightStore &weights,
                                                   const ExecutorOptions &options) {
  auto state = std::make_unique<State>(plan, device, weights);
  QUIRE_RETURN_IF_ERROR(state->setLimits(options));
  QUIRE_ASSIGN_OR_RETURN(state->image, device.loadImage(plan));
  QUIRE_RETURN_IF_ERROR(state->allocate());
  state->resolveOperands();
  return std::unique_ptr<Executor>(new Executor(std::move(state)));
}

Status Executor::run(const StepBatch &step, StepTrace *trace) {
  State &state = *state_;
  QUIRE_RETURN_IF_ERROR(state.batch.check(step));
  QUIRE_RETURN_IF_ERROR(state.checkInputs(step));
  state.tokens = step.tokens;
  state.samples = Batch::samples(step);
  state.paddedTokens = padRows(state.tokens, state.plan.info().rowPadding);
  state.paddedSamples = padRows(state.samples, state.plan.info().rowPadding);
  state.batch.stage(step);
  state.stageInputs(step);
  state.setRegisters(step);
  std::fill(state.workCounts.begin(), state.workCounts.end(), 0);
  if (trace)
    trace->count = trace->dropped = 0;
  state.hasResult = false;
  QUIRE_RETURN_IF_ERROR(state.interpret(trace));
  state.hasResult = true;
  return Status::ok();
}

Result<TensorView> Executor::output(std::string_view name) const {
  const Plan &plan = state_->plan;
  if (!state_->hasResult)
    return Status::error(ErrorCode::InvalidArgument,
                         "there is no output '" + std::string(name) + "' before a step has run");
  uint32_t index = plan.findTensor(name);
  if (index == kNone || !plan.tensors()[index].isOutput) {
    std::string names;
    for (const TensorRecord &tensor : plan.tensors())
      if (tensor.isOutput)
        names += (names.empty() ? "" : ", ") + std::string(plan.string(tensor.name));
    return Status::error(ErrorCode::NotFound, "the plan has no output '" + std::string(name) +
                                                  "'; it has " + (names.empty() ? "none" : names));
  }
  const TensorRecord &tensor = plan.tensors()[index];
  return TensorView{state_->tensors[index].data(), tensor.element,
                    rowsOf(tensor.extent, state_->tokens, state_->samples), tensor.columns,
                    tensor.rowStride};
}

std::span<uint8_t> Executor::pool(uint32_t index) const {
  const DeviceBuffer &buffer = state_->pools[index];
  return {buffer.data(), buffer.bytes()};
}

std::span<const WorkItem> Executor::workList(uint32_t index) const {
  return {reinterpret_cast<const WorkItem *>(state_->workLists[index].data()),
          static_cast<size_t>(state_->workCounts[index])};
}

const Plan &Executor::plan() const { return state_->plan; }
const ExecutorOptions &Executor::limits() const { return state_->limits; }
const ExecutorMemory &Executor::memory() const { return state_->memory; }

} // namespace quire
