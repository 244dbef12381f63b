// Operands of contractions on their way to shared memory. A tile that lies in memory as it is
// needed is copied asynchronously, 16 bytes at a time; any other (converted, masked, of odd
// alignment) is evaluated in registers and stored. Rows and columns up to whole instructions are
// zero, and so is what bounds leave out.
#include "compiler/cuda/FragmentsPrinter.h"

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

static int64_t rounded(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

/// 16-bit instructions read operands of their type; tf32 ones whatever the tensor holds.
Type FragmentsPrinter::stagedType(linalg::GenericOp contraction, bool left) {
  auto instruction = contraction->getAttrOfType<StringAttr>(kInstruction);
  MLIRContext *mlir = contraction.getContext();
  if (instruction && instruction == "mma.bf16")
    return BFloat16Type::get(mlir);
  if (instruction && instruction == "mma.f16")
    return Float16Type::get(mlir);
  return getElementTypeOrSelf(contraction.getDpsInputs()[left ? 0 : 1].getType());
}

FailureOr<StagedTile> FragmentsPrinter::planTile(linalg::GenericOp contraction, bool left) {
  Value tensor = contraction.getDpsInputs()[left ? 0 : 1];
  Type element = stagedType(contraction, left);
  enum {
    Left,
    RightRows,
    RightColumns
  } side = left                             ? Left
           : depthIsContiguous(contraction) ? RightRows
                                            : RightColumns;

  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.hasStaticShape() || type.getRank() < 2)
    return emitError(tensor.getLoc())
           << "an operand of type " << type << " has no constant size; tile it first";
  int64_t columns = type.getShape().back(), tileRows = type.getNumElements() / columns;
  int64_t bytes = storageBytes(element);
  // The dimension that warps divide is padded to whole instructions of all of them.
  int64_t paddedRows = rounded(tileRows, side == Left        ? 16 * context.warpsM
                                         : side == RightRows ? 16 * context.warpsN
                                                             : 16);
  int64_t paddedColumns = rounded(columns, side == RightColumns ? 16 * context.warpsN : 16);
  auto tileBytes = static_cast<int>(paddedColumns * bytes);
  layout::SharedTile memory = layout::SharedTile::padded(static_cast<int>(paddedRows), tileBytes);
  // A row's pitch that is no multiple of a line lets a copy of 128 bytes cross one, and read the
  // sector on the line's end twice.
  if (auto swizzled = layout::SharedTile::swizzled(static_cast<int>(paddedRows), tileBytes, 128);
      swizzled && side != Left && isMultipliedHalf(contraction))
    memory = *swizzled;
  return StagedTile{tensor,
                    context.unique.fresh("tile"),
                    element,
                    tileRows,
                    columns,
                    paddedRows,
                    paddedColumns,
                    memory};
}

FailureOr<bool> FragmentsPrinter::stageInPage(const StagedTile &tile, const Names &names,
                                              CodeText &out) {
  auto load = tile.tensor.getDefiningOp<tile::LoadPagesOp>();
  int64_t bytes = storageBytes(tile.element), width = 16 / bytes;
  int64_t chunks = tile.columns / width, workers = stageWorkers;
  if (pageName.empty() || !load || load.getTokens() != 0 || tile.rows != tile.paddedRows ||
      tile.columns != tile.paddedColumns || workers % chunks || tile.rows % (workers / chunks) ||
      getElementTypeOrSelf(tile.tensor.getType()) != tile.element)
    return false;
  std::string row = context.unique.fresh("row"), column = context.unique.fresh("column"),
              from = context.unique.fresh("from"), copied = context.unique.fresh("row");
  CodeText lines(out.indentation());
  lines.line("const int " + row + " = " + stageWorker + " / " + Twine(chunks) + ", " + column +
             " = " + stageWorker + " % " + Twine(chunks) + " * " + Twine(width) + ";");
  Coordinate last = Coordinate::variable(column, 0, tile.columns, width);
  last.lane = Coordinate::Contiguous;
  ElementScope scope{names, context.unique, lines, lines, width};
  scope.page = [this](tile::LoadPagesOp) { return pageName; };
  FailureOr<Address> source = ElementPrinter(scope).address(
      load, {Coordinate::variable(row, 0, tile.rows), last});
  if (failed(source))
    return failure();
  if (source->contiguous(width) != width || !source->guard.empty())
    return false;
  int64_t step = workers / chunks;
  SmallVector<int64_t> strides;
  int64_t start;
  (void)cast<MemRefType>(load.getPool().getType()).getStridesAndOffset(strides, start);
  out.append(lines);
  out.line("const " + storageType(tile.element) + " *const " + from + " = " + source->buffer +
           " + " + source->offset + ";");
  out.openUnrolled("i", tile.rows / step);
  out.line("const int " + copied + " = " + row + " + i * " + Twine(step) + ";");
  out.line("copyAsync16(" + tile.at(copied, column + " * " + std::to_string(bytes)) + ", " + from +
           " + i * " + Twine(step * strides[2]) + ");");
  out.close();
  return true;
}

