// Implementation of the records.
#include "runtime/sched/Record.h"

#include <algorithm>

namespace quire {

namespace {

constexpr size_t kHeader = 5; ///< kind and length

/// Calls visit(field) for each field, in the order of the stream.
template <class Config, class Visit> void visitConfig(Config &config, Visit visit) {
  visit(config.tokenBudget);
  visit(config.maxSequences);
  visit(config.maxContext);
  visit(config.cache.pageSize);
  visit(config.cache.pageCount);
  visit(config.cache.hostPages);
  visit(config.cache.groupCount);
  for (auto &window : config.cache.windows)
    visit(window);
  visit(config.cache.sharePrefixes);
  visit(config.maxQueue);
  visit(config.maxQueueTime);
  visit(config.policy);
  visit(config.preemption);
  visit(config.cost.perStep);
  visit(config.cost.perToken);
  visit(config.cost.perSequence);
  visit(config.cost.perSample);
  visit(config.cost.perDecodeKey);
  visit(config.cost.perPrefillPair);
  visit(config.cost.perPrefillKey);
  for (auto &stair : config.cost.aboveRows)
    visit(stair);
  visit(config.cost.perTile);
  visit(config.cost.tileRows);
  visit(config.transfer.perTransfer);
  visit(config.transfer.perPage);
  visit(config.targetStep);
  visit(config.minChunk);
  visit(config.watermark);
  visit(config.expectedNewTokens);
  visit(config.agePerToken);
  visit(config.agePerClass);
}

} // namespace

void RecordWriter::begin(RecordKind kind) {
  buffer.clear();
  put(kind);
  put(uint32_t(0));
}

void RecordWriter::finish() {
  uint32_t length = static_cast<uint32_t>(buffer.size() - kHeader);
  std::memcpy(buffer.data() + 1, &length, sizeof(length));
  recorder->write(buffer);
}

void RecordWriter::config(const SchedulerConfig &config) {
  if (!recorder)
    return;
  recorder->write({reinterpret_cast<const uint8_t *>(kRecordMagic), sizeof(kRecordMagic)});
  begin(RecordKind::Config);
  visitConfig(config, [&](auto field) { put(field); });
  finish();
}

void RecordWriter::add(const SequenceSpec &spec, Micros now, RequestId id, uint64_t serial) {
  if (!recorder)
    return;
  begin(RecordKind::Add);
  put(id);
  put(serial);
  put(now);
  put(spec.promptTokens);
  put(spec.maxNewTokens);
  put(spec.priority);
  put(spec.tenant);
  put(spec.weight);
  put(spec.salt);
  put(spec.deadline);
  put(spec.expectedNewTokens);
  put(spec.manual);
  put(static_cast<uint32_t>(spec.prompt.size()));
  for (int32_t token : spec.prompt)
    put(token);
  finish();
}

void RecordWriter::fork(RequestId parent, int32_t keep, RequestId id, uint64_t serial) {
  if (!recorder)
    return;
  begin(RecordKind::Fork);
  put(id);
  put(serial);
  put(parent);
  put(keep);
  finish();
}

void RecordWriter::plan(const StepPlan &plan) {
  if (!recorder)
    return;
  begin(RecordKind::Plan);
  put(plan.now);
  put(plan.step);
  put(plan.blockedRequest);
  put(plan.blocked);
  put(plan.stalled);
  put(plan.pagesNeeded);
  put(static_cast<uint32_t>(plan.preempted.size()));
  for (const Preemption &preemption : plan.preempted) {
    put(preemption.victim);
    put(preemption.beneficiary);
    put(preemption.kind);
    put(preemption.pages);
  }
  put(static_cast<uint32_t>(plan.swapIns.size()));
  for (RequestId id : plan.swapIns)
    put(id);
  put(static_cast<uint32_t>(plan.admitted.size()));
  for (const Admission &admission : plan.admitted) {
    put(admission.request);
    put(admission.hitTokens);
    put(admission.hitPages);
    put(admission.partialSource);
  }
  put(static_cast<uint32_t>(plan.items.size()));
  for (const StepItem &item : plan.items) {
    put(item.request);
    put(item.firstToken);
    put(item.tokenCount);
    put(item.epoch);
    put(item.sample);
  }
  finish();
}

void RecordWriter::commit(const StepPlan &plan) {
  if (!recorder)
    return;
  begin(RecordKind::Commit);
  put(plan.step);
  put(static_cast<uint32_t>(plan.copies.size()));
  for (const PageCopy &copy : plan.copies) {
    put(copy.source);
    put(copy.target);
  }
  put(static_cast<uint32_t>(plan.transfers.size()));
  for (const Transfer &transfer : plan.transfers) {
    put(transfer.request);
    put(transfer.out);
    put(transfer.count);
  }
  for (const PageTransfer &page : plan.transferPages) {
    put(page.page);
    put(page.hostPage);
  }
  finish();
}

void RecordWriter::token(RecordKind kind, RequestId id, int32_t token) {
  if (!recorder)
    return;
  begin(kind);
  put(id);
  put(token);
  finish();
}

void RecordWriter::complete(const StepPlan &plan, bool ok) {
  if (!recorder)
    return;
  begin(RecordKind::Complete);
  put(plan.step);
  put(ok);
  finish();
}

void RecordWriter::transferDone(RequestId id, bool ok) {
  if (!recorder)
    return;
  begin(RecordKind::TransferDone);
  put(id);
  put(ok);
  finish();
}

void RecordWriter::end(RequestId id, EndReason reason) {
  if (!recorder)
    return;
  begin(RecordKind::End);
  put(id);
  put(reason);
  finish();
}

void RecordWriter::expire(Micros now, std::span<const RequestId> ended) {
  if (!recorder)
    return;
  begin(RecordKind::Expire);
  put(now);
  put(static_cast<uint32_t>(ended.size()));
  for (RequestId id : ended)
    put(id);
  finish();
}

void RecordWriter::dropCached() {
  if (!recorder)
    return;
  begin(RecordKind::DropCached);
  finish();
}

RecordStream::RecordStream(std::span<const uint8_t> stream) {
  valid = stream.size() >= sizeof(kRecordMagic) &&
          std::memcmp(stream.data(), kRecordMagic, sizeof(kRecordMagic)) == 0;
  if (valid)
    rest = stream.subspan(sizeof(kRecordMagic));
}

bool RecordStream::next(RecordView &record) {
  if (rest.size() < kHeader)
    return false;
  uint32_t length;
  std::memcpy(&length, rest.data() + 1, sizeof(length));
  if (rest.size() - kHeader < length)
    return false;
  record = {static_cast<RecordKind>(rest[0]), rest.subspan(kHeader, length)};
  rest = rest.subspan(kHeader + length);
  return true;
}

static Status broken(const char *what) {
  return Status::error(ErrorCode::InvalidArgument,
                       std::string("the record of ") + what +
                           " is broken; was it written by another version?");
}

Status readConfig(std::span<const uint8_t> payload, SchedulerConfig &config) {
  RecordReader reader(payload);
  visitConfig(config, [&](auto &field) { field = reader.get<std::decay_t<decltype(field)>>(); });
  const CacheShape &cache = config.cache;
  bool possible = config.tokenBudget > 0 && config.maxSequences > 0 && config.maxContext > 0 &&
                  cache.pageSize > 0 && cache.pageCount > 0 && cache.hostPages >= 0 &&
                  cache.groupCount > 0 && cache.groupCount <= kMaxCacheGroups &&
                  int64_t(cache.pageCount) * cache.pageSize <= INT32_MAX &&
                  config.cost.tileRows > 0 &&
                  static_cast<int>(config.policy) < kPolicyCount;
  return reader.failed || reader.left() > 0 || !possible ? broken("the configuration")
                                                         : Status::ok();
}

Status readPlan(std::span<const uint8_t> payload, StepPlan &plan) {
  plan.clear();
  RecordReader reader(payload);
  plan.now = reader.get<Micros>();
  plan.step = reader.get<int64_t>();
  plan.blockedRequest = reader.get<RequestId>();
  plan.blocked = reader.get<Blocked>();
  plan.stalled = reader.get<int32_t>();
  plan.pagesNeeded = reader.get<int32_t>();
  for (uint32_t left = reader.get<uint32_t>(); left > 0 && !reader.failed; --left) {
    Preemption preemption{};
    preemption.victim = reader.get<RequestId>();
    preemption.beneficiary = reader.get<RequestId>();
    preemption.kind = reader.get<PreemptionKind>();
    preemption.pages = reader.get<int32_t>();
    plan.preempted.push_back(preemption);
  }
  for (uint32_t left = reader.get<uint32_t>(); left > 0 && !reader.failed; --left)
    plan.swapIns.push_back(reader.get<RequestId>());
  for (uint32_t left = reader.get<uint32_t>(); left > 0 && !reader.failed; --left) {
    Admission admission{};
    admission.request = reader.get<RequestId>();
    admission.hitTokens = reader.get<int32_t>();
    admission.hitPages = reader.get<int32_t>();
    admission.partialSource = reader.get<PageId>();
    plan.admitted.push_back(admission);
  }
  for (uint32_t left = reader.get<uint32_t>(); left > 0 && !reader.failed; --left) {
    StepItem item{};
    item.request = reader.get<RequestId>();
    item.firstToken = reader.get<int32_t>();
    item.tokenCount = reader.get<int32_t>();
    item.epoch = reader.get<uint32_t>();
    item.sample = reader.get<bool>();
    plan.items.push_back(item);
    plan.tokenCount += item.tokenCount;
    plan.sampleCount += item.sample;
  }
  return reader.failed || reader.left() > 0 ? broken("a step") : Status::ok();
}

} // namespace quire
