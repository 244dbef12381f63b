// Implements KernelShape.h.
#include "compiler/tile/KernelShape.h"

#include "compiler/tile/KernelLowering.h"

using namespace mlir;
using namespace quire;
using namespace quire::tile;

namespace {

int64_t elementBytes(Value tensor) {
  return getElementTypeOrSelf(tensor.getType()).getIntOrFloatBitWidth() / 8;
}

/// Whether a score or mask takes hardly more registers than its result.
bool isLean(Region &region) {
  constexpr size_t kFewOps = 16;
  return region.front().getOperations().size() <= kFewOps &&
         llvm::none_of(region.front(),
                       [](Operation &op) { return isa<math::MathDialect>(op.getDialect()); });
}

} // namespace

FailureOr<schedule::KernelShape> quire::tile::kernelShape(KernelOp kernel) {
  auto family = kernel->getAttrOfType<StringAttr>(kFamilyAttr);
  if (!family)
    return kernel.emitOpError() << "has no \"" << kFamilyAttr
                                << "\"; schedules are for outlined kernels";
  schedule::KernelShape shape;
  shape.family = family.getValue();
  if (auto context =
          kernel->getParentOfType<ModuleOp>()->getAttrOfType<IntegerAttr>("quire.max_context"))
    shape.context = context.getInt();
  if (auto name = kernel->getParentOfType<ModuleOp>()->getAttrOfType<StringAttr>(kStorageAttr))
    shape.storage = storageNamed(name.getValue()).value_or(Storage::Panels);
  bool isByRows = shape.storage == Storage::Rows;
  kernel.walk([&](Operation *op) {
    if (auto generic = dyn_cast<linalg::GenericOp>(op);
        generic && shape.family == "linear" && generic.getNumReductionLoops() == 1) {
      auto weight = cast<RankedTensorType>(generic.getDpsInputs()[1].getType());
      shape.products = shape.columns ? shape.products + 1 : 1;
      (isByRows ? shape.width : shape.panels) = weight.getShape()[0];
      shape.columns = weight.getShape()[1];
      shape.elementBytes = elementBytes(generic.getDpsInputs()[1]);
      shape.rowBytes = elementBytes(generic.getDpsInputs()[0]);
    }
    if (auto view = dyn_cast<PageViewOp>(op)) {
      auto pool = cast<MemRefType>(view.getPool().getType());
      shape.page = pool.getShape()[2 + view.getTokens()];
      shape.cacheHeads = pool.getShape()[1];
      shape.elementBytes = pool.getElementTypeBitWidth() / 8;
    }
    if (isa<StoreOp, AppendOp>(op) && shape.family == "rows") {
      int64_t columns = 1;
      for (int64_t size :
           cast<RankedTensorType>(op->getOperand(0).getType()).getShape().drop_front())
        columns *= size;
      shape.columns = std::max(shape.columns, columns);
    }
    if (auto online = dyn_cast<OnlineAttentionOp>(op)) {
      ArrayRef<int64_t> query = cast<RankedTensorType>(online.getQuery().getType()).getShape();
      shape.rowBytes = elementBytes(online.getQuery());
      shape.group = query[1];
      shape.headDim = query[2];
      shape.leanScore = isLean(online.getScore()) && isLean(online.getMask());
    }
    shape.singleRow |= isa<AppendOp, GatherOp>(op);
  });
  return shape;
}
