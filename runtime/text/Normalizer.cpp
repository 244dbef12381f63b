// Normalizer: see the header. One small class per stage of tokenizer.json.
#include "runtime/text/Normalizer.h"

#include "runtime/text/ByteAlphabet.h"
#include "runtime/text/JsonFields.h"
#include "runtime/text/PrecompiledCharsMap.h"
#include "runtime/text/Replacer.h"
#include "runtime/text/UnicodeForms.h"
#include "runtime/text/Utf8.h"

#include <vector>

namespace quire::text {

namespace {

class UnicodeFormNormalizer final : public Normalizer {
public:
  explicit UnicodeFormNormalizer(UnicodeForm form) : form(form) {}
  Status apply(NormalizedText &text) const override {
    text.text = toUnicodeForm(text.text, form);
    if (text.text.size() > text.sizeLimit)
      return textTooLong("normalizer", text.text.size(), text.sizeLimit);
    return Status::ok();
  }

private:
  UnicodeForm form;
};

class LowercaseNormalizer final : public Normalizer {
public:
  Status apply(NormalizedText &text) const override {
    text.text = toLowercase(text.text);
    return Status::ok();
  }
};

class StripNormalizer final : public Normalizer {
public:
  StripNormalizer(bool left, bool right) : left(left), right(right) {}
  Status apply(NormalizedText &text) const override {
    std::string_view all = text.text;
    size_t begin = 0, end = all.size();
    while (left && begin < end) {
      DecodedChar c = decodeChar(all, begin);
      if (!isWhitespace(c.codePoint))
        break;
      begin += c.length;
    }
    while (right && end > begin) {
      size_t last = end - 1;
      while ((static_cast<unsigned char>(all[last]) & 0xC0) == 0x80)
        --last;
      if (!isWhitespace(decodeChar(all, last).codePoint))
        break;
      end = last;
    }
    text.keepsStart &= begin == 0;
    text.text = text.text.substr(begin, end - begin);
    return Status::ok();
  }

private:
  bool left, right;
};

class StripAccentsNormalizer final : public Normalizer {
public:
  Status apply(NormalizedText &text) const override {
    std::string kept;
    kept.reserve(text.text.size());
    for (size_t at = 0; at < text.text.size();) {
      DecodedChar c = decodeChar(text.text, at);
      if (!isMark(c.codePoint))
        kept.append(text.text, at, c.length);
      else
        text.keepsStart &= at != 0;
      at += c.length;
    }
    text.text = std::move(kept);
    return Status::ok();
  }
};

class PrependNormalizer final : public Normalizer {
public:
  explicit PrependNormalizer(std::string prefix) : prefix(std::move(prefix)) {}
  Status apply(NormalizedText &text) const override {
    if (text.text.empty())
      return Status::ok();
    if (text.text.size() + prefix.size() > text.sizeLimit)
      return textTooLong("Prepend normalizer", text.text.size() + prefix.size(), text.sizeLimit);
    text.text.insert(0, prefix);
    return Status::ok();
  }

private:
  std::string prefix;
};

class ReplaceNormalizer final : public Normalizer {
public:
  explicit ReplaceNormalizer(Replacer replacer) : replacer(std::move(replacer)) {}
  Status apply(NormalizedText &text) const override {
    QUIRE_ASSIGN_OR_RETURN(Replacer::Outcome outcome, replacer.apply(text.text, text.sizeLimit));
    text.text = std::move(outcome.text);
    text.keepsStart &= outcome.keepsStart;
    return Status::ok();
  }

private:
  Replacer replacer;
};

class ByteLevelNormalizer final : public Normalizer {
public:
  Status apply(NormalizedText &text) const override {
    std::string spelled;
    appendByteLevel(text.text, spelled);
    if (spelled.size() > text.sizeLimit)
      return textTooLong("ByteLevel normalizer", spelled.size(), text.sizeLimit);
    text.text = std::move(spelled);
    return Status::ok();
  }
};

class PrecompiledNormalizer final : public Normalizer {
public:
  explicit PrecompiledNormalizer(PrecompiledCharsMap map) : map(std::move(map)) {}
  Status apply(NormalizedText &text) const override {
    text.text = map.normalize(text.text, text.sizeLimit);
    if (text.text.size() > text.sizeLimit)
      return textTooLong("Precompiled normalizer", text.text.size(), text.sizeLimit);
    return Status::ok();
  }

private:
  PrecompiledCharsMap map;
};

class SequenceNormalizer final : public Normalizer {
public:
  explicit SequenceNormalizer(std::vector<std::unique_ptr<Normalizer>> stages)
      : stages(std::move(stages)) {}
  Status apply(NormalizedText &text) const override {
    for (const auto &stage : stages)
      QUIRE_RETURN_IF_ERROR(stage->apply(text));
    return Status::ok();
  }

private:
  std::vector<std::unique_ptr<Normalizer>> stages;
};

template <class T, class... Args> Result<std::unique_ptr<Normalizer>> make(Args &&...args) {
  return std::unique_ptr<Normalizer>(std::make_unique<T>(std::forward<Args>(args)...));
}

} // namespace

Result<std::unique_ptr<Normalizer>> parseNormalizer(const JsonValue &json) {
  constexpr std::string_view kStage = "normalizer";
  QUIRE_ASSIGN_OR_RETURN(std::string type, stringField(json, kStage, "type", ""));
  if (type == "NFC")
    return make<UnicodeFormNormalizer>(UnicodeForm::NFC);
  if (type == "NFD")
    return make<UnicodeFormNormalizer>(UnicodeForm::NFD);
  if (type == "NFKC")
    return make<UnicodeFormNormalizer>(UnicodeForm::NFKC);
  if (type == "NFKD")
    return make<UnicodeFormNormalizer>(UnicodeForm::NFKD);
  if (type == "Lowercase")
    return make<LowercaseNormalizer>();
  if (type == "StripAccents")
    return make<StripAccentsNormalizer>();
  if (type == "ByteLevel")
    return make<ByteLevelNormalizer>();
  if (type == "Strip") {
    QUIRE_ASSIGN_OR_RETURN(bool left, boolField(json, kStage, "strip_left", true));
    QUIRE_ASSIGN_OR_RETURN(bool right, boolField(json, kStage, "strip_right", true));
    return make<StripNormalizer>(left, right);
  }
  if (type == "Prepend") {
    QUIRE_ASSIGN_OR_RETURN(std::string prefix, requiredString(json, kStage, "prepend"));
    return make<PrependNormalizer>(std::move(prefix));
  }
  if (type == "Replace") {
    QUIRE_ASSIGN_OR_RETURN(Replacer replacer, Replacer::parse(json, kStage, false));
    return make<ReplaceNormalizer>(std::move(replacer));
  }
  if (type == "Precompiled") {
    QUIRE_ASSIGN_OR_RETURN(std::string base64, requiredString(json, kStage, "precompiled_charsmap"));
    QUIRE_ASSIGN_OR_RETURN(PrecompiledCharsMap map, PrecompiledCharsMap::parse(base64));
    return make<PrecompiledNormalizer>(std::move(map));
  }
  if (type == "Sequence") {
    QUIRE_ASSIGN_OR_RETURN(auto list, requiredArray(json, kStage, "normalizers"));
    std::vector<std::unique_ptr<Normalizer>> stages;
    for (const JsonValue &stage : list) {
      QUIRE_ASSIGN_OR_RETURN(auto parsed, parseNormalizer(stage));
      stages.push_back(std::move(parsed));
    }
    return make<SequenceNormalizer>(std::move(stages));
  }
  return unknownStage(kStage, type,
                      "NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents, Prepend, Replace, "
                      "ByteLevel, Precompiled, Sequence");
}

} // namespace quire::text
