// Implements WeightStore.h: a few threads read and prepack pieces of weights, into their final place
// in the host's memory, or chunk by chunk into a pinned buffer from which a device copies.
#include "runtime/weights/WeightStore.h"

#include "runtime/weights/WeightChunks.h"
#include "runtime/weights/WeightPieces.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>

namespace quire {
using namespace plan;

namespace {

/// A piece and where its weight begins in memory, or would begin if all of it were there.
struct Task {
  WeightPiece piece;
  uint8_t *base;
};

class Loader {
public:
  Loader(const Plan &plan, const WeightOptions &options) : plan_(plan), options_(options) {
    for (const WeightRecord &weight : plan.weights())
      total_ += weight.rows * weight.columns * elementBytes(weight.element);
  }

  Status open() {
    QUIRE_ASSIGN_OR_RETURN(files_, WeightFiles::open(plan_, options_.modelDirectory));
    report(0);
    return Status::ok();
  }

  /// Everything into zeroed memory of the host.
  Status toHost(uint8_t *memory, const std::vector<uint64_t> &offsets) {
    for (uint32_t w = 0; w < plan_.weights().size(); ++w)
      add(w, 0, plan_.weights()[w].rows, memory + offsets[w]);
    return run();
  }

  /// Everything to a device: one buffer is filled while the other is copied.
  Status toDevice(Device &device, uint8_t *memory, const std::vector<uint64_t> &offsets) {
    std::vector<WeightChunk> chunks = cutChunks(plan_, offsets, options_.chunkBytes);
    uint64_t largest = 0;
    for (const WeightChunk &chunk : chunks)
      largest = std::max(largest, chunk.lead + chunk.bytes);
    DeviceBuffer buffers[2];
    for (DeviceBuffer &buffer : buffers) {
      QUIRE_ASSIGN_OR_RETURN(buffer,
                             device.allocate(largest, "loading weights", MemoryKind::Staging));
    }
    Status status;
    for (size_t i = 0; i < chunks.size() && status.isOk(); ++i) {
      uint8_t *buffer = buffers[i % 2].data();
      status = fill(chunks[i], buffer);
      // The copy of the chunk before is done before its buffer is filled again.
      if (Status done = device.synchronize(Queue::Transfer); status.isOk())
        status = std::move(done);
      if (status.isOk())
        status = device.copy(memory + chunks[i].begin, buffer + chunks[i].lead, chunks[i].bytes,
                             Queue::Transfer);
    }
    Status done = device.synchronize(Queue::Transfer);
    return status.isOk() ? std::move(done) : std::move(status);
  }

private:
  Status fill(const WeightChunk &chunk, uint8_t *buffer) {
    for (size_t i = 0; i < chunk.parts.size(); ++i) {
      const WeightPart &part = chunk.parts[i];
      const WeightRecord &weight = plan_.weights()[part.weight];
      uint64_t rowBytes = weight.columns * elementBytes(weight.element);
      uint64_t end =
          i + 1 < chunk.parts.size() ? chunk.parts[i + 1].offset : chunk.lead + chunk.bytes;
      uint64_t written = std::min(part.endRow, weight.rows) - std::min(part.firstRow, weight.rows);
      if (weight.layout == WeightLayout::Panel) // the last panel mixes rows and padding
        written = written / weight.panel * weight.panel;
      uint64_t padding = part.offset + written * rowBytes;
      std::memset(buffer + padding, 0, end - padding);
      add(part.weight, part.firstRow, std::min(part.endRow, weight.rows),
          buffer + part.offset - part.firstRow * rowBytes);
    }
    return run();
  }

  void add(uint32_t weight, uint64_t firstRow, uint64_t endRow, uint8_t *base) {
    pieces_.clear();
    cutWeight(plan_, weight, firstRow, endRow, pieces_);
    for (const WeightPiece &piece : pieces_)
      tasks_.push_back({piece, base});
  }

  /// Does all tasks.
  Status run() {
    next_ = 0;
    uint64_t helpers = std::min<uint64_t>(std::max(1u, options_.threads), tasks_.size());
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
    tasks_.clear();
    return std::move(status_);
  }

  void work() {
    std::vector<uint8_t> buffer;
    while (!failed_.load(std::memory_order_relaxed)) {
      uint64_t index = next_.fetch_add(1, std::memory_order_relaxed);
      if (index >= tasks_.size())
        return;
      const auto &[piece, base] = tasks_[index];
      Status status = files_.move(plan_, piece, base, buffer);
      if (status.isOk()) {
        report(pieceBytes(plan_, piece));
        continue;
      }
      std::lock_guard lock(mutex_);
      if (!failed_.exchange(true))
        status_ = std::move(status).withContext(
            "weight '" + std::string(plan_.string(plan_.weights()[piece.weight].name)) + "'");
    }
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
  WeightFiles files_;
  std::vector<WeightPiece> pieces_;
  std::vector<Task> tasks_;
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
  for (const WeightRecord &weight : plan.weights()) {
    store->offsets_.push_back(store->bytes_);
    store->bytes_ += roundUp(weight.bytes, kWeightAlignment);
  }
  Loader loader(plan, options);
  QUIRE_RETURN_IF_ERROR(loader.open());
  if (options.device && !options.device->sharesHostMemory()) {
    QUIRE_ASSIGN_OR_RETURN(store->deviceMemory_,
                           options.device->allocate(store->bytes_, "the weights"));
    store->base_ = store->deviceMemory_.data();
    QUIRE_RETURN_IF_ERROR(loader.toDevice(*options.device, store->base_, store->offsets_));
    return store;
  }
  QUIRE_ASSIGN_OR_RETURN(store->memory_, AnonymousMemory::allocate(store->bytes_, "the weights"));
  store->base_ = store->memory_.data();
  QUIRE_RETURN_IF_ERROR(loader.toHost(store->base_, store->offsets_));
  return store;
}

} // namespace quire
