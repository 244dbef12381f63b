// Implementation of Trace and TraceLines.
#include "runtime/simulate/TraceLines.h"

#include "runtime/base/File.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

namespace quire {

void Trace::writePrompt(const TraceRequest &request, std::vector<int32_t> &tokens) const {
  tokens.resize(request.promptTokens);
  std::span<const uint64_t> blocks = hashesOf(request);
  for (int32_t i = 0; i < request.promptTokens; ++i) {
    // Two tokens carry all bits of the block's number; the rest say where in the block they are.
    uint64_t block = blocks[i / kBlockTokens];
    int32_t place = i % kBlockTokens;
    uint64_t value = place == 1 ? block >> 31 : block + uint64_t(place) * 0x9e3779b1u;
    tokens[i] = static_cast<int32_t>(value & 0x7fffffff);
  }
}

void Trace::keepFirst(size_t count) {
  if (count < requests.size())
    requests.resize(count);
}

void Trace::scaleRate(double rate) {
  for (TraceRequest &request : requests)
    request.arrival = std::isinf(rate) ? 0 : std::llround(double(request.arrival) / rate);
}

IdealHits idealHits(const Trace &trace) {
  IdealHits ideal;
  std::unordered_set<uint64_t> seen;
  if (!trace.hasHashes())
    return ideal;
  for (const TraceRequest &request : trace.requests) {
    int32_t left = request.promptTokens;
    for (uint64_t hash : trace.hashesOf(request)) {
      int32_t tokens = std::min(left, Trace::kBlockTokens);
      left -= tokens;
      ++ideal.blocks;
      ideal.tokens += tokens;
      if (!seen.insert(hash).second) {
        ++ideal.hitBlocks;
        ideal.hitTokens += tokens;
      }
    }
  }
  return ideal;
}

bool TraceLines::next(std::string_view &line) {
  while (!rest.empty()) {
    size_t end = rest.find('\n');
    line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    ++number;
    if (!line.empty() && line.back() == '\r')
      line.remove_suffix(1);
    if (!line.empty())
      return true;
  }
  return false;
}

Status TraceLines::error(const std::string &message) const {
  return Status::error(ErrorCode::Corrupt,
                       name + ", line " + std::to_string(number) + ": " + message);
}

Status TraceLines::append(Trace &trace, TraceRequest request, int64_t promptTokens,
                          int64_t newTokens, Micros arrival) {
  auto outside = [](int64_t tokens) { return tokens < 1 || tokens > kMostTraceTokens; };
  if (outside(promptTokens) || outside(newTokens))
    return error("a request needs 1 to " + std::to_string(kMostTraceTokens) +
                 " prompt tokens and new tokens, not " + std::to_string(promptTokens) + " and " +
                 std::to_string(newTokens));
  if (trace.requests.empty())
    origin = arrival;
  else if (arrival < last)
    return error("the request came before the one above it; sort the trace by time");
  if (arrival - origin > kMostTraceTime)
    return error("the request comes more than 31 years after the first one");
  last = arrival;
  request.arrival = arrival - origin;
  request.promptTokens = static_cast<int32_t>(promptTokens);
  request.newTokens = static_cast<int32_t>(newTokens);
  trace.requests.push_back(request);
  return Status::ok();
}

Result<Trace> readTrace(const std::string &path) {
  QUIRE_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes, readFile(path, uint64_t(4) << 30));
  std::string_view text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  size_t start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos)
    return Status::error(ErrorCode::Corrupt, path + " is empty; a trace has one request a line");
  return text[start] == '{' ? parseMooncakeTrace(text, path) : parseAzureTrace(text, path);
}

} // namespace quire
