// ByteAlphabet: see the header. Both directions are tables made at compile time.
#include "runtime/text/ByteAlphabet.h"

#include "runtime/text/Utf8.h"

#include <array>

namespace quire::text {

namespace {

constexpr bool standsForItself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr std::array<char16_t, 256> kCharOfByte = [] {
  std::array<char16_t, 256> table{};
  char16_t next = 256;
  for (int byte = 0; byte < 256; ++byte)
    table[byte] = standsForItself(byte) ? static_cast<char16_t>(byte) : next++;
  return table;
}();

constexpr std::array<int16_t, 324> kByteOfChar = [] {
  std::array<int16_t, 324> table{};
  for (int16_t &byte : table)
    byte = -1;
  for (int byte = 0; byte < 256; ++byte)
    table[kCharOfByte[byte]] = static_cast<int16_t>(byte);
  return table;
}();

} // namespace

char32_t charOfByte(uint8_t byte) { return kCharOfByte[byte]; }

int byteOfChar(char32_t codePoint) {
  return codePoint < kByteOfChar.size() ? kByteOfChar[codePoint] : -1;
}

void appendByteLevel(std::string_view bytes, std::string &out) {
  for (char byte : bytes)
    appendChar(out, kCharOfByte[static_cast<uint8_t>(byte)]);
}

} // namespace quire::text
