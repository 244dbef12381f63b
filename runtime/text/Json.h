// Json: a read-only JSON tree for tokenizer files. The parser is nlohmann's SAX parser; the tree is
// a few large arrays instead of one allocation per value, which loads a 7 MB tokenizer.json in a
// third of the time of nlohmann's own DOM and bounds the depth of hostile input.
#pragma once

#include "runtime/base/Status.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace quire::text {

class JsonValue {
public:
  enum class Kind : uint8_t { Null, Bool, Integer, Float, String, Array, Object };

  Kind kind() const { return valueKind; }
  bool isNull() const { return valueKind == Kind::Null; }
  bool isBool() const { return valueKind == Kind::Bool; }
  bool isInteger() const { return valueKind == Kind::Integer; }
  bool isNumber() const { return isInteger() || valueKind == Kind::Float; }
  bool isString() const { return valueKind == Kind::String; }
  bool isArray() const { return valueKind == Kind::Array; }
  bool isObject() const { return valueKind == Kind::Object; }

  /// Each accessor may be called for its own kind only.
  bool asBool() const { return payload.boolean; }
  int64_t asInteger() const { return payload.integer; }
  double asNumber() const {
    return isInteger() ? static_cast<double>(payload.integer) : payload.number;
  }
  std::string_view asString() const { return {payload.text, size}; }

  /// The elements of an array, or the members of an object in file order, each with its key().
  std::span<const JsonValue> children() const { return {payload.children, size}; }
  std::string_view key() const { return {keyText, keySize}; }

  /// The last member of that name, or nullptr; nullptr too when this is no object.
  const JsonValue *find(std::string_view name) const;

private:
  friend class JsonBuilder;
  union {
    bool boolean;
    int64_t integer;
    double number;
    const char *text;
    const JsonValue *children;
  } payload{};
  const char *keyText = nullptr;
  uint32_t size = 0;
  uint32_t keySize = 0;
  Kind valueKind = Kind::Null;
};

/// Owns the tree; values and strings live as long as the document.
class JsonDocument {
public:
  /// Parses strict JSON. Errors: InvalidArgument for a syntax error (with its byte offset), for
  /// more than 64 levels, or for an integer outside of 64 bits.
  static Result<JsonDocument> parse(std::string_view text);

  const JsonValue &root() const { return *rootValue; }

private:
  friend class JsonBuilder;
  std::vector<std::unique_ptr<char[]>> stringBlocks;
  std::vector<std::unique_ptr<JsonValue[]>> childArrays;
  std::unique_ptr<JsonValue> rootValue;
};

} // namespace quire::text
