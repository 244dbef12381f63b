// Implements Estimate.h.
#include "compiler/plan/Estimate.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace quire::compiler {
namespace {

bool isFloatArithmetic(Operation &op) {
  if (isa<arith::ConstantOp, arith::ExtFOp, arith::TruncFOp, arith::SelectOp>(op))
    return false;
  bool isMath = isa<arith::ArithDialect, math::MathDialect>(op.getDialect());
  return isMath && op.getNumResults() == 1 && isa<FloatType>(op.getResult(0).getType());
}

uint64_t product(ArrayRef<int64_t> sizes) {
  uint64_t result = 1;
  for (int64_t size : sizes)
    result *= static_cast<uint64_t>(size);
  return result;
}

/// How often the ops of `block` run for one item, empty if only the batch knows.
std::optional<uint64_t> repetitions(Operation *op, tile::KernelOp kernel) {
  uint64_t count = 1;
  for (Operation *parent = op->getParentOp(); parent != kernel; parent = parent->getParentOp())
    if (auto loop = dyn_cast<scf::ForOp>(parent)) {
      auto trips = loop.getStaticTripCount();
      if (!trips)
        return std::nullopt;
      count *= trips->getZExtValue();
    }
  return count;
}

uint64_t flopsOf(linalg::LinalgOp op) {
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  if (llvm::any_of(ranges, ShapedType::isDynamic))
    return 0;
  uint64_t arithmetic =
      static_cast<uint64_t>(llvm::count_if(*op.getBlock(), isFloatArithmetic));
  return product(ranges) * arithmetic;
}

uint64_t bytesOf(RankedTensorType type) {
  return product(type.getShape()) * type.getElementTypeBitWidth() / 8;
}

uint64_t bytesOf(tile::LoadOp load, tile::KernelOp kernel) {
  auto argument = dyn_cast<BlockArgument>(load.getBuffer());
  if (!argument || argument.getOwner() != &kernel.entry())
    return 0;
  // Weights are the operands of static shape; activations have dynamic rows.
  tile::BindAttr bind = kernel.getBinds()[argument.getArgNumber()];
  bool isWeight = bind.getKind() == tile::BindKind::Operand &&
                  cast<MemRefType>(argument.getType()).hasStaticShape();
  auto type = cast<RankedTensorType>(load.getType());
  if ((!isWeight && bind.getKind() != tile::BindKind::Pool) || !type.hasStaticShape())
    return 0;
  return bytesOf(type);
}

} // namespace

ItemWork estimateItem(tile::KernelOp kernel) {
  ItemWork work;
  WalkResult result = kernel.walk([&](Operation *op) {
    ItemWork once;
    if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
      once.flops = flopsOf(linalgOp);
    else if (auto load = dyn_cast<tile::LoadOp>(op))
      once.bytes = bytesOf(load, kernel);
    else if (auto pages = dyn_cast<tile::LoadPagesOp>(op))
      once.bytes = bytesOf(pages.getType());
    if (once.flops == 0 && once.bytes == 0)
      return WalkResult::advance();
    std::optional<uint64_t> times = repetitions(op, kernel);
    if (!times)
      return WalkResult::interrupt();
    work.flops += once.flops * *times;
    work.bytes += once.bytes * *times;
    return WalkResult::advance();
  });
  return result.wasInterrupted() ? ItemWork{} : work;
}

} // namespace quire::compiler
