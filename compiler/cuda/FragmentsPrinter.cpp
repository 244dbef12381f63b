// The walk over a kernel's operations in fragments: elementwise operations as loops over registers,
// branches.
#include "compiler/cuda/FragmentsPrinter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

LogicalResult cuda::printFragments(KernelContext &context) {
  return FragmentsPrinter(context).run();
}

/// The row dimensions are those of the contractions' results, or else of what is stored.
LogicalResult FragmentsPrinter::chooseRows() {
  RankedTensorType shape;
  context.kernel.walk([&](linalg::GenericOp op) {
    if (!shape && isContraction(op))
      shape = cast<RankedTensorType>(op.getResult(0).getType());
  });
  context.kernel.walk([&](tile::StoreOp op) {
    auto type = cast<RankedTensorType>(op.getValue().getType());
    if (!shape && type.getRank() > 1)
      shape = type;
  });
  if (!shape || !shape.hasStaticShape())
    return context.kernel.emitOpError() << "has no matrix of static size to walk by fragments";
  lead.assign(shape.getShape().begin(), shape.getShape().end() - 1);
  rows = 1;
  for (int64_t size : lead)
    rows *= size;
  int64_t unit = 16 * context.warpsM;
  rowsPadded = (rows + unit - 1) / unit * unit;
  // What contractions read goes through shared memory unless it is computed from results of others.
  context.kernel.walk([&](linalg::GenericOp op) {
    if (!isContraction(op))
      return;
    for (Value input : op.getDpsInputs()) {
      SmallVector<Value> work{input};
      llvm::SetVector<Value> slice;
      bool isComputed = false;
      while (!work.empty()) {
        Value value = work.pop_back_val();
        if (!isa<RankedTensorType>(value.getType()) || !slice.insert(value))
          continue;
        Operation *maker = value.getDefiningOp();
        auto generic = dyn_cast_or_null<linalg::GenericOp>(maker);
        isComputed |= !maker || (generic && isContraction(generic));
        if (maker)
          llvm::append_range(work, maker->getOperands());
      }
      if (!isComputed)
        operands.insert(slice.begin(), slice.end());
    }
  });
  return success();
}

LogicalResult FragmentsPrinter::run() {
  if (failed(chooseRows()))
    return failure();
  return block(context.kernel.entry());
}

LogicalResult FragmentsPrinter::block(Block &ops) {
  for (Operation &op : ops.without_terminator())
    if (failed(operation(op)))
      return failure();
  return success();
}

LogicalResult FragmentsPrinter::scalar(Operation *op, Names &names, CodeText &out) {
  return printScalar(op, names, context.unique, out);
}

/// What is not held is evaluated from its own operands where it is read.
void FragmentsPrinter::touchOperands(Operation *op) {
  for (Value operand : op->getOperands()) {
    auto generic = operand.getDefiningOp<linalg::GenericOp>();
    if (auto found = held.find(operand); found != held.end())
      touch(found->second);
    else if (generic && !operands.contains(operand))
      touchOperands(generic);
  }
}

LogicalResult FragmentsPrinter::operation(Operation &op) {
  if (isScalarOp(&op))
    return scalar(&op, context.names, text);
  bool isProduct = isa<linalg::GenericOp>(op) && isContraction(cast<linalg::GenericOp>(op));
  if (!isa<scf::ForOp>(op) && !isProduct)
    touchOperands(&op);
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case([&](linalg::GenericOp generic) -> LogicalResult {
        if (operands.contains(generic.getResult(0)))
          return success();
        if (isContraction(generic))
          return contraction(generic);
        bool readsHeld = llvm::any_of(generic->getOperands(), [&](Value v) { return isHeld(v); });
        if (reducedColumns(generic) > 0)
          return reduction(generic);
        Type type = generic.getResult(0).getType();
        if (isRowVector(type) || (readsHeld && isMatrix(type) && readsInPlace(generic)))
          return elementwise(generic);
        return success(); // evaluated where it is used
      })
      .Case([&](scf::ForOp inner) { return loop(inner); })
      .Case([&](scf::IfOp inner) { return conditional(inner); })
      .Case([&](tile::StoreOp inner) { return store(inner); })
      .Case([&](memref::AllocOp inner) { return sharedBuffer(inner); })
      .Case([&](gpu::BarrierOp barrier) {
        text.line("__syncthreads();");
        // What warps held before lies in shared memory now; they divide it anew.
        if (auto warps = barrier->getAttrOfType<DenseI64ArrayAttr>(kWarps)) {
          context.warpsM = warps[0];
          context.warpsN = warps[1];
          held.clear();
        }
        return success();
      })
      .Case<linalg::FillOp, tile::LoadOp, tile::LoadPagesOp, tensor::EmptyOp, arith::ConstantOp,
            tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ExtractSliceOp,
            tensor::InsertSliceOp>([](Operation *) { return success(); })
      .Default([](Operation *other) {
        return other->emitOpError() << "cannot be printed in a kernel of fragments";
      });
}

