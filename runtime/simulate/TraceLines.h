// TraceLines: what the readers of both trace formats share: lines with numbers, and their errors.
#pragma once

#include "runtime/simulate/Trace.h"

namespace quire {

inline constexpr int64_t kMostTraceTokens = 1 << 24;            ///< of a prompt or an answer
inline constexpr Micros kMostTraceTime = 1'000'000'000'000'000; ///< 31 years

/// Takes the lines of a text one by one, without their ends ("\n" or "\r\n").
class TraceLines {
public:
  TraceLines(std::string_view text, const std::string &name) : rest(text), name(name) {}

  /// False at the end. Empty lines are passed over.
  bool next(std::string_view &line);

  /// Corrupt: "NAME, line N: message".
  Status error(const std::string &message) const;

  /// Appends a request after checking its lengths and that time does not go back. `arrival` is on
  /// the trace's own clock.
  Status append(Trace &trace, TraceRequest request, int64_t promptTokens, int64_t newTokens,
                Micros arrival);

private:
  std::string_view rest;
  std::string name;
  int64_t number = 0;
  Micros origin = 0, last = 0;
};

} // namespace quire
