// Regions of scalar ops, such as the score of graph.attention, evaluated element by element.
#include "compiler/reference/Evaluator.h"

using namespace mlir;

namespace quire::reference {

FailureOr<ScalarRegion> ScalarRegion::create(Region &region, Precision precision) {
  ScalarRegion result;
  DenseMap<Value, unsigned> slotOf;
  for (Value argument : region.getArguments())
    slotOf[argument] = slotOf.size();
  for (Operation &op : region.front().without_terminator()) {
    FailureOr<ScalarFunction> function = scalarFunction(&op, precision);
    if (failed(function))
      return failure();
    Step step{*function, {}};
    for (Value operand : op.getOperands())
      step.operands.push_back(slotOf.at(operand));
    unsigned slot = slotOf.size();
    slotOf[op.getResult(0)] = slot;
    result.steps.push_back(std::move(step));
  }
  result.yielded = slotOf.at(region.front().getTerminator()->getOperand(0));
  result.slots.resize(slotOf.size());
  return result;
}

double ScalarRegion::operator()(ArrayRef<double> arguments) {
  llvm::copy(arguments, slots.begin());
  size_t next = arguments.size();
  SmallVector<double, 4> operands;
  for (const Step &step : steps) {
    operands.clear();
    for (unsigned slot : step.operands)
      operands.push_back(slots[slot]);
    slots[next++] = step.function(operands);
  }
  return slots[yielded];
}

} // namespace quire::reference
