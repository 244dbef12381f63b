// What prompts and new tokens cost at growing context, as a table for programs and a picture for
// people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace quire::bench {

/// Measured at one context. Attention is what kernels with a work list take: their work grows with
/// the keys of every token.
struct ContextCost {
  uint32_t context;       ///< tokens
  double prompt;          ///< seconds for a prompt of that many tokens
  double promptAttention; ///< seconds of it in attention
  double decode;          ///< seconds for a new token after it, median
  double decodeAttention; ///< seconds of it in attention
};

/// How far the cost of prompts beyond attention is from a straight line through the origin: the
/// largest deviation of a token's cost from their mean, relative to it.
double promptDeviation(const std::vector<ContextCost> &costs);

/// Comma-separated values with a heading; times in milliseconds.
std::string contextCsv(const std::vector<ContextCost> &costs);

/// Two diagrams side by side, prompt and new token, each with its cost, attention and the rest.
std::string contextSvg(const std::string &title, const std::vector<ContextCost> &costs);

} // namespace quire::bench
