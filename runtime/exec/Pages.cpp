// Implements the page operations of Executor.h.
#include "runtime/exec/ExecutorState.h"

namespace quire {
namespace {

/// Calls body(address of the page at a place, its bytes, offset of them within the page's bytes) for
/// every place, or says what is wrong with the page.
template <typename State, typename Body>
Status forEachPlace(const State &state, int32_t page, Body body) {
  if (page < 0 || static_cast<uint32_t>(page) >= state.limits.pageCount)
    return Status::error(ErrorCode::OutOfRange,
                         "there is no cache page " + std::to_string(page) + "; pages are 0 to " +
                             std::to_string(int64_t(state.limits.pageCount) - 1));
  uint64_t offset = 0;
  for (const auto &place : state.places) {
    uint8_t *address =
        state.pools.data() + place.offset + static_cast<uint64_t>(page) * place.bytesPerPage;
    QUIRE_RETURN_IF_ERROR(body(address, place.bytesPerPage, offset));
    offset += place.bytesPerPage;
  }
  return Status::ok();
}

Status checkSize(uint64_t given, uint64_t needed) {
  if (given == needed)
    return Status::ok();
  return Status::error(ErrorCode::InvalidArgument, "a page has " + std::to_string(needed) +
                                                       " bytes, not " + std::to_string(given));
}

} // namespace

Status Executor::copyPage(int32_t target, int32_t source) {
  QUIRE_RETURN_IF_ERROR(forEachPlace(*state_, source, [](auto...) { return Status::ok(); }));
  return forEachPlace(*state_, target, [&](uint8_t *to, uint64_t bytes, uint64_t) {
    // Pages lie `bytes` apart.
    const uint8_t *from = to + (static_cast<int64_t>(source) - target) * static_cast<int64_t>(bytes);
    return state_->device.copy(to, from, bytes);
  });
}

Status Executor::fillPage(int32_t page, uint8_t value) {
  return forEachPlace(*state_, page, [&](uint8_t *address, uint64_t bytes, uint64_t) {
    return state_->device.fill(address, value, bytes);
  });
}

Status Executor::readPage(int32_t page, std::span<uint8_t> bytes) const {
  QUIRE_RETURN_IF_ERROR(checkSize(bytes.size(), state_->plan.info().pageBytes));
  QUIRE_RETURN_IF_ERROR(
      forEachPlace(*state_, page, [&](uint8_t *address, uint64_t size, uint64_t offset) {
        return state_->device.copy(bytes.data() + offset, address, size);
      }));
  return state_->device.synchronize();
}

Status Executor::writePage(int32_t page, std::span<const uint8_t> bytes) {
  QUIRE_RETURN_IF_ERROR(checkSize(bytes.size(), state_->plan.info().pageBytes));
  QUIRE_RETURN_IF_ERROR(
      forEachPlace(*state_, page, [&](uint8_t *address, uint64_t size, uint64_t offset) {
        return state_->device.copy(address, bytes.data() + offset, size);
      }));
  return state_->device.synchronize();
}

Status Executor::swapOut(int32_t page, std::span<uint8_t> bytes) {
  QUIRE_RETURN_IF_ERROR(checkSize(bytes.size(), state_->plan.info().pageBytes));
  QUIRE_RETURN_IF_ERROR(state_->device.order(Queue::Compute, Queue::Transfer));
  return forEachPlace(*state_, page, [&](uint8_t *address, uint64_t size, uint64_t offset) {
    return state_->device.copy(bytes.data() + offset, address, size, Queue::Transfer);
  });
}

Status Executor::swapIn(int32_t page, std::span<const uint8_t> bytes) {
  QUIRE_RETURN_IF_ERROR(checkSize(bytes.size(), state_->plan.info().pageBytes));
  QUIRE_RETURN_IF_ERROR(state_->device.order(Queue::Compute, Queue::Transfer));
  QUIRE_RETURN_IF_ERROR(
      forEachPlace(*state_, page, [&](uint8_t *address, uint64_t size, uint64_t offset) {
        return state_->device.copy(address, bytes.data() + offset, size, Queue::Transfer);
      }));
  return state_->device.order(Queue::Transfer, Queue::Compute);
}

Status Executor::finishSwaps() { return state_->device.synchronize(Queue::Transfer); }
Result<bool> Executor::swapsDone() { return state_->device.isIdle(Queue::Transfer); }

std::span<uint8_t> Executor::pool(uint32_t index) const {
  if (!state_->device.sharesHostMemory())
    return {};
  const State::Place &place = state_->places[state_->plan.pools()[index].place];
  return {state_->pools.data() + place.offset, state_->limits.pageCount * place.bytesPerPage};
}

} // namespace quire
