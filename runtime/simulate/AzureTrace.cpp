// Reads the Azure LLM inference traces: CSV with the columns TIMESTAMP, ContextTokens and
// GeneratedTokens, where a time is "2023-11-16 18:15:46.6805900".
#include "runtime/simulate/TraceLines.h"

#include <array>
#include <charconv>

namespace quire {

static bool readNumber(std::string_view text, int64_t &value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant's days_from_civil).
static int64_t daysFromCivil(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2;
  int64_t era = year / 400, ofEra = year - era * 400;
  int64_t ofYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719468;
}

/// Digits at fixed places, then a fraction of a second with any number of them.
static bool readTime(std::string_view text, Micros &micros) {
  constexpr std::string_view pattern = "dddd-dd-dd dd:dd:dd";
  if (text.size() < pattern.size())
    return false;
  std::array<int64_t, 6> fields{};
  size_t field = 0;
  for (size_t i = 0; i < pattern.size(); ++i) {
    bool digit = text[i] >= '0' && text[i] <= '9';
    if (pattern[i] == 'd' ? !digit : text[i] != pattern[i])
      return false;
    if (digit)
      fields[field] = fields[field] * 10 + (text[i] - '0');
    else
      ++field;
  }
  auto [year, month, day, hour, minute, second] = fields;
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
    return false;
  micros = (((daysFromCivil(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000000;
  std::string_view fraction = text.substr(pattern.size());
  if (fraction.empty())
    return true;
  if (fraction[0] != '.' || fraction.size() == 1)
    return false;
  int64_t unit = 100000;
  for (char c : fraction.substr(1)) {
    if (c < '0' || c > '9')
      return false;
    micros += (c - '0') * unit;
    unit /= 10;
  }
  return true;
}

Result<Trace> parseAzureTrace(std::string_view text, const std::string &name) {
  constexpr std::string_view header = "TIMESTAMP,ContextTokens,GeneratedTokens";
  TraceLines lines(text, name);
  std::string_view line;
  if (!lines.next(line) || line != header)
    return lines.error("neither a CSV trace, which begins with \"" + std::string(header) +
                       "\", nor a JSON object with timestamp, input_length and output_length");
  Trace trace;
  while (lines.next(line)) {
    size_t first = line.find(','), second = line.find(',', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos)
      return lines.error("not three fields with commas between them");
    Micros arrival = 0;
    int64_t promptTokens = 0, newTokens = 0;
    if (!readTime(line.substr(0, first), arrival))
      return lines.error("'" + std::string(line.substr(0, first)) +
                         "' is no time such as 2023-11-16 18:15:46.6805900");
    if (!readNumber(line.substr(first + 1, second - first - 1), promptTokens) ||
        !readNumber(line.substr(second + 1), newTokens))
      return lines.error("the numbers of tokens must be integers");
    QUIRE_RETURN_IF_ERROR(lines.append(trace, {}, promptTokens, newTokens, arrival));
  }
  if (trace.requests.empty())
    return lines.error("the trace has no request");
  return trace;
}

} // namespace quire
