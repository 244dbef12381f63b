// The walk by rows: kernels whose stores can be computed element by element. Each thread evaluates
// chunks of every stored tensor by inlining its producers; what a chunk needs from elsewhere (the
// other half of a rotated pair) is loaded again rather than exchanged. Only reductions are
// materialised (RowsReductions.cpp); scalars that follow from them are the same in all threads, so
// that branches and loops on them are taken by the whole block.
#include "compiler/cuda/RowsPrinter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <numeric>

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

/// Elements of 16 bytes of the widest type that the kernel holds in memory.
static int64_t widestVector(tile::KernelOp kernel) {
  int64_t bytes = 2;
  for (BlockArgument argument : kernel.entry().getArguments())
    if (auto type = dyn_cast<MemRefType>(argument.getType()))
      if (isa<FloatType>(type.getElementType()))
        bytes = std::max(bytes, storageBytes(type.getElementType()));
  return 16 / bytes;
}

RowsPrinter::RowsPrinter(KernelContext &context)
    : context(context), text(context.text), vector(widestVector(context.kernel)), early(context) {}

LogicalResult RowsPrinter::block(Block &ops) {
  for (Operation &op : ops.without_terminator())
    if (failed(print(op)))
      return failure();
  return success();
}

LogicalResult RowsPrinter::print(Operation &op) {
  if (auto element = dyn_cast<tensor::ExtractOp>(op);
      element && context.names.contains(element.getTensor()))
    return extract(element);
  if (isScalarOp(&op))
    return printScalar(&op, context.names, context.unique,
                       early.isEarly(&op) ? context.early : text);
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    return generic.getNumReductionLoops() > 0 ? reduce(generic) : success();
  if (auto write = dyn_cast<tile::StoreOp>(op))
    return store(write);
  if (auto branch = dyn_cast<scf::IfOp>(op))
    return conditional(branch);
  if (auto loop = dyn_cast<scf::WhileOp>(op))
    return repeated(loop);
  if (op.getNumRegions() > 0 && !isa<linalg::LinalgOp>(op))
    return op.emitOpError()
           << "is a loop over tiles, which the walk by rows does not have; use the "
              "walk by fragments";
  return success();
}

// --- Control flow --------------------------------------------------------------------------------

/// One element of a reduction's results. It is read at once: what holds it is written again in the
/// next round of a loop.
LogicalResult RowsPrinter::extract(tensor::ExtractOp op) {
  ElementPrinter elements(scope(text, text, 1));
  Coordinates at;
  for (Value index : op.getIndices()) {
    FailureOr<Coordinate> coordinate = elements.index(index);
    if (failed(coordinate))
      return failure();
    at.push_back(*coordinate);
  }
  FailureOr<std::string> value = elements.element(op.getTensor(), at);
  if (failed(value))
    return failure();
  std::string name = context.unique.fresh("result");
  text.line("const " + registerType(op.getType()) + " " + name + " = " + *value + ";");
  context.names[op.getResult()] = name;
  return success();
}

FailureOr<std::string> RowsPrinter::scalar(Value value) {
  return ElementPrinter(scope(text, text, 1)).scalar(value);
}

LogicalResult RowsPrinter::declare(ValueRange values, ValueRange start) {
  for (auto [number, value] : llvm::enumerate(values)) {
    std::string type = registerType(value.getType());
    if (!value.getType().isIntOrIndexOrFloat() || type.empty())
      return emitError(value.getLoc()) << "a value of type " << value.getType()
                                       << " goes through a branch or loop; the walk by rows has "
                                          "scalars there only";
    FailureOr<std::string> first = start.empty() ? std::string() : scalar(start[number]);
    if (failed(first))
      return failure();
    std::string name = context.unique.fresh("state");
    text.line(type + " " + name + (first->empty() ? "" : " = " + *first) + ";");
    context.names[value] = name;
  }
  return success();
}

