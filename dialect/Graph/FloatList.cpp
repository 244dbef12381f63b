// Implements FloatList.h.
#include "dialect/Graph/FloatList.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

ParseResult quire::graph::parseFloatList(OpAsmParser &parser, DenseF32ArrayAttr &list) {
  SmallVector<float> numbers;
  auto parseNumber = [&]() -> ParseResult {
    APFloat number(0.0f);
    if (parser.parseFloat(APFloat::IEEEsingle(), number))
      return failure();
    numbers.push_back(number.convertToFloat());
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseNumber))
    return failure();
  list = parser.getBuilder().getDenseF32ArrayAttr(numbers);
  return success();
}

void quire::graph::printFloatList(OpAsmPrinter &printer, Operation *, DenseF32ArrayAttr list) {
  printer << '[';
  llvm::interleaveComma(list.asArrayRef(), printer,
                        [&](float number) { printer.printFloat(APFloat(number)); });
  printer << ']';
}
