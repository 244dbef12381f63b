// Json: see the header. Values wait on a stack until their container ends and then move into one
// array; strings are copied into blocks.
#include "runtime/text/Json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

namespace quire::text {

const JsonValue *JsonValue::find(std::string_view name) const {
  if (!isObject())
    return nullptr;
  auto members = children();
  for (size_t i = members.size(); i-- > 0;)
    if (members[i].key() == name)
      return &members[i];
  return nullptr;
}

/// The SAX handler that builds a JsonDocument.
class JsonBuilder : public nlohmann::json_sax<nlohmann::json> {
public:
  explicit JsonBuilder(JsonDocument &document) : document(document) {}

  bool null() override { return add(JsonValue()); }
  bool boolean(bool value) override {
    JsonValue node;
    node.valueKind = JsonValue::Kind::Bool;
    node.payload.boolean = value;
    return add(node);
  }
  bool number_integer(number_integer_t value) override {
    JsonValue node;
    node.valueKind = JsonValue::Kind::Integer;
    node.payload.integer = value;
    return add(node);
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      return fail("the integer " + std::to_string(value) + " does not fit into 64 signed bits");
    return number_integer(static_cast<int64_t>(value));
  }
  bool number_float(number_float_t value, const string_t &) override {
    JsonValue node;
    node.valueKind = JsonValue::Kind::Float;
    node.payload.number = value;
    return add(node);
  }
  bool string(string_t &value) override {
    JsonValue node;
    node.valueKind = JsonValue::Kind::String;
    node.size = static_cast<uint32_t>(value.size());
    node.payload.text = store(value);
    return add(node);
  }
  bool binary(binary_t &) override { return fail("binary values are not JSON"); }

  bool start_object(std::size_t) override { return open(JsonValue::Kind::Object); }
  bool start_array(std::size_t) override { return open(JsonValue::Kind::Array); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t &value) override {
    pendingKey = store(value);
    pendingKeySize = static_cast<uint32_t>(value.size());
    return true;
  }
  bool parse_error(std::size_t position, const std::string &,
                   const nlohmann::detail::exception &) override {
    return fail("syntax error near byte " + std::to_string(position));
  }

  Status finish(bool parsed) {
    if (!parsed || stack.size() != 1)
      return Status::error(ErrorCode::InvalidArgument,
                           "not valid JSON: " + (message.empty() ? "no value" : message));
    document.rootValue = std::make_unique<JsonValue>(stack.front());
    return Status::ok();
  }

private:
  static constexpr size_t kMaxDepth = 64;
  static constexpr size_t kFirstBlockBytes = 1 << 10;
  static constexpr size_t kMaxBlockBytes = 1 << 18;

  bool fail(std::string reason) {
    if (message.empty())
      message = std::move(reason);
    return false;
  }

  bool add(JsonValue node) {
    node.keyText = pendingKey;
    node.keySize = pendingKeySize;
    pendingKey = nullptr;
    pendingKeySize = 0;
    stack.push_back(node);
    return true;
  }

  bool open(JsonValue::Kind kind) {
    if (openContainers.size() == kMaxDepth)
      return fail("nested deeper than " + std::to_string(kMaxDepth) + " levels");
    JsonValue node;
    node.valueKind = kind;
    openContainers.push_back(stack.size());
    return add(node);
  }

  bool close() {
    size_t container = openContainers.back();
    openContainers.pop_back();
    size_t count = stack.size() - container - 1;
    if (count > 0) {
      auto children = std::make_unique<JsonValue[]>(count);
      std::copy(stack.end() - static_cast<ptrdiff_t>(count), stack.end(), children.get());
      stack.resize(container + 1);
      stack[container].payload.children = children.get();
      stack[container].size = static_cast<uint32_t>(count);
      document.childArrays.push_back(std::move(children));
    }
    return true;
  }

  const char *store(const std::string &value) {
    if (value.size() > blockLeft) {
      size_t bytes = std::max(blockBytes, value.size());
      blockBytes = std::min(blockBytes * 2, kMaxBlockBytes);
      document.stringBlocks.push_back(std::make_unique<char[]>(bytes));
      blockNext = document.stringBlocks.back().get();
      blockLeft = bytes;
    }
    char *place = blockNext;
    if (!value.empty())
      std::memcpy(place, value.data(), value.size());
    blockNext += value.size();
    blockLeft -= value.size();
    return place;
  }

  JsonDocument &document;
  std::vector<JsonValue> stack;
  std::vector<size_t> openContainers;
  const char *pendingKey = nullptr;
  uint32_t pendingKeySize = 0;
  char *blockNext = nullptr;
  size_t blockBytes = kFirstBlockBytes;
  size_t blockLeft = 0;
  std::string message;
};

Result<JsonDocument> JsonDocument::parse(std::string_view text) {
  if (text.size() > std::numeric_limits<uint32_t>::max())
    return Status::error(ErrorCode::OutOfRange, "a JSON text of " + std::to_string(text.size()) +
                                                    " bytes exceeds the limit of 4 GiB");
  JsonDocument document;
  JsonBuilder builder(document);
  bool parsed = nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  QUIRE_RETURN_IF_ERROR(builder.finish(parsed));
  return document;
}

} // namespace quire::text
