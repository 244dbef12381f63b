// Reductions of the walk by rows: a warp for each result, or the whole block where there is one
// result. Results lie in shared memory, where all threads read them.
#include "compiler/cuda/RowsPrinter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

/// Vectors of a weight that a thread holds ahead, at most.
static constexpr int64_t kEarlyVectors = 8;

/// Rounds of a reduction's loop that are written out, so that their reads are under way together.
/// Long bodies keep a block busy with fewer, and take the device compiler long.
static int64_t unrolledRounds(linalg::GenericOp op) {
  int64_t operations = op.getBody()->getOperations().size();
  return std::clamp<int64_t>(128 / operations, 2, 8);
}

/// Results of a reduction lie in shared memory under the tensor's name.
LogicalResult RowsPrinter::reduce(linalg::GenericOp op) {
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
  std::string kind = registerType(type.getElementType());
  bool wholeBlock = results == 1;
  int64_t workers = wholeBlock ? context.threads() : 32;
  int64_t width = vector;
  while (width > 1 && (length % width != 0 || length / width < workers / 2))
    width /= 2;

  std::string name = context.unique.fresh(StringRef(combiner->warpFunction).lower() + "s");
  int64_t warps = context.threads() / 32;
  text.line("__shared__ " + kind + " " + name + "[" + Twine(results) + "];");
  std::string parts = wholeBlock && warps > 1 ? context.unique.fresh("parts") : "";
  if (!parts.empty())
    text.line("__shared__ " + kind + " " + parts + "[" + Twine(warps) + "];");
  text.open();
  // A warp works on several results side by side, so that more reads are under way.
  int64_t together = 4;
  while (together > 1 && (wholeBlock || results % (warps * together) != 0))
    together /= 2;
  std::string number = context.unique.fresh("row"), partial = context.unique.fresh("partial");
  if (!wholeBlock) {
    std::string first = together > 1 ? "warp * " + std::to_string(together) : "warp";
    text.open("for (int " + number + " = " + first + "; " + number + " < " + Twine(results) + "; " +
              number + " += " + Twine(warps * together) + ")");
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
    text.line(kind + " " + partial + "[" + Twine(together) + "] = {" + starts + "};");
  else
    text.line(kind + " " + partial + " = " + starts + ";");
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
    int64_t unrolled = std::max<int64_t>(unrolledRounds(op) / together, 1);
    if (chunks > workers)
      text.line("#pragma unroll " + Twine(std::min<int64_t>(unrolled, chunks / workers)));
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

FailureOr<std::string> RowsPrinter::step(linalg::GenericOp op, const Coordinates &loops,
                                         StringRef partial, ElementPrinter &printer,
                                         CodeText &inner) {
  bool bad = false;
  BodyInputs inputs;
  inputs.argument = [&](unsigned number) -> std::string {
    if (number + 1 == op->getNumOperands())
      return partial.str();
    OpOperand &operand = op->getOpOperand(number);
    FailureOr<Coordinates> at = operandCoordinates(op, op.getMatchingIndexingMap(&operand), loops);
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
LogicalResult RowsPrinter::finish(linalg::GenericOp op, const Combiner &combiner,
                                  const Coordinates &resultAt, StringRef name, StringRef parts,
                                  StringRef partial) {
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
