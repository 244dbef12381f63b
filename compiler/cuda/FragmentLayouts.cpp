// How the rows and columns of a fragment are spread over warps: compiler/layout says where an
// accumulator's elements are; this says which accumulator.
#include "compiler/cuda/FragmentsPrinter.h"

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

int64_t FragmentsPrinter::paddedColumns(int64_t columns) const {
  int64_t unit = 16 * context.warpsN; // ldmatrix fills two instructions of 8 columns
  return (columns + unit - 1) / unit * unit;
}

int64_t FragmentsPrinter::tilesM() const { return rowsPadded / (16 * context.warpsM); }

int64_t FragmentsPrinter::tilesN(int64_t columns) const {
  return paddedColumns(columns) / (8 * context.warpsN);
}

int64_t FragmentsPrinter::registersOf(int64_t columns) const {
  return columns ? tilesM() * tilesN(columns) * 4 : tilesM() * 2;
}

void FragmentsPrinter::openRegisters(int64_t columns, int64_t registers, bool pairs) {
  bool isRow = columns == 0, half = isUpperHalf();
  text.openUnrolled("i", isRow && half ? registers / 2 : registers / (pairs ? 2 : 1));
  if (!isRow && half)
    text.line(pairs ? "if (i & 1) continue;" : "if (i & 2) continue;");
}

layout::Fragment FragmentsPrinter::fragment(int64_t columns) const {
  auto accumulator = layout::accumulator(
      static_cast<int>(rowsPadded), static_cast<int>(paddedColumns(columns ? columns : 1)),
      static_cast<int>(context.warpsM), static_cast<int>(context.warpsN));
  return columns ? *accumulator : layout::reduced(*accumulator, 1);
}

std::string FragmentsPrinter::warpName() const {
  int64_t count = context.warpsM * context.warpsN;
  return count == context.warps ? "warp" : "(warp % " + std::to_string(count) + ")";
}

std::string FragmentsPrinter::warpRow() const {
  if (context.warpsM == 1)
    return "0";
  return context.warpsN == 1 ? warpName()
                             : "(" + warpName() + " % " + std::to_string(context.warpsM) + ")";
}

std::string FragmentsPrinter::warpColumn() const {
  if (context.warpsN == 1)
    return "0";
  return context.warpsM == 1 ? warpName()
                             : "(" + warpName() + " / " + std::to_string(context.warpsM) + ")";
}

bool FragmentsPrinter::isMatrix(Type type) const {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() == static_cast<int64_t>(lead.size()) + 1 &&
         tensor.getShape().drop_back() == ArrayRef(lead);
}

bool FragmentsPrinter::isRowVector(Type type) const {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getShape() == ArrayRef(lead);
}

Value cuda::startOf(Value value) {
  while (true) {
    auto loop = value.getDefiningOp<scf::ForOp>();
    auto argument = dyn_cast<BlockArgument>(value);
    if (argument)
      loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    if (!loop || (argument && argument.getArgNumber() == 0))
      return value;
    value = loop.getInitArgs()[argument ? argument.getArgNumber() - 1
                                        : cast<OpResult>(value).getResultNumber()];
  }
}

bool cuda::isContraction(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumReductionLoops() != 1 || op.getNumDpsInits() != 1)
    return false;
  unsigned depth = op.getNumLoops() - 1;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (op.getIteratorTypesArray()[depth] != utils::IteratorType::reduction ||
      !maps[0].isFunctionOfDim(depth) || !maps[1].isFunctionOfDim(depth) ||
      maps[2].getNumResults() < 2)
    return false;
  // The right side has the column, the left side the rows.
  unsigned column =
      cast<AffineDimExpr>(maps[2].getResult(maps[2].getNumResults() - 1)).getPosition();
  return maps[1].getNumResults() == 2 && maps[1].isFunctionOfDim(column) &&
         !maps[0].isFunctionOfDim(column);
}

bool cuda::isMultipliedHalf(linalg::GenericOp contraction) {
  auto instruction = contraction->getAttrOfType<StringAttr>(kInstruction);
  return instruction && (instruction == "mma.bf16" || instruction == "mma.f16");
}

bool cuda::depthIsContiguous(linalg::GenericOp contraction) {
  AffineMap map = contraction.getIndexingMapsArray()[1];
  unsigned depth = contraction.getNumLoops() - 1;
  return cast<AffineDimExpr>(map.getResult(map.getNumResults() - 1)).getPosition() == depth;
}