LogicalResult FragmentsPrinter::conditional(scf::IfOp op) {
  if (op.getNumResults() > 0 || !op.getElseRegion().empty())
    return op.emitOpError() << "has results or an else branch; the CUDA stage takes neither";
  text.open("if (" + context.names.lookup(op.getCondition()) + ")");
  if (failed(block(*op.thenBlock())))
    return failure();
  text.close();
  return success();
}

/// A buffer in shared memory through which warps exchange fragments. What the memory held before is
/// done with when all warps are here; then rows of the exchange are spread over the warps by
/// columns.
LogicalResult FragmentsPrinter::sharedBuffer(memref::AllocOp op) {
  auto type = op.getType();
  int64_t offset =
      context.reserveShared(type.getNumElements() * storageBytes(type.getElementType()));
  std::string name = context.unique.fresh("exchange");
  std::string element = storageType(type.getElementType());
  if (!isa_and_nonnull<memref::AllocOp>(op->getPrevNode()))
    text.line("__syncthreads();");
  text.line(element + " *const " + name + " = reinterpret_cast<" + element + " *>(shared + " +
            Twine(offset) + ");");
  context.names[op.getResult()] = name;
  return success();
}

// --- Registers ---------------------------------------------------------------------------------

Held FragmentsPrinter::declare(Value value, StringRef hint, bool carried) {
  auto type = cast<RankedTensorType>(value.getType());
  int64_t columns = isRowVector(type) ? 0 : type.getShape().back();
  Held result{context.unique.fresh(hint), columns, registersOf(columns)};
  text.line(registerType(type.getElementType()) + " " + result.name + "[" +
            Twine(result.registers) + "];");
  if (carried)
    context.carriedRegisters += result.registers;
  else
    context.widestTile = std::max(context.widestTile, result.registers);
  held[value] = result;
  return result;
}

Coordinates FragmentsPrinter::coordinates(int64_t columns, bool pairs) const {
  Coordinates result(lead.size());
  int64_t below = 1;
  for (size_t dimension = lead.size(); dimension-- > 0;) {
    int64_t size = lead[dimension];
    result[dimension] = Coordinate::of(0);
    if (size == 1)
      continue;
    std::string value = "row";
    if (below > 1)
      value = "(" + value + " / " + std::to_string(below) + ")";
    if (below * size < rows)
      value = "(" + value + " % " + std::to_string(size) + ")";
    result[dimension] = Coordinate::variable(value, 0, size);
    below *= size;
  }
  if (columns) {
    Coordinate column = Coordinate::variable("col", 0, columns, pairs ? 2 : 1);
    if (pairs)
      column.lane = Coordinate::Contiguous;
    result.push_back(column);
  }
  return result;
}

/// Defines row and col of register i (of pair i) where `used` mentions them.
void FragmentsPrinter::positions(CodeText &out, int64_t columns, bool pairs, StringRef used) const {
  auto mentions = [&](StringRef word) {
    for (size_t at = used.find(word); at != StringRef::npos; at = used.find(word, at + 1)) {
      bool left = at == 0 || !(llvm::isAlnum(used[at - 1]) || used[at - 1] == '_');
      size_t end = at + word.size();
      bool right = end >= used.size() || !(llvm::isAlnum(used[end]) || used[end] == '_');
      if (left && right)
        return true;
    }
    return false;
  };
  std::string warp = warpName();
  layout::IndexNames names{pairs ? "(2 * i)" : "i", "lane", warp};
  layout::Fragment spread = fragment(columns);
  if (mentions("row"))
    out.line("const int row = " + spread.expression(0, names) + ";");
  if (columns && mentions("col"))
    out.line("const int col = " + spread.expression(1, names) + ";");
}

ElementScope FragmentsPrinter::scope(CodeText &chunk, CodeText &element, int64_t columns,
                                     bool pairs) {
  std::string guard;
  if (rows != rowsPadded)
    guard = "row < " + std::to_string(rows);
  if (columns && columns != paddedColumns(columns))
    guard += (guard.empty() ? "col < " : " && col < ") + std::to_string(columns);
  ElementScope result{context.names, context.unique, chunk, element, pairs ? 2 : 1, guard, {}, {}};
  result.scalars.approximate = true;
  result.scalars.coarseTangents = coarseTangents;
  Coordinates here = coordinates(columns, pairs);
  result.held = [this, columns, pairs, here](Value value,
                                             const Coordinates &at) -> std::optional<std::string> {
    auto found = held.find(value);
    if (found == held.end())
      return std::nullopt;
    const Held &source = found->second;
    size_t count = lead.size() + (source.columns ? 1 : 0);
    bool same = at.size() == count && (source.columns == 0 || source.columns == columns);
    for (size_t dimension = 0; same && dimension < count; ++dimension)
      same = at[dimension].text() == here[dimension].text();
    if (!same)
      return std::nullopt;
    std::string index = pairs ? "2 * i + j" : "i";
    if (source.columns == 0 && columns) {
      int64_t width = tilesN(columns) * 4;
      std::string reg = pairs ? "2 * i" : "i";
      index = reg + " / " + std::to_string(width) + " * 2 + (" + reg + " / 2) % 2";
    }
    return source.name + "[" + index + "]";
  };
  return result;
}

