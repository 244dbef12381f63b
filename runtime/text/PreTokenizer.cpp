// PreTokenizer: see the header. One small class per stage of tokenizer.json.
#include "runtime/text/PreTokenizer.h"

#include "runtime/text/ByteAlphabet.h"
#include "runtime/text/JsonFields.h"
#include "runtime/text/Metaspace.h"
#include "runtime/text/Regex.h"
#include "runtime/text/Replacer.h"
#include "runtime/text/SplitBehavior.h"
#include "runtime/text/Utf8.h"

#include <optional>

namespace quire::text {

namespace {

/// Splits every piece at the matches that findMatches(text, matches) reports.
template <class FindMatches>
Status splitAll(PieceList &list, SplitBehavior behavior, bool invert, FindMatches findMatches) {
  std::vector<Piece> refined;
  refined.reserve(list.pieces.size());
  std::vector<MatchRange> matches;
  for (const Piece &piece : list.pieces) {
    matches.clear();
    QUIRE_RETURN_IF_ERROR(findMatches(list.textOf(piece), matches));
    splitPiece(piece, matches, behavior, invert, refined);
  }
  list.pieces = std::move(refined);
  return Status::ok();
}

/// Rewrites every piece with rewrite(piece, text, out), which appends to the new buffer.
template <class Rewrite> Status rewriteAll(PieceList &list, Rewrite rewrite) {
  std::string text;
  text.reserve(list.text.size() + list.text.size() / 4);
  for (Piece &piece : list.pieces) {
    uint32_t begin = static_cast<uint32_t>(text.size());
    rewrite(piece, list.textOf(piece), text);
    if (text.size() > list.sizeLimit)
      return textTooLong("pre-tokenizer", text.size(), list.sizeLimit);
    piece.begin = begin;
    piece.end = static_cast<uint32_t>(text.size());
  }
  list.text = std::move(text);
  return Status::ok();
}

/// Splits at single characters of a class.
class CharClassPreTokenizer final : public PreTokenizer {
public:
  CharClassPreTokenizer(bool (*contains)(char32_t), SplitBehavior behavior)
      : contains(contains), behavior(behavior) {}
  Status apply(PieceList &list) const override {
    return splitAll(list, behavior, false, [&](std::string_view text, auto &matches) {
      for (uint32_t at = 0; at < text.size();) {
        DecodedChar c = decodeChar(text, at);
        if (contains(c.codePoint))
          matches.push_back({at, at + c.length});
        at += c.length;
      }
      return Status::ok();
    });
  }

private:
  bool (*contains)(char32_t);
  SplitBehavior behavior;
};

class DelimiterPreTokenizer final : public PreTokenizer {
public:
  explicit DelimiterPreTokenizer(char32_t delimiter) { appendChar(spelling, delimiter); }
  Status apply(PieceList &list) const override {
    return splitAll(list, SplitBehavior::Removed, false, [&](std::string_view text, auto &matches) {
      for (size_t at = text.find(spelling); at != std::string_view::npos;
           at = text.find(spelling, at + spelling.size()))
        matches.push_back(
            {static_cast<uint32_t>(at), static_cast<uint32_t>(at + spelling.size())});
      return Status::ok();
    });
  }

private:
  std::string spelling;
};

/// Keeps runs of word characters and runs of other visible characters: \w+|[^\w\s]+.
class WhitespacePreTokenizer final : public PreTokenizer {
public:
  Status apply(PieceList &list) const override {
    enum class Class { Space, Word, Other };
    auto classOf = [](char32_t c) {
      return isWordChar(c) ? Class::Word : isWhitespace(c) ? Class::Space : Class::Other;
    };
    return splitAll(list, SplitBehavior::Removed, true, [&](std::string_view text, auto &matches) {
      Class last = Class::Space;
      for (uint32_t at = 0; at < text.size();) {
        DecodedChar c = decodeChar(text, at);
        Class now = classOf(c.codePoint);
        if (now != Class::Space && now == last)
          matches.back().end = at + c.length;
        else if (now != Class::Space)
          matches.push_back({at, at + c.length});
        last = now;
        at += c.length;
      }
      return Status::ok();
    });
  }
};

class SplitPreTokenizer final : public PreTokenizer {
public:
  SplitPreTokenizer(Regex regex, SplitBehavior behavior, bool invert)
      : regex(std::move(regex)), behavior(behavior), invert(invert) {}
  Status apply(PieceList &list) const override {
    return splitAll(list, behavior, invert, [&](std::string_view text, auto &matches) {
      return regex.findAll(text, matches);
    });
  }

private:
  Regex regex;
  SplitBehavior behavior;
  bool invert;
};

class ByteLevelPreTokenizer final : public PreTokenizer {
public:
  ByteLevelPreTokenizer(bool addPrefixSpace, std::optional<Regex> regex)
      : addPrefixSpace(addPrefixSpace), regex(std::move(regex)) {}

  Status apply(PieceList &list) const override {
    if (addPrefixSpace)
      QUIRE_RETURN_IF_ERROR(
          rewriteAll(list, [](const Piece &, std::string_view text, std::string &out) {
            if (!text.starts_with(' '))
              out.push_back(' ');
            out += text;
          }));
    if (regex)
      QUIRE_RETURN_IF_ERROR(splitAll(list, SplitBehavior::Isolated, false,
                                     [&](std::string_view text, auto &matches) {
                                       return regex->findAll(text, matches);
                                     }));
    if (!spellBytes)
      return Status::ok();
    return rewriteAll(list, [](const Piece &, std::string_view text, std::string &out) {
      appendByteLevel(text, out);
    });
  }

