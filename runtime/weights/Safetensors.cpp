// Implements Safetensors.h. The JSON goes through a SAX handler, because a DOM would silently keep
// one of two equal keys; the byte ranges are checked once all tensors are known.
#include "runtime/weights/Safetensors.h"

#include "runtime/plan/Sizes.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

namespace quire {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr uint64_t kLengthBytes = 8;
constexpr size_t kMaxRank = 16;

struct TypeInfo {
  const char *name;
  uint64_t bytes;
};
constexpr TypeInfo kTypes[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1},
                               {"U16", 2},  {"I16", 2}, {"F16", 2}, {"BF16", 2},    {"U32", 4},
                               {"I32", 4},  {"F32", 4}, {"U64", 8}, {"I64", 8},     {"F64", 8}};
static_assert(std::size(kTypes) == static_cast<size_t>(StoredType::F64) + 1);

std::optional<StoredType> parseType(std::string_view name) {
  for (size_t i = 0; i < std::size(kTypes); ++i)
    if (name == kTypes[i].name)
      return static_cast<StoredType>(i);
  return std::nullopt;
}

/// Follows the one legal shape of the header and collects tensors; the first violation stops it.
class HeaderHandler : public nlohmann::json_sax<nlohmann::json> {
public:
  explicit HeaderHandler(SafetensorsHeader &header) : header_(header) {}

  const std::string &error() const { return error_; }

  bool start_object(size_t) override {
    switch (state_) {
    case State::Start:
      return enter(State::Top);
    case State::TensorStart:
      tensor_ = StoredTensor{key_, StoredType::Bool, {}, 0, 0};
      hasType_ = hasShape_ = hasOffsets_ = false;
      return enter(State::Tensor);
    case State::MetadataStart:
      return enter(State::Metadata);
    default:
      return unexpected("an object");
    }
  }

  bool key(string_t &name) override {
    if (state_ == State::Top) {
      key_ = name;
      if (name != "__metadata__")
        return header_.tensors.contains(name) ? refuse("tensor '" + name + "' appears twice")
                                              : enter(State::TensorStart);
      return std::exchange(hasMetadata_, true) ? refuse("__metadata__ appears twice")
                                               : enter(State::MetadataStart);
    }
    if (state_ == State::Metadata) {
      metadataKey_ = name;
      return header_.metadata.contains(name) ? refuse("metadata '" + name + "' appears twice")
                                             : enter(State::MetadataValue);
    }
    if (name == "dtype")
      return once(hasType_, name) && enter(State::Type);
    if (name == "shape")
      return once(hasShape_, name) && enter(State::ShapeStart);
    if (name == "data_offsets")
      return once(hasOffsets_, name) && enter(State::OffsetsStart);
    return refuse(tensorText() + " has the unknown field '" + name + "'");
  }

  bool end_object() override {
    if (state_ == State::Metadata)
      return enter(State::Top);
    if (state_ == State::Tensor) {
      if (!hasType_ || !hasShape_ || !hasOffsets_)
        return refuse(tensorText() + " needs dtype, shape and data_offsets");
      header_.tensors.emplace(key_, std::move(tensor_));
      return enter(State::Top);
    }
    return enter(State::End);
  }

  bool start_array(size_t) override {
    offsets_.clear();
    if (state_ == State::ShapeStart)
      return enter(State::Shape);
    if (state_ == State::OffsetsStart)
      return enter(State::Offsets);
    return unexpected("an array");
  }

  bool end_array() override {
    if (state_ == State::Offsets) {
      if (offsets_.size() != 2 || offsets_[0] > offsets_[1])
        return refuse(tensorText() + ": data_offsets must be [begin, end] with begin <= end");
      tensor_.offset = offsets_[0];
      tensor_.bytes = offsets_[1] - offsets_[0];
    }
    return enter(State::Tensor);
  }

