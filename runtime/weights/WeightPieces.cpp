// Implements WeightPieces.h. Reading goes through one small buffer a thread rather than a mapping of
// the file: the resident size stays flat, and a file that shrinks meanwhile is an error instead of a
// signal.
#include "runtime/weights/WeightPieces.h"

#include "runtime/weights/ModelFiles.h"

#include <algorithm>
#include <cstring>

namespace quire {
using namespace plan;

namespace {

constexpr uint64_t kPieceBytes = 1u << 20;

/// Cuts rows [begin, end) of a source into pieces of at most about kPieceBytes, row pieces at whole
/// panels. Row `begin` is row `targetRow` of the weight.
void cutSource(const WeightRecord &weight, const SourceRecord &source, uint64_t begin, uint64_t end,
               WeightPiece piece, uint64_t targetRow, std::vector<WeightPiece> &pieces) {
  uint64_t elements = std::max<uint64_t>(1, kPieceBytes / elementBytes(source.element));
  uint64_t rows = end - begin, rowStep = 0, columnStep = 0;
  if (source.kind == SourceKind::TransposedTensor) {
    // Stored rows are target columns: full length, or one at a time in parts.
    rowStep = std::min(rows, elements);
    columnStep = std::clamp<uint64_t>(elements / source.rows, 1, source.columns);
  } else {
    columnStep = source.kind == SourceKind::RotaryTable ? source.columns
                                                        : std::min(source.columns, elements);
    rowStep = std::clamp<uint64_t>(elements / source.columns, 1, rows);
    if (weight.layout == WeightLayout::Panel && rowStep > weight.panel)
      rowStep = rowStep / weight.panel * weight.panel;
  }
  for (uint64_t row = 0; row < rows; row += rowStep)
    for (uint64_t column = 0; column < source.columns; column += columnStep) {
      piece.target = {targetRow + row, std::min(rowStep, rows - row), column,
                      std::min(columnStep, source.columns - column)};
      piece.sourceRow = begin + row;
      pieces.push_back(piece);
    }
}

} // namespace

void cutWeight(const Plan &plan, uint32_t weight, uint64_t firstRow, uint64_t endRow,
               std::vector<WeightPiece> &pieces) {
  const WeightRecord &record = plan.weights()[weight];
  uint64_t row = 0; // of the weight, where the source begins
  for (uint32_t s = 0; s < record.sourceCount; ++s) {
    uint32_t index = record.firstSource + s;
    const SourceRecord &source = plan.sources()[index];
    uint64_t begin = std::max(firstRow, row), end = std::min(endRow, row + source.rows);
    if (begin < end)
      cutSource(record, source, begin - row, end - row, {weight, index, {}, 0}, begin, pieces);
    row += source.rows;
  }
}

uint64_t pieceBytes(const Plan &plan, const WeightPiece &piece) {
  return piece.target.rows * piece.target.columns *
         elementBytes(plan.weights()[piece.weight].element);
}

Result<WeightFiles> WeightFiles::open(const Plan &plan, const std::string &directory) {
  std::string folder =
    directory.empty() ? std::string(plan.string(plan.info().modelDirectory)) : directory;
  WeightFiles result;
  for (const FileRecord &record : plan.files()) {
    std::string_view name = plan.string(record.name);
    QUIRE_ASSIGN_OR_RETURN(std::string path, resolveModelFile(folder, name));
    QUIRE_ASSIGN_OR_RETURN(File file, File::open(path));
    if (file.bytes() != record.bytes)
      return Status::error(ErrorCode::Corrupt,
                           "'" + path + "' has " + std::to_string(file.bytes()) +
                               " bytes, but the plan was compiled for one of " +
                               std::to_string(record.bytes) + "; compile the model again");
    QUIRE_ASSIGN_OR_RETURN(uint64_t sum, safetensorsHeaderChecksum(file));
    if (sum != record.headerChecksum)
      return Status::error(ErrorCode::Corrupt,
                           "'" + path + "' has other tensors than the plan was compiled for; "
                           "compile the model again");
    result.files_.push_back(std::move(file));
  }
  return result;
}

Status WeightFiles::move(const Plan &plan, const WeightPiece &piece, uint8_t *base,
                         std::vector<uint8_t> &buffer) const {
  const WeightRecord &weight = plan.weights()[piece.weight];
  const SourceRecord &source = plan.sources()[piece.source];
  PrepackTarget target{base, weight.layout, weight.panel, elementBytes(weight.element),
                       weight.columns};
  if (source.kind == SourceKind::RotaryTable) {
    buffer.resize(pieceBytes(plan, piece));
    std::vector<float> frequencies(source.columns / 2);
    std::memcpy(frequencies.data(), plan.data().data() + source.offset, source.bytes);
    computeRotaryRows(source.element, frequencies.data(), frequencies.size(), source.scale,
                      piece.sourceRow, piece.target.rows, buffer.data());
    prepackRows(target, piece.target, buffer.data(), source.columns);
    return Status::ok();
  }
  if (source.kind == SourceKind::Random) {
    buffer.resize(pieceBytes(plan, piece));
    computeRandomRows(source, piece.sourceRow, piece.target.rows, piece.target.column,
                      piece.target.columns, buffer.data());
    prepackRows(target, piece.target, buffer.data(), piece.target.columns);
    return Status::ok();
  }
  bool transposed = source.kind == SourceKind::TransposedTensor;
  // The piece in terms of how the source is stored.
  uint64_t storedColumns = transposed ? source.rows : source.columns;
  uint64_t row = transposed ? piece.target.column : piece.sourceRow;
  uint64_t column = transposed ? piece.sourceRow : piece.target.column;
  uint64_t rows = transposed ? piece.target.columns : piece.target.rows;
  uint64_t columns = transposed ? piece.target.rows : piece.target.columns;
  uint64_t begin = (row * storedColumns + column) * target.elementBytes;
  uint64_t bytes = ((rows - 1) * storedColumns + columns) * target.elementBytes;
  const uint8_t *data = plan.data().data() + source.offset + begin;
  if (source.kind != SourceKind::Inline) {
    buffer.resize(bytes);
    QUIRE_RETURN_IF_ERROR(
        files_[source.file].readAt(source.offset + begin, buffer.data(), bytes));
    data = buffer.data();
  }
  (transposed ? prepackTransposed : prepackRows)(target, piece.target, data, storedColumns);
  return Status::ok();
}

} // namespace quire
