// Implements WriteWeights.h.
#include "compiler/plan/WriteWeights.h"

#include "runtime/plan/Sizes.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/Support/xxhash.h"

#include <cmath>

using namespace mlir;

namespace quire::compiler {

std::optional<plan::ElementType> planElementType(Type type) {
  if (type.isF32())
    return plan::ElementType::F32;
  if (type.isF16())
    return plan::ElementType::F16;
  if (type.isBF16())
    return plan::ElementType::BF16;
  if (type.isInteger(32))
    return plan::ElementType::I32;
  if (type.isInteger(64))
    return plan::ElementType::I64;
  if (type.isInteger(8))
    return plan::ElementType::U8;
  return std::nullopt;
}

uint32_t WeightWriter::fileRecord(uint32_t file) {
  auto [entry, isNew] = fileRecords.try_emplace(file);
  if (isNew) {
    const ModelFiles::WeightFile &stored = files->files()[file];
    entry->second =
        writer.add(plan::FileRecord{writer.string(stored.name), stored.bytes, stored.header.checksum});
  }
  return entry->second;
}

/// Products of rows of about unit variance with these have about unit variance. The numbers of a tensor
/// depend on its name, so that a piece of it is the same in another shape.
plan::SourceRecord WeightWriter::randomSource(graph::SourceAttr source, plan::ElementType element) {
  plan::SourceRecord record{};
  record.kind = plan::SourceKind::Random;
  record.element = element;
  record.file = plan::kNone;
  record.scale = std::sqrt(3.0f / static_cast<float>(source.getColumns()));
  record.tensor = writer.string(source.getTensor().str());
  record.offset = llvm::xxh3_64bits(source.getTensor());
  record.rows = static_cast<uint64_t>(source.getRows());
  record.columns = static_cast<uint64_t>(source.getColumns());
  record.bytes = record.rows * record.columns * plan::elementBytes(element);
  return record;
}

FailureOr<plan::SourceRecord> WeightWriter::source(planir::WeightOp weight,
                                                   graph::SourceAttr source,
                                                   plan::ElementType element) {
  if (random)
    return randomSource(source, element);
  std::string name = source.getTensor().str();
  auto location = files ? files->find(name) : std::nullopt;
  if (!location)
    return weight.emitOpError() << "reads tensor \"" << name << "\", which "
                                << (files ? "no file in " + files->directory() + " has"
                                          : std::string("needs a model directory"));
  const StoredTensor &stored = *location->tensor;
  auto rows = static_cast<uint64_t>(source.getRows());
  auto columns = static_cast<uint64_t>(source.getColumns());
  bool transposed = source.getTransposed();
  std::vector<uint64_t> expected{transposed ? columns : rows, transposed ? rows : columns};
  bool isVector = stored.shape.size() == 1 && columns == 1 && stored.shape[0] == rows;
  if (!isVector && stored.shape != expected)
    return weight.emitOpError() << "reads tensor \"" << name << "\" as " << expected[0] << " x "
                                << expected[1] << ", " << files->files()[location->file].name
                                << " has " << stored.typeText();
  if (planElement(stored.type) != element)
    return weight.emitOpError() << "reads tensor \"" << name << "\" as "
                                << plan::elementName(element) << ", "
                                << files->files()[location->file].name << " has "
                                << stored.typeText() << "; sources of one weight have its type";
  plan::SourceRecord record{};
  record.kind =
      transposed ? plan::SourceKind::TransposedTensor : plan::SourceKind::Tensor;
  record.element = element;
  record.file = fileRecord(location->file);
  record.tensor = writer.string(name);
  record.offset = stored.offset;
  record.bytes = stored.bytes;
  record.rows = rows;
  record.columns = columns;
  return record;
}

FailureOr<uint32_t> WeightWriter::add(planir::WeightOp weight) {
  auto type = cast<RankedTensorType>(weight.getType());
  auto element = planElementType(type.getElementType());
  if (!element)
    return weight.emitOpError() << "has element type " << type.getElementType()
                                << ", which a plan cannot hold";
  std::vector<plan::SourceRecord> sources;
  for (graph::SourceAttr one : weight.getSources()) {
    FailureOr<plan::SourceRecord> record = source(weight, one, *element);
    if (failed(record))
      return failure();
    sources.push_back(*record);
  }
  plan::WeightRecord record{};
  record.name = writer.string(weight.getName().str());
  record.element = *element;
  record.panel = static_cast<uint32_t>(weight.getPanel());
  record.layout = record.panel && !weight.getByRows() ? plan::WeightLayout::Panel
                                                      : plan::WeightLayout::RowMajor;
  record.rows = static_cast<uint64_t>(type.getDimSize(0));
  record.columns = type.getRank() == 1 ? 1 : static_cast<uint64_t>(type.getDimSize(1));
  return writer.addWeight(record, sources);
}

FailureOr<uint32_t> WeightWriter::add(planir::RotaryTableOp table) {
  auto type = cast<RankedTensorType>(table.getType());
  ArrayRef<float> frequencies = table.getFrequencies();
  plan::SourceRecord source{};
  source.kind = plan::SourceKind::RotaryTable;
  source.element = plan::ElementType::F32;
  source.file = plan::kNone;
  source.scale = table.getScale().convertToFloat();
  source.tensor = writer.string(table.getSymName().str());
  source.bytes = frequencies.size() * sizeof(float);
  source.offset =
      writer.data({reinterpret_cast<const uint8_t *>(frequencies.data()), source.bytes});
  source.rows = static_cast<uint64_t>(type.getDimSize(0));
  source.columns = static_cast<uint64_t>(type.getDimSize(1));
  plan::WeightRecord record{};
  record.name = source.tensor;
  record.element = plan::ElementType::F32;
  record.layout = plan::WeightLayout::RowMajor;
  record.rows = source.rows;
  record.columns = source.columns;
  return writer.addWeight(record, {&source, 1});
}

} // namespace quire::compiler