LogicalResult FragmentsPrinter::assign(const Held &target, Value value) {
  CodeText inside(text.indentation() + 1);
  ElementPrinter elements(scope(inside, inside, target.columns, /*pairs=*/false));
  FailureOr<std::string> element =
      elements.element(value, coordinates(target.columns, /*pairs=*/false));
  if (failed(element))
    return failure();
  text.openUnrolled("i", target.registers);
  positions(text, target.columns, false, inside.text() + " " + *element);
  text.append(inside);
  text.line(target.name + "[i] = " + *element + ";");
  text.close();
  return success();
}

FailureOr<Held> FragmentsPrinter::continued(Operation *op, OpOperand *init, StringRef hint) {
  Value result = op->getResult(0);
  if (isHeld(init->get()) && init->get().hasOneUse()) {
    Held reused = held[init->get()];
    held[result] = reused;
    return reused;
  }
  Held fresh = declare(result, hint);
  if (failed(assign(fresh, init->get())))
    return failure();
  return fresh;
}

// --- Elementwise -------------------------------------------------------------------------------

/// Whether each lane finds what it reads of held tensors among its own registers: element (rows,
/// column) reads rows, or rows and column. A tensor of parts [part, rows…] may have a matrix's
/// shape by chance.
bool FragmentsPrinter::readsInPlace(linalg::GenericOp op) const {
  AffineMap result = op.getIndexingMapsArray().back();
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isHeld(operand.get()))
      continue;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [own, expected] : llvm::zip(map.getResults(), result.getResults()))
      if (own != expected)
        return false;
  }
  return true;
}

static std::string hintOf(linalg::GenericOp op) {
  Operation *last = op.getBody()->getTerminator()->getOperand(0).getDefiningOp();
  return llvm::TypeSwitch<Operation *, std::string>(last)
      .Case<arith::SelectOp>([](Operation *) { return "selected"; })
      .Case<math::Exp2Op>([&](Operation *) { return "power"; })
      .Case<arith::MulFOp>([](Operation *) { return "scaled"; })
      .Case<arith::MaxNumFOp>([](Operation *) { return "larger"; })
      .Case<arith::DivFOp>([](Operation *) { return "quotient"; })
      .Case<arith::AddFOp>([](Operation *) { return "added"; })
      .Default([](Operation *) { return "value"; });
}

/// One from outside of a loop is wanted again.
const Held *FragmentsPrinter::inPlace(linalg::GenericOp op) const {
  auto type = cast<RankedTensorType>(op.getResult(0).getType());
  int64_t columns = isRowVector(type) ? 0 : type.getShape().back();
  const Held *found = nullptr;
  for (OpOperand &operand : op->getOpOperands()) {
    Value value = operand.get();
    bool reads = !op.isDpsInit(&operand) || op.payloadUsesValueFromOperand(&operand);
    auto place = held.find(value);
    if (reads && place != held.end() && value.hasOneUse() &&
        value.getParentBlock() == op->getBlock() && place->second.columns == columns &&
        registerType(getElementTypeOrSelf(value.getType())) == registerType(type.getElementType()))
      found = &place->second;
  }
  return found;
}

LogicalResult FragmentsPrinter::elementwise(linalg::GenericOp op) {
  Value result = op.getResult(0);
  auto type = cast<RankedTensorType>(result.getType());
  int64_t columns = isRowVector(type) ? 0 : type.getShape().back();
  const Held *source = inPlace(op);
  std::optional<Held> reused = source ? std::optional(*source) : std::nullopt;
  // Neighbouring columns together where memory is read.
  bool pairs = columns > 0 && columns % 2 == 0 && llvm::any_of(op.getDpsInputs(), [&](Value input) {
                 return isMatrix(input.getType()) && !isHeld(input);
               });
  CodeText inside(text.indentation() + 1), each(text.indentation() + 2);
  ElementScope where = scope(inside, pairs ? each : inside, columns, pairs);
  // Stores round what they write.
  if (llvm::all_of(result.getUsers(), llvm::IsaPred<tile::StoreOp>))
    where.unrounded = result;
  ElementPrinter elements(where);
  FailureOr<std::string> element = elements.element(result, coordinates(columns, pairs));
  if (failed(element))
    return failure();
  Held target = reused ? *reused : declare(result, hintOf(op));
  held[result] = target;
  openRegisters(columns, target.registers, pairs);
  positions(text, columns, pairs, inside.text() + each.text() + " " + *element);
  text.append(inside);
  if (pairs) {
    text.openUnrolled("j", 2);
    text.append(each);
  }
  text.line(target.name + (pairs ? "[2 * i + j] = " : "[i] = ") + *element + ";");
  if (pairs)
    text.close();
  text.close();
  return success();
}
