// Registration of the tile dialect and its attributes, and their verifiers.
#include "dialect/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace quire::tile;

#include "dialect/Tile/TileDialect.cpp.inc"
#include "dialect/Tile/TileEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/Tile/TileAttrs.cpp.inc"

void TileDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/Tile/TileAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/Tile/TileOps.cpp.inc"
      >();
}

Attribute BindAttr::parse(AsmParser &parser, Type) {
  FailureOr<BindKind> kind = failure();
  int64_t index = 0;
  StringAttr name;
  if (parser.parseLess() || failed(kind = FieldParser<BindKind>::parse(parser)))
    return {};
  while (succeeded(parser.parseOptionalComma())) {
    int64_t number = 0;
    OptionalParseResult parsed = parser.parseOptionalInteger(number);
    if (parsed.has_value()) {
      if (failed(*parsed))
        return {};
      index = number;
    } else if (parser.parseAttribute(name)) {
      return {};
    }
  }
  if (parser.parseGreater())
    return {};
  return get(parser.getContext(), *kind, index, name);
}

void BindAttr::print(AsmPrinter &printer) const {
  printer << '<' << stringifyBindKind(getKind());
  if (getIndex())
    printer << ", " << getIndex();
  if (getName())
    printer << ", " << getName();
  printer << '>';
}

LogicalResult ExtentAttr::verify(function_ref<InFlightDiagnostic()> emitError, ExtentKind,
                                 int64_t size) {
  if (size < 1)
    return emitError() << "extent size = " << size << " must be at least 1";
  return success();
}

LogicalResult ScheduleAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t rows,
                                   int64_t panels, int64_t columns, int64_t depth, int64_t queries,
                                   int64_t keys, int64_t split, DenseI64ArrayAttr registers,
                                   int64_t warps, int64_t stages, Instruction, Parallel) {
  if (rows < 1 || panels < 1 || columns < 0 || depth < 0 || queries < 1 || keys < 0 || split < 0 ||
      warps < 0 || stages < 0)
    return emitError() << "schedule sizes must be positive";
  if (columns && panels != 1)
    return emitError() << "columns = " << columns << " and panels = " << panels
                       << " are for different weights";
  if (keys && split % keys)
    return emitError() << "split = " << split << " must be a multiple of keys = " << keys;
  if (registers && (registers.size() != 3 ||
                    llvm::any_of(registers.asArrayRef(), [](int64_t size) { return size < 1; })))
    return emitError() << "registers must be three positive sizes [m, n, k]";
  return success();
}
