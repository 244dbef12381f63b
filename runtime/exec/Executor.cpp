// Implements Executor.h: memory, the way of a step to the device and back, outputs.
#include "runtime/exec/ExecutorState.h"

#include "runtime/exec/Partition.h"

#include <algorithm>
#include <cstring>

namespace quire {
using namespace plan;

namespace {

/// Steps of more rows are not recorded: their kernels take longer than their launches.
constexpr uint32_t kMaxRecordedTokens = 512;

uint32_t limitOf(uint32_t wanted, uint32_t planLimit) {
  return wanted == 0 ? planLimit : std::min(wanted, planLimit);
}

uint64_t rowsOf(Extent extent, uint64_t tokens, uint64_t samples) {
  return extent == Extent::Tokens ? tokens : extent == Extent::Samples ? samples : 1;
}

uint64_t tensorBytes(const TensorRecord &tensor, uint64_t rows) {
  return rows * tensor.rowStride * elementBytes(tensor.element);
}

/// Bytes of a user tensor at the limits.
uint64_t mostBytes(const Plan &plan, const ExecutorOptions &limits, const TensorRecord &tensor) {
  uint32_t padding = plan.info().rowPadding;
  return tensorBytes(tensor, rowsOf(tensor.extent, padRows(limits.maxTokens, padding),
                                    padRows(limits.maxSamples, padding)));
}

/// Bytes of each slot of the step's region at the limits (StepSlots).
std::vector<uint64_t> regionCapacities(const Plan &plan, const ExecutorOptions &limits) {
  std::vector<uint64_t> capacities = Batch(plan, limits).capacities();
  for (const PartitionRecord &partition : plan.partitions())
    capacities.push_back(uint64_t(partition.capacity) * sizeof(WorkItem));
  for (const TensorRecord &tensor : plan.tensors())
    capacities.push_back(tensor.isOutput ? 0 : mostBytes(plan, limits, tensor));
  return capacities;
}

/// Pages in memory. Behind the last one that steps may name lies a page of zeros, which nothing
/// writes, for what is behind a window: keys that are masked count with weight 0, and what another
/// sequence left must not become a NaN there.
uint64_t poolPages(const Plan &plan, const ExecutorOptions &limits) {
  return uint64_t(limits.pageCount) + cacheGroups(plan.pools()).hasWindow();
}

ExecutorOptions withinPlan(const Plan &plan, const ExecutorOptions &options) {
  const InfoRecord &info = plan.info();
  ExecutorOptions limits = options;
  limits.maxTokens = limitOf(options.maxTokens, info.maxTokens);
  limits.maxSequences = limitOf(options.maxSequences, info.maxSequences);
  limits.maxSamples = limitOf(options.maxSamples, info.maxSamples);
  return limits;
}

} // namespace

ExecutorMemory Executor::plannedMemory(const Plan &plan, const ExecutorOptions &options) {
  const InfoRecord &info = plan.info();
  ExecutorOptions limits = withinPlan(plan, options);
  ExecutorMemory memory;
  memory.arena = evaluate(info.arena, padRows(limits.maxTokens, info.rowPadding),
                          padRows(limits.maxSamples, info.rowPadding));
  memory.pools = poolPages(plan, limits) * info.pageBytes;
  memory.workLists = info.workListBytes;
  uint64_t inputs = 0;
  for (const TensorRecord &tensor : plan.tensors()) {
    uint64_t bytes = mostBytes(plan, limits, tensor);
    memory.tensors += bytes;
    inputs += tensor.isOutput ? 0 : bytes;
  }
  memory.batch =
      StepRegion::totalBytes(regionCapacities(plan, limits)) - memory.workLists - inputs;
  return memory;
}

Status Executor::State::setLimits(const ExecutorOptions &options) {
  const InfoRecord &info = plan.info();
  limits = withinPlan(plan, options);
  if (plan.pools().empty())
    return Status::ok();
  uint64_t most = INT32_MAX / info.pageSize - 1;
  if (options.pageCount == 0 || options.pageCount > most)
    return Status::error(ErrorCode::InvalidArgument,
                         "a cache of " + std::to_string(options.pageCount) +
                             " pages is not possible: this plan needs 1 to " +
                             std::to_string(most) + " pages of " + std::to_string(info.pageSize) +
                             " tokens");
  return Status::ok();
}

Status Executor::State::allocate() {
  memory = plannedMemory(plan, limits);
  QUIRE_ASSIGN_OR_RETURN(arena, device.allocate(memory.arena, "the arena"));
  QUIRE_RETURN_IF_ERROR(allocatePools());
  for (const TensorRecord &tensor : plan.tensors()) {
    Output output;
    if (tensor.isOutput) {
      uint64_t bytes = mostBytes(plan, limits, tensor);
      QUIRE_ASSIGN_OR_RETURN(output.device, device.allocate(bytes, "the outputs"));
      if (!device.sharesHostMemory()) {
        QUIRE_ASSIGN_OR_RETURN(output.host,
                               device.allocate(bytes, "the outputs", MemoryKind::Staging));
      }
      memory.staging += output.host.bytes();
    }
    outputs.push_back(std::move(output));
  }
  batch = Batch(plan, limits);
  QUIRE_ASSIGN_OR_RETURN(region, StepRegion::create(device, regionCapacities(plan, limits)));
  memory.staging += region.stagingBytes();
  workCounts.assign(plan.partitions().size(), 0);
  workItems.assign(2 * plan.partitions().size(), 0);
  key.assign(workItems.size() + 4, 0);
  graphs = GraphCache(key.size());
  return Status::ok();
}

Status Executor::State::allocatePools() {
  uint64_t bytes = 0;
  for (const PoolRecord &pool : plan.pools()) {
    places.resize(std::max<size_t>(places.size(), size_t(pool.place) + 1));
    Place &place = places[pool.place];
    if (place.bytesPerPage)
      continue; // over a pool of another group
    place = {bytes, pool.bytesPerPage};
    auto size = checkedMultiply(poolPages(plan, limits), pool.bytesPerPage);
    auto end = size ? checkedAdd(bytes, *size) : std::nullopt;
    if (!end || *end > UINT64_MAX - StepRegion::kAlignment)
      return Status::error(ErrorCode::ResourceExhausted,
                           "the cache pool '" + std::string(plan.string(pool.name)) + "' of " +
                               std::to_string(limits.pageCount) + " pages is beyond 2^64 bytes");
    bytes = roundUp(*end, StepRegion::kAlignment);
  }
  QUIRE_ASSIGN_OR_RETURN(pools, device.allocate(bytes, "the cache; use fewer pages"));
  return Status::ok();
}

FixedAddresses Executor::State::addresses() const {
  auto number = [](const void *pointer) { return reinterpret_cast<uint64_t>(pointer); };
  FixedAddresses result;
  result.arena = number(arena.data());
  for (uint32_t i = 0; i < plan.weights().size(); ++i)
    result.weights.push_back(number(weights.data(i)));
  for (const PoolRecord &pool : plan.pools())
    result.pools.push_back(number(pools.data() + places[pool.place].offset));
  for (const Output &output : outputs)
    result.tensors.push_back(number(output.device.data()));
  return result;
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
  uint32_t padding = plan.info().rowPadding;
  for (const StepInput &input : step.inputs) {
    uint32_t index = plan.findTensor(input.name);
    const TensorRecord &tensor = plan.tensors()[index];
    uint64_t element = elementBytes(tensor.element);
    uint64_t stride = input.rowStride ? input.rowStride : tensor.columns;
    uint8_t *target = region.begin(slots.tensor(index));
    uint64_t tail = (tensor.rowStride - tensor.columns) * element;
    for (uint64_t row = 0; row < input.rows; ++row) {
      uint8_t *place = target + row * tensor.rowStride * element;
      std::memcpy(place, static_cast<const uint8_t *>(input.data) + row * stride * element,
                  tensor.columns * element);
      std::memset(place + tensor.columns * element, 0, tail);
    }
    uint64_t rows = rowsOf(tensor.extent, padRows(shape.tokens, padding),
                           padRows(shape.samples, padding));
    uint64_t filled = tensorBytes(tensor, input.rows), bytes = tensorBytes(tensor, rows);
    if (bytes > filled)
      std::memset(target + filled, 0, bytes - filled);
    region.end(slots.tensor(index), bytes);
  }
}

Status Executor::State::stageWorkLists(const StepBatch &step, bool rounded) {
  for (uint32_t i = 0; i < plan.partitions().size(); ++i) {
    const PartitionRecord &record = plan.partitions()[i];
    auto *items = reinterpret_cast<WorkItem *>(region.begin(slots.workList(i)));
    QUIRE_ASSIGN_OR_RETURN(workCounts[i],
                           buildWorkList(record, step.queryOffsets, step.keyLengths,
                                         {items, static_cast<size_t>(record.capacity)}));
    auto count = static_cast<uint64_t>(workCounts[i]);
    uint64_t total = rounded ? roundCount(count, record.capacity) : count;
    std::fill(items + count, items + total, WorkItem{}); // nothing to do
    workItems[i] = static_cast<int64_t>(total);
    bool isSplit = std::any_of(items, items + count,
                               [](const WorkItem &item) { return item.splitCount > 1; });
    workItems[plan.partitions().size() + i] = isSplit ? workItems[i] : 0;
    region.end(slots.workList(i), total * sizeof(WorkItem));
  }
  return Status::ok();
}

bool Executor::State::records(const StepBatch &step) const {
  if (!limits.record || !device.canRecord() || step.tokens > kMaxRecordedTokens)
    return false;
  for (size_t s = 0; s + 1 < step.queryOffsets.size(); ++s)
    if (step.queryOffsets[s + 1] - step.queryOffsets[s] > 1)
      return false;
  return true;
}

StepShape Executor::State::roundedShape(const StepBatch &step) const {
  StepShape exact = exactShape(step);
  auto round = [](uint32_t count, uint32_t limit) {
    return static_cast<uint32_t>(roundCount(count, std::max(count, limit)));
  };
  uint32_t columns = exact.maxPages ? std::min(std::bit_ceil(exact.maxPages), batch.maxPages()) : 0;
  return {round(exact.tokens, limits.maxTokens), round(exact.sequences, limits.maxSequences),
          round(exact.samples, limits.maxSamples), std::max(columns, exact.maxPages)};
}

Status Executor::State::submit(StepTrace *trace, bool recorded) {
  QUIRE_RETURN_IF_ERROR(region.send(device));
  if (!recorded)
    return interpreter->run(device, *image, region, shape, workItems, trace);
  key = {shape.tokens, shape.sequences, shape.samples, shape.maxPages};
  key.insert(key.end(), workItems.begin(), workItems.end());
  GraphCache::Entry &entry = graphs.use(key);
  if (!entry.seen)
    return interpreter->run(device, *image, region, shape, workItems, nullptr);
  if (!entry.graph) {
    QUIRE_RETURN_IF_ERROR(device.beginRecording());
    Status status = interpreter->run(device, *image, region, shape, workItems, nullptr);
    auto graph = device.endRecording();
    QUIRE_RETURN_IF_ERROR(std::move(status));
    if (!graph.isOk())
      return graph.status();
    entry.graph = graph.takeValue();
  }
  ++replayed;
  return device.replay(*entry.graph);
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
  state->interpreter.emplace(plan, state->addresses());
  return std::unique_ptr<Executor>(new Executor(std::move(state)));
}

Status Executor::run(const StepBatch &step, StepTrace *trace) {
  State &state = *state_;
  QUIRE_RETURN_IF_ERROR(state.batch.check(step));
  QUIRE_RETURN_IF_ERROR(state.checkInputs(step));
  bool recorded = !trace && state.records(step);
  state.shape = recorded ? state.roundedShape(step) : exactShape(step);
  state.region.clear();
  state.batch.stage(step, state.shape, state.region);
  state.stageInputs(step);
  QUIRE_RETURN_IF_ERROR(state.stageWorkLists(step, recorded));
  if (trace)
    trace->count = trace->dropped = 0;
  state.hasResult = false;
  state.tokens = step.tokens;
  state.samples = static_cast<uint32_t>(step.sampleRows.size());
  for (State::Output &output : state.outputs)
    output.fetched = false;
  Status status = state.submit(trace, recorded);
  Status end = state.device.synchronize(); // also after an error: nothing of a step may outlive it
  QUIRE_RETURN_IF_ERROR(std::move(status));
  QUIRE_RETURN_IF_ERROR(std::move(end));
  state.hasResult = true;
  return Status::ok();
}

Result<uint32_t> Executor::State::outputIndex(std::string_view name) const {
  if (!hasResult)
    return Status::error(ErrorCode::InvalidArgument,
                         "there is no output '" + std::string(name) + "' before a step has run");
  uint32_t index = plan.findTensor(name);
  if (index != kNone && plan.tensors()[index].isOutput)
    return index;
  std::string names;
  for (const TensorRecord &tensor : plan.tensors())
    if (tensor.isOutput)
      names += (names.empty() ? "" : ", ") + std::string(plan.string(tensor.name));
  return Status::error(ErrorCode::NotFound, "the plan has no output '" + std::string(name) +
                                                "'; it has " + (names.empty() ? "none" : names));
}

/// Brings rows of an output to the host, where it has memory of its own.
Result<TensorView> Executor::State::fetch(uint32_t index, uint64_t first, uint64_t count) {
  const TensorRecord &tensor = plan.tensors()[index];
  Output &output = outputs[index];
  uint64_t rows = rowsOf(tensor.extent, tokens, samples);
  bool shared = device.sharesHostMemory(), whole = first == 0 && count == rows;
  const DeviceBuffer &host = shared ? output.device : output.host;
  if (!shared && !output.fetched && count > 0) {
    uint64_t begin = tensorBytes(tensor, first);
    QUIRE_RETURN_IF_ERROR(device.copy(host.data() + begin, output.device.data() + begin,
                                      tensorBytes(tensor, count)));
    QUIRE_RETURN_IF_ERROR(device.synchronize());
    output.fetched = whole;
  }
  return TensorView{host.data(), tensor.element, rows, tensor.columns, tensor.rowStride};
}

Result<TensorView> Executor::output(std::string_view name) const {
  QUIRE_ASSIGN_OR_RETURN(uint32_t index, state_->outputIndex(name));
  const TensorRecord &tensor = state_->plan.tensors()[index];
  return state_->fetch(index, 0, rowsOf(tensor.extent, state_->tokens, state_->samples));
}

Result<TensorView> Executor::outputRows(std::string_view name, uint64_t first,
                                        uint64_t count) const {
  QUIRE_ASSIGN_OR_RETURN(uint32_t index, state_->outputIndex(name));
  uint64_t rows = rowsOf(state_->plan.tensors()[index].extent, state_->tokens, state_->samples);
  if (first > rows || count > rows - first)
    return Status::error(ErrorCode::OutOfRange,
                         std::to_string(count) + " rows from row " + std::to_string(first) +
                             " of output '" + std::string(name) + "' are wanted, the step has " +
                             std::to_string(rows));
  return state_->fetch(index, first, count);
}

std::span<const WorkItem> Executor::workList(uint32_t index) const {
  const uint8_t *items = state_->region.host(state_->slots.workList(index));
  return {reinterpret_cast<const WorkItem *>(items),
          static_cast<size_t>(state_->workCounts[index])};
}

uint64_t Executor::replayedSteps() const { return state_->replayed; }
const Plan &Executor::plan() const { return state_->plan; }
const ExecutorOptions &Executor::limits() const { return state_->limits; }
const ExecutorMemory &Executor::memory() const { return state_->memory; }

} // namespace quire
