// Implements WritePlan.h: the records that are not weights (WriteWeights.h) and not the program
// (WriteProgram.h).
#include "compiler/plan/WritePlan.h"

#include "compiler/operator/Attributes.h"
#include "compiler/plan/Estimate.h"
#include "compiler/plan/PlanSymbols.h"
#include "compiler/plan/WriteProgram.h"
#include "compiler/plan/WriteWeights.h"
#include "runtime/plan/Sizes.h"

#include "mlir/IR/AsmState.h"

#include <algorithm>
#include <map>

using namespace mlir;

namespace quire::compiler {
namespace {

/// Work lists with a workspace hold a multiple of so many items, so that each of its buffers, rows of
/// whole floats, starts at a multiple of 64 bytes.
constexpr uint64_t kItemAlignment = 16;

uint64_t ceilDiv(uint64_t a, uint64_t b) { return (a + b - 1) / b; }

std::string textOf(Attribute attribute) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  attribute.print(stream);
  return text;
}

class ModuleWriter {
public:
  ModuleWriter(ModuleOp module, const ModelFiles *files, const WriteOptions &options)
      : module(module), options(options),
        weights(writer, files, module->hasAttr(kRandomWeightsAttr)) {}

  FailureOr<PlanWriter> run() {
    auto entries = module.getOps<planir::EntryOp>();
    if (std::distance(entries.begin(), entries.end()) != 1)
      return module.emitError("needs one plan.entry to be written, has ")
             << std::distance(entries.begin(), entries.end());
    if (failed(info()))
      return failure();
    for (Operation &op : module.getOps())
      if (failed(symbol(op)))
        return failure();
    if (failed(writeProgram(*entries.begin(), indices, writer)))
      return failure();
    if (failed(images()))
      return failure();
    for (const PlanText &text : options.texts)
      writer.addText(text.name, text.text);
    writer.info.weightElement = static_cast<uint32_t>(mostBytes());
    return std::move(writer);
  }

private:
  LogicalResult info() {
    plan::InfoRecord &info = writer.info;
    auto text = [&](StringRef name) {
      auto attribute = module->getAttrOfType<StringAttr>(name);
      return writer.string(attribute ? attribute.getValue().str() : std::string());
    };
    info.modelName = text("quire.model");
    info.modelDirectory = text("quire.directory");
    info.compiler = writer.string(options.compiler);
    info.options = writer.string(options.options);
    info.rowPadding = static_cast<uint32_t>(rowPadding(storageOf(module)));
    info.maxTokens = options.limits.maxTokens;
    info.maxSequences = options.limits.maxSequences;
    info.maxSamples = options.limits.maxSamples;
    if (!module.getOps<planir::PoolOp>().empty()) {
      auto context = module->getAttrOfType<IntegerAttr>("quire.max_context");
      auto page = module->getAttrOfType<IntegerAttr>("quire.page_size");
      if (!context || !page)
        return module.emitError("has cache pools and needs the attributes quire.max_context and "
                                "quire.page_size");
      info.maxContext = static_cast<uint32_t>(context.getInt());
      info.pageSize = static_cast<uint32_t>(page.getInt());
    }
    if (auto stops = module->getAttrOfType<DenseI32ArrayAttr>("quire.stop_tokens"))
      for (int32_t token : stops.asArrayRef())
        writer.addStop(token);
    return success();
  }

  LogicalResult symbol(Operation &op) {
    if (auto weight = dyn_cast<planir::WeightOp>(op))
      return index(indices.weights[weight.getSymName()], weights.add(weight));
    if (auto table = dyn_cast<planir::RotaryTableOp>(op))
      return index(indices.weights[table.getSymName()], weights.add(table));
    if (auto pool = dyn_cast<planir::PoolOp>(op))
      return index(indices.pools[pool.getSymName()], this->pool(pool));
    if (auto tensor = dyn_cast<planir::TensorOp>(op))
      return index(indices.tensors[tensor.getSymName()], this->tensor(tensor));
    if (auto partition = dyn_cast<planir::PartitionOp>(op))
      return index(indices.partitions[partition.getSymName()], this->partition(partition));
    if (auto kernel = dyn_cast<tile::KernelOp>(op))
      return index(indices.kernels[kernel.getSymName()], this->kernel(kernel));
    if (isa<planir::EntryOp>(op))
      return success();
    return op.emitOpError() << "cannot be written into a plan";
  }

