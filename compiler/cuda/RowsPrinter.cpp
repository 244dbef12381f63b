// The walk by rows: kernels whose stores can be computed element by element. Each thread evaluates
// chunks of every stored tensor by inlining its producers; what a chunk needs from elsewhere (the
// other half of a rotated pair) is loaded again rather than exchanged. Only reductions are
// materialised: a warp for each result, or the whole block where there is one result, and the
// results lie in shared memory.
#include "compiler/cuda/EarlyReads.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <numeric>

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

namespace {

/// Vectors of a weight that a thread holds ahead, at most.
constexpr int64_t kEarlyVectors = 8;

/// Elements of 16 bytes of the widest type that the kernel holds in memory.
int64_t widestVector(tile::KernelOp kernel) {
  int64_t bytes = 2;
  for (BlockArgument argument : kernel.entry().getArguments())
    if (auto type = dyn_cast<MemRefType>(argument.getType()))
      if (isa<FloatType>(type.getElementType()))
        bytes = std::max(bytes, storageBytes(type.getElementType()));
  return 16 / bytes;
}

class RowsPrinter {
public:
  explicit RowsPrinter(KernelContext &context)
      : context(context), text(context.text), vector(widestVector(context.kernel)), early(context) {
  }

  LogicalResult run() { return block(context.kernel.entry()); }

private:
  LogicalResult block(Block &ops) {
    for (Operation &op : ops.without_terminator()) {
      LogicalResult done = success();
      if (isScalarOp(&op))
        done = printScalar(&op, context.names, context.unique,
                           early.isEarly(&op) ? context.early : text);
      else if (auto generic = dyn_cast<linalg::GenericOp>(op))
        done = generic.getNumReductionLoops() > 0 ? reduce(generic) : success();
      else if (auto write = dyn_cast<tile::StoreOp>(op))
        done = store(write);
      else if (auto branch = dyn_cast<scf::IfOp>(op))
        done = conditional(branch);
      else if (op.getNumRegions() > 0 && !isa<linalg::LinalgOp>(op))
        done =
            op.emitOpError() << "is a loop, which the walk by rows does not have; use the walk by "
                                "fragments";
      if (failed(done))
        return failure();
    }
    return success();
  }

  LogicalResult conditional(scf::IfOp branch) {
    if (branch.getNumResults() > 0 || !branch.getElseRegion().empty())
      return branch.emitOpError()
             << "has results or an else branch; the walk by rows takes neither";
    std::string condition = context.names.lookup(branch.getCondition());
    text.open("if (" + condition + ")");
    if (failed(block(*branch.thenBlock())))
      return failure();
    text.close();
    return success();
  }

  ElementScope scope(CodeText &chunk, CodeText &element, int64_t width) {
    return {context.names,
            context.unique,
            chunk,
            element,
            width,
            "",
            {},
            [this](Value value, const Coordinates &at) { return held(value, at); }};
  }

  std::optional<std::string> held(Value value, const Coordinates &at) {
    auto found = context.names.find(value);
    if (found == context.names.end() || !isa<RankedTensorType>(value.getType()))
      return std::nullopt;
    Coordinate place = Coordinate::of(0);
    for (auto [size, coordinate] :
         llvm::zip(cast<RankedTensorType>(value.getType()).getShape(), at))
      place = added(scaled(place, size), coordinate);
    return found->second + "[" + place.text() + "]";
  }

  /// A loop of the block (or warp) over `count` units of work, as one variable.
  void openShared(CodeText &out, StringRef name, StringRef first, int64_t count, int64_t workers) {
    if (count <= workers) {
      out.line("const int " + name + " = " + first + ";");
      out.open("if (" + name + " < " + Twine(count) + ")");
    } else {
      out.open("for (int " + name + " = " + first + "; " + name + " < " + Twine(count) + "; " +
               name + " += " + Twine(workers) + ")");
    }
  }

  // --- Stores ----------------------------------------------------------------------------------

