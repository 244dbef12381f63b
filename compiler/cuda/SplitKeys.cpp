// Gives each warp its own keys and merges the warps' states.
//
//   before:  %s:3 = scf.for %n = %lo to %hi step 64 iter_args(%acc = %a, %max = %m, %sum = %l)
//   after:   %w = gpu.subgroup_id
//            %s:3 = scf.for %n = %lo + 64 * %w to %hi step 256 iter_args(… = zero, -inf, zero)
//            tile.store %s#0, %shared[%w, …], gpu.barrier, %all = tile.load %shared[0, …]
//            merge (%a, %m, %l) with %all
//
// For kernels whose schedule says `parallel = keys`. The merge is mergeAttentionStates, the one
// that joins the parts of split attention; behind it the warps divide the columns of what they
// exchanged.
#include "compiler/cuda/KernelContext.h"
#include "compiler/cuda/Passes.h"

#include "dialect/Tile/PartialAttention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace quire::cuda {
#define GEN_PASS_DEF_SPLITKEYS
#include "compiler/cuda/Passes.h.inc"
} // namespace quire::cuda

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

namespace {

/// A loop that carries the state of online attention: acc [.., e], max [..], sum [..].
bool carriesState(scf::ForOp loop) {
  if (loop.getNumResults() != 3)
    return false;
  auto acc = dyn_cast<RankedTensorType>(loop.getResult(0).getType());
  auto max = dyn_cast<RankedTensorType>(loop.getResult(1).getType());
  auto sum = dyn_cast<RankedTensorType>(loop.getResult(2).getType());
  return acc && max && max == sum && acc.getRank() == max.getRank() + 1 &&
         acc.getShape().drop_back() == max.getShape();
}

struct SplitKeys : quire::cuda::impl::SplitKeysBase<SplitKeys> {
  void runOnOperation() override {
    tile::KernelOp kernel = getOperation();
    auto division = kernel->getAttrOfType<DenseI64ArrayAttr>(kWarps);
    if (!division || division[2] == 1)
      return;
    warps = division[2];
    SmallVector<scf::ForOp> loops;
    for (auto loop : kernel.entry().getOps<scf::ForOp>())
      if (carriesState(loop))
        loops.push_back(loop);
    if (loops.empty()) {
      kernel.emitOpError() << "has schedule.parallel = keys but no loop over keys";
      return signalPassFailure();
    }
    for (size_t number = 1; number < loops.size(); ++number)
      if (!llvm::equal(loops[number].getInitArgs(), loops[number - 1].getResults())) {
        loops[number].emitOpError() << "does not continue the loop over keys before it";
        return signalPassFailure();
      }
    split(loops);
  }

  void split(MutableArrayRef<scf::ForOp> loops) {
    OpBuilder builder(loops.front());
    Location loc = loops.front().getLoc();
    tile::AttentionState start{loops.front().getInitArgs()[0], loops.front().getInitArgs()[1],
                               loops.front().getInitArgs()[2]};
    Value warp = gpu::SubgroupIdOp::create(builder, loc, builder.getIndexAttr(warps));
    auto constant = [&](double value) -> Value {
      return arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(value));
    };
    auto filled = [&](Value like, double value) -> Value {
      auto type = cast<RankedTensorType>(like.getType());
      Value empty = tensor::EmptyOp::create(builder, loc, type.getShape(), type.getElementType());
      return linalg::FillOp::create(builder, loc, constant(value), empty).getResult(0);
    };
    // Each warp starts from nothing; what the kernel starts from comes in once, at the merge.
    loops.front().getInitArgsMutable().assign(
        {filled(start.acc, 0), filled(start.max, -std::numeric_limits<double>::infinity()),
         filled(start.sum, 0)});
    for (scf::ForOp loop : loops) {
      builder.setInsertionPoint(loop);
      Value ahead = arith::MulIOp::create(builder, loc, warp, loop.getStep());
      Value count = arith::ConstantIndexOp::create(builder, loc, warps);
      loop.setLowerBound(arith::AddIOp::create(builder, loc, loop.getLowerBound(), ahead));
      loop.setStep(arith::MulIOp::create(builder, loc, loop.getStep(), count));
    }
    scf::ForOp last = loops.back();
    SmallVector<OpOperand *> uses;
    for (Value result : last.getResults())
      for (OpOperand &use : result.getUses())
        uses.push_back(&use);
    builder.setInsertionPointAfter(last);
    tile::AttentionState merged =
        tile::mergeAttentionStates(builder, loc, start, exchange(builder, loc, last, warp));
    Value values[] = {merged.acc, merged.max, merged.sum};
    for (OpOperand *use : uses)
      use->set(values[cast<OpResult>(use->get()).getResultNumber()]);
  }

  /// The states of all warps as tensors with the warp as first dimension.
  tile::AttentionState exchange(OpBuilder &builder, Location loc, scf::ForOp loop, Value warp) {
    Attribute space = gpu::AddressSpaceAttr::get(&getContext(), gpu::AddressSpace::Workgroup);
    SmallVector<Value> buffers, loads;
    for (Value result : loop.getResults()) {
      auto type = cast<RankedTensorType>(result.getType());
      SmallVector<int64_t> shape{warps};
      llvm::append_range(shape, type.getShape());
      buffers.push_back(memref::AllocOp::create(
          builder, loc,
          MemRefType::get(shape, type.getElementType(), MemRefLayoutAttrInterface(), space)));
    }
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    for (auto [result, buffer] : llvm::zip(loop.getResults(), buffers)) {
      SmallVector<Value> offsets(cast<MemRefType>(buffer.getType()).getRank(), zero);
      offsets[0] = warp;
      tile::StoreOp::create(builder, loc, result, buffer, offsets, Value());
    }
    auto barrier = gpu::BarrierOp::create(builder, loc);
    int64_t columns = cast<RankedTensorType>(loop.getResult(0).getType()).getShape().back();
    int64_t along = warps;
    while (along > 1 && columns % (16 * along) != 0)
      along /= 2;
    barrier->setAttr(kWarps, builder.getDenseI64ArrayAttr({1, along, warps / along}));
    for (Value buffer : buffers) {
      auto type = cast<MemRefType>(buffer.getType());
      loads.push_back(tile::LoadOp::create(
          builder, loc, RankedTensorType::get(type.getShape(), type.getElementType()), buffer,
          SmallVector<Value>(type.getRank(), zero)));
    }
    return {loads[0], loads[1], loads[2]};
  }

  int64_t warps = 1;
};

} // namespace
