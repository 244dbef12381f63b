// Reductions of a fragment along its columns: over the registers of a row, then over the four lanes
// that share it.
#include "compiler/cuda/FragmentsPrinter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

/// The columns of a matrix, held or not, of which `op` leaves one value for each row; 0 if it does
/// not.
int64_t FragmentsPrinter::reducedColumns(linalg::GenericOp op) const {
  if (op.getNumReductionLoops() != 1 || !isRowVector(op.getResult(0).getType()) ||
      op.getIteratorTypesArray().back() != utils::IteratorType::reduction)
    return 0;
  for (OpOperand *input : op.getDpsInputOperands())
    if (isMatrix(input->get().getType()) && op.getMatchingIndexingMap(input).isIdentity())
      return cast<RankedTensorType>(input->get().getType()).getShape().back();
  return 0;
}

LogicalResult FragmentsPrinter::reduction(linalg::GenericOp op) {
  FailureOr<Combiner> combiner = combinerOf(op);
  if (failed(combiner))
    return failure();
  if (isa<arith::MaxSIOp, arith::AddIOp>(combiner->op))
    return op.emitOpError() << "reduces integers; fragments hold floating-point numbers";
  int64_t columns = reducedColumns(op);
  if (context.warpsN > 1)
    return op.emitOpError() << "reduces columns that are spread over " << context.warpsN
                            << " warps; divide rows among the warps instead";
  FailureOr<Held> target =
      continued(op, op.getDpsInitOperand(0), StringRef(combiner->warpFunction).lower());
  if (failed(target))
    return failure();

  std::string partial = context.unique.fresh("partial");
  text.openUnrolled("m", target->registers / (isUpperHalf() ? 2 : 1));
  text.line("float " + partial + " = " + combiner->identity + ";");
  int64_t perRow = tilesN(columns) * 2;
  text.openUnrolled("n", perRow);
  // Registers of row m: two neighbours of each instruction.
  text.line("const int i = m / 2 * " + Twine(tilesN(columns) * 4) +
            " + n / 2 * 4 + m % 2 * 2 + n % 2;");
  CodeText inside(text.indentation());
  ElementScope where = scope(inside, inside, columns, false);
  std::string guard = columns != paddedColumns(columns) ? "col < " + std::to_string(columns) : "";
  ElementPrinter elements(where);
  Coordinates loops = coordinates(columns, false);
  bool bad = false;
  BodyInputs inputs;
  inputs.argument = [&](unsigned number) -> std::string {
    if (number + 1 == op->getNumOperands())
      return partial;
    OpOperand &operand = op->getOpOperand(number);
    FailureOr<Coordinates> at = operandCoordinates(op, op.getMatchingIndexingMap(&operand), loops);
    FailureOr<std::string> value =
        succeeded(at) ? elements.element(operand.get(), *at) : FailureOr<std::string>();
    bad |= failed(value);
    return succeeded(value) ? *value : "0";
  };
  inputs.index = [&](unsigned dimension) { return loops[dimension].text(); };
  inputs.outside = [&](Value value) -> std::string {
    FailureOr<std::string> outer = elements.scalar(value);
    bad |= failed(outer);
    return succeeded(outer) ? *outer : "0";
  };
  FailureOr<std::string> next =
      bodyExpression(*op.getBody(), inputs, inside, context.unique, where.scalars);
  if (bad || failed(next))
    return failure();
  positions(text, columns, false, inside.text() + " " + *next + " " + guard);
  text.append(inside);
  text.line((guard.empty() ? "" : "if (" + guard + ") ") + partial + " = " + *next + ";");
  text.close();
  FailureOr<std::string> joined =
      combiner->apply(target->name + "[m]", "quad" + combiner->warpFunction + "(" + partial + ")");
  if (failed(joined))
    return failure();
  text.line(target->name + "[m] = " + *joined + ";");
  text.close();
  return success();
}
