// StopMatcher: ends a text where one of its stop strings begins, however the text is cut into
// pieces. Text that may still turn out to be the beginning of a stop string is held back until the
// next bytes decide. The match that completes first ends the text; among those that complete with
// the same byte, the longest. So the result depends on the text alone, not on its pieces.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace quire {

class StopMatcher {
public:
  StopMatcher() = default;
  /// Empty stop strings are ignored.
  explicit StopMatcher(std::vector<std::string> stops);

  /// Appends to `out` what is certain to be text. True once a stop string is complete: the text has
  /// ended just before it, and nothing may be pushed any more.
  bool push(std::string_view piece, std::string &out);

  /// The text ended without a stop string: appends what was held back.
  void finish(std::string &out);

private:
  std::vector<std::string> stops;
  size_t longest = 0;  ///< bytes of the longest stop string
  std::string pending; ///< held back: a proper prefix of a stop string, then the current piece
};

} // namespace quire
