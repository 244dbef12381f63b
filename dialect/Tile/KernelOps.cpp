// Kernels, variants, calls and work items: assembly and verifiers.
#include "dialect/Tile/Tile.h"

#include "mlir/Interfaces/FunctionImplementation.h"

using namespace mlir;
using namespace quire::tile;

ParseResult KernelOp::parse(OpAsmParser &parser, OperationState &result) {
  StringAttr name;
  SmallVector<OpAsmParser::Argument> arguments;
  auto &properties = result.getOrAddProperties<Properties>();
  if (parser.parseSymbolName(name) ||
      parser.parseArgumentList(arguments, OpAsmParser::Delimiter::Paren, /*allowType=*/true) ||
      parser.parseKeyword("binds") ||
      parser.parseCustomAttributeWithFallback<BindArrayAttr>(properties.binds))
    return failure();
  properties.sym_name = name;
  if (succeeded(parser.parseOptionalKeyword("grid")) &&
      parser.parseCustomAttributeWithFallback<GridAttr>(properties.grid))
    return failure();
  if (succeeded(parser.parseOptionalKeyword("schedule")) &&
      parser.parseCustomAttributeWithFallback<ScheduleAttr>(properties.schedule))
    return failure();
  if (succeeded(parser.parseOptionalKeyword("partition")) &&
      parser.parseCustomAttributeWithFallback<PartitionAttr>(properties.partition))
    return failure();
  if (succeeded(parser.parseOptionalKeyword("source")) &&
      parser.parseAttribute(properties.source, parser.getBuilder().getNoneType()))
    return failure();
  if (parser.parseOptionalAttrDictWithKeyword(result.attributes))
    return failure();
  return parser.parseRegion(*result.addRegion(), arguments);
}

void KernelOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printer.printSymbolName(getSymName());
  printer << '(';
  llvm::interleaveComma(entry().getArguments(), printer,
                        [&](BlockArgument argument) { printer.printRegionArgument(argument); });
  printer << ") binds ";
  printer.printStrippedAttrOrType(getBindsAttr());
  if (getGridAttr()) {
    printer << " grid ";
    printer.printStrippedAttrOrType(getGridAttr());
  }
  if (getScheduleAttr()) {
    printer << " schedule ";
    printer.printStrippedAttrOrType(getScheduleAttr());
  }
  if (getPartitionAttr()) {
    printer << " partition ";
    printer.printStrippedAttrOrType(getPartitionAttr());
  }
  if (getSourceAttr())
    printer << " source " << getSourceAttr();
  printer.printOptionalAttrDictWithKeyword((*this)->getDiscardableAttrs().empty()
                                               ? ArrayRef<NamedAttribute>()
                                               : llvm::to_vector((*this)->getDiscardableAttrs()));
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

LogicalResult KernelOp::verify() {
  Block &block = entry();
  if (block.getNumArguments() != getBinds().size())
    return emitOpError() << "has " << block.getNumArguments() << " arguments and "
                         << getBinds().size() << " binds";
  bool dynamicTail = false;
  for (auto [argument, bind] : llvm::zip(block.getArguments(), getBinds())) {
    auto buffer = dyn_cast<MemRefType>(argument.getType());
    bool isScalar = bind.getKind() == BindKind::Scalar;
    if (isScalar ? !isa<IndexType>(argument.getType()) : !buffer)
      return emitOpError() << "argument " << argument.getArgNumber() << " of type "
                           << argument.getType() << " cannot be bound as "
                           << stringifyBindKind(bind.getKind());
    if (buffer && buffer.getRank() > 1)
      for (int64_t size : buffer.getShape().drop_front())
        dynamicTail |= ShapedType::isDynamic(size);
  }
  if (dynamicTail)
    return emitOpError() << "only the first dimension of a buffer may be dynamic";
  if (getGrid())
    for (ExtentAttr extent : getGrid()->drop_front(getGrid()->empty() ? 0 : 1))
      if (extent.getKind() != ExtentKind::Constant)
        return emitOpError() << "only the first grid dimension may depend on the step, found "
                             << stringifyExtentKind(extent.getKind());
  return success();
}

LogicalResult VariantsOp::verify() {
  if (getKernels().empty() || getKernels().size() != getRows().size())
    return emitOpError() << "needs one row limit for each kernel";
  if (!getAll() && getRows().back() != 0)
    return emitOpError() << "the last kernel must take any number of rows (limit 0)";
  return success();
}

LogicalResult WorkItemOp::verify() {
  auto kernel = (*this)->getParentOfType<KernelOp>();
  int64_t dimension = getDimension();
  if (dimension < 0)
    return emitOpError() << "dimension must not be negative";
  if (kernel && kernel.getGrid() && dimension >= static_cast<int64_t>(kernel.getGrid()->size()))
    return emitOpError() << "dimension " << dimension << " is outside the kernel's grid of "
                         << kernel.getGrid()->size();
  return success();
}