  bool string(string_t &value) override {
    if (state_ == State::MetadataValue) {
      header_.metadata.emplace(metadataKey_, value);
      return enter(State::Metadata);
    }
    if (state_ != State::Type)
      return unexpected("a string");
    auto type = parseType(value);
    if (!type)
      return refuse(tensorText() + " has the unknown dtype '" + value + "'");
    tensor_.type = *type;
    return enter(State::Tensor);
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (state_ == State::Shape) {
      if (tensor_.shape.size() == kMaxRank)
        return refuse(tensorText() + " has more than " + std::to_string(kMaxRank) + " dimensions");
      tensor_.shape.push_back(value);
      return true;
    }
    if (state_ == State::Offsets && offsets_.size() < 2) {
      offsets_.push_back(value);
      return true;
    }
    return unexpected("the number " + std::to_string(value));
  }

  bool number_integer(number_integer_t value) override {
    return unexpected("the number " + std::to_string(value));
  }
  bool number_float(number_float_t, const string_t &text) override {
    return unexpected("the number " + text);
  }
  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool binary(binary_t &) override { return unexpected("binary data"); }

  bool parse_error(size_t position, const std::string &,
                   const nlohmann::detail::exception &) override {
    return refuse("its header is no valid JSON at byte " + std::to_string(position));
  }

private:
  enum class State {
    Start,
    Top,
    TensorStart,
    Tensor,
    Type,
    ShapeStart,
    Shape,
    OffsetsStart,
    Offsets,
    MetadataStart,
    Metadata,
    MetadataValue,
    End
  };

  bool enter(State state) {
    state_ = state;
    return true;
  }
  bool once(bool &seen, const std::string &field) {
    return !std::exchange(seen, true) || refuse(tensorText() + " has '" + field + "' twice");
  }
  bool refuse(std::string message) {
    if (error_.empty())
      error_ = std::move(message);
    return false;
  }
  bool unexpected(const std::string &what) {
    return refuse((key_.empty() ? std::string("its header") : tensorText()) + " has " + what +
                  " where the format has something else");
  }
  std::string tensorText() const { return "tensor '" + key_ + "'"; }

  SafetensorsHeader &header_;
  State state_ = State::Start;
  std::string key_, metadataKey_, error_;
  StoredTensor tensor_{};
  std::vector<uint64_t> offsets_;
  bool hasType_ = false, hasShape_ = false, hasOffsets_ = false, hasMetadata_ = false;
};

/// Sizes match shapes, and the tensors cover the bytes after the header without hole or overlap.
std::string checkRanges(const SafetensorsHeader &header, uint64_t dataBytes) {
  std::vector<const StoredTensor *> order;
  for (const auto &[name, tensor] : header.tensors) {
    uint64_t bytes = storedTypeBytes(tensor.type);
    for (uint64_t extent : tensor.shape) {
      auto product = plan::checkedMultiply(bytes, extent);
      if (!product)
        return "tensor '" + name + "' has a shape beyond 2^64 bytes";
      bytes = *product;
    }
    if (bytes != tensor.bytes)
      return "tensor '" + name + "' is " + tensor.typeText() + ", that is " +
             std::to_string(bytes) + " bytes, but its data_offsets span " +
             std::to_string(tensor.bytes);
    order.push_back(&tensor);
  }
  std::sort(order.begin(), order.end(), [](const StoredTensor *a, const StoredTensor *b) {
    return a->offset != b->offset ? a->offset < b->offset : a->bytes < b->bytes;
  });
  uint64_t end = 0;
  for (const StoredTensor *tensor : order) {
    if (tensor->offset != end)
      return "tensor '" + tensor->name + "' starts at byte " + std::to_string(tensor->offset) +
             (tensor->offset > end ? ", leaving a hole after byte " : ", overlapping the one before, which ends at byte ") +
             std::to_string(end);
    end = tensor->offset + tensor->bytes;
    if (end > dataBytes)
      return "tensor '" + tensor->name + "' ends at byte " + std::to_string(end) +
             " of the data, the file has " + std::to_string(dataBytes) +
             "; the download may be incomplete";
  }
  if (end != dataBytes)
    return "its tensors take " + std::to_string(end) + " bytes, the file has " +
           std::to_string(dataBytes) + " after the header";
  return {};
}

