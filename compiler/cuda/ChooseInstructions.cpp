// Decides which tensor core instruction each contraction becomes.
//
//   before:  linalg.generic … ins(%x, %w : tensor<64x64xbf16>, tensor<64x64xbf16>)
//   after:   linalg.generic {cuda.instruction = "mma.bf16"} …
//
// A left operand that the kernel computes (the weights of a softmax, between 0 and 1) is narrowed
// to the right one's 16-bit type, as every fused attention does; a loaded one never is.
#include "compiler/cuda/FragmentsPrinter.h"
#include "compiler/cuda/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace quire::cuda {
#define GEN_PASS_DEF_CHOOSEINSTRUCTIONS
#include "compiler/cuda/Passes.h.inc"
} // namespace quire::cuda

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

namespace {

/// The type of what `value` holds before it is widened or masked: that of the loads behind it.
Type loadedType(Value value) {
  Operation *op = startOf(value).getDefiningOp();
  while (op && !isa<tile::LoadOp, tile::LoadPagesOp>(op)) {
    auto generic = dyn_cast<linalg::GenericOp>(op);
    if (generic && (generic.getNumReductionLoops() > 0 || generic.getNumDpsInputs() != 1))
      return {};
    if (!generic &&
        !isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ExtractSliceOp>(op))
      return {};
    value = op->getOperand(0);
    op = startOf(value).getDefiningOp();
  }
  return op ? getElementTypeOrSelf(value.getType()) : Type();
}

/// Whether every value that a generic yields is one of its operand or zero: a mask, not arithmetic.
bool onlyMasks(Value value) {
  for (auto op = value.getDefiningOp<linalg::GenericOp>(); op;
       op = op.getDpsInputs()[0].getDefiningOp<linalg::GenericOp>())
    for (Operation &inner : op.getBody()->without_terminator())
      if (!isa<arith::ExtFOp, arith::SelectOp, arith::ConstantOp>(inner) &&
          !isa<IntegerType, IndexType>(inner.getResult(0).getType()))
        return false;
  return true;
}

struct ChooseInstructions : quire::cuda::impl::ChooseInstructionsBase<ChooseInstructions> {
  void runOnOperation() override {
    auto walk = getOperation()->getAttrOfType<StringAttr>(kWalk);
    std::string family = walk && walk == "warpgroups" ? "wgmma" : "mma";
    for (auto [op, type] : halfProducts(getOperation())) {
      std::string instruction = !type           ? "mma.tf32x3"
                                : type.isBF16() ? family + ".bf16"
                                                : family + ".f16";
      op->setAttr(kInstruction, StringAttr::get(&getContext(), instruction));
    }
  }
};

} // namespace

SmallVector<std::pair<linalg::GenericOp, Type>> cuda::halfProducts(tile::KernelOp kernel) {
  SmallVector<std::pair<linalg::GenericOp, Type>> products;
  kernel.walk([&](linalg::GenericOp op) {
    if (isContraction(op))
      products.emplace_back(op, Type());
  });
  // A kernel that reads operands of f32 anywhere keeps its own results exact, too.
  bool narrows = llvm::all_of(products, [](const auto &product) {
    Type left = loadedType(linalg::GenericOp(product.first).getDpsInputs()[0]);
    return !left || left.isBF16() || left.isF16();
  });
  for (auto &[op, type] : products) {
    Value left = op.getDpsInputs()[0], right = op.getDpsInputs()[1];
    Type leftType = loadedType(left), rightType = loadedType(right);
    if (rightType && (rightType.isBF16() || rightType.isF16()) && onlyMasks(right) &&
        (leftType ? leftType == rightType && onlyMasks(left) : narrows))
      type = rightType;
  }
  return products;
}
