// Implements Names.h.
#include "runtime/plan/Names.h"

#include <cstddef>
#include <iterator>

namespace quire::plan {
namespace {

template <typename Enum, size_t size>
const char *lookUp(const char *const (&names)[size], Enum value) {
  static_assert(size == static_cast<size_t>(Enum::Count), "one name for each enumerator");
  auto index = static_cast<size_t>(value);
  return index < size ? names[index] : "?";
}

/// Bytes of the well-formed UTF-8 sequence at the start of `text`, 0 if there is none.
size_t sequenceLength(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = byte(0);
  if (first < 0x80)
    return 1;
  size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length)
    return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80)
      return 0;
  // Overlong forms, surrogates and values beyond U+10FFFF.
  if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f) ||
      (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f))
    return 0;
  return length;
}

} // namespace

const char *layoutName(WeightLayout layout) {
  static constexpr const char *names[] = {"rowMajor", "panel"};
  return lookUp(names, layout);
}

const char *sourceKindName(SourceKind kind) {
  static constexpr const char *names[] = {"tensor", "transposedTensor", "inline", "rotaryTable",
                                          "random"};
  return lookUp(names, kind);
}

const char *extentName(Extent extent) {
  static constexpr const char *names[] = {"one", "tokens", "samples"};
  return lookUp(names, extent);
}

const char *targetName(ImageTarget target) {
  static constexpr const char *names[] = {"x86-64-v3", "x86-64-v4", "sm_80", "sm_90a"};
  return lookUp(names, target);
}

const char *opcodeName(Opcode opcode) {
  static constexpr const char *names[] = {
      "constant", "add",  "multiply",  "ceilDiv", "minimum", "maximum", "branchIfGreater",
      "jump",     "partition", "launch", "end"};
  return lookUp(names, opcode);
}

const char *batchFieldName(BatchField field) {
  static constexpr const char *names[] = {"tokenIds",   "positions",  "slots",     "queryOffsets",
                                          "keyLengths", "blockTable", "sampleRows", "sampling"};
  static_assert(std::size(names) == static_cast<size_t>(BatchField::Count));
  return lookUp(names, field);
}

std::string registerName(uint32_t index) {
  static constexpr const char *names[] = {"tokens",       "sequences",     "samples",
                                          "paddedTokens", "paddedSamples", "maxPages"};
  static_assert(std::size(names) == static_cast<size_t>(InputRegister::Count));
  return index < std::size(names) ? names[index] : "r" + std::to_string(index);
}

std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    size_t length = sequenceLength(text);
    auto first = static_cast<unsigned char>(text[0]);
    // U+0080..U+009F are control characters too.
    bool control = length == 1 ? (first < 0x20 || first == 0x7f)
                               : (length == 2 && first == 0xc2 &&
                                  static_cast<unsigned char>(text[1]) < 0xa0);
    if (length == 0 || control)
      result += '?';
    else
      result += text.substr(0, length);
    text.remove_prefix(length ? length : 1);
  }
  return result;
}

} // namespace quire::plan
