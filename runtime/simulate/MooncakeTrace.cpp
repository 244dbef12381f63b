// Reads the Mooncake traces: one JSON object a line.
#include "runtime/simulate/TraceLines.h"

#include "runtime/text/Json.h"

#include <cmath>
#include <limits>

namespace quire {

using text::JsonDocument;
using text::JsonValue;

/// The member `name`, an integer of at least 0; without one `absent`, or an error if that is below
/// 0.
static Status readInteger(const TraceLines &lines, const JsonValue &object, const char *name,
                          int64_t absent, int64_t &value) {
  const JsonValue *member = object.find(name);
  value = absent;
  if (member && member->isInteger())
    value = member->asInteger();
  if (value < 0 || (member && !member->isInteger()))
    return lines.error("\"" + std::string(name) + "\" must be an integer of at least 0");
  return Status::ok();
}

/// Milliseconds, perhaps with a fraction, as microseconds.
static Status readMillis(const TraceLines &lines, const JsonValue &object, const char *name,
                         bool needed, Micros &micros) {
  const JsonValue *member = object.find(name);
  double millis = member && member->isNumber() ? member->asNumber() : 0;
  if ((member ? !member->isNumber() : needed) || !(millis >= 0 && millis < 1e14))
    return lines.error("\"" + std::string(name) + "\" must be milliseconds of at least 0");
  micros = std::llround(millis * 1000);
  return Status::ok();
}

static Status readHashes(const TraceLines &lines, const JsonValue &object, int64_t promptTokens,
                         Trace &trace) {
  const JsonValue *member = object.find("hash_ids");
  bool expected = trace.requests.empty() || trace.hasHashes();
  if (!member) {
    if (trace.hasHashes())
      return lines.error("\"hash_ids\" is missing, though the lines above have it");
    return Status::ok();
  }
  if (!expected || !member->isArray())
    return lines.error("\"hash_ids\" must be an array, in all lines or in none");
  int64_t blocks = (promptTokens + Trace::kBlockTokens - 1) / Trace::kBlockTokens;
  if (static_cast<int64_t>(member->children().size()) != blocks)
    return lines.error(std::to_string(promptTokens) + " prompt tokens are " +
                       std::to_string(blocks) + " blocks of " +
                       std::to_string(Trace::kBlockTokens) + ", but there are " +
                       std::to_string(member->children().size()) + " hash_ids");
  for (const JsonValue &hash : member->children()) {
    if (!hash.isInteger() || hash.asInteger() < 0)
      return lines.error("\"hash_ids\" must be integers of at least 0");
    trace.hashes.push_back(static_cast<uint64_t>(hash.asInteger()));
  }
  return Status::ok();
}

Result<Trace> parseMooncakeTrace(std::string_view text, const std::string &name) {
  Trace trace;
  TraceLines lines(text, name);
  std::string_view line;
  while (lines.next(line)) {
    Result<JsonDocument> document = JsonDocument::parse(line);
    if (!document.isOk())
      return lines.error(document.status().message());
    const JsonValue &object = document->root();
    if (!object.isObject())
      return lines.error("not a JSON object");
    int64_t promptTokens, newTokens, priority, tenant;
    Micros arrival;
    TraceRequest request;
    QUIRE_RETURN_IF_ERROR(readMillis(lines, object, "timestamp", true, arrival));
    QUIRE_RETURN_IF_ERROR(readInteger(lines, object, "input_length", -1, promptTokens));
    QUIRE_RETURN_IF_ERROR(readInteger(lines, object, "output_length", -1, newTokens));
    QUIRE_RETURN_IF_ERROR(readInteger(lines, object, "priority", 0, priority));
    QUIRE_RETURN_IF_ERROR(readInteger(lines, object, "tenant", 0, tenant));
    QUIRE_RETURN_IF_ERROR(readMillis(lines, object, "deadline", false, request.deadline));
    if (priority > 1000 || tenant > std::numeric_limits<uint32_t>::max())
      return lines.error("\"priority\" must be at most 1000 and \"tenant\" below 2^32");
    request.priority = static_cast<int32_t>(priority);
    request.tenant = static_cast<uint32_t>(tenant);
    request.firstHash = trace.hashes.size();
    if (promptTokens <= kMostTraceTokens)
      QUIRE_RETURN_IF_ERROR(readHashes(lines, object, promptTokens, trace));
    QUIRE_RETURN_IF_ERROR(lines.append(trace, request, promptTokens, newTokens, arrival));
  }
  if (trace.requests.empty())
    return lines.error("the trace has no request");
  return trace;
}

} // namespace quire
