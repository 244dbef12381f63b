// ByteAlphabet: the bijection between the 256 bytes and 256 printable characters that byte-level
// BPE vocabularies are written in. Printable Latin-1 bytes stand for themselves; the others take
// the characters from U+0100 on, in byte order (Radford et al. 2019, encoder.py).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace quire::text {

/// The character that stands for a byte.
char32_t charOfByte(uint8_t byte);

/// The byte that a character stands for, or -1.
int byteOfChar(char32_t codePoint);

/// Appends the byte-level spelling of `bytes` to `out`.
void appendByteLevel(std::string_view bytes, std::string &out);

} // namespace quire::text
