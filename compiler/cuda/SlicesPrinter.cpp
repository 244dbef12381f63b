// Implements SlicesPrinter.h.
#include "compiler/cuda/SlicesPrinter.h"

#include "compiler/cuda/FragmentsPrinter.h"
#include "compiler/cuda/TensorMaps.h"

#include "mlir/IR/Matchers.h"

#include <map>

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

namespace {

constexpr int64_t kSliceDepth = 64, kSliceBytes = 128;
constexpr int64_t kAlignment = 1024; ///< of tiles whose swizzle is 128 bytes
constexpr int64_t kBarrierBytes = 8;
constexpr int64_t kStepsAhead = 4; ///< whose activations are on their way where not all are held
constexpr int64_t kSumsBarrier = 1;

/// Registers of a lane that can hold activations beside `sums` of products: each quarter of a
/// multiprocessor gives its warps equal shares, a multiple of 8.
int64_t registersForActivations(int64_t warps, int64_t sums) {
  constexpr int64_t kOfQuarter = 16384 / 32, kMost = 255, kOthers = 50;
  int64_t share = kOfQuarter / llvm::divideCeil(warps, 4) / 8 * 8;
  // ptxas has the operands of several products under way.
  int64_t operands = 14 * sums / 4;
  return std::max<int64_t>(std::min(share, kMost) - kOthers - operands - sums, 0);
}

tile::LoadOp loadOfOperand(linalg::GenericOp product, unsigned number) {
  return product.getDpsInputs()[number].getDefiningOp<tile::LoadOp>();
}

bool isZero(Value value) { return matchPattern(value, m_Zero()); }

} // namespace

/// Whether a load takes all of the depth of plain rows.
static bool takesWholeRows(tile::LoadOp load) {
  auto tile = cast<RankedTensorType>(load.getType());
  auto buffer = cast<MemRefType>(load.getBuffer().getType());
  return tile.getRank() == 2 && tile.hasStaticShape() && buffer.getRank() == 2 &&
         buffer.getLayout().isIdentity() && buffer.getShape()[1] == tile.getShape()[1] &&
         isZero(load.getOffsets()[1]) && !load.getRows();
}

bool cuda::canWalkBySlices(tile::KernelOp kernel) {
  Value activations;
  auto found = halfProducts(kernel);
  for (auto [op, type] : found) {
    tile::LoadOp left = loadOfOperand(op, 0), right = loadOfOperand(op, 1);
    if (!type || op->getBlock() != &kernel.entry() || !left || !right || !depthIsContiguous(op) ||
        (activations && activations != left) || !takesWholeRows(left) || !takesWholeRows(right))
      return false;
    activations = left;
    ArrayRef<int64_t> weights = cast<RankedTensorType>(right.getType()).getShape();
    int64_t rows = cast<RankedTensorType>(left.getType()).getShape()[0];
    if (!cast<MemRefType>(right.getBuffer().getType()).hasStaticShape() || weights[0] % 16 ||
        weights[1] % kSliceDepth || (rows != 16 && 8 % rows))
      return false;
  }
  WalkResult others = kernel.walk([&](Operation *op) {
    auto generic = dyn_cast<linalg::GenericOp>(op);
    bool isOther = generic ? generic.getNumReductionLoops() > 0 && !isContraction(generic)
                           : op != kernel && op->getNumRegions() > 0 && !isa<linalg::LinalgOp>(op);
    return isOther ? WalkResult::interrupt() : WalkResult::advance();
  });
  return !found.empty() && !others.wasInterrupted();
}

SlicesPrinter::SlicesPrinter(KernelContext &context) : RowsPrinter(context) {
  vector = 2; // so that many threads write
}

LogicalResult cuda::printSlices(KernelContext &context) { return SlicesPrinter(context).run(); }

void SlicesPrinter::plan() {
  for (auto [op, element] : halfProducts(context.kernel)) {
    products.push_back(op);
    type = storageType(element);
  }
  auto result = cast<RankedTensorType>(products[0].getResult(0).getType());
  rows = result.getShape()[0];
  columns = result.getShape()[1];
  depth = products[0].getStaticLoopRanges().back();
  int64_t slices = depth / kSliceDepth;
  steps = llvm::divideCeil(slices, context.warps);
  context.extraWarps = 1;
  auto count = static_cast<int64_t>(products.size());
  int64_t ofStep = vectors() * 4, sums = count * strips() * groups() * 4;
  int64_t most = registersForActivations(context.threads() / 32, sums) / ofStep;
  held = steps <= most ? steps : std::clamp<int64_t>(most, 1, kStepsAhead);
  tileBytes = columns * kSliceBytes * context.warps;
  for (linalg::GenericOp op : products)
    maps.push_back(planBlocks(loadOfOperand(op, 1), columns, context.warps, context.tensorMaps));
  if (auto stages = context.kernel->getAttrOfType<IntegerAttr>(kStages))
    slots = stages.getInt();
  slots = std::max<int64_t>(slots, 2);
  sumsOffset = slots * count * tileBytes;
  // Warps leave the next item's sums while others read this one's.
  int64_t sumsBytes = 2 * count * context.warps * sumsOfWarp() * 4;
  barrierOffset = sumsOffset + llvm::alignTo(sumsBytes, kBarrierBytes);
  context.reserveShared(kAlignment + barrierOffset + 2 * slots * kBarrierBytes);
  context.isPersistent = true;
  context.carriedRegisters = held * ofStep + sums;
  context.operandRegisters = 16;
  for (StringRef header : {"barrier", "tma", "slices"})
    context.headers.push_back(header.str());
}