LogicalResult FragmentsPrinter::stage(const StagedTile &tile, const Names &names, CodeText &out) {
  FailureOr<bool> done = stageInPage(tile, names, out);
  if (failed(done) || *done)
    return success(succeeded(done));
  auto type = cast<RankedTensorType>(tile.tensor.getType());
  ArrayRef<int64_t> leading = type.getShape().drop_back();
  int64_t bytes = storageBytes(tile.element), width = 16 / bytes;
  int64_t chunks = tile.paddedColumns / width;

  std::string number = context.unique.fresh("i"), row = context.unique.fresh("row"),
              column = context.unique.fresh("column");
  std::string guard;
  if (tile.rows != tile.paddedRows)
    guard = row + " < " + std::to_string(tile.rows);
  bool cut = tile.columns != tile.paddedColumns;
  // A chunk reaches over the end only where the tensor's columns are no multiple of it.
  bool whole = tile.columns % width == 0;
  if (cut && whole)
    guard += (guard.empty() ? "" : " && ") + column + " < " + std::to_string(tile.columns);

  Coordinates at(leading.size());
  int64_t below = 1;
  for (size_t dimension = leading.size(); dimension-- > 0;) {
    at[dimension] = Coordinate::of(0);
    if (leading[dimension] == 1)
      continue;
    std::string value = row;
    if (below > 1)
      value = "(" + value + " / " + std::to_string(below) + ")";
    if (below * leading[dimension] < tile.rows)
      value = "(" + value + " % " + std::to_string(leading[dimension]) + ")";
    at[dimension] = Coordinate::variable(value, 0, leading[dimension]);
    below *= leading[dimension];
  }
  Coordinate last = Coordinate::variable(column, 0, tile.columns, width);
  last.lane = Coordinate::Contiguous;
  at.push_back(last);

  out.open("for (int " + number + " = " + stageWorker + "; " + number + " < " +
           Twine(tile.paddedRows * chunks) + "; " + number + " += " + Twine(stageWorkers) + ")");
  out.line("const int " + row + " = " + number + " / " + Twine(chunks) + ", " + column + " = " +
           number + " % " + Twine(chunks) + " * " + Twine(width) + ";");
  std::string to = tile.at(row, column + " * " + std::to_string(bytes));
  CodeText chunk(out.indentation()), element(out.indentation() + 1);
  ElementScope where{names, context.unique, chunk, element, width, guard, {}, {}};
  where.page = [this](tile::LoadPagesOp) { return pageName; };
  ElementPrinter elements(where);
  Operation *maker = tile.tensor.getDefiningOp();
  std::optional<Address> source;
  bool sameType = type.getElementType() == tile.element;
  if (auto load = dyn_cast_or_null<tile::LoadOp>(maker); load && sameType) {
    FailureOr<Address> address = elements.address(load, at);
    if (failed(address))
      return failure();
    source = *address;
  } else if (auto pages = dyn_cast_or_null<tile::LoadPagesOp>(maker); pages && sameType) {
    FailureOr<Address> address = elements.address(pages, at);
    if (failed(address))
      return failure();
    source = *address;
  }
  if (source && whole && source->contiguous(width) == width) {
    out.append(chunk);
    std::string valid = source->guard.empty() ? "" : ", " + source->guard;
    std::string from = source->buffer + " + " + source->offset;
    // The address of a copy that is not valid is not used, but must not be computed from garbage.
    out.line("copyAsync16(" + to + ", " + from + valid + ");");
    out.close();
    return success();
  }
  // Evaluated: each element by itself where a chunk may reach over the end.
  chunk = CodeText(out.indentation()), element = CodeText(out.indentation() + 1);
  if (!whole && cut) {
    at.back().base = "(" + column + " + j)";
    at.back().lane = Coordinate::Folded;
    at.back().multiple = 1;
    guard += (guard.empty() ? "" : " && ") + column + " + j < " + std::to_string(tile.columns);
  }
  where.guard = guard;
  ElementPrinter values(where);
  FailureOr<std::string> value = values.element(tile.tensor, at);
  if (failed(value))
    return failure();
  std::string outside = guard.empty() ? *value : "(" + guard + " ? " + *value + " : 0.0f)";
  std::string result = context.unique.fresh("values");
  out.append(chunk);
  out.line("float " + result + "[" + Twine(width) + "];");
  out.openUnrolled("j", width);
  out.append(element);
  out.line(result + "[j] = " + outside + ";");
  out.close();
  out.line("const auto packed = makeVector<" + storageType(tile.element) + ", " + Twine(width) +
           ">(" + result + ");");
  out.line("storeShared16(" + to +
           ", make_uint4(packed.words[0], packed.words[1], packed.words[2], packed.words[3]));");
  out.close();
  return success();
}

LogicalResult FragmentsPrinter::stageOperands(ArrayRef<linalg::GenericOp> contractions,
                                              Block *inside) {
  bool any = false;
  for (linalg::GenericOp op : contractions)
    for (bool left : {true, false}) {
      Value tensor = op.getDpsInputs()[left ? 0 : 1];
      if (isHeld(tensor) || staged.contains(tensor))
        continue;
      // Operands made inside the loop are the loop's own business.
      Operation *maker = tensor.getDefiningOp();
      if (inside && (!maker || inside->getParentOp()->isProperAncestor(maker)))
        continue;
      FailureOr<StagedTile> tile = planTile(op, left);
      if (failed(tile))
        return failure();
      int64_t offset = context.reserveShared(tile->memory.bytes());
      text.line("const u32 " + tile->name + " = sharedAddress(shared + " + Twine(offset) + ");");
      stageWorker = "thread";
      stageWorkers = context.threads();
      if (failed(stage(*tile, context.names, text)))
        return failure();
      staged.try_emplace(tensor, *tile);
      any = true;
    }
  if (any) {
    text.line("commitCopies();");
    pending = true;
  }
  return success();
}