LogicalResult RowsPrinter::assign(ValueRange values, ValueRange sources) {
  SmallVector<std::string> next;
  for (Value source : sources) {
    FailureOr<std::string> value = scalar(source);
    if (failed(value))
      return failure();
    next.push_back(*value);
  }
  // All are read before one is written.
  for (auto [value, held] : llvm::zip(sources, next))
    if (values.size() > 1 && !isa_and_nonnull<arith::ConstantOp>(value.getDefiningOp())) {
      std::string name = context.unique.fresh("next");
      text.line("const " + registerType(value.getType()) + " " + name + " = " + held + ";");
      held = name;
    }
  for (auto [value, held] : llvm::zip(values, next))
    text.line(context.names.lookup(value) + " = " + held + ";");
  return success();
}

LogicalResult RowsPrinter::conditional(scf::IfOp branch) {
  FailureOr<std::string> condition = scalar(branch.getCondition());
  if (failed(condition) || failed(declare(branch.getResults())))
    return failure();
  auto print = [&](Block &side) {
    return failed(block(side)) ||
           failed(assign(branch.getResults(), side.getTerminator()->getOperands()));
  };
  text.open("if (" + *condition + ")");
  if (print(*branch.thenBlock()))
    return failure();
  text.close();
  if (branch.getElseRegion().empty())
    return success();
  text.open("else");
  if (print(*branch.elseBlock()))
    return failure();
  text.close();
  return success();
}

LogicalResult RowsPrinter::repeated(scf::WhileOp loop) {
  Block &before = *loop.getBeforeBody(), &after = *loop.getAfterBody();
  if (failed(declare(loop.getBeforeArguments(), loop.getInits())) ||
      failed(declare(loop.getResults())))
    return failure();
  text.open("for (;;)");
  scf::ConditionOp end = loop.getConditionOp();
  if (failed(block(before)) || failed(assign(loop.getResults(), end.getArgs())))
    return failure();
  FailureOr<std::string> goesOn = scalar(end.getCondition());
  if (failed(goesOn))
    return failure();
  text.line("if (!" + *goesOn + ") break;");
  for (auto [inside, result] : llvm::zip(loop.getAfterArguments(), loop.getResults()))
    context.names[inside] = context.names.lookup(result);
  if (failed(block(after)) ||
      failed(assign(loop.getBeforeArguments(), loop.getYieldOp().getOperands())))
    return failure();
  text.close();
  return success();
}

// --- Elements ------------------------------------------------------------------------------------

ElementScope RowsPrinter::scope(CodeText &chunk, CodeText &element, int64_t width) {
  return {context.names,
          context.unique,
          chunk,
          element,
          width,
          "",
          {},
          [this](Value value, const Coordinates &at) { return held(value, at); }};
}

std::optional<std::string> RowsPrinter::held(Value value, const Coordinates &at) {
  auto found = context.names.find(value);
  if (found == context.names.end() || !isa<RankedTensorType>(value.getType()))
    return std::nullopt;
  Coordinate place = Coordinate::of(0);
  for (auto [size, coordinate] : llvm::zip(cast<RankedTensorType>(value.getType()).getShape(), at))
    place = added(scaled(place, size), coordinate);
  return found->second + "[" + place.text() + "]";
}

/// A loop of the block (or warp) over `count` units of work, as one variable.
void RowsPrinter::openShared(CodeText &out, StringRef name, StringRef first, int64_t count,
                             int64_t workers) {
  if (count <= workers) {
    out.line("const int " + name + " = " + first + ";");
    out.open("if (" + name + " < " + Twine(count) + ")");
  } else {
    out.open("for (int " + name + " = " + first + "; " + name + " < " + Twine(count) + "; " + name +
             " += " + Twine(workers) + ")");
  }
}

// --- Stores --------------------------------------------------------------------------------------

/// Where along its last dimension a tensor changes from one slice to another.
static void collectCuts(Value tensor, SmallVectorImpl<int64_t> &cuts) {
  Operation *op = tensor.getDefiningOp();
  if (!op)
    return;
  int64_t size = cast<RankedTensorType>(tensor.getType()).getShape().back();
  if (auto slice = dyn_cast<tensor::InsertSliceOp>(op)) {
    unsigned last = slice.getDestType().getRank() - 1;
    cuts.push_back(slice.getStaticOffset(last));
    cuts.push_back(slice.getStaticOffset(last) + slice.getStaticSize(last));
    collectCuts(slice.getDest(), cuts);
    return;
  }
  if (!isa<linalg::GenericOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op))
    return;
  for (Value operand : op->getOperands())
    if (auto type = dyn_cast<RankedTensorType>(operand.getType());
        type && type.getRank() > 0 && type.getShape().back() == size)
      collectCuts(operand, cuts);
}