  /// Where along its last dimension a tensor changes from one slice to another.
  void collectCuts(Value tensor, SmallVectorImpl<int64_t> &cuts) {
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

  LogicalResult store(tile::StoreOp op) {
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
  LogicalResult storePart(tile::StoreOp op, RankedTensorType type, int64_t begin, int64_t end) {
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

  void write(const Address &where, const std::string &value, int64_t width, StringRef number,
             int64_t units, CodeText &chunk, CodeText &element) {
    std::string type = storageType(where.element);
    text.open();
    openShared(text, number, "thread", units, context.threads());
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

  // --- Reductions ------------------------------------------------------------------------------

  /// Results of a reduction lie in shared memory under the tensor's name.
  LogicalResult reduce(linalg::GenericOp op) {
    FailureOr<Combiner> combiner = combinerOf(op);
    if (failed(combiner))
      return failure();
    SmallVector<int64_t> extents = op.getStaticLoopRanges();
    SmallVector<unsigned> reduced, kept;
    for (auto [dimension, kind] : llvm::enumerate(op.getIteratorTypesArray()))
      (kind == utils::IteratorType::reduction ? reduced : kept).push_back(dimension);
    auto type = cast<RankedTensorType>(op.getResult(0).getType());
    int64_t results = type.getNumElements();
    int64_t length = extents[reduced.back()];
    if (reduced.size() != 1 || ShapedType::isDynamic(length))
      return op.emitOpError() << "reduces " << reduced.size()
                              << " dimensions; the walk by rows reduces one of constant size";
    bool wholeBlock = results == 1;
    int64_t workers = wholeBlock ? context.threads() : 32;
    int64_t width = vector;
    while (width > 1 && (length % width != 0 || length / width < workers / 2))
      width /= 2;

    std::string name = context.unique.fresh(StringRef(combiner->warpFunction).lower() + "s");
    int64_t warps = context.threads() / 32;
    text.line("__shared__ float " + name + "[" + Twine(results) + "];");
    std::string parts = wholeBlock && warps > 1 ? context.unique.fresh("parts") : "";
    if (!parts.empty())
      text.line("__shared__ float " + parts + "[" + Twine(warps) + "];");
    text.open();
    // A warp works on several results side by side, so that more reads are under way.
    int64_t together = 4;
    while (together > 1 && (wholeBlock || results % (warps * together) != 0))
      together /= 2;
    std::string number = context.unique.fresh("row"), partial = context.unique.fresh("partial");
    if (!wholeBlock) {
      std::string first = together > 1 ? "warp * " + std::to_string(together) : "warp";
      text.open("for (int " + number + " = " + first + "; " + number + " < " + Twine(results) +
                "; " + number + " += " + Twine(warps * together) + ")");
    }
    std::string result = wholeBlock ? "0" : together > 1 ? "(" + number + " + r)" : number;
    Coordinates resultAt = unravel(type.getShape(), result);
    FailureOr<Coordinates> loops = loopCoordinates(op, resultAt);
    if (failed(loops))
      return failure();

    std::string starts = combiner->identity;
    for (int64_t other = 1; other < together; ++other)
      starts += ", " + combiner->identity;
    if (together > 1)
      text.line("float " + partial + "[" + Twine(together) + "] = {" + starts + "};");
    else
      text.line("float " + partial + " = " + starts + ";");
    std::string target = together > 1 ? partial + "[r]" : partial;
    std::string column = context.unique.fresh("k");
    int64_t chunks = length / width;
    // Where a thread reads a few vectors of a weight, it does so before it waits for earlier
    // kernels.
    int64_t rounds = (chunks + workers - 1) / workers;
    bool readsEarly = wholeBlock && width > 1 && rounds <= kEarlyVectors &&
                      op->getBlock() == &context.kernel.entry() &&
                      llvm::all_of(type.getShape(), [](int64_t size) { return size == 1; });
    std::string round = "for (int n = 0, " + column + " = thread; n < " + std::to_string(rounds) +
                        "; ++n, " + column + " += " + std::to_string(workers) + ")";
    std::string inside =
        chunks % workers ? "if (" + column + " < " + std::to_string(chunks) + ")" : "";
    if (readsEarly) {
      text.line("#pragma unroll");
      text.open(round);
      if (!inside.empty())
        text.open(inside);
    } else {
      if (chunks > workers)
        text.line("#pragma unroll " + Twine(std::min<int64_t>(8 / together, chunks / workers)));
      openShared(text, column, wholeBlock ? "thread" : "lane", chunks, workers);
    }
    if (together > 1)
      text.openUnrolled("r", together);
    CodeText chunk(text.indentation()), element(text.indentation() + (width > 1 ? 1 : 0));
    Coordinate along = Coordinate::variable(
        width > 1 ? column + " * " + std::to_string(width) : column, 0, length, width);
    if (width > 1) {
      along.lane = Coordinate::Contiguous;
      along.base = "(" + along.base + ")";
    }
    (*loops)[reduced[0]] = along;
    ElementScope where = width > 1 ? scope(chunk, element, width) : scope(chunk, chunk, 1);
    if (readsEarly)
      where.loaded = [&](const Address &address, const std::string &vectorType,
                         const std::string &load) -> std::optional<std::string> {
        if (!early.reads(address.buffer))
          return std::nullopt;
        std::string early = context.unique.fresh("weights");
        context.early.line(vectorType + " " + early + "[" + Twine(rounds) + "];");
        context.early.line("#pragma unroll");
        context.early.line(round);
        context.early.line("  " + inside + (inside.empty() ? "" : " ") + early + "[n] = " + load +
                           ";");
        return early + "[n]";
      };
    ElementPrinter printer(where);
    CodeText &inner = width > 1 ? element : chunk;
    FailureOr<std::string> next = step(op, *loops, target, printer, inner);
    if (failed(next))
      return failure();
    text.append(chunk);
    if (width > 1) {
      text.openUnrolled("j", width);
      text.append(element);
      text.line(target + " = " + *next + ";");
      text.close();
    } else {
      text.line(target + " = " + *next + ";");
    }
    text.close();
    if (readsEarly && !inside.empty())
      text.close();
    if (together > 1) {
      text.close();
      text.openUnrolled("r", together);
    }
    if (failed(finish(op, *combiner, resultAt, name, parts, target)))
      return failure();
    if (together > 1)
      text.close();
    if (!wholeBlock)
      text.close();
    text.close();
    text.line("__syncthreads();");
    context.names[op.getResult(0)] = name;
    return success();
  }

  FailureOr<std::string> step(linalg::GenericOp op, const Coordinates &loops, StringRef partial,
                              ElementPrinter &printer, CodeText &inner) {
    bool bad = false;
    BodyInputs inputs;
    inputs.argument = [&](unsigned number) -> std::string {
      if (number + 1 == op->getNumOperands())
        return partial.str();
      OpOperand &operand = op->getOpOperand(number);
      FailureOr<Coordinates> at =
          operandCoordinates(op, op.getMatchingIndexingMap(&operand), loops);
      FailureOr<std::string> value =
          succeeded(at) ? printer.element(operand.get(), *at) : FailureOr<std::string>();
      bad |= failed(value);
      return succeeded(value) ? *value : "0";
    };
    inputs.index = [&](unsigned dimension) { return loops[dimension].text(); };
    inputs.outside = [&](Value value) -> std::string {
      FailureOr<std::string> outer = printer.scalar(value);
      bad |= failed(outer);
      return succeeded(outer) ? *outer : "0";
    };
    FailureOr<std::string> next = bodyExpression(*op.getBody(), inputs, inner, context.unique);
    return bad ? FailureOr<std::string>() : next;
  }

  /// Joins the parts of lanes and warps with the reduction's initial value.
  LogicalResult finish(linalg::GenericOp op, const Combiner &combiner, const Coordinates &resultAt,
                       StringRef name, StringRef parts, StringRef partial) {
    OpOperand *init = op.getDpsInitOperand(0);
    CodeText before(text.indentation());
    ElementPrinter printer(scope(before, before, 1));
    FailureOr<std::string> start = printer.element(init->get(), resultAt);
    if (failed(start))
      return failure();
    text.line(partial + " = warp" + combiner.warpFunction + "(" + partial + ");");
    Coordinate place = Coordinate::of(0);
    auto shape = cast<RankedTensorType>(op.getResult(0).getType()).getShape();
    for (auto [size, coordinate] : llvm::zip(shape, resultAt))
      place = added(scaled(place, size), coordinate);
    auto result = [&](const Twine &value) -> LogicalResult {
      FailureOr<std::string> joined = combiner.apply(*start, value.str());
      if (failed(joined))
        return failure();
      text.append(before);
      text.line(name + "[" + place.text() + "] = " + *joined + ";");
      return success();
    };
    if (!parts.empty()) {
      text.line("if (lane == 0) " + parts + "[warp] = " + partial + ";");
      text.line("__syncthreads();");
      text.open("if (thread == 0)");
      text.line(partial + " = " + parts + "[0];");
      text.openUnrolled("w", context.threads() / 32 - 1);
      FailureOr<std::string> joined = combiner.apply(partial, (parts + "[w + 1]").str());
      text.line(partial + " = " + *joined + ";");
      text.close();
    } else {
      text.open("if (lane == 0)");
    }
    if (failed(result(partial)))
      return failure();
    text.close();
    return success();
  }

  KernelContext &context;
  CodeText &text;
  int64_t vector;
  EarlyReads early;
};

} // namespace

LogicalResult cuda::printRows(KernelContext &context) { return RowsPrinter(context).run(); }
