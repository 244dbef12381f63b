// Names of a kernel's parameters and work items, and the scalars of its body.
#include "compiler/cuda/KernelContext.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

static std::string parameterName(tile::BindAttr bind) {
  std::string number = std::to_string(bind.getIndex());
  std::string name = bind.getName() ? bind.getName().str() : "";
  switch (bind.getKind()) {
  case tile::BindKind::Operand:
    return "in" + number;
  case tile::BindKind::Result:
    return "out" + number;
  case tile::BindKind::Pool:
    return "pool_" + name;
  case tile::BindKind::WorkList:
    return "work_list";
  case tile::BindKind::Workspace:
    return "workspace" + number;
  case tile::BindKind::Batch:
  case tile::BindKind::Scalar:
    return name;
  }
  return "argument";
}

KernelContext::KernelContext(tile::KernelOp kernel) : kernel(kernel) {
  // What the printers use as fixed names, and names that the headers or the language have taken.
  for (StringRef word :
       {"thread", "lane",    "warp",    "items", "shared", "row",   "col",       "i",     "j",
        "k",      "m",       "n",       "a",     "b",      "p",     "w",         "slot",  "ahead",
        "ring",   "packed",  "bf16",    "f16",   "load",   "store", "mma",       "min",   "max",
        "item",   "maximum", "minimum", "quire", "tiles",  "await", "warpgroup", "place", "arrive",
        "c",      "tile",    "next",    "taken", "fetched"})
    unique.fresh(word);
  for (auto [argument, bind] : llvm::zip(kernel.entry().getArguments(), kernel.getBinds())) {
    std::string name = parameterName(bind);
    for (char &letter : name)
      if (!llvm::isAlnum(letter))
        letter = '_';
    names[argument] = unique.fresh(name);
  }
  if (auto list = kernel->getAttrOfType<DenseI64ArrayAttr>(kWarps); list && list.size() == 3) {
    warpsM = list[0];
    warpsN = list[1];
    warps = list[0] * list[1] * list[2];
  }
}

int64_t KernelContext::reserveShared(int64_t bytes) {
  int64_t offset = sharedTop;
  sharedTop += (bytes + 127) / 128 * 128;
  sharedBytes = std::max(sharedBytes, sharedTop);
  return offset;
}

std::string cuda::boundText(Value value, const Names &names) {
  IntegerAttr constant;
  return matchPattern(value, m_Constant(&constant)) ? std::to_string(constant.getInt())
                                                    : names.lookup(value);
}

bool cuda::isScalarOp(Operation *op) {
  return op->getNumResults() == 1 && op->getNumRegions() == 0 &&
         op->getResult(0).getType().isIntOrIndexOrFloat();
}

static std::string hintFor(Operation *op) {
  if (auto item = dyn_cast<tile::WorkItemOp>(op))
    return "item" + std::to_string(item.getDimension());
  Type type = op->getResult(0).getType();
  if (type.isInteger(1))
    return "holds";
  if (isa<FloatType>(type))
    return "value";
  return "index";
}

/// Only the first dimension may be dynamic.
std::string cuda::itemExpression(tile::KernelOp kernel, int64_t dimension,
                                 const std::string &item) {
  tile::GridAttr grid = kernel.getGridAttr();
  int64_t below = 1;
  for (int64_t inner = (grid ? grid.size() : 1) - 1; inner > dimension; --inner)
    below *= grid[inner].getSize();
  std::string value = below > 1 ? item + " / " + std::to_string(below) : item;
  if (dimension == 0)
    return value;
  return (below > 1 ? "(" + value + ")" : value) + " % " +
         std::to_string(grid[dimension].getSize());
}

LogicalResult cuda::printScalar(Operation *op, Names &names, UniqueNames &unique, CodeText &text,
                                StringRef indexType) {
  if (op->hasTrait<OpTrait::ConstantLike>())
    return success();
  ElementScope scope{names, unique, text, text};
  ElementPrinter elements(scope);
  FailureOr<std::string> expression = failure();
  if (auto item = dyn_cast<tile::WorkItemOp>(op)) {
    expression =
        itemExpression(op->getParentOfType<tile::KernelOp>(), item.getDimension(), "blockIdx.x");
  } else if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
    Coordinates at;
    for (Value index : extract.getIndices()) {
      FailureOr<Coordinate> coordinate = elements.index(index);
      if (failed(coordinate))
        return failure();
      at.push_back(*coordinate);
    }
    expression = elements.element(extract.getTensor(), at);
    if (succeeded(expression)) {
      names[op->getResult(0)] = *expression;
      return success();
    }
  } else if (isa<gpu::SubgroupIdOp>(op)) {
    names[op->getResult(0)] = "warp";
    return success();
  } else {
    SmallVector<std::string> operands;
    for (Value operand : op->getOperands()) {
      FailureOr<std::string> value = elements.scalar(operand);
      if (failed(value))
        return failure();
      operands.push_back(*value);
    }
    expression = scalarExpression(op, operands);
  }
  if (failed(expression))
    return failure();
  std::string name = unique.fresh(hintFor(op));
  Type type = op->getResult(0).getType();
  text.line("const " + (type.isIndex() ? indexType.str() : registerType(type)) + " " + name +
            " = " + *expression + ";");
  names[op->getResult(0)] = name;
  return success();
}
