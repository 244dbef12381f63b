// Static batching: whole batches from first prompt to last token, as before iteration-level
// scheduling (Orca, OSDI'22, section 3 describes what it costs).
#include "runtime/simulate/Simulator.h"

#include <algorithm>

namespace quire {

namespace {

class StaticServer {
public:
  StaticServer(const Trace &trace, const SimulationConfig &config, StaticLayout layout)
      : trace(trace), config(config), layout(layout), limit(answerLimitOf(trace, config)) {
    const CacheShape &cache = config.scheduling.cache;
    capacity = int64_t(cache.pageCount) / cache.groupCount * cache.pageSize;
    most = std::min<int64_t>(capacity, config.scheduling.maxContext) + 1;
    figures.requests = static_cast<int64_t>(trace.requests.size());
  }

  Result<SimulationFigures> run(const SimulationProgress &progress);

private:
  void formBatch();
  void runBatch();
  void iterate(const StepWork &shape, double stored);

  /// The memory that one request of a batch with this longest prompt reserves, in tokens.
  int64_t reservation(int32_t longestPrompt) const {
    return std::min(int64_t(longestPrompt) + limit, most);
  }

  const Trace &trace;
  const SimulationConfig &config;
  StaticLayout layout;
  int32_t limit;
  int64_t capacity; ///< of the cache, in tokens
  int64_t most;     ///< tokens of one request
  size_t next = 0;  ///< request that waits longest
  std::vector<const TraceRequest *> batch;
  int32_t longestPrompt = 0;
  Micros now = 0;
  LatencySamples samples;
  SimulationFigures figures;
};

void StaticServer::formBatch() {
  batch.clear();
  longestPrompt = 0;
  const SchedulerConfig &scheduling = config.scheduling;
  while (next < trace.requests.size() && trace.requests[next].arrival <= now &&
         static_cast<int32_t>(batch.size()) < scheduling.maxSequences) {
    const TraceRequest &request = trace.requests[next];
    if (int64_t(request.promptTokens) + request.newTokens > most) {
      ++figures.refused;
      ++next;
      continue;
    }
    int32_t longest = std::max(longestPrompt, request.promptTokens);
    if (!batch.empty() && int64_t(batch.size() + 1) * reservation(longest) > capacity)
      break;
    longestPrompt = longest;
    batch.push_back(&request);
    ++next;
  }
}

/// Runs one step of the whole batch, whose requests hold `stored` tokens when it is over.
void StaticServer::iterate(const StepWork &shape, double stored) {
  Micros micros = stepTime(config.scheduling.cost, shape);
  now += micros;
  figures.busy += micros;
  ++figures.steps;
  figures.rows += shape.tokens;
  double reserved = double(batch.size()) * double(reservation(longestPrompt));
  MemoryUse &memory = figures.memory;
  memory.allocated += double(micros) * reserved;
  memory.unused += double(micros) * (reserved - stored);
  memory.reserved += double(micros) * reserved;
  memory.stored += double(micros) * stored;
  memory.micros += double(micros);
  int32_t pageSize = config.scheduling.cache.pageSize;
  memory.peakPages = std::max(memory.peakPages, pagesFor(static_cast<int64_t>(reserved), pageSize));
}

void StaticServer::runBatch() {
  StepWork prefill;
  double stored = 0;
  int32_t longestAnswer = 0;
  for (const TraceRequest *request : batch) {
    prefill.add(0, layout == StaticLayout::Padded ? longestPrompt : request->promptTokens, true);
    stored += request->promptTokens;
    longestAnswer = std::max(longestAnswer, request->newTokens);
  }
  iterate(prefill, stored);
  for (const TraceRequest *request : batch)
    samples.firstToken(now - request->arrival);
  for (int32_t written = 1; written < longestAnswer; ++written) {
    StepWork decode;
    for (const TraceRequest *request : batch) {
      int32_t promptTokens = layout == StaticLayout::Padded ? longestPrompt : request->promptTokens;
      decode.add(promptTokens + written - 1, 1, true);
      stored += written < request->newTokens;
    }
    Micros before = now;
    iterate(decode, stored);
    for (const TraceRequest *request : batch)
      if (written < request->newTokens)
        samples.interToken(now - before);
  }
  for (const TraceRequest *request : batch) {
    samples.endToEnd(now - request->arrival);
    figures.promptTokens += request->promptTokens;
    figures.newTokens += request->newTokens;
    ++figures.finished;
  }
}

Result<SimulationFigures> StaticServer::run(const SimulationProgress &progress) {
  while (next < trace.requests.size()) {
    now = std::max(now, trace.requests[next].arrival);
    if (progress &&
        !progress(uint64_t(figures.finished + figures.refused), uint64_t(figures.requests)))
      return Status::error(ErrorCode::ResourceExhausted, "the simulation was interrupted");
    formBatch();
    if (!batch.empty())
      runBatch();
  }
  figures.duration = now;
  samples.summariseInto(figures);
  return std::move(figures);
}

} // namespace

Result<SimulationFigures> simulateStatic(const Trace &trace, const SimulationConfig &config,
                                         StaticLayout layout, const SimulationProgress &progress) {
  if (!config.scheduling.cost.isKnown())
    return Status::error(ErrorCode::InvalidArgument,
                         "a simulation needs the cost of a step: perStep and perToken are both 0");
  return StaticServer(trace, config, layout).run(progress);
}

} // namespace quire
