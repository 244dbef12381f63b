// PieceList: a text cut into pieces, the thing that pre-tokenizers refine. The pieces are ranges of
// one buffer, so that splitting copies nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quire::text {

struct Piece {
  uint32_t begin;
  uint32_t end;
  bool atStart; ///< Begins where the input to the tokenizer begins.
};

struct PieceList {
  std::string text;
  std::vector<Piece> pieces; ///< In order, not empty, not overlapping.
  size_t sizeLimit = 0;      ///< Bytes that `text` may not exceed.

  std::string_view textOf(const Piece &piece) const {
    return std::string_view(text).substr(piece.begin, piece.end - piece.begin);
  }
};

} // namespace quire::text
