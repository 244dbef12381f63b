// Fragments on their way from registers to memory.
#include "compiler/cuda/FragmentsPrinter.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

/// Pairs of neighbouring columns go out together where they are aligned.
LogicalResult FragmentsPrinter::store(tile::StoreOp op) {
  auto type = cast<RankedTensorType>(op.getValue().getType());
  bool isRow = isRowVector(type);
  if (!isRow && !isMatrix(type))
    return op.emitOpError() << "stores " << type << ", which is no matrix of the kernel's " << rows
                            << " rows";
  int64_t columns = isRow ? 0 : type.getShape().back();
  bool pairs = !isRow && columns % 2 == 0;
  auto buffer = cast<MemRefType>(op.getBuffer().getType());
  bool toShared = op.getBuffer().getDefiningOp<memref::AllocOp>() != nullptr;
  CodeText inside(text.indentation() + 1), element(text.indentation() + 2);
  std::optional<Address> where;
  std::string value;
  for (bool tryPairs : {true, false}) {
    if (tryPairs && !pairs)
      continue;
    inside = CodeText(text.indentation() + 1), element = CodeText(text.indentation() + 2);
    pairs = tryPairs;
    ElementPrinter elements(pairs ? scope(inside, element, columns, true)
                                  : scope(inside, inside, columns, false));
    Coordinates at = coordinates(columns, pairs);
    FailureOr<Address> target = elements.address(op, at);
    if (failed(target))
      return failure();
    if (pairs && (target->lane != Coordinate::Contiguous || target->multiple % 2 != 0))
      continue;
    FailureOr<std::string> stored = elements.element(op.getValue(), at);
    if (failed(stored))
      return failure();
    where = *target;
    value = *stored;
    break;
  }
  std::string guard = where->guard;
  // Lanes of a quad and warps along the columns hold copies of a row's value.
  if (isRow)
    guard += std::string(guard.empty() ? "" : " && ") + "lane % 4 == 0" +
             (context.warpsN > 1 ? " && " + warpColumn() + " == 0" : "");
  if (copies() > 1 && !toShared)
    guard += (guard.empty() ? "warp < " : " && warp < ") +
             std::to_string(context.warpsM * context.warpsN);
  std::string condition = guard.empty() ? "" : "if (" + guard + ") ";
  std::string narrow = narrowed(buffer.getElementType(), value);
  openRegisters(columns, registersOf(columns), pairs);
  positions(text, columns, pairs,
            inside.text() + element.text() + " " + value + " " + where->offset + " " + guard);
  text.append(inside);
  if (pairs) {
    std::string result = context.unique.fresh("result");
    text.line("float " + result + "[2];");
    text.openUnrolled("j", 2);
    text.append(element);
    text.line(result + "[j] = " + value + ";");
    text.close();
    text.line(condition + "store(" + where->buffer + " + " + where->offset + ", makeVector<" +
              storageType(buffer.getElementType()) + ", 2>(" + result + "));");
  } else {
    text.line(condition + where->buffer + "[" + where->offset + "] = " + narrow + ";");
  }
  text.close();
  return success();
}
