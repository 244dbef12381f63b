// Writes a plan as JSON for scripts. Keys are the field names of Format.h.
#include "runtime/plan/Describe.h"

#include "runtime/plan/Names.h"

#include <nlohmann/json.hpp>

namespace quire {
using namespace plan;
using nlohmann::json;

namespace {

class JsonDescriber {
public:
  explicit JsonDescriber(const Plan &plan) : plan_(plan) {}

  json run() const {
    json result;
    result["formatVersion"] = plan_.header().version;
    result["fileBytes"] = plan_.header().fileBytes;
    result["info"] = info();
    result["stops"] = plan_.stops();
    result["files"] = list(plan_.files(), [&](const FileRecord &file) -> json {
      return {{"name", name(file.name)}, {"bytes", file.bytes}};
    });
    result["weights"] = list(plan_.weights(), [&](const auto &weight) { return this->weight(weight); });
    result["pools"] = list(plan_.pools(), [&](const PoolRecord &pool) -> json {
      return {{"name", name(pool.name)},
              {"element", elementName(pool.element)},
              {"group", pool.group},
              {"place", pool.place},
              {"bytesPerPage", pool.bytesPerPage},
              {"window", pool.window}};
    });
    result["tensors"] = list(plan_.tensors(), [&](const TensorRecord &tensor) -> json {
      return {{"name", name(tensor.name)},
              {"element", elementName(tensor.element)},
              {"extent", extentName(tensor.extent)},
              {"columns", tensor.columns},
              {"rowStride", tensor.rowStride},
              {"isOutput", tensor.isOutput != 0}};
    });
    result["kernels"] = list(plan_.kernels(), [&](const KernelRecord &kernel) -> json {
      return {{"name", name(kernel.name)},
              {"source", name(kernel.source)},
              {"schedule", name(kernel.schedule)},
              {"bufferCount", kernel.bufferCount},
              {"scalarCount", kernel.scalarCount},
              {"flopsPerItem", kernel.flopsPerItem},
              {"bytesPerItem", kernel.bytesPerItem}};
    });
    result["images"] = list(plan_.images(), [&](const ImageRecord &image) -> json {
      json entries = list(plan_.entries().subspan(image.firstEntry, image.entryCount),
                          [&](const EntryRecord &entry) { return this->entry(entry); });
      return {{"target", targetName(image.target)}, {"bytes", image.bytes}, {"entries", entries}};
    });
    result["partitions"] = list(plan_.partitions(), [&](const PartitionRecord &partition) -> json {
      return {{"queryTile", partition.queryTile},
              {"minQuery", partition.minQuery},
              {"maxQuery", partition.maxQuery},
              {"split", partition.split},
              {"maxSplits", partition.maxSplits},
              {"capacity", partition.capacity},
              {"wave", partition.wave},
              {"workspaceOffset", partition.workspaceOffset},
              {"workspaceItemBytes", partition.workspaceItemBytes}};
    });
    result["program"] = list(plan_.instructions(),
                             [&](const auto &record) { return instruction(record); });
    result["texts"] = list(plan_.texts(), [&](const TextRecord &text) -> json {
      return {{"name", name(text.name)}, {"bytes", text.text.size}};
    });
    return result;
  }

private:
  std::string name(StringRef reference) const { return printable(plan_.string(reference)); }

  template <typename Record, typename Function>
  static json list(std::span<const Record> records, Function function) {
    json result = json::array();
    for (const Record &record : records)
      result.push_back(function(record));
    return result;
  }

  json entry(const EntryRecord &entry) const {
    if (entry.codeBytes == 0) // CPU code
      return {{"codeOffset", entry.codeOffset}};
    return {{"codeOffset", entry.codeOffset},   {"codeBytes", entry.codeBytes},
            {"symbol", name(entry.symbol)},     {"threads", entry.threads},
            {"sharedBytes", entry.sharedBytes}, {"registers", entry.registers},
            {"flags", entry.flags},
            {"tensorMaps", list(plan_.tensorMaps(entry), tensorMap)}};
  }

  static json tensorMap(const TensorMapRecord &map) {
    auto some = [&](const auto &values) { return json(std::vector(values, values + map.rank)); };
    json result = {{"buffer", map.buffer},          {"element", elementName(map.element)},
                   {"swizzle", map.swizzle},        {"box", some(map.box)},
                   {"extents", some(map.extents)},  {"strides", some(map.strides)}};
    if (map.scalar != kNone)
      result["scalar"] = map.scalar;
    return result;
  }

  static json size(const ByteSize &size) {
    return {{"constant", size.constant},
            {"perToken", size.perToken},
            {"perSample", size.perSample}};
  }