  static LogicalResult index(uint32_t &slot, FailureOr<uint32_t> added) {
    if (succeeded(added))
      slot = *added;
    return added;
  }

  FailureOr<uint32_t> pool(planir::PoolOp pool) {
    auto element = planElementType(pool.getElement());
    if (!element)
      return pool.emitOpError() << "has element type " << pool.getElement()
                                << ", which a plan cannot hold";
    plan::PoolRecord record{};
    record.name = writer.string(pool.getName().str());
    record.element = *element;
    record.group = static_cast<uint32_t>(pool.getGroup());
    record.place = static_cast<uint32_t>(pool.getPlace());
    record.bytesPerPage = pool.getElements() * plan::elementBytes(*element);
    record.window = static_cast<uint32_t>(pool.getWindow());
    return writer.add(record);
  }

  FailureOr<uint32_t> tensor(planir::TensorOp tensor) {
    auto element = planElementType(tensor.getElement());
    if (!element)
      return tensor.emitOpError() << "has element type " << tensor.getElement()
                                  << ", which a plan cannot hold";
    plan::TensorRecord record{};
    record.name = writer.string(tensor.getSymName().str());
    record.element = *element;
    record.extent = static_cast<plan::Extent>(tensor.getExtent());
    record.columns = tensor.getColumns();
    record.rowStride = tensor.getStride();
    record.isOutput = tensor.getOutput();
    if (record.isOutput && tensor.getSymName() == "logits")
      writer.info.vocabularySize = static_cast<uint32_t>(record.columns);
    return writer.add(record);
  }

  /// Items of a work list at the limits of a step: S sequences with q_s >= min queries each and T in
  /// all make sum ceil(q_s / tile) <= (T + S (tile - 1)) / tile query tiles, each with the splits of
  /// the longest context; where splits follow the step, some waves more than tiles are enough.
  /// Workspaces lie one behind the other at the start of the arena.
  FailureOr<uint32_t> partition(planir::PartitionOp op) {
    constexpr uint64_t kMostWaves = 4;
    tile::PartitionAttr partition = op.getPartition();
    if (partition.getQueries() < 1 || partition.getMin() < 0 || partition.getMax() < 0)
      return op.emitOpError() << "has " << partition << ", sizes must not be negative";
    plan::PartitionRecord record{};
    record.queryTile = static_cast<uint32_t>(partition.getQueries());
    record.minQuery = static_cast<uint32_t>(partition.getMin());
    record.maxQuery =
        partition.getMax() == 0 ? UINT32_MAX : static_cast<uint32_t>(partition.getMax());
    record.split = static_cast<uint32_t>(partition.getSplit());
    record.maxSplits = 1;
    if (record.split)
      record.maxSplits = static_cast<uint32_t>(
          std::max<uint64_t>(ceilDiv(writer.info.maxContext, record.split), 1));
    uint64_t tokens = options.limits.maxTokens, tile = record.queryTile;
    uint64_t sequences = std::min<uint64_t>(options.limits.maxSequences,
                                            tokens / std::max<uint32_t>(1, record.minQuery));
    uint64_t tiles = std::min(tokens, (tokens + sequences * (tile - 1)) / tile);
    tiles = std::min(tiles, sequences * ceilDiv(std::min<uint64_t>(record.maxQuery, tokens), tile));
    uint64_t capacity = tiles * record.maxSplits;
    record.wave = static_cast<uint32_t>(partition.getWave());
    if (record.wave)
      capacity = std::min(capacity, tiles + kMostWaves * record.wave);
    if (auto bytes = op.getWorkspace()) {
      capacity = plan::roundUp(capacity, kItemAlignment);
      for (const plan::PartitionRecord &other : writer.partitions())
        record.workspaceOffset += other.workspaceItemBytes * other.capacity;
      record.workspaceItemBytes = *bytes;
    }
    constexpr uint64_t most = 1u << 26;
    if (capacity > most || record.workspaceItemBytes > (1ull << 40) / std::max<uint64_t>(capacity, 1))
      return op.emitOpError() << "can have " << capacity << " items with "
                              << record.workspaceItemBytes
                              << " bytes of partial results each, which is too much; use longer "
                                 "splits, or allow fewer tokens or sequences a step";
    record.capacity = static_cast<uint32_t>(capacity);
    return writer.add(record);
  }

