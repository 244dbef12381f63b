// Recognising contractions: see Contraction.h.
#include "compiler/cpu/Contraction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace quire::compiler;

/// The block argument that `value` widens, or `value` itself.
static Value skipWidening(Value value) {
  auto widen = value.getDefiningOp<arith::ExtFOp>();
  return widen ? widen.getIn() : value;
}

static bool hasContractionBody(linalg::GenericOp op) {
  Block &body = *op.getBody();
  Value result = cast<linalg::YieldOp>(body.getTerminator()).getValues()[0];
  auto add = result.getDefiningOp<arith::AddFOp>();
  if (!add || !add.getType().isF32())
    return false;
  Value sum = body.getArgument(2);
  Value product = add.getLhs() == sum ? add.getRhs() : add.getLhs();
  auto multiply = product.getDefiningOp<arith::MulFOp>();
  if (!multiply || (add.getLhs() != sum && add.getRhs() != sum))
    return false;
  Value a = skipWidening(multiply.getLhs()), b = skipWidening(multiply.getRhs());
  return (a == body.getArgument(0) && b == body.getArgument(1)) ||
         (a == body.getArgument(1) && b == body.getArgument(0));
}

std::optional<Contraction> quire::compiler::matchContraction(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 || !hasContractionBody(op))
    return std::nullopt;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  for (AffineMap map : maps)
    if (!map.isProjectedPermutation() || map.getNumResults() == 0)
      return std::nullopt;
  auto lastOf = [](AffineMap map) { return map.getDimPosition(map.getNumResults() - 1); };
  auto uses = [](AffineMap map, unsigned dimension) {
    return map.isFunctionOfDim(dimension);
  };
  Contraction result;
  result.lane = lastOf(maps[2]);
  if (lastOf(maps[1]) == result.lane)
    result.vectorOperand = 1;
  else if (lastOf(maps[0]) == result.lane)
    result.vectorOperand = 0;
  else
    return std::nullopt;
  // A lane that runs through both operands is elementwise, not a contraction.
  if (uses(maps[1 - result.vectorOperand], result.lane))
    return std::nullopt;
  for (unsigned dimension = 0; dimension < op.getNumLoops(); ++dimension) {
    if (dimension == result.lane)
      continue;
    if (!uses(maps[2], dimension))
      result.reduced.push_back(dimension);
    else if (uses(maps[result.vectorOperand], dimension))
      result.panels.push_back(dimension);
    else
      result.rows.push_back(dimension);
  }
  if (result.reduced.empty())
    return std::nullopt;
  return result;
}
