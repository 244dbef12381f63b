// Implements WeightChunks.h.
#include "runtime/weights/WeightChunks.h"

#include <algorithm>

namespace quire {
using namespace plan;

std::vector<WeightChunk> cutChunks(const Plan &plan, const std::vector<uint64_t> &offsets,
                                   uint64_t limit) {
  std::vector<WeightChunk> chunks;
  for (uint32_t w = 0; w < plan.weights().size(); ++w) {
    const WeightRecord &weight = plan.weights()[w];
    uint64_t unit = weight.layout == WeightLayout::Panel ? weight.panel : 1;
    uint64_t rowBytes = weight.columns * elementBytes(weight.element);
    uint64_t rows = weight.bytes / rowBytes; // with the padding
    for (uint64_t row = 0; row < rows;) {
      uint64_t begin = offsets[w] + row * rowBytes;
      uint64_t used = chunks.empty() ? limit : begin - chunks.back().begin;
      uint64_t room = used < limit ? limit - used : 0;
      uint64_t units = (rows - row) / unit, fitting = room / (unit * rowBytes);
      // A sliver of a weight at the end of a chunk costs more reads than it saves copies.
      if (fitting == 0 || (fitting < units && room < limit / 4)) {
        chunks.push_back({begin, 0, begin % kWeightAlignment, {}});
        used = 0;
        fitting = std::max<uint64_t>(1, limit / (unit * rowBytes));
      }
      uint64_t taken = std::min(fitting, units) * unit;
      WeightChunk &chunk = chunks.back();
      chunk.parts.push_back({w, row, row + taken, chunk.lead + used, taken * rowBytes});
      chunk.bytes = used + taken * rowBytes;
      row += taken;
    }
  }
  return chunks;
}

} // namespace quire
