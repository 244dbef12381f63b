// Implements PagedSession.h.
#include "tests/tools/quire-diff/PagedSession.h"

#include "runtime/device/cpu/CpuDevice.h"
#include "tools/quire/DeviceChoice.h"

#include <algorithm>
#include <utility>

namespace quire::test {

/// All bits set is NaN in f32, f16 and bf16.
static constexpr uint8_t kPoison = 0xff;
static constexpr int32_t kGivenBack = -1; ///< as StepBatch says

Result<std::unique_ptr<PagedSession>> PagedSession::open(const SessionOptions &options,
                                                         std::mt19937_64 &random) {
  QUIRE_ASSIGN_OR_RETURN(Plan plan, Plan::open(options.plan));
  std::unique_ptr<PagedSession> session(new PagedSession(std::move(plan), random));
  QUIRE_ASSIGN_OR_RETURN(cli::DeviceChoice choice, cli::parseDevice(options.device));
  if (options.newestLevel) {
    QUIRE_ASSIGN_OR_RETURN(session->device_,
                           cli::openDevice(choice, session->plan_, options.threads));
  } else {
    CpuDeviceOptions deviceOptions;
    deviceOptions.threads = options.threads;
    deviceOptions.highestTarget = plan::ImageTarget::X86_64_V3;
    QUIRE_ASSIGN_OR_RETURN(session->device_, createCpuDevice(deviceOptions));
  }
  WeightOptions weightOptions;
  weightOptions.modelDirectory = options.model;
  weightOptions.device = session->device_.get();
  QUIRE_ASSIGN_OR_RETURN(session->weights_, WeightStore::load(session->plan_, weightOptions));
  bool paged = !session->plan_.pools().empty();
  ExecutorOptions executorOptions;
  session->groups_ = plan::cacheGroups(session->plan_.pools());
  executorOptions.pageCount = paged ? options.pages * session->groups_.count : 0;
  QUIRE_ASSIGN_OR_RETURN(session->executor_,
                         Executor::create(session->plan_, *session->device_, *session->weights_,
                                          executorOptions));
  for (uint32_t page = 0; page < executorOptions.pageCount; ++page) {
    QUIRE_RETURN_IF_ERROR(session->poison(static_cast<int32_t>(page)));
    session->free_.push_back(static_cast<int32_t>(page));
  }
  std::shuffle(session->free_.begin(), session->free_.end(), random);
  return session;
}

Status PagedSession::poison(int32_t page) { return executor_->fillPage(page, kPoison); }

Status PagedSession::checkUnusedPages() const {
  std::vector<uint8_t> content(plan_.info().pageBytes);
  for (int32_t page : free_) {
    QUIRE_RETURN_IF_ERROR(executor_->readPage(page, content));
    auto written = std::find_if(content.begin(), content.end(),
                                [](uint8_t byte) { return byte != kPoison; });
    if (written != content.end())
      return Status::error(ErrorCode::Internal,
                           "byte " + std::to_string(written - content.begin()) + " of page " +
                               std::to_string(page) +
                               " was written, but no sequence owns the page");
  }
  return Status::ok();
}

void PagedSession::giveBack(int32_t page) {
  (void)poison(page); // a broken device fails the next step too
  size_t place = free_.empty() ? 0 : random_() % (free_.size() + 1);
  free_.insert(free_.begin() + static_cast<ptrdiff_t>(place), page);
}

void PagedSession::forget(int64_t sequence) {
  auto state = sequences_.find(sequence);
  if (state == sequences_.end())
    return;
  for (const std::vector<int32_t> &pages : state->second.pages)
    for (int32_t page : pages)
      if (page != kGivenBack)
        giveBack(page);
  sequences_.erase(state);
}

void PagedSession::leaveBehind(State &state) {
  int64_t pageSize = plan_.info().pageSize;
  for (uint32_t group = 0; group < state.pages.size(); ++group) {
    int64_t window = groups_.windows[group];
    int64_t behind = window ? std::max<int64_t>(0, state.length - window + 1) / pageSize : 0;
    for (int64_t page = 0; page < behind && page < int64_t(state.pages[group].size()); ++page)
      if (int32_t &entry = state.pages[group][page]; entry != kGivenBack)
        giveBack(std::exchange(entry, kGivenBack));
  }
}

Status PagedSession::makeRoom(State &state, int64_t tokens) {
  int64_t pageSize = plan_.info().pageSize;
  state.pages.resize(groups_.count);
  for (std::vector<int32_t> &pages : state.pages)
    while (int64_t(pages.size()) * pageSize < tokens) {
      if (free_.empty())
        return Status::error(ErrorCode::ResourceExhausted, "no free pages are left");
      pages.push_back(free_.back());
      free_.pop_back();
    }
  return Status::ok();
}

int64_t PagedSession::length(int64_t sequence) const {
  auto state = sequences_.find(sequence);
  return state == sequences_.end() ? 0 : state->second.length;
}

Status PagedSession::step(const std::vector<SequenceRows> &rows) {
  std::vector<int32_t> tokens, positions, slots, offsets{0}, lengths, samples, table;
  auto pageSize = static_cast<int64_t>(plan_.info().pageSize);
  size_t maxPages = 1;
  for (const SequenceRows &each : rows) {
    State &state = sequences_[each.sequence];
    leaveBehind(state);
    for (int64_t sample : each.samples)
      samples.push_back(offsets.back() + static_cast<int32_t>(sample));
    for (int32_t token : each.tokens) {
      tokens.push_back(token);
      positions.push_back(static_cast<int32_t>(state.length++));
    }
    QUIRE_RETURN_IF_ERROR(makeRoom(state, state.length));
    offsets.push_back(static_cast<int32_t>(tokens.size()));
    lengths.push_back(static_cast<int32_t>(state.length));
    maxPages = std::max(maxPages, state.pages[0].size());
  }
  uint64_t mostPages = (plan_.info().maxContext + plan_.info().pageSize - 1) / plan_.info().pageSize;
  if (maxPages < mostPages)
    maxPages += random_() % (mostPages - maxPages + 1);
  for (uint32_t group = 0; group < groups_.count; ++group)
    for (size_t s = 0; s < rows.size(); ++s) {
      const std::vector<int32_t> &pages = sequences_[rows[s].sequence].pages[group];
      for (int32_t row = offsets[s]; row < offsets[s + 1]; ++row)
        slots.push_back(static_cast<int32_t>(pages[positions[row] / pageSize] * pageSize +
                                             positions[row] % pageSize));
      for (size_t page = 0; page < maxPages; ++page)
        // Entries behind the last page are no page at all: who follows one leaves the cache.
        table.push_back(page < pages.size() ? pages[page]
                                            : static_cast<int32_t>(random_()) | (1 << 30));
    }
  StepBatch batch;
  batch.tokens = static_cast<uint32_t>(tokens.size());
  batch.tokenIds = tokens;
  batch.positions = positions;
  batch.slots = slots;
  batch.queryOffsets = offsets;
  batch.keyLengths = lengths;
  batch.blockTable = table;
  batch.maxPages = static_cast<uint32_t>(maxPages);
  batch.sampleRows = samples;
  return executor_->run(batch);
}

Status PagedSession::step(const StepInput &input) {
  StepBatch batch;
  batch.tokens = static_cast<uint32_t>(input.rows);
  batch.inputs = {&input, 1};
  return executor_->run(batch);
}

} // namespace quire::test