LogicalResult RowsPrinter::store(tile::StoreOp op) {
  auto type = cast<RankedTensorType>(op.getValue().getType());
  int64_t last = type.getShape().back();
  SmallVector<int64_t> cuts{0, last};
  collectCuts(op.getValue(), cuts);
  llvm::sort(cuts);
  cuts.erase(llvm::unique(cuts), cuts.end());
  for (auto [begin, end] : llvm::zip(ArrayRef(cuts).drop_back(), ArrayRef(cuts).drop_front()))
    if (begin >= 0 && end <= last && failed(storePart(op, type, begin, end)))
      return failure();
  return success();
}

/// The widest chunk at which the store itself is one access.
LogicalResult RowsPrinter::storePart(tile::StoreOp op, RankedTensorType type, int64_t begin,
                                     int64_t end) {
  ArrayRef<int64_t> shape = type.getShape();
  int64_t leading = type.getNumElements() / shape.back();
  std::string number = context.unique.fresh("i");
  for (int64_t width = vector;; width /= 2) {
    int64_t chunks = (end - begin) / width;
    CodeText chunk(text.indentation() + 2), element(text.indentation() + 3);
    std::string row = number, column = number;
    if (leading > 1 && chunks > 1) {
      row = "(" + number + " / " + std::to_string(chunks) + ")";
      column = number + " % " + std::to_string(chunks);
    } else if (leading > 1) {
      column = "0";
    }
    Coordinates at = unravel(shape.drop_back(), row);
    std::string base = "(" + column + ")";
    if (width > 1)
      base = (leading > 1 ? base : number) + " * " + std::to_string(width);
    if (begin)
      base += " + " + std::to_string(begin);
    if (width > 1 || begin)
      base = "(" + base + ")";
    Coordinate lastAt = Coordinate::variable(base, begin, end, std::gcd(width, begin));
    if (begin == 0)
      lastAt.multiple = width;
    if (end - begin == 1)
      lastAt = Coordinate::of(begin);
    if (width > 1)
      lastAt.lane = Coordinate::Contiguous;
    at.push_back(lastAt);
    ElementPrinter printer(width > 1 ? scope(chunk, element, width) : scope(chunk, chunk, 1));
    FailureOr<Address> where = printer.address(op, at);
    if (failed(where))
      return failure();
    if (width > 1 && ((end - begin) % width != 0 || where->contiguous(width) != width))
      continue;
    FailureOr<std::string> value = printer.element(op.getValue(), at);
    if (failed(value))
      return failure();
    write(*where, *value, width, number, leading * chunks, chunk, element);
    return success();
  }
}

void RowsPrinter::write(const Address &where, const std::string &value, int64_t width,
                        StringRef number, int64_t units, CodeText &chunk, CodeText &element) {
  std::string type = storageType(where.element);
  text.open();
  openShared(text, number, "thread", units, 32 * context.warps);
  CodeText &out = text;
  out.append(chunk);
  std::string guard = where.guard.empty() ? "" : "if (" + where.guard + ") ";
  if (width == 1) {
    out.line(guard + where.buffer + "[" + where.offset + "] = " + narrowed(where.element, value) +
             ";");
  } else {
    std::string values = context.unique.fresh("result");
    out.line("float " + values + "[" + Twine(width) + "];");
    out.openUnrolled("j", width);
    out.append(element);
    out.line(values + "[j] = " + value + ";");
    out.close();
    out.line(guard + "store(" + where.buffer + " + " + where.offset + ", makeVector<" + type +
             ", " + Twine(width) + ">(" + values + "));");
  }
  text.close();
  text.close();
}

LogicalResult cuda::printRows(KernelContext &context) { return RowsPrinter(context).run(); }