Status corrupt(std::string_view name, const std::string &rule) {
  return Status::error(ErrorCode::Corrupt, "'" + std::string(name) + "': " + rule);
}

/// Length of the JSON from the length word, checked against the limit and the file.
Result<uint64_t> jsonLength(std::span<const uint8_t> start, uint64_t fileBytes,
                            std::string_view name) {
  if (fileBytes < kLengthBytes || start.size() < kLengthBytes)
    return corrupt(name, "is too short for a safetensors file (" + std::to_string(fileBytes) +
                             " bytes)");
  uint64_t length = 0;
  std::memcpy(&length, start.data(), sizeof(length));
  if (length > kMaxSafetensorsHeader)
    return corrupt(name, "states a header of " + std::to_string(length) +
                             " bytes, legal are at most " + std::to_string(kMaxSafetensorsHeader) +
                             "; is this a safetensors file?");
  if (length > fileBytes - kLengthBytes)
    return corrupt(name, "states a header of " + std::to_string(length) +
                             " bytes, the file has only " + std::to_string(fileBytes) +
                             "; the download may be incomplete");
  return length;
}

Result<std::vector<uint8_t>> readHeaderBytes(const File &file) {
  std::vector<uint8_t> bytes(std::min(kLengthBytes, file.bytes()));
  QUIRE_RETURN_IF_ERROR(file.readAt(0, bytes.data(), bytes.size()));
  QUIRE_ASSIGN_OR_RETURN(uint64_t length, jsonLength(bytes, file.bytes(), file.path()));
  bytes.resize(kLengthBytes + length);
  QUIRE_RETURN_IF_ERROR(file.readAt(kLengthBytes, bytes.data() + kLengthBytes, length));
  return bytes;
}

} // namespace

const char *storedTypeName(StoredType type) { return kTypes[static_cast<size_t>(type)].name; }
uint64_t storedTypeBytes(StoredType type) { return kTypes[static_cast<size_t>(type)].bytes; }

std::optional<plan::ElementType> planElement(StoredType type) {
  switch (type) {
  case StoredType::F32:
    return plan::ElementType::F32;
  case StoredType::F16:
    return plan::ElementType::F16;
  case StoredType::BF16:
    return plan::ElementType::BF16;
  case StoredType::I32:
    return plan::ElementType::I32;
  case StoredType::I64:
    return plan::ElementType::I64;
  case StoredType::U8:
    return plan::ElementType::U8;
  default:
    return std::nullopt;
  }
}

std::string StoredTensor::typeText() const {
  std::string text = std::string(storedTypeName(type)) + "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

Result<SafetensorsHeader> parseSafetensorsHeader(std::span<const uint8_t> bytes,
                                                 uint64_t fileBytes, std::string_view name) {
  QUIRE_ASSIGN_OR_RETURN(uint64_t length, jsonLength(bytes, fileBytes, name));
  if (bytes.size() - kLengthBytes < length)
    return corrupt(name, "ends within its header");
  std::span<const uint8_t> json = bytes.subspan(kLengthBytes, length);
  if (json.empty() || json[0] != '{')
    return corrupt(name, "its header does not start with '{'; is this a safetensors file?");

  SafetensorsHeader header;
  header.headerBytes = kLengthBytes + length;
  header.checksum = plan::checksum(bytes.data(), header.headerBytes);
  HeaderHandler handler(header);
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &handler))
    return corrupt(name, handler.error());
  std::string broken = checkRanges(header, fileBytes - header.headerBytes);
  if (!broken.empty())
    return corrupt(name, broken);
  for (auto &[key, tensor] : header.tensors)
    tensor.offset += header.headerBytes;
  return header;
}

Result<SafetensorsHeader> readSafetensorsHeader(const File &file) {
  QUIRE_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes, readHeaderBytes(file));
  return parseSafetensorsHeader(bytes, file.bytes(), file.path());
}

Result<uint64_t> safetensorsHeaderChecksum(const File &file) {
  QUIRE_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes, readHeaderBytes(file));
  return plan::checksum(bytes.data(), bytes.size());
}

} // namespace quire
