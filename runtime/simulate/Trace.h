// Trace: when requests came, how long their prompts and answers were, and which prompts begin
// alike. Two public formats are read, told apart by the first line:
//
//   Azure LLM inference traces (CSV)   TIMESTAMP,ContextTokens,GeneratedTokens
//   Mooncake traces (JSON lines)       {"timestamp": ms, "input_length", "output_length",
//                                       "hash_ids": one number for each block of 512 prompt tokens}
//
// Equal hash ids stand for equal blocks behind equal blocks, so they say what a prefix cache can
// share. Lines of the second format may also have "priority", "tenant" and "deadline" (milliseconds
// after arrival); "hash_ids" may be left out in all lines.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/sched/CostModel.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quire {

struct TraceRequest {
  Micros arrival = 0;       ///< since the first request of the trace
  int32_t promptTokens = 0; ///< at least 1
  int32_t newTokens = 0;    ///< at least 1
  int32_t priority = 0;
  uint32_t tenant = 0;
  Micros deadline = 0;  ///< after arrival; 0: none
  size_t firstHash = 0; ///< of blockCount(promptTokens) entries in Trace::hashes
};

struct Trace {
  static constexpr int32_t kBlockTokens = 512; ///< of one hash
  std::vector<TraceRequest> requests;          ///< by arrival
  std::vector<uint64_t> hashes;                ///< empty: nothing is known about shared prefixes

  bool hasHashes() const { return !hashes.empty(); }
  static int32_t blockCount(int32_t tokens) { return (tokens + kBlockTokens - 1) / kBlockTokens; }
  std::span<const uint64_t> hashesOf(const TraceRequest &request) const {
    return std::span(hashes).subspan(request.firstHash, blockCount(request.promptTokens));
  }

  /// The prompt as token ids: equal where, and only where, blocks are equal. For traces with
  /// hashes.
  void writePrompt(const TraceRequest &request, std::vector<int32_t> &tokens) const;

  /// Keeps the first `count` requests.
  void keepFirst(size_t count);
  /// Arrivals come `rate` times as fast; infinity: all at once.
  void scaleRate(double rate);
};

/// Prompt blocks and tokens of a trace, and those of them that an earlier request had already: what
/// a prefix cache that forgets nothing would hit.
struct IdealHits {
  int64_t blocks = 0, hitBlocks = 0;
  int64_t tokens = 0, hitTokens = 0;
};
IdealHits idealHits(const Trace &trace);

/// Reads a trace. Errors: those of readFile; Corrupt, with file and line, for a line that is not of
/// the format, lengths outside 1 .. 2^24, arrivals that go
/// back in time, or a span of more than 31 years.
Result<Trace> readTrace(const std::string &path);

/// The formats. `text` is the whole file, `name` is for messages.
Result<Trace> parseAzureTrace(std::string_view text, const std::string &name);
Result<Trace> parseMooncakeTrace(std::string_view text, const std::string &name);

} // namespace quire