std::string SlicesPrinter::barrier(bool filled) const {
  int64_t first = barrierOffset + (filled ? 0 : slots) * kBarrierBytes;
  return "tiles + " + std::to_string(first) + " + " + std::to_string(kBarrierBytes) + " * ";
}

LogicalResult SlicesPrinter::run() {
  plan();
  openRing(context.early);
  if (failed(produce(context.early)))
    return failure();
  return multiply();
}

void SlicesPrinter::openRing(CodeText &out) {
  out.line("const u32 tiles = (sharedAddress(shared) + " + Twine(kAlignment - 1) + ") & ~" +
           Twine(kAlignment - 1) + "u;");
  out.open("if (thread == " + Twine(32 * context.warps) + ")");
  out.open("for (int slot = 0; slot < " + Twine(slots) + "; ++slot)");
  out.line("initBarrier(" + barrier(true) + "slot, 1), initBarrier(" + barrier(false) + "slot, " +
           Twine(context.warps) + ");");
  out.close();
  out.line("publishBarriers();");
  out.close();
  out.line("__syncthreads();");
}

LogicalResult SlicesPrinter::scalars(Names &names, CodeText &out) {
  for (Operation &op : context.kernel.entry().without_terminator()) {
    if (!isScalarOp(&op))
      continue;
    auto item = dyn_cast<tile::WorkItemOp>(op);
    if (!item) {
      if (failed(printScalar(&op, names, context.unique, out)))
        return failure();
      continue;
    }
    std::string name = context.unique.fresh("item" + std::to_string(item.getDimension()));
    out.line("const long long " + name + " = " +
             itemExpression(context.kernel, item.getDimension(), "item") + ";");
    names[item.getResult()] = name;
  }
  return success();
}

/// One thread keeps the ring full, from before the wait for earlier kernels on.
LogicalResult SlicesPrinter::produce(CodeText &out) {
  out.open("if (warp == " + Twine(context.warps) + ")");
  out.line("if (lane > 0) return;");
  out.line("RingPosition<" + Twine(slots) + "> ring(1);");
  out.open("for (long long item = blockIdx.x; item < items; item += gridDim.x)");
  Names names = context.names;
  if (failed(scalars(names, out)))
    return failure();
  out.open("for (int step = 0; step < " + Twine(steps) + "; ++step)");
  auto count = static_cast<int64_t>(products.size());
  out.line("const u32 slot = ring.slot(), filled = " + barrier(true) + "slot;");
  out.line("await(" + barrier(false) + "slot, ring.parity());");
  out.line("arriveExpecting(filled, " + Twine(count * tileBytes) + ");");
  for (auto [number, op] : llvm::enumerate(products)) {
    FailureOr<std::string> row = ElementPrinter(ElementScope{names, context.unique, out, out})
                                     .scalar(loadOfOperand(op, 1).getOffsets()[0]);
    if (failed(row))
      return failure();
    out.line("copyBox(tiles + slot * " + Twine(count * tileBytes) + " + " +
             Twine(static_cast<int64_t>(number) * tileBytes) + ", map" + Twine(maps[number]) +
             ", filled, 0, int(" + *row + "), step * " + Twine(context.warps) + ");");
  }
  out.line("ring.advance();");
  out.close();
  out.close();
  out.line("return;");
  out.close();
  return success();
}

void SlicesPrinter::readActivations(StringRef to, const Twine &step) {
  std::string read = "readSlice<" + std::to_string(rows) + ">(" + to.str() + ", activations + (" +
                     step.str() + ") * " + std::to_string(context.warps * kSliceDepth) + ", " +
                     std::to_string(depth) + ", lane);";
  int64_t rest = depth / kSliceDepth % context.warps;
  if (rest) {
    // Of the last step some warps have no slice; their weights are zeros.
    text.line("if ((" + step + ") < " + Twine(steps - 1) + " || warp < " + Twine(rest) + ")");
    read = "  " + read;
  }
  text.line(read);
}

