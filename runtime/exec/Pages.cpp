// Implements the page operations of Executor.h.
#include "runtime/exec/ExecutorState.h"

namespace quire {
namespace {

/// Calls body(address of the page in a pool, its bytes, offset of them within the page's bytes) for
/// every pool of the group, or says what is wrong with the page.
template <typename State, typename Body>
Status forEachPool(const State &state, uint32_t group, int32_t page, Body body) {
  if (page < 0 || static_cast<uint32_t>(page) >= state.limits.pageCount)
    return Status::error(ErrorCode::OutOfRange,
                         "there is no cache page " + std::to_string(page) + "; pages are 0 to " +
                             std::to_string(int64_t(state.limits.pageCount) - 1));
  uint64_t offset = 0;
  for (uint32_t i = 0; i < state.plan.pools().size(); ++i) {
    const plan::PoolRecord &pool = state.plan.pools()[i];
    if (pool.group != group)
      continue;
    uint8_t *address = state.pools.data() + state.poolOffsets[i] +
                       static_cast<uint64_t>(page) * pool.bytesPerPage;
    QUIRE_RETURN_IF_ERROR(body(address, pool.bytesPerPage, offset));
    offset += pool.bytesPerPage;
  }
  if (offset == 0)
    return Status::error(ErrorCode::NotFound,
                         "the plan has no cache pools of group " + std::to_string(group));
  return Status::ok();
}

Status checkSize(uint64_t given, uint64_t needed) {
  if (given == needed)
    return Status::ok();
  return Status::error(ErrorCode::InvalidArgument, "a page has " + std::to_string(needed) +
                                                       " bytes, not " + std::to_string(given));
}

} // namespace

uint64_t Executor::pageBytes(uint32_t group) const {
  uint64_t bytes = 0;
  for (const plan::PoolRecord &pool : state_->plan.pools())
    bytes += pool.group == group ? pool.bytesPerPage : 0;
  return bytes;
}

Status Executor::copyPage(uint32_t group, int32_t target, int32_t source) {
  QUIRE_RETURN_IF_ERROR(forEachPool(*state_, group, source, [](auto...) { return Status::ok(); }));
  return forEachPool(*state_, group, target, [&](uint8_t *to, uint64_t bytes, uint64_t) {
    // Pages of one pool lie `bytes` apart.
    const uint8_t *from = to + (static_cast<int64_t>(source) - target) * static_cast<int64_t>(bytes);
    return state_->device.copy(to, from, bytes);
  });
}

Status Executor::fillPage(uint32_t group, int32_t page, uint8_t value) {
  return forEachPool(*state_, group, page, [&](uint8_t *address, uint64_t bytes, uint64_t) {
    return state_->device.fill(address, value, bytes);
  });
}

Status Executor::readPage(uint32_t group, int32_t page, std::span<uint8_t> bytes) const {
  QUIRE_RETURN_IF_ERROR(checkSize(bytes.size(), pageBytes(group)));
  QUIRE_RETURN_IF_ERROR(
      forEachPool(*state_, group, page, [&](uint8_t *address, uint64_t size, uint64_t offset) {
        return state_->device.copy(bytes.data() + offset, address, size);
      }));
  return state_->device.synchronize();
}

Status Executor::writePage(uint32_t group, int32_t page, std::span<const uint8_t> bytes) {
  QUIRE_RETURN_IF_ERROR(checkSize(bytes.size(), pageBytes(group)));
  QUIRE_RETURN_IF_ERROR(
      forEachPool(*state_, group, page, [&](uint8_t *address, uint64_t size, uint64_t offset) {
        return state_->device.copy(address, bytes.data() + offset, size);
      }));
  return state_->device.synchronize();
}

Status Executor::swapOut(uint32_t group, int32_t page, std::span<uint8_t> bytes) {
  QUIRE_RETURN_IF_ERROR(checkSize(bytes.size(), pageBytes(group)));
  QUIRE_RETURN_IF_ERROR(state_->device.order(Queue::Compute, Queue::Transfer));
  return forEachPool(*state_, group, page, [&](uint8_t *address, uint64_t size, uint64_t offset) {
    return state_->device.copy(bytes.data() + offset, address, size, Queue::Transfer);
  });
}

Status Executor::swapIn(uint32_t group, int32_t page, std::span<const uint8_t> bytes) {
  QUIRE_RETURN_IF_ERROR(checkSize(bytes.size(), pageBytes(group)));
  QUIRE_RETURN_IF_ERROR(state_->device.order(Queue::Compute, Queue::Transfer));
  QUIRE_RETURN_IF_ERROR(
      forEachPool(*state_, group, page, [&](uint8_t *address, uint64_t size, uint64_t offset) {
        return state_->device.copy(address, bytes.data() + offset, size, Queue::Transfer);
      }));
  return state_->device.order(Queue::Transfer, Queue::Compute);
}

Status Executor::finishSwaps() { return state_->device.synchronize(Queue::Transfer); }
Result<bool> Executor::swapsDone() { return state_->device.isIdle(Queue::Transfer); }

std::span<uint8_t> Executor::pool(uint32_t index) const {
  if (!state_->device.sharesHostMemory())
    return {};
  return {state_->pools.data() + state_->poolOffsets[index],
          state_->limits.pageCount * state_->plan.pools()[index].bytesPerPage};
}

} // namespace quire
