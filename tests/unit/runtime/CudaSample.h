// A small plan for GPUs as tests and fuzzers break it: two kernels with made-up cubins, the second
// with everything that an entry can have.
#pragma once

#include "runtime/plan/Writer.h"

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace quire::test {

/// Tensors of a kernel with buffers 0 to 2 and scalars 0 and 1: rows of 3 heads, as many as scalar 1
/// says, and pages without end.
inline std::array<plan::TensorMapRecord, 2> sampleTensorMaps() {
  return {{{2, plan::ElementType::BF16, 3, 128, 1, {64, 1, 16}, {128, 3, 0}, {2, 256, 1024}},
           {0, plan::ElementType::F32, 4, 0, plan::kNone, {4, 16, 8, 1}, {64, 16, 8, 0},
            {4, 256, 4096, 32768}}}};
}

/// `change` edits the second entry and its first tensor map before they are written.
inline std::vector<uint8_t>
cudaSample(const std::function<void(plan::EntryRecord &, plan::TensorMapRecord &)> &change,
           plan::ImageTarget target = plan::ImageTarget::Sm90a) {
  using namespace plan;
  PlanWriter writer;
  writer.info.modelName = writer.string("cuda");
  writer.info.maxTokens = 1;
  writer.info.rowPadding = 128;
  writer.info.registerCount = static_cast<uint32_t>(InputRegister::Count);
  writer.add(KernelRecord{writer.string("norm"), {}, 1, 0, {}, 0, 0});
  writer.add(KernelRecord{writer.string("mix"), {}, 3, 2, {}, 0, 0});
  std::vector<uint8_t> code(64 + 40, 1);
  EntryRecord entries[] = {{0, 50, writer.string("norm"), 128, 0, 40, 0, 0, 0},
                           {64, 40, writer.string("mix"), 256, 100 << 10, 255,
                            kEntryPersistent | kEntryProgrammaticLaunch | 2u << kEntryClusterShift,
                            0, 2}};
  auto maps = sampleTensorMaps();
  change(entries[1], maps[0]);
  writer.addImage(target, code, entries, maps);
  InstructionRecord end{};
  end.opcode = Opcode::End;
  writer.add(end);
  return writer.bytes();
}

} // namespace quire::test
