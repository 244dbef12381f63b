// Implementation of explain.
#include "runtime/sched/Explain.h"

#include <algorithm>
#include <map>

namespace quire {

namespace {

class Story {
public:
  Story(std::span<const uint8_t> stream, uint64_t serial) : stream(stream), serial(serial) {}

  Result<std::string> tell() {
    RecordStream records(stream);
    if (!records.isValid())
      return Status::error(ErrorCode::InvalidArgument,
                           "this is no record of a scheduler: it does not begin like one");
    RecordView record;
    while (records.next(record) && !over)
      QUIRE_RETURN_IF_ERROR(read(record));
    if (text.empty())
      return Status::error(ErrorCode::NotFound, "the record has no request " +
                                                    std::to_string(serial) + "; it has 1 to " +
                                                    std::to_string(last));
    endDecodes();
    return text;
  }

private:
  std::string name(RequestId request) const {
    auto known = serials.find(request);
    return "request " + (known == serials.end() ? "?" : std::to_string(known->second));
  }
  void line(const std::string &what) {
    text += "step " + std::to_string(step) + ", " + std::to_string(now) + " us: " + what + "\n";
  }
  /// Decode steps in a row are one line.
  void endDecodes() {
    if (decodes > 0)
      text += "  then " + std::to_string(decodes) + " decode steps\n";
    decodes = 0;
  }

  Status read(const RecordView &record) {
    RecordReader in(record.payload);
    switch (record.kind) {
    case RecordKind::Add:
    case RecordKind::Fork: {
      RequestId request = in.get<RequestId>();
      uint64_t number = in.get<uint64_t>();
      if (request < 0)
        break;
      serials[request] = number;
      last = std::max(last, number);
      if (number != serial)
        break;
      id = request;
      if (record.kind == RecordKind::Fork) {
        RequestId parent = in.get<RequestId>();
        line("forked from " + name(parent) + " after " + std::to_string(in.get<int32_t>()) +
             " tokens");
        break;
      }
      now = in.get<Micros>();
      int32_t counted = in.get<int32_t>(), maxNew = in.get<int32_t>();
      int32_t priority = in.get<int32_t>();
      uint32_t tenant = in.get<uint32_t>();
      in.get<double>();
      in.get<uint64_t>();
      in.get<Micros>();
      in.get<int32_t>();
      in.get<bool>();
      uint32_t tokens = in.get<uint32_t>();
      line("arrived with " + std::to_string(tokens ? tokens : uint32_t(counted)) +
           " prompt tokens, up to " + std::to_string(maxNew) + " new ones, class " +
           std::to_string(priority) + ", tenant " + std::to_string(tenant));
      break;
    }
    case RecordKind::Plan: {
      QUIRE_RETURN_IF_ERROR(readPlan(record.payload, plan));
      now = plan.now;
      break;
    }
    case RecordKind::Commit:
      step = plan.step;
      if (id != kNoRequest)
        committed();
      break;
    case RecordKind::TransferDone: {
      if (in.get<RequestId>() == id && id != kNoRequest)
        line(in.get<bool>() ? "its copy is done" : "its copy failed: it is computed again");
      break;
    }
    case RecordKind::Expire:
      now = in.get<Micros>();
      break;
    case RecordKind::End: {
      RequestId request = in.get<RequestId>();
      EndReason reason = in.get<EndReason>();
      if (request != id || id == kNoRequest)
        break;
      endDecodes();
      line(std::string("over: ") + endReasonName(reason));
      over = true;
      break;
    }
    default:
      break;
    }
    return Status::ok();
  }

  void committed() {
    for (const Preemption &preemption : plan.preempted) {
      if (preemption.victim != id)
        continue;
      endDecodes();
      line(std::string("preempted, ") +
           (preemption.kind == PreemptionKind::Swap ? "its pages are swapped out"
                                                    : "to be computed again") +
           (preemption.beneficiary == kNoRequest ? ", ahead of the growth of others"
                                                 : ", for " + name(preemption.beneficiary)) +
           "; gives back " + std::to_string(preemption.pages) + " pages");
    }
    for (const Admission &admission : plan.admitted)
      if (admission.request == id)
        line("joins the running requests; " + std::to_string(admission.hitTokens) +
             " of its tokens are cached");
    for (RequestId returning : plan.swapIns)
      if (returning == id)
        line("its pages are swapped in");
    for (const StepItem &item : plan.items) {
      if (item.request != id)
        continue;

      if (item.tokenCount == 1) {
        ++decodes;
        continue;
      }
      endDecodes();
      line("computes tokens " + std::to_string(item.firstToken) + " to " +
           std::to_string(item.firstToken + item.tokenCount - 1) +
           (item.sample ? ", the end of what is known" : ", a chunk of its prompt"));
    }
    if (plan.blockedRequest == id && plan.blocked != blocked) {
      endDecodes();
      line(std::string("waits: ") + blockedName(plan.blocked));
    }
    blocked = plan.blockedRequest == id ? plan.blocked : Blocked::Nothing;
  }

  std::span<const uint8_t> stream;
  uint64_t serial, last = 0;
  RequestId id = kNoRequest;
  std::map<RequestId, uint64_t> serials;
  std::string text;
  StepPlan plan;
  int64_t step = 0, decodes = 0;
  Micros now = 0;
  Blocked blocked = Blocked::Nothing;
  bool over = false;
};

} // namespace

Result<std::string> explain(std::span<const uint8_t> stream, uint64_t serial) {
  return Story(stream, serial).tell();
}

} // namespace quire