  bool leaveBytesToModel() override {
    spellBytes = false;
    return true;
  }

private:
  bool addPrefixSpace;
  bool spellBytes = true;
  std::optional<Regex> regex;
};

class MetaspacePreTokenizer final : public PreTokenizer {
public:
  explicit MetaspacePreTokenizer(MetaspaceOptions options) : options(std::move(options)) {}
  Status apply(PieceList &list) const override {
    const std::string &space = options.replacement;
    QUIRE_RETURN_IF_ERROR(
        rewriteAll(list, [&](const Piece &piece, std::string_view text, std::string &out) {
          bool wanted = options.prepend == MetaspaceOptions::Prepend::Always ||
                        (options.prepend == MetaspaceOptions::Prepend::First && piece.atStart);
          if (wanted && !text.starts_with(' ') && !text.starts_with(space))
            out += space;
          for (char c : text) {
            if (c == ' ')
              out += space;
            else
              out.push_back(c);
          }
        }));
    if (!options.split)
      return Status::ok();
    return splitAll(list, SplitBehavior::MergedWithNext, false,
                    [&](std::string_view text, auto &matches) {
                      for (size_t at = text.find(space); at != std::string_view::npos;
                           at = text.find(space, at + space.size()))
                        matches.push_back({static_cast<uint32_t>(at),
                                           static_cast<uint32_t>(at + space.size())});
                      return Status::ok();
                    });
  }

private:
  MetaspaceOptions options;
};

class SequencePreTokenizer final : public PreTokenizer {
public:
  explicit SequencePreTokenizer(std::vector<std::unique_ptr<PreTokenizer>> stages)
      : stages(std::move(stages)) {}
  Status apply(PieceList &list) const override {
    for (const auto &stage : stages)
      QUIRE_RETURN_IF_ERROR(stage->apply(list));
    return Status::ok();
  }
  bool leaveBytesToModel() override {
    return !stages.empty() && stages.back()->leaveBytesToModel();
  }

private:
  std::vector<std::unique_ptr<PreTokenizer>> stages;
};

template <class T, class... Args> Result<std::unique_ptr<PreTokenizer>> make(Args &&...args) {
  return std::unique_ptr<PreTokenizer>(std::make_unique<T>(std::forward<Args>(args)...));
}

} // namespace

Result<std::unique_ptr<PreTokenizer>> makeByteLevelPreTokenizer(bool addPrefixSpace,
                                                                bool useRegex) {
  std::optional<Regex> regex;
  if (useRegex) {
    QUIRE_ASSIGN_OR_RETURN(
        Regex compiled,
        Regex::compile(
            R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"));
    regex = std::move(compiled);
  }
  return make<ByteLevelPreTokenizer>(addPrefixSpace, std::move(regex));
}

Result<std::unique_ptr<PreTokenizer>> parsePreTokenizer(const JsonValue &json) {
  constexpr std::string_view kStage = "pre_tokenizer";
  QUIRE_ASSIGN_OR_RETURN(std::string type, stringField(json, kStage, "type", ""));
  if (type == "ByteLevel") {
    QUIRE_ASSIGN_OR_RETURN(bool prefix, boolField(json, kStage, "add_prefix_space", true));
    QUIRE_ASSIGN_OR_RETURN(bool useRegex, boolField(json, kStage, "use_regex", true));
    return makeByteLevelPreTokenizer(prefix, useRegex);
  }
  if (type == "Split") {
    QUIRE_ASSIGN_OR_RETURN(std::string pattern, patternField(json, kStage));
    QUIRE_ASSIGN_OR_RETURN(Regex regex, Regex::compile(pattern));
    QUIRE_ASSIGN_OR_RETURN(SplitBehavior behavior, parseSplitBehavior(json, kStage, ""));
    QUIRE_ASSIGN_OR_RETURN(bool invert, boolField(json, kStage, "invert", false));
    return make<SplitPreTokenizer>(std::move(regex), behavior, invert);
  }
  if (type == "Metaspace") {
    QUIRE_ASSIGN_OR_RETURN(MetaspaceOptions options, parseMetaspace(json, kStage));
    return make<MetaspacePreTokenizer>(std::move(options));
  }
  if (type == "Digits") {
    QUIRE_ASSIGN_OR_RETURN(bool individual, boolField(json, kStage, "individual_digits", false));
    return make<CharClassPreTokenizer>(isNumeric, individual ? SplitBehavior::Isolated
                                                             : SplitBehavior::Contiguous);
  }
  if (type == "Punctuation") {
    QUIRE_ASSIGN_OR_RETURN(SplitBehavior behavior, parseSplitBehavior(json, kStage, "Isolated"));
    return make<CharClassPreTokenizer>(isPunctuation, behavior);
  }
  if (type == "Whitespace")
    return make<WhitespacePreTokenizer>();
  if (type == "WhitespaceSplit")
    return make<CharClassPreTokenizer>(isWhitespace, SplitBehavior::Removed);
  if (type == "CharDelimiterSplit") {
    QUIRE_ASSIGN_OR_RETURN(char32_t delimiter, requiredChar(json, kStage, "delimiter"));
    return make<DelimiterPreTokenizer>(delimiter);
  }
  if (type == "Sequence") {
    QUIRE_ASSIGN_OR_RETURN(auto list, requiredArray(json, kStage, "pretokenizers"));
    std::vector<std::unique_ptr<PreTokenizer>> stages;
    for (const JsonValue &stage : list) {
      QUIRE_ASSIGN_OR_RETURN(auto parsed, parsePreTokenizer(stage));
      stages.push_back(std::move(parsed));
    }
    return make<SequencePreTokenizer>(std::move(stages));
  }
  return unknownStage(kStage, type,
                      "ByteLevel, Split, Metaspace, Digits, Punctuation, Whitespace, "
                      "WhitespaceSplit, CharDelimiterSplit, Sequence");
}

} // namespace quire::text
