// SplitBehavior: what becomes of the delimiters when a text is split at the matches of a pattern.
#pragma once

#include "runtime/text/Json.h"
#include "runtime/text/PieceList.h"
#include "runtime/text/Regex.h"

#include <string_view>
#include <vector>

namespace quire::text {

enum class SplitBehavior {
  Removed,            ///< "a-b" -> a, b
  Isolated,           ///< "a-b" -> a, -, b
  MergedWithPrevious, ///< "a-b" -> a-, b
  MergedWithNext,     ///< "a-b" -> a, -b
  Contiguous,         ///< "a--b" -> a, --, b
};

Result<SplitBehavior> parseSplitBehavior(const JsonValue &json, std::string_view stage,
                                         std::string_view fallback);

/// Appends to `out` the pieces that `piece` falls into at `matches` (ranges relative to the piece,
/// in order). With `invert` what lies between the matches is the delimiter. Empty pieces are
/// dropped.
void splitPiece(const Piece &piece, const std::vector<MatchRange> &matches, SplitBehavior behavior,
                bool invert, std::vector<Piece> &out);

} // namespace quire::text
