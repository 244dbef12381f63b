// Implementation of StopMatcher. Stop strings are few and short, so plain comparison at each byte
// is faster than building an automaton for each request.
#include "runtime/engine/StopMatcher.h"

#include <algorithm>

namespace quire {

StopMatcher::StopMatcher(std::vector<std::string> given) : stops(std::move(given)) {
  std::erase(stops, std::string());
  for (const std::string &stop : stops)
    longest = std::max(longest, stop.size());
  pending.reserve(2 * longest + 64);
}

bool StopMatcher::push(std::string_view piece, std::string &out) {
  if (stops.empty()) {
    out.append(piece);
    return false;
  }
  size_t known = pending.size(); // bytes that complete no stop string
  pending.append(piece);
  for (size_t end = known + 1; end <= pending.size(); ++end) {
    std::string_view seen = std::string_view(pending).substr(0, end);
    size_t match = 0;
    for (const std::string &stop : stops)
      if (stop.size() > match && seen.ends_with(stop))
        match = stop.size();
    if (match > 0) {
      out.append(seen.substr(0, end - match));
      pending.clear();
      return true;
    }
  }
  // Hold back the longest suffix that begins a stop string.
  size_t held = std::min(pending.size(), longest - 1);
  for (; held > 0; --held) {
    std::string_view suffix = std::string_view(pending).substr(pending.size() - held);
    bool begins = std::any_of(stops.begin(), stops.end(), [&](const std::string &stop) {
      return std::string_view(stop).starts_with(suffix);
    });
    if (begins)
      break;
  }
  out.append(pending, 0, pending.size() - held);
  pending.erase(0, pending.size() - held);
  return false;
}

void StopMatcher::finish(std::string &out) {
  out.append(pending);
  pending.clear();
}

} // namespace quire
