// Decides how a kernel's text walks its tensors.
//
//   before:  tile.kernel @linear_r32 … schedule <rows = 32, columns = 64, warps = 4> { … }
//   after:   tile.kernel @linear_r32 … attributes {cuda.walk = "fragments",
//                                                  cuda.warps = array<i64: 2, 2, 1>} { … }
//
// Loops and contractions of many rows are walked by fragments, or by warpgroups where the schedule
// asks for wgmma, the GPU has it and the operands can come by TMA; contractions of few rows by
// slices, where it asks for warps that divide the depth. Warps divide a product's rows and columns
// so that they read as little of both operands as possible; where rows are reduced, a row stays in
// one warp.
#include "compiler/cuda/FragmentsPrinter.h"
#include "compiler/cuda/Passes.h"
#include "compiler/cuda/Schedules.h"
#include "compiler/cuda/SlicesPrinter.h"
#include "compiler/cuda/WarpgroupsPrinter.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Remarks.h"

namespace quire::cuda {
#define GEN_PASS_DEF_CHOOSEWALK
#include "compiler/cuda/Passes.h.inc"
} // namespace quire::cuda

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

namespace {

int64_t rowsOf(linalg::GenericOp op) {
  int64_t rows = 1;
  for (int64_t size : cast<RankedTensorType>(op.getResult(0).getType()).getShape().drop_back())
    rows *= size;
  return rows;
}

/// [along rows, along columns] of `warps` warps for a product of `rows` by `columns`.
std::pair<int64_t, int64_t> divideProduct(int64_t rows, int64_t columns, int64_t warps) {
  std::pair<int64_t, int64_t> best{1, 1};
  int64_t bestCost = std::numeric_limits<int64_t>::max();
  int64_t strips = llvm::divideCeil(rows, 16);
  for (int64_t m = 1; m <= warps; m *= 2) {
    int64_t n = warps / m;
    if (strips % m != 0 || columns % (16 * n) != 0)
      continue;
    int64_t cost = strips * 16 / m + columns / n;
    if (cost < bestCost) {
      bestCost = cost;
      best = {m, n};
    }
  }
  if (bestCost == std::numeric_limits<int64_t>::max() && warps > 1)
    return divideProduct(rows, columns, warps / 2);
  return best;
}

struct ChooseWalk : quire::cuda::impl::ChooseWalkBase<ChooseWalk> {
  using ChooseWalkBase::ChooseWalkBase;

  void runOnOperation() override {
    tile::KernelOp kernel = getOperation();
    Builder builder(kernel);
    ScheduleView schedule(kernel);
    linalg::GenericOp product;
    bool reducesRows = false, loops = false;
    int64_t columns = 0; // of the first value that a loop carries
    kernel.walk([&](Operation *op) {
      if (auto loop = dyn_cast<scf::ForOp>(op); loop && loop.getNumResults() > 0)
        if (auto type = dyn_cast<RankedTensorType>(loop.getResult(0).getType()))
          columns = type.getShape().back();
      loops |= isa<scf::ForOp>(op);
      auto generic = dyn_cast<linalg::GenericOp>(op);
      if (!generic || generic.getNumReductionLoops() == 0)
        return;
      if (!isContraction(generic))
        reducesRows = true;
      else if (!product)
        product = generic;
    });
    bool byRows = !loops && (!product || rowsOf(product) == 1 || schedule.fma);
    int64_t warps = schedule.warps ? schedule.warps : 4;
    // Three warpgroups where there are none: the last warps of as many as come next have no rows.
    if (schedule.wgmma && warps > 0)
      warps = static_cast<int64_t>(llvm::PowerOf2Ceil(static_cast<uint64_t>(warps)));
    if (warps < 1 || warps > 32 || !llvm::isPowerOf2_64(warps)) {
      kernel.emitOpError() << "has schedule.warps " << warps
                           << "; a block has 1, 2, 4, 8, 16 or 32";
      return signalPassFailure();
    }
    SmallVector<int64_t> division{warps, 1, 1};
    bool bySlices =
        schedule.parallelDepth && StringRef(arch).starts_with("sm_90") && canWalkBySlices(kernel);
    int64_t warpgroups = schedule.wgmma && !byRows && StringRef(arch).starts_with("sm_90")
                             ? consumerWarpgroups(kernel)
                             : 0;
    if (bySlices) {
      // All warps have all rows and columns.
    } else if (warpgroups > 0) {
      division = {4 * warpgroups, 1, 1};
    } else if (!byRows && schedule.parallelKeys) {
      division = {1, 1, warps};
    } else if (!byRows && product && !loops && !reducesRows) {
      auto shape = cast<RankedTensorType>(product.getResult(0).getType()).getShape();
      auto [m, n] = divideProduct(rowsOf(product), shape.back(), warps);
      division = {m, n, 1};
    } else if (!byRows && !product && columns) {
      // A loop without products: its warps share the columns.
      while (warps > 1 && columns % (16 * warps) != 0)
        warps /= 2;
      division = {1, warps, 1};
    } else if (!byRows) {
      // Strips of 16 rows are dealt to the warps, the last of which may get rows that are not
      // there.
      int64_t strips = product ? llvm::divideCeil(rowsOf(product), 16) : 1;
      while (warps > 1 && warps / 2 >= strips)
        warps /= 2;
      division = {warps, 1, 1};
    }
    kernel->setAttr(kWalk, builder.getStringAttr(bySlices         ? "slices"
                                                 : warpgroups > 0 ? "warpgroups"
                                                 : byRows         ? "rows"
                                                                  : "fragments"));
    if (schedule.parallelDepth && !bySlices)
      remark::missed(kernel.getLoc(),
                     remark::RemarkOpts::name("slices").category("quire-cuda-choose-walk"))
          << remark::add("@{0} asks for warps that divide the depth and gets others: its weights "
                         "cannot come by TMA, or the GPU has none",
                         kernel.getSymName());
    if (schedule.wgmma && warpgroups == 0)
      remark::missed(kernel.getLoc(),
                     remark::RemarkOpts::name("wgmma").category("quire-cuda-choose-walk"))
          << remark::add("@{0} asks for wgmma and gets mma: its tiles cannot come by TMA, or the "
                         "GPU has none",
                         kernel.getSymName());
    kernel->setAttr(kWarps, builder.getDenseI64ArrayAttr(division));
    // The ring of a schedule for warpgroups is deeper than other blocks have memory for.
    int64_t stages = schedule.stages;
    if (schedule.wgmma && warpgroups == 0)
      stages = std::min<int64_t>(stages, loops ? 1 : 2);
    if (schedule.parallelDepth && !bySlices)
      stages = std::min<int64_t>(stages, 4);
    if (!byRows && stages)
      kernel->setAttr(kStages, builder.getI64IntegerAttr(stages));
  }
};

} // namespace
