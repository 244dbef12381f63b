// Implementation of replay.
#include "runtime/sched/Replay.h"

#include "runtime/sched/Scheduler.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>

namespace quire {

namespace {

/// Compares what a scheduler writes with what is expected, as it comes.
class Comparison : public Recorder {
public:
  explicit Comparison(std::span<const uint8_t> expected) : rest(expected) {}
  void write(std::span<const uint8_t> bytes) override {
    size_t most = std::min(bytes.size(), rest.size());
    differs |= bytes.size() > rest.size() ||
               !std::equal(bytes.begin(), bytes.begin() + most, rest.begin());
    rest = rest.subspan(most);
  }
  std::span<const uint8_t> rest;
  bool differs = false;
};

class Replayer {
public:
  explicit Replayer(std::span<const uint8_t> stream) : stream(stream), comparison(stream) {}

  Result<ReplayResult> run() {
    RecordStream records(stream);
    RecordView record;
    if (!records.isValid() || !records.next(record) || record.kind != RecordKind::Config)
      return Status::error(ErrorCode::InvalidArgument,
                           "this is no record of a scheduler: it does not begin like one");
    SchedulerConfig config;
    QUIRE_RETURN_IF_ERROR(readConfig(record.payload, config));
    scheduler = std::make_unique<Scheduler>(config, &comparison);
    ReplayResult result;
    result.records = 1;
    do {
      if (comparison.differs && result.differsAt < 0)
        result.differsAt = result.records - 1;
      if (!records.next(record))
        break;
      if (!apply(record))
        return Status::error(ErrorCode::InvalidArgument,
                             "record " + std::to_string(result.records) +
                                 " cannot be: no scheduler was ever in a state for it");
      ++result.records;
    } while (true);
    result.steps = scheduler->metrics().steps;
    // What is left over is an incomplete last record.
    result.identical = result.differsAt < 0;
    return result;
  }

private:
  bool apply(const RecordView &record) {
    RecordReader in(record.payload);
    switch (record.kind) {
    case RecordKind::Add:
      return add(in);
    case RecordKind::Fork: {
      in.get<RequestId>();
      in.get<uint64_t>();
      RequestId parent = in.get<RequestId>();
      int32_t keep = in.get<int32_t>();
      return !in.failed && scheduler->fork(parent, keep).isOk();
    }
    case RecordKind::Plan: {
      Micros now = in.get<Micros>();
      planned = &plans[size_t(scheduler->look().step + 1) % plans.size()];
      scheduler->plan(now, *planned);
      return !in.failed;
    }
    case RecordKind::Commit:
      if (!planned)
        return false;
      scheduler->commit(*planned);
      planned = nullptr;
      return true;
    case RecordKind::Settle:
    case RecordKind::Append: {
      RequestId id = in.get<RequestId>();
      int32_t token = in.get<int32_t>();
      if (in.failed || id < 0 || id >= RequestId(scheduler->look().sequences.size()))
        return false;
      if (record.kind == RecordKind::Settle)
        scheduler->settle(id, token);
      else if (scheduler->isLive(id) &&
               scheduler->sequence(id).known > scheduler->sequence(id).limit)
        return false;
      else
        scheduler->append(id, token);
      return true;
    }
    case RecordKind::Complete: {
      int64_t step = in.get<int64_t>();
      bool ok = in.get<bool>();
      if (in.failed || step < 1)
        return false;
      StepPlan &plan = plans[size_t(step) % plans.size()];
      bool possible = plan.step == step && step <= scheduler->look().step;
      for (const StepItem &item : plan.items)
        possible &= scheduler->sequence(item.request).inFlight > 0;
      if (possible)
        scheduler->complete(plan, ok);
      return possible;
    }
    case RecordKind::TransferDone: {
      RequestId id = in.get<RequestId>();
      bool ok = in.get<bool>();
      if (in.failed || id < 0 || id >= RequestId(scheduler->look().sequences.size()) ||
          !scheduler->sequence(id).copying)
        return false;
      scheduler->transferDone(id, ok);
      return true;
    }
    case RecordKind::End: {
      RequestId id = in.get<RequestId>();
      EndReason reason = in.get<EndReason>();
      if (in.failed || static_cast<int>(reason) > static_cast<int>(EndReason::Deadline))
        return false;
      // Those that expire() ends are told twice: it has ended them already.
      if (scheduler->isLive(id))
        scheduler->end(id, reason);
      return true;
    }
    case RecordKind::Expire:
      scheduler->expire(in.get<Micros>());
      return !in.failed;
    case RecordKind::DropCached:
      scheduler->dropCachedPrefixes();
      return true;
    case RecordKind::Config:
      return false;
    }
    return false;
  }

  bool add(RecordReader &in) {
    in.get<RequestId>();
    in.get<uint64_t>();
    Micros now = in.get<Micros>();
    SequenceSpec spec;
    spec.promptTokens = in.get<int32_t>();
    spec.maxNewTokens = in.get<int32_t>();
    spec.priority = in.get<int32_t>();
    spec.tenant = in.get<uint32_t>();
    spec.weight = in.get<double>();
    spec.salt = in.get<uint64_t>();
    spec.deadline = in.get<Micros>();
    spec.expectedNewTokens = in.get<int32_t>();
    spec.manual = in.get<bool>();
    uint32_t count = in.get<uint32_t>();
    if (in.failed || size_t(count) * sizeof(int32_t) != in.left())
      return false;
    tokens.clear();
    for (uint32_t i = 0; i < count; ++i)
      tokens.push_back(in.get<int32_t>());
    spec.prompt = tokens;
    (void)scheduler->add(spec, now); // A refusal is recorded and compared like everything else.
    return true;
  }

  std::span<const uint8_t> stream;
  Comparison comparison;
  std::unique_ptr<Scheduler> scheduler;
  std::array<StepPlan, 4> plans;
  StepPlan *planned = nullptr;
  std::vector<int32_t> tokens;
};

} // namespace

Result<ReplayResult> replay(std::span<const uint8_t> stream) { return Replayer(stream).run(); }

} // namespace quire
