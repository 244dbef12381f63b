// Implements WeightStore.h: cuts every source into pieces of about a megabyte, and a few threads read
// and prepack them. Reading goes through one small buffer a thread rather than a mapping of the file:
// the resident size stays flat, and a file that shrinks meanwhile is an error instead of a signal.
#include "runtime/weights/WeightStore.h"

#include "runtime/weights/ModelFiles.h"
#include "runtime/weights/Prepack.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>

namespace quire {
using namespace plan;

namespace {

constexpr uint64_t kPieceBytes = 1u << 20;

/// A rectangle of one source and where it goes.
struct Piece {
  uint32_t weight;
  uint32_t source;
  PrepackPiece target; ///< in the weight
  uint64_t sourceRow;  ///< of the target's first row, within the source
};

/// Cuts a source into pieces of at most about kPieceBytes, row pieces at whole panels.
void cutSource(const WeightRecord &weight, uint32_t weightIndex, uint32_t sourceIndex,
               const SourceRecord &source, uint64_t firstRow, std::vector<Piece> &pieces) {
  uint64_t elements = std::max<uint64_t>(1, kPieceBytes / elementBytes(source.element));
  uint64_t rowStep = 0, columnStep = 0;
  if (source.kind == SourceKind::TransposedTensor) {
    // Stored rows are target columns: full length, or one at a time in parts.
    rowStep = std::min(source.rows, elements);
    columnStep = std::clamp<uint64_t>(elements / source.rows, 1, source.columns);
  } else {
    columnStep = source.kind == SourceKind::RotaryTable ? source.columns
                                                        : std::min(source.columns, elements);
    rowStep = std::clamp<uint64_t>(elements / source.columns, 1, source.rows);
    if (weight.layout == WeightLayout::Panel && rowStep > weight.panel)
      rowStep = rowStep / weight.panel * weight.panel;
  }
  for (uint64_t row = 0; row < source.rows; row += rowStep)
    for (uint64_t column = 0; column < source.columns; column += columnStep)
      pieces.push_back({weightIndex,
                        sourceIndex,
                        {firstRow + row, std::min(rowStep, source.rows - row), column,
                         std::min(columnStep, source.columns - column)},
                        row});
}

class Loader {
public:
  Loader(const Plan &plan, const WeightOptions &options, uint8_t *memory,
         const std::vector<uint64_t> &offsets)
      : plan_(plan), options_(options), memory_(memory), offsets_(offsets) {}

  Status run() {
    QUIRE_RETURN_IF_ERROR(openFiles());
    cut();
    for (const Piece &piece : pieces_)
      total_ += pieceBytes(piece);
    report(0);
    uint64_t helpers = std::min<uint64_t>(std::max(1u, options_.threads), pieces_.size());
    std::vector<std::thread> threads;
    for (uint64_t i = 1; i < helpers; ++i) {
      try {
        threads.emplace_back([this] { work(); });
      } catch (const std::system_error &) {
        break; // fewer threads do the same work
      }
    }
    work();
    for (std::thread &thread : threads)
      thread.join();
    return std::move(status_);
  }

private:
  Status openFiles() {
    std::string directory = options_.modelDirectory.empty()
                                ? std::string(plan_.string(plan_.info().modelDirectory))
                                : options_.modelDirectory;
    for (const FileRecord &record : plan_.files()) {
      std::string_view name = plan_.string(record.name);
      QUIRE_ASSIGN_OR_RETURN(std::string path, resolveModelFile(directory, name));
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
      files_.push_back(std::move(file));
    }
    return Status::ok();
  }

  void cut() {
    auto weights = plan_.weights();
    for (uint32_t w = 0; w < weights.size(); ++w) {
      uint64_t row = 0;
      for (uint32_t s = 0; s < weights[w].sourceCount; ++s) {
        uint32_t index = weights[w].firstSource + s;
        cutSource(weights[w], w, index, plan_.sources()[index], row, pieces_);
        row += plan_.sources()[index].rows;
      }
    }
  }

  static uint64_t elementCount(const Piece &piece) {
    return piece.target.rows * piece.target.columns;
  }
  uint64_t pieceBytes(const Piece &piece) const {
    return elementCount(piece) * elementBytes(plan_.weights()[piece.weight].element);
  }

  void work() {
    std::vector<uint8_t> buffer;
    while (!failed_.load(std::memory_order_relaxed)) {
      uint64_t index = next_.fetch_add(1, std::memory_order_relaxed);
      if (index >= pieces_.size())
        return;
      const Piece &piece = pieces_[index];
      Status status = move(piece, buffer);
      if (status.isOk()) {
        report(pieceBytes(piece));
        continue;
      }
      std::lock_guard lock(mutex_);
      if (!failed_.exchange(true))
        status_ = std::move(status).withContext(
            "weight '" + std::string(plan_.string(plan_.weights()[piece.weight].name)) + "'");
    }
  }

  Status move(const Piece &piece, std::vector<uint8_t> &buffer) {
    const WeightRecord &weight = plan_.weights()[piece.weight];
    const SourceRecord &source = plan_.sources()[piece.source];
    PrepackTarget target{memory_ + offsets_[piece.weight], weight.layout, weight.panel,
                         elementBytes(weight.element), weight.columns};
    if (source.kind == SourceKind::RotaryTable) {
      buffer.resize(pieceBytes(piece));
      std::vector<float> frequencies(source.columns / 2);
      std::memcpy(frequencies.data(), plan_.data().data() + source.offset, source.bytes);
      computeRotaryRows(source.element, frequencies.data(), frequencies.size(), source.scale,
                        piece.sourceRow, piece.target.rows, buffer.data());
      prepackRows(target, piece.target, buffer.data(), source.columns);
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
    const uint8_t *data = plan_.data().data() + source.offset + begin;
    if (source.kind != SourceKind::Inline) {
      buffer.resize(bytes);
      QUIRE_RETURN_IF_ERROR(
          files_[source.file].readAt(source.offset + begin, buffer.data(), bytes));
      data = buffer.data();
    }
    (transposed ? prepackTransposed : prepackRows)(target, piece.target, data, storedColumns);
    return Status::ok();
  }

  void report(uint64_t bytes) {
    if (!options_.progress)
      return;
    std::lock_guard lock(mutex_);
    done_ += bytes;
    options_.progress(done_, total_);
  }

  const Plan &plan_;
  const WeightOptions &options_;
  uint8_t *memory_;
  const std::vector<uint64_t> &offsets_;
  std::vector<File> files_;
  std::vector<Piece> pieces_;
  std::atomic<uint64_t> next_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  Status status_;
  uint64_t done_ = 0, total_ = 0;
};

} // namespace

Result<std::unique_ptr<WeightStore>> WeightStore::load(const Plan &plan,
                                                       const WeightOptions &options) {
  auto store = std::make_unique<WeightStore>();
  uint64_t end = 0;
  for (const WeightRecord &weight : plan.weights()) {
    store->offsets_.push_back(end);
    end += roundUp(weight.bytes, kWeightAlignment);
  }
  QUIRE_ASSIGN_OR_RETURN(store->memory_, AnonymousMemory::allocate(end, "the weights"));
  QUIRE_RETURN_IF_ERROR(Loader(plan, options, store->memory_.data(), store->offsets_).run());
  return store;
}

} // namespace quire
