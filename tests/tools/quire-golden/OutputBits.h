// The outputs of a step as bits, for checks that ask for the same bits and no others.
#pragma once

#include "tests/tools/quire-diff/PagedSession.h"

#include <cstdint>
#include <string>
#include <vector>

namespace quire::test {

/// One output of a step: [rows, rowBytes] without padding.
struct OutputBits {
  std::string name;
  plan::ElementType element = plan::ElementType::F32;
  uint64_t rows = 0, rowBytes = 0;
  std::vector<uint8_t> bytes;

  const uint8_t *row(uint64_t index) const { return bytes.data() + index * rowBytes; }
};

/// All outputs of the session's last step, in the plan's order. NaN is an error: it would equal itself
/// bit by bit.
Result<std::vector<OutputBits>> readOutputs(PagedSession &session);

/// Ok, or an error that names the first element of row `row` that is not as in `expected`
/// ([rowBytes]): "logits[3, 5] is 0.25, not 0.2500001".
Status sameBits(const OutputBits &output, uint64_t row, const uint8_t *expected);

} // namespace quire::test
