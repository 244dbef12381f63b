// Coordinates of a fragment as C expressions, as short as a person would write them: neighbouring digits
// that continue each other become one, powers of two become shifts and masks.
#include "compiler/layout/Fragment.h"

#include <bit>

namespace quire::layout {
namespace {

bool isPowerOfTwo(int value) { return std::has_single_bit(static_cast<unsigned>(value)); }

std::string log2Text(int value) {
  return std::to_string(std::countr_zero(static_cast<unsigned>(value)));
}

/// "(index / below) % extent * stride"; without the remainder where the digit is the last one.
std::string term(std::string_view index, int below, int extent, int stride, bool last) {
  std::string text(index);
  bool simple = true; // binds tighter than a product
  if (below > 1) {
    text += isPowerOfTwo(below) ? " >> " + log2Text(below) : " / " + std::to_string(below);
    simple = false;
  }
  if (!last) {
    bool mask = isPowerOfTwo(extent);
    if (!simple && !(mask && isPowerOfTwo(below)))
      text = "(" + text + ")";
    text += mask ? " & " + std::to_string(extent - 1) : " % " + std::to_string(extent);
    simple = false;
  }
  if (!simple)
    text = "(" + text + ")";
  return stride == 1 ? text : text + " * " + std::to_string(stride);
}

void addTerms(std::string &sum, const std::vector<Mode> &modes, int dimension,
              std::string_view index) {
  int below = 1;
  for (size_t i = 0; i < modes.size();) {
    Mode digit = modes[i++];
    // The next digit continues this one: count both as one.
    while (i < modes.size() && modes[i].dimension == digit.dimension &&
           modes[i].stride == digit.stride * digit.extent)
      digit.extent *= modes[i++].extent;
    if (digit.dimension == dimension && digit.stride != 0)
      sum += (sum.empty() ? "" : " + ") +
             term(index, below, digit.extent, digit.stride, i == modes.size());
    below *= digit.extent;
  }
}

std::string orZero(std::string sum) { return sum.empty() ? "0" : sum; }

} // namespace

std::string Fragment::threadExpression(int dimension, const IndexNames &names) const {
  std::string sum;
  addTerms(sum, lanes_, dimension, names.lane);
  addTerms(sum, warps_, dimension, names.warp);
  return orZero(std::move(sum));
}

int Fragment::registerOffset(int dimension, int reg) const {
  return coordinate(dimension, reg, 0, 0);
}

std::string Fragment::expression(int dimension, const IndexNames &names) const {
  std::string sum;
  addTerms(sum, registers_, dimension, names.reg);
  addTerms(sum, lanes_, dimension, names.lane);
  addTerms(sum, warps_, dimension, names.warp);
  return orZero(std::move(sum));
}

std::string Fragment::text() const {
  std::string text = "[";
  for (int extent : shape_)
    text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  text += "]";
  auto add = [&](std::string_view name, const std::vector<Mode> &modes) {
    text += std::string(" ") + std::string(name) + " (";
    for (const Mode &mode : modes) {
      if (text.back() != '(')
        text += " ";
      text += mode.dimension == kReplicated
                  ? "copies:" + std::to_string(mode.extent)
                  : std::to_string(mode.dimension) + ":" + std::to_string(mode.extent) + "x" +
                        std::to_string(mode.stride);
    }
    text += ")";
  };
  add("registers", registers_);
  add("lanes", lanes_);
  add("warps", warps_);
  return text;
}

} // namespace quire::layout