void SlicesPrinter::step(const Twine &activations) {
  auto count = static_cast<int64_t>(products.size());
  text.line("const u32 slot = ring.slot();");
  text.line("await(" + barrier(true) + "slot, ring.parity());");
  for (int64_t product = 0; product < count; ++product)
    text.line((product ? "read ^= " : "u32 read = ") + Twine("multiplySlice<") + type + ", " +
              Twine(strips()) + ", " + Twine(groups()) + ">(sums[" + Twine(product) +
              "], tiles + slot * " + Twine(count * tileBytes) + " + " + Twine(product * tileBytes) +
              " + warp * " + Twine(columns * kSliceBytes) + ", " + activations + ", lane);");
  text.line("arriveBehind(" + barrier(false) + "slot, read, lane);");
  text.line("ring.advance();");
}

/// Names the item's activations, and reads what is held of them at its start.
LogicalResult SlicesPrinter::holdActivations(tile::LoadOp load) {
  FailureOr<std::string> row =
      ElementPrinter(RowsPrinter::scope(text, text, 1)).scalar(load.getOffsets()[0]);
  if (failed(row))
    return failure();
  text.line("const " + type + " *activations = " + context.names.lookup(load.getBuffer()) + " + " +
            *row + " * " + Twine(depth) + " + warp * " + Twine(kSliceDepth) + ";");
  bool once = held == steps;
  if (once)
    text.open("if (" + *row + " != rowHeld)");
  text.openUnrolled("n", held);
  readActivations("slices[n]", "n");
  text.close();
  if (once) {
    text.line("rowHeld = " + *row + ";");
    text.close();
  }
  return success();
}

void SlicesPrinter::allSteps() {
  if (held == steps) {
    text.openUnrolled("n", steps);
    step("slices[n]");
    text.close();
  } else {
    text.line("#pragma unroll 1");
    text.open("for (int first = 0; first < " + Twine(steps) + "; first += " + Twine(held) + ")");
    text.openUnrolled("n", held);
    if (steps % held)
      text.line("if (first + n >= " + Twine(steps) + ") break;");
    step("slices[n]");
    text.open("if (first + n + " + Twine(held) + " < " + Twine(steps) + ")");
    readActivations("slices[n]", "first + n + " + Twine(held));
    text.close();
    text.close();
    text.close();
  }
}

LogicalResult SlicesPrinter::multiply() {
  auto count = static_cast<int64_t>(products.size());
  text.line("RingPosition<" + Twine(slots) + "> ring(0);");
  text.line("Vector<" + type + ", 8> slices[" + Twine(held) + "][" + Twine(vectors()) + "] = {};");
  if (held == steps)
    text.line("long long rowHeld = -1;");
  text.line(
      "float *sumsOfItem = reinterpret_cast<float *>(shared + (tiles - sharedAddress(shared)) + " +
      Twine(sumsOffset) + ");");
  text.line("int turn = 0;");
  text.open("for (long long item = blockIdx.x; item < items; item += gridDim.x)");
  if (failed(scalars(context.names, text)) ||
      failed(holdActivations(loadOfOperand(products[0], 0))))
    return failure();
  text.line("float sums[" + Twine(count) + "][" + Twine(strips() * groups() * 4) + "] = {};");
  allSteps();

  int64_t ofWarp = sumsOfWarp(), ofItem = count * context.warps * ofWarp;
  text.line("float *sumsOfTurn = sumsOfItem + turn * " + Twine(ofItem) + ";");
  for (int64_t product = 0; product < count; ++product)
    text.line("storeSums<" + Twine(rows) + ", " + Twine(strips()) + ", " + Twine(groups()) +
              ">(sumsOfTurn + (" + Twine(product * context.warps) + " + warp) * " + Twine(ofWarp) +
              ", sums[" + Twine(product) + "], lane);");
  text.line("syncNamed(" + Twine(kSumsBarrier) + ", " + Twine(32 * context.warps) + ");");
  text.line("turn ^= 1;");
  for (Operation &op : context.kernel.entry())
    if (auto write = dyn_cast<tile::StoreOp>(op); write && failed(store(write)))
      return failure();
  text.close();
  return success();
}

ElementScope SlicesPrinter::scope(CodeText &chunk, CodeText &element, int64_t width) {
  ElementScope where = RowsPrinter::scope(chunk, element, width);
  where.held = [this, &element, known = std::map<std::string, std::string>()](
                   Value value, const Coordinates &at) mutable -> std::optional<std::string> {
    const auto *product = llvm::find(products, value.getDefiningOp());
    if (product == products.end())
      return std::nullopt;
    std::string &name = known[keyOf(value, at)];
    if (name.empty()) {
      int64_t ofWarp = sumsOfWarp();
      name = context.unique.fresh("sum");
      element.line("const float " + name + " = sumOfWarps<" + Twine(context.warps) + ", " +
                   Twine(ofWarp) + ">(sumsOfTurn + " +
                   Twine((product - products.begin()) * context.warps * ofWarp) + " + " +
                   at[0].text() + " * " + Twine(sumsPitch()) + " + " + at[1].text() + ");");
    }
    return name;
  };
  return where;
}