  json info() const {
    const InfoRecord &info = plan_.info();
    return {{"modelName", name(info.modelName)},
            {"modelDirectory", name(info.modelDirectory)},
            {"compiler", name(info.compiler)},
            {"options", name(info.options)},
            {"maxTokens", info.maxTokens},
            {"maxSequences", info.maxSequences},
            {"maxSamples", info.maxSamples},
            {"maxContext", info.maxContext},
            {"pageSize", info.pageSize},
            {"vocabularySize", info.vocabularySize},
            {"weightElement", elementName(static_cast<ElementType>(info.weightElement))},
            {"registerCount", info.registerCount},
            {"arena", size(info.arena)},
            {"arenaBytes",
             evaluate(info.arena, padRows(info.maxTokens, info.rowPadding),
                      padRows(info.maxSamples, info.rowPadding))},
            {"rowPadding", info.rowPadding},
            {"weightBytes", info.weightBytes},
            {"pageBytes", info.pageBytes},
            {"workListBytes", info.workListBytes}};
  }

  json weight(const WeightRecord &weight) const {
    auto sources = plan_.sources().subspan(weight.firstSource, weight.sourceCount);
    return {{"name", name(weight.name)},
            {"element", elementName(weight.element)},
            {"layout", layoutName(weight.layout)},
            {"panel", weight.panel},
            {"rows", weight.rows},
            {"columns", weight.columns},
            {"bytes", weight.bytes},
            {"sources", list(sources, [&](const SourceRecord &source) { return this->source(source); })}};
  }

  json source(const SourceRecord &source) const {
    json result = {{"kind", sourceKindName(source.kind)},
                   {"tensor", name(source.tensor)},
                   {"offset", source.offset},
                   {"bytes", source.bytes},
                   {"rows", source.rows}};
    if (source.file != kNone)
      result["file"] = source.file;
    if (source.kind == SourceKind::RotaryTable || source.kind == SourceKind::Random)
      result["scale"] = source.scale;
    return result;
  }

  json instruction(const InstructionRecord &record) const {
    json result = {{"opcode", opcodeName(record.opcode)}};
    switch (record.opcode) {
    case Opcode::Constant:
      result["dst"] = registerName(record.dst);
      result["imm"] = record.imm;
      break;
    case Opcode::Add:
    case Opcode::Multiply:
    case Opcode::CeilDiv:
    case Opcode::Minimum:
    case Opcode::Maximum:
      result["dst"] = registerName(record.dst);
      result["a"] = registerName(record.a);
      result["b"] = registerName(record.b);
      break;
    case Opcode::BranchIfGreater:
      result["a"] = registerName(record.a);
      result["b"] = registerName(record.b);
      result["target"] = record.imm;
      break;
    case Opcode::Jump:
      result["target"] = record.imm;
      break;
    case Opcode::Partition:
      result["dst"] = registerName(record.dst);
      result["workList"] = record.index;
      result["ifSplit"] = record.imm != 0;
      break;
    case Opcode::Launch:
      result["kernel"] = record.index;
      result["items"] = registerName(record.a);
      result["operands"] =
          list(plan_.operands().subspan(record.firstOperand, record.operandCount),
               [&](const OperandRecord &operand) { return this->operand(operand); });
      break;
    case Opcode::End:
    case Opcode::Count:
      break;
    }
    return result;
  }

  static json operand(const OperandRecord &operand) {
    switch (operand.kind) {
    case OperandKind::Arena:
      return {{"kind", "arena"}, {"offset", size(operand.offset)}};
    case OperandKind::Weight:
      return {{"kind", "weight"}, {"index", operand.index}};
    case OperandKind::Pool:
      return {{"kind", "pool"}, {"index", operand.index}};
    case OperandKind::Tensor:
      return {{"kind", "tensor"}, {"index", operand.index}};
    case OperandKind::Batch:
      return {{"kind", "batch"},
              {"field", batchFieldName(static_cast<BatchField>(operand.index))},
              {"group", operand.group}};
    case OperandKind::WorkList:
      return {{"kind", "workList"}, {"index", operand.index}};
    case OperandKind::Workspace:
      return {{"kind", "workspace"}, {"index", operand.index}, {"offset", operand.offset.constant}};
    case OperandKind::Scalar:
      return {{"kind", "scalar"}, {"register", registerName(operand.index)}};
    case OperandKind::Count:
      break;
    }
    return nullptr;
  }

  const Plan &plan_;
};

} // namespace

json describeJson(const Plan &plan) { return JsonDescriber(plan).run(); }

} // namespace quire