  FailureOr<uint32_t> kernel(tile::KernelOp kernel) {
    plan::KernelRecord record{};
    record.name = writer.string(kernel.getSymName().str());
    record.source = writer.string(kernel.getSource().value_or("").str());
    if (auto schedule = kernel.getScheduleAttr())
      record.schedule = writer.string(textOf(schedule));
    for (tile::BindAttr bind : kernel.getBinds())
      ++(bind.getKind() == tile::BindKind::Scalar ? record.scalarCount : record.bufferCount);
    ItemWork work = estimateItem(kernel);
    record.flopsPerItem = work.flops;
    record.bytesPerItem = work.bytes;
    return writer.add(record);
  }

  LogicalResult images() {
    for (const NativeCode &image : options.images) {
      if (image.entries.size() != writer.kernels().size())
        return module.emitError("has ") << writer.kernels().size() << " kernels, the native code "
                                        << image.entries.size() << " entries";
      std::vector<plan::EntryRecord> entries;
      std::vector<plan::TensorMapRecord> maps;
      SmallVector<tile::KernelOp> kernels(module.getOps<tile::KernelOp>());
      for (auto [kernel, entry] : llvm::zip_equal(kernels, image.entries)) {
        entries.push_back({entry.offset, entry.bytes,
                           entry.symbol.empty() ? plan::StringRef{} : writer.string(entry.symbol),
                           entry.threads, entry.sharedBytes, entry.registers, entry.flags,
                           entry.tensorMaps.empty() ? 0 : static_cast<uint32_t>(maps.size()),
                           static_cast<uint32_t>(entry.tensorMaps.size())});
        for (const plan::TensorMapRecord &map : entry.tensorMaps)
          maps.push_back(bounded(map, kernel));
      }
      writer.addImage(image.target, image.code, entries, maps);
    }
    return success();
  }

  /// With the rows of the largest step where a map's outermost extent is open: what lies behind a
  /// smaller step's rows belongs to the arena still.
  plan::TensorMapRecord bounded(plan::TensorMapRecord map, tile::KernelOp kernel) const {
    SmallVector<tile::BindKind> buffers;
    for (tile::BindAttr bind : kernel.getBinds())
      if (bind.getKind() != tile::BindKind::Scalar)
        buffers.push_back(bind.getKind());
    uint64_t &rows = map.extents[map.rank - 1];
    if (rows || buffers[map.buffer] == tile::BindKind::Pool)
      return map;
    bool bySample = kernel.getGridAttr()[0].getKind() == tile::ExtentKind::Samples;
    rows = plan::padRows(bySample ? options.limits.maxSamples : options.limits.maxTokens,
                         writer.info.rowPadding);
    return map;
  }

  /// The element type that most weight bytes have.
  plan::ElementType mostBytes() const {
    std::map<plan::ElementType, uint64_t> bytes;
    for (const plan::WeightRecord &weight : writer.weights())
      bytes[weight.element] += weight.bytes;
    auto most = std::max_element(bytes.begin(), bytes.end(), [](const auto &a, const auto &b) {
      return a.second < b.second;
    });
    return most == bytes.end() ? plan::ElementType::F32 : most->first;
  }

  ModuleOp module;
  const WriteOptions &options;
  PlanWriter writer;
  WeightWriter weights;
  PlanIndices indices;
};

} // namespace

FailureOr<PlanWriter> makePlan(ModuleOp module, const ModelFiles *files,
                               const WriteOptions &options) {
  return ModuleWriter(module, files, options).run();
}

} // namespace quire::compiler
