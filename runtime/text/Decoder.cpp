// Decoder: see the header. One small class per stage of tokenizer.json. All of them are correct on
// ill-formed UTF-8 too, because in the form Bytes a token may end inside of a character.
#include "runtime/text/Decoder.h"

#include "runtime/text/ByteAlphabet.h"
#include "runtime/text/JsonFields.h"
#include "runtime/text/Metaspace.h"
#include "runtime/text/Replacer.h"
#include "runtime/text/Utf8.h"

#include <optional>

namespace quire::text {

namespace {

std::string joinAll(const std::vector<std::string> &tokens) {
  std::string joined;
  for (const std::string &token : tokens)
    joined += token;
  return joined;
}

class ByteLevelDecoder final : public Decoder {
public:
  Status apply(std::vector<std::string> &tokens, const DecodeContext &context) const override {
    std::string bytes;
    for (const std::string &token : tokens)
      appendToken(token, bytes);
    tokens.assign(1, context.form == DecodeForm::Text ? toValidUtf8(bytes) : std::move(bytes));
    return Status::ok();
  }

private:
  /// A token with any character outside of the byte alphabet, such as an added one, stands for
  /// itself.
  static void appendToken(const std::string &token, std::string &bytes) {
    size_t start = bytes.size();
    if (findInvalidUtf8(token) == std::string_view::npos) {
      size_t at = 0;
      while (at < token.size()) {
        DecodedChar c = decodeChar(token, at);
        int byte = byteOfChar(c.codePoint);
        if (byte < 0)
          break;
        bytes.push_back(static_cast<char>(byte));
        at += c.length;
      }
      if (at == token.size())
        return;
    }
    bytes.resize(start);
    bytes += token;
  }
};

class ByteFallbackDecoder final : public Decoder {
public:
  Status apply(std::vector<std::string> &tokens, const DecodeContext &context) const override {
    std::vector<std::string> out;
    out.reserve(tokens.size());
    std::string run;
    auto flushRun = [&] {
      if (run.empty())
        return;
      // A run that is ill-formed anywhere is replaced byte by byte as a whole.
      if (context.form == DecodeForm::Bytes || findInvalidUtf8(run) == std::string_view::npos)
        out.push_back(run);
      else
        out.insert(out.end(), run.size(), "\xEF\xBF\xBD");
      run.clear();
    };
    for (std::string &token : tokens) {
      if (auto byte = byteOfToken(token)) {
        run.push_back(static_cast<char>(*byte));
        continue;
      }
      flushRun();
      out.push_back(std::move(token));
    }
    flushRun();
    tokens = std::move(out);
    return Status::ok();
  }

private:
  static std::optional<uint8_t> byteOfToken(std::string_view token) {
    if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>')
      return std::nullopt;
    int value = 0;
    for (char c : token.substr(3, 2)) {
      int digit = c >= '0' && c <= '9'   ? c - '0'
                  : c >= 'A' && c <= 'F' ? c - 'A' + 10
                  : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                         : -1;
      if (digit < 0)
        return std::nullopt;
      value = value * 16 + digit;
    }
    return static_cast<uint8_t>(value);
  }
};

class MetaspaceDecoder final : public Decoder {
public:
  explicit MetaspaceDecoder(MetaspaceOptions options) : options(std::move(options)) {}
  Status apply(std::vector<std::string> &tokens, const DecodeContext &) const override {
    const std::string &space = options.replacement;
    bool dropFirst = options.prepend != MetaspaceOptions::Prepend::Never;
    for (size_t i = 0; i < tokens.size(); ++i) {
      std::string out;
      size_t copied = 0;
      const std::string &token = tokens[i];
      for (size_t at = token.find(space); at != std::string::npos;
           at = token.find(space, at + space.size())) {
        out.append(token, copied, at - copied);
        if (i > 0 || !dropFirst)
          out.push_back(' ');
        copied = at + space.size();
      }
      out.append(token, copied);
      tokens[i] = std::move(out);
    }
    return Status::ok();
  }

private:
  MetaspaceOptions options;
};

class FuseDecoder final : public Decoder {
public:
  Status apply(std::vector<std::string> &tokens, const DecodeContext &) const override {
    tokens.assign(1, joinAll(tokens));
    return Status::ok();
  }
};

class StripDecoder final : public Decoder {
public:
  StripDecoder(char32_t content, size_t start, size_t stop) : start(start), stop(stop) {
    appendChar(spelling, content);
  }
  Status apply(std::vector<std::string> &tokens, const DecodeContext &) const override {
    for (std::string &token : tokens) {
      std::string_view kept = token;
      for (size_t i = 0; i < start && kept.starts_with(spelling); ++i)
        kept.remove_prefix(spelling.size());
      for (size_t i = 0; i < stop && kept.ends_with(spelling); ++i)
        kept.remove_suffix(spelling.size());
      token = std::string(kept);
    }
    return Status::ok();
  }

private:
  std::string spelling;
  size_t start, stop;
};

class ReplaceDecoder final : public Decoder {
public:
  explicit ReplaceDecoder(Replacer replacer) : replacer(std::move(replacer)) {}
  Status apply(std::vector<std::string> &tokens, const DecodeContext &context) const override {
    size_t left = context.sizeLimit;
    for (std::string &token : tokens) {
      QUIRE_ASSIGN_OR_RETURN(Replacer::Outcome outcome, replacer.apply(token, left));
      token = std::move(outcome.text);
      left -= token.size();
    }
    return Status::ok();
  }

private:
  Replacer replacer;
};

class SequenceDecoder final : public Decoder {
public:
  explicit SequenceDecoder(std::vector<std::unique_ptr<Decoder>> stages)
      : stages(std::move(stages)) {}
  Status apply(std::vector<std::string> &tokens, const DecodeContext &context) const override {
    for (const auto &stage : stages)
      QUIRE_RETURN_IF_ERROR(stage->apply(tokens, context));
    return Status::ok();
  }

private:
  std::vector<std::unique_ptr<Decoder>> stages;
};

template <class T, class... Args> Result<std::unique_ptr<Decoder>> make(Args &&...args) {
  return std::unique_ptr<Decoder>(std::make_unique<T>(std::forward<Args>(args)...));
}

Result<size_t> countField(const JsonValue &json, std::string_view stage, std::string_view name) {
  const JsonValue *field = json.find(name);
  if (!field || !field->isInteger() || field->asInteger() < 0)
    return missingField(stage, name, "a count");
  return static_cast<size_t>(field->asInteger());
}

} // namespace

std::unique_ptr<Decoder> makeByteLevelDecoder() { return std::make_unique<ByteLevelDecoder>(); }

Result<std::unique_ptr<Decoder>> parseDecoder(const JsonValue &json) {
  constexpr std::string_view kStage = "decoder";
  QUIRE_ASSIGN_OR_RETURN(std::string type, stringField(json, kStage, "type", ""));
  if (type == "ByteLevel")
    return make<ByteLevelDecoder>();
  if (type == "ByteFallback")
    return make<ByteFallbackDecoder>();
  if (type == "Fuse")
    return make<FuseDecoder>();
  if (type == "Metaspace") {
    QUIRE_ASSIGN_OR_RETURN(MetaspaceOptions options, parseMetaspace(json, kStage));
    return make<MetaspaceDecoder>(std::move(options));
  }
  if (type == "Strip") {
    QUIRE_ASSIGN_OR_RETURN(char32_t content, requiredChar(json, kStage, "content"));
    QUIRE_ASSIGN_OR_RETURN(size_t start, countField(json, kStage, "start"));
    QUIRE_ASSIGN_OR_RETURN(size_t stop, countField(json, kStage, "stop"));
    return make<StripDecoder>(content, start, stop);
  }
  if (type == "Replace") {
    QUIRE_ASSIGN_OR_RETURN(Replacer replacer, Replacer::parse(json, kStage, true));
    return make<ReplaceDecoder>(std::move(replacer));
  }
  if (type == "Sequence") {
    QUIRE_ASSIGN_OR_RETURN(auto list, requiredArray(json, kStage, "decoders"));
    std::vector<std::unique_ptr<Decoder>> stages;
    for (const JsonValue &stage : list) {
      QUIRE_ASSIGN_OR_RETURN(auto parsed, parseDecoder(stage));
      stages.push_back(std::move(parsed));
    }
    return make<SequenceDecoder>(std::move(stages));
  }
  return unknownStage(kStage, type,
                      "ByteLevel, ByteFallback, Fuse, Metaspace, Strip, Replace, Sequence");
}

} // namespace quire::text
