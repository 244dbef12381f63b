// SplitBehavior: see the header. The rules are those of Hugging Face tokenizers, including what
// follows from merging only the first delimiter of a run.
#include "runtime/text/SplitBehavior.h"

#include "runtime/text/JsonFields.h"

#include <algorithm>

namespace quire::text {

namespace {

struct Section {
  uint32_t begin;
  uint32_t end;
  bool delimiter;
};

std::vector<Section> sectionsOf(uint32_t length, const std::vector<MatchRange> &matches,
                                bool invert) {
  std::vector<Section> sections;
  sections.reserve(matches.size() * 2 + 1);
  uint32_t covered = 0;
  for (MatchRange match : matches) {
    if (covered < match.begin)
      sections.push_back({covered, match.begin, invert});
    sections.push_back({match.begin, match.end, !invert});
    covered = match.end;
  }
  if (covered < length)
    sections.push_back({covered, length, invert});
  return sections;
}

} // namespace

Result<SplitBehavior> parseSplitBehavior(const JsonValue &json, std::string_view stage,
                                         std::string_view fallback) {
  QUIRE_ASSIGN_OR_RETURN(std::string name, stringField(json, stage, "behavior", fallback));
  if (name == "Removed")
    return SplitBehavior::Removed;
  if (name == "Isolated")
    return SplitBehavior::Isolated;
  if (name == "MergedWithPrevious")
    return SplitBehavior::MergedWithPrevious;
  if (name == "MergedWithNext")
    return SplitBehavior::MergedWithNext;
  if (name == "Contiguous")
    return SplitBehavior::Contiguous;
  return missingField(stage, "behavior",
                      "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

void splitPiece(const Piece &piece, const std::vector<MatchRange> &matches, SplitBehavior behavior,
                bool invert, std::vector<Piece> &out) {
  uint32_t length = piece.end - piece.begin;
  auto emit = [&](uint32_t begin, uint32_t end) {
    if (begin < end)
      out.push_back({piece.begin + begin, piece.begin + end, piece.atStart && begin == 0});
  };
  if (behavior == SplitBehavior::Isolated) { // Delimiters or not, every section is a piece.
    uint32_t covered = 0;
    for (MatchRange match : matches) {
      emit(covered, match.begin);
      emit(match.begin, match.end);
      covered = match.end;
    }
    emit(covered, length);
    return;
  }

  std::vector<Section> sections = sectionsOf(length, matches, invert);
  if (behavior == SplitBehavior::Removed) {
    for (const Section &section : sections)
      if (!section.delimiter)
        emit(section.begin, section.end);
    return;
  }
  // The other three join a section to its neighbour; joined ranges replace `sections`.
  bool backwards = behavior == SplitBehavior::MergedWithNext;
  if (backwards)
    std::reverse(sections.begin(), sections.end());
  std::vector<Section> joined;
  bool previousDelimiter = false;
  for (const Section &section : sections) {
    bool join = behavior == SplitBehavior::Contiguous
                    ? section.delimiter == previousDelimiter
                    : section.delimiter && !previousDelimiter;
    if (join && !joined.empty()) {
      joined.back().begin = std::min(joined.back().begin, section.begin);
      joined.back().end = std::max(joined.back().end, section.end);
    } else {
      joined.push_back(section);
    }
    previousDelimiter = section.delimiter;
  }
  if (backwards)
    std::reverse(joined.begin(), joined.end());
  for (const Section &section : joined)
    emit(section.begin, section.end);
}

} // namespace quire::text
