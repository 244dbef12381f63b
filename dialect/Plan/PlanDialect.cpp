// Registration of the plan dialect and the verifiers of its operations.
#include "dialect/Plan/Plan.h"

#include "dialect/Graph/FloatList.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace quire::planir;
using quire::graph::parseFloatList;
using quire::graph::printFloatList;

#include "dialect/Plan/PlanDialect.cpp.inc"
#include "dialect/Plan/PlanEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/Plan/PlanAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/Plan/PlanTypes.cpp.inc"
#define GET_OP_CLASSES
#include "dialect/Plan/PlanOps.cpp.inc"

void PlanDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/Plan/PlanAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialect/Plan/PlanTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/Plan/PlanOps.cpp.inc"
      >();
}

LogicalResult WeightOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  if (!type.hasStaticShape() || type.getRank() < 1 || type.getRank() > 2)
    return emitOpError() << "type " << type << " must be a vector or a matrix";
  if (static_cast<int64_t>(getPanel()) < 0)
    return emitOpError() << "panel = " << static_cast<int64_t>(getPanel())
                         << " must be 0 (row-major) or the rows of a panel";
  int64_t rows = 0;
  for (graph::SourceAttr source : getSources())
    rows += source.getRows();
  if (rows != type.getShape()[0])
    return emitOpError() << "sources have " << rows << " rows, the type " << type << " has "
                         << type.getShape()[0];
  return success();
}

LogicalResult RotaryTableOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  if (!type.hasStaticShape() || type.getRank() != 2 ||
      type.getShape()[1] != 2 * static_cast<int64_t>(getFrequencies().size()))
    return emitOpError() << "type " << type << " must be [positions, "
                         << 2 * getFrequencies().size() << "]";
  return success();
}

LogicalResult PoolOp::verify() {
  if (getElements() < 1 || !isa<FloatType>(getElement()))
    return emitOpError() << "needs a positive number of float elements a page";
  return success();
}

LogicalResult TensorOp::verify() {
  if (getExtent() == RowExtent::Items)
    return emitOpError() << "an input or output cannot count the items of a work list";
  if (getColumns() < 1 || getStride() < getColumns())
    return emitOpError() << "stride " << getStride() << " must cover " << getColumns()
                         << " columns";
  return success();
}

LogicalResult ArenaOp::verify() {
  if (getBytes() < 1 || getBytes() % 4)
    return emitOpError() << "bytes = " << getBytes() << " must be a positive multiple of 4";
  if (getExtent() == RowExtent::One)
    return emitOpError() << "a temporary counts token rows, sample rows or items";
  if ((getExtent() == RowExtent::Items) != getPartition().has_value())
    return emitOpError() << "counts " << stringifyRowExtent(getExtent())
                         << "; items, and nothing else, are counted `of` a work list";
  return success();
}

LogicalResult SelectOp::verify() {
  if (getLimits().size() != getCases().size() || getLimits().empty())
    return emitOpError() << "has " << getLimits().size() << " limits for " << getCases().size()
                         << " regions";
  if (getLimits().back() != 0)
    return emitOpError() << "the last region must take any number of rows (limit 0)";
  return success();
}
