// The fields of a kernel's schedule that stage C-cuda reads, with what they mean here when they are
// not set.
#pragma once

#include "dialect/Tile/Tile.h"

namespace quire::cuda {

struct ScheduleView {
  int64_t warps = 0;  ///< of a block; 0: chosen by the stage
  int64_t stages = 0; ///< tiles in flight; 0: 2
  int64_t depth = 0;  ///< of one step of a linear; 0: 64
  bool fma = false;   ///< products element by element, not on tensor cores
  bool wgmma = false; ///< products of warpgroups where they can be had
  bool parallelKeys = false;
  bool parallelDepth = false;

  explicit ScheduleView(tile::KernelOp kernel) {
    std::optional<tile::ScheduleAttr> schedule = kernel.getSchedule();
    if (!schedule)
      return;
    warps = schedule->getWarps();
    stages = schedule->getStages();
    depth = schedule->getDepth();
    fma = schedule->getInstruction() == tile::Instruction::Fma;
    wgmma = schedule->getInstruction() == tile::Instruction::Wgmma;
    parallelKeys = schedule->getParallel() == tile::Parallel::Keys;
    parallelDepth = schedule->getParallel() == tile::Parallel::Depth;
  }
};

} // namespace quire::cuda
