// The frame of a kernel that is walked by warpgroups: roles, items, loops, and the operations that
// differ from the walk by fragments.
#include "compiler/cuda/WarpgroupsPrinter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

LogicalResult cuda::printWarpgroups(KernelContext &context) {
  return WarpgroupsPrinter(context).run();
}

LogicalResult WarpgroupsPrinter::run() {
  if (failed(chooseRows()))
    return failure();
  if (rows != 64 * warpgroups() || lead.empty())
    return context.kernel.emitOpError()
           << "has " << rows << " rows for " << warpgroups() << " warpgroups, which take 64 each";
  for (StringRef header : {"barrier", "tma", "wgmma", "items"})
    context.headers.push_back(header.str());
  context.extraWarps = 4;
  context.isPersistent = true;
  coarseTangents = true; // operands have 16 bits
  context.registerLimit = consumerRegisters();
  planItems();
  if (failed(planRings()))
    return failure();
  openRings();

  text.open("if (warp >= " + Twine(context.warps) + ")");
  text.line("giveRegisters<" + Twine(producerRegisters()) + ">();");
  for (unsigned ring = 0; ring < rings.size(); ++ring)
    if (failed(produce(ring)))
      return failure();
  if (failed(fetchItems()))
    return failure();
  text.line("return;");
  text.close();

  text.line("takeRegisters<" + Twine(consumerRegisters()) + ">();");
  text.line("const int warpgroup = warp / 4;");
  for (const TileRing &ring : rings)
    text.line("RingPosition<" + Twine(ring.slots) + "> " + ring.name + "(0);");
  takeTurns = context.kernel
                  .walk([&](linalg::GenericOp op) {
                    return isContraction(op) && takesTurn(op, true) ? WalkResult::interrupt()
                                                                    : WalkResult::advance();
                  })
                  .wasInterrupted();
  if (takeTurns) {
    text.line("if (warpgroup == " + Twine(warpgroups() - 1) + ")");
    text.line("  arriveNamed(" + Twine(kTurnBarrier) + ", 256);");
  }
  openItems(context.names, [](Operation *) { return true; });
  for (const auto &[tensor, tile] : ringTiles)
    if (rings[tile.ring].wholeItem)
      wholeItemSlots.push_back(acquire(tensor));
  if (failed(block(context.kernel.entry())))
    return failure();
  settle(0);
  for (const Slot &slot : wholeItemSlots)
    release(slot);
  closeItems();
  if (boxedStore) {
    text.line("if (thread % 128 == 0)");
    text.line("  awaitStores();");
  }
  return success();
}

bool WarpgroupsPrinter::takesBands() const {
  tile::GridAttr grid = context.kernel.getGridAttr();
  return grid && grid.size() == 2 && grid[0].getKind() != tile::ExtentKind::WorkList;
}

LogicalResult WarpgroupsPrinter::scalar(Operation *op, Names &names, CodeText &out) {
  if (isItemField(op))
    return success(); // named where the item begins
  auto item = dyn_cast<tile::WorkItemOp>(op);
  if (!item)
    return printScalar(op, names, context.unique, out, indexType());
  std::string expression = itemExpression(context.kernel, item.getDimension(), "item");
  if (takesBands())
    expression = item.getDimension() == 0 ? "place.row" : "place.column";
  std::string name = context.unique.fresh("item" + std::to_string(item.getDimension()));
  out.line("const " + indexType() + " " + name + " = " + expression + ";");
  names[item.getResult()] = name;
  return success();
}

LogicalResult WarpgroupsPrinter::operation(Operation &op) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (generic && isPacked(generic.getResult(0)))
    return pack(generic);
  Value whole = generic ? keepsAll(generic) : Value();
  if (!whole || !inPlace(generic))
    return FragmentsPrinter::operation(op);
  // Nothing to do for a tile that the mask leaves as it is.
  touchOperands(&op);
  text.open("if (!" + context.names.lookup(whole) + ")");
  LogicalResult result = FragmentsPrinter::operation(op);
  text.close();
  return result;
}

/// The scalar that, where it holds, makes `op` leave its operand as it is; null if there is none.
Value WarpgroupsPrinter::keepsAll(linalg::GenericOp op) {
  auto select = op.getBody()->getTerminator()->getOperand(0).getDefiningOp<arith::SelectOp>();
  if (!select || select.getTrueValue() != op.getBody()->getArgument(0))
    return {};
  auto either = select.getCondition().getDefiningOp<arith::OrIOp>();
  if (!either || either.getLhs().getParentBlock() == op.getBody())
    return {};
  return either.getLhs();
}

void WarpgroupsPrinter::touch(const Held &registers) {
  for (size_t group = underWay.size(); group-- > 0;)
    if (llvm::is_contained(underWay[group].registers, registers.name))
      return settle(underWay.size() - 1 - group);
}

void WarpgroupsPrinter::settle(size_t left) {
  if (underWay.size() <= left)
    return;
  text.line("awaitProducts<" + Twine(left) + ">();");
  for (const Group &group : ArrayRef(underWay).drop_back(left))
    for (const Slot &slot : group.slots)
      release(slot);
  underWay.erase(underWay.begin(), underWay.end() - static_cast<ptrdiff_t>(left));
}

void WarpgroupsPrinter::release(const Slot &slot) {
  text.line("if (lane == 0)");
  text.line("  arrive(" + barrier(rings[slot.ring], /*filled=*/false, slot.name) + ");");
}

/// Whether a loop only accumulates products: they then stay under way from one iteration to the
/// next.
bool WarpgroupsPrinter::streams(scf::ForOp op) const {
  for (Operation &inner : op.getBody()->without_terminator()) {
    auto generic = dyn_cast<linalg::GenericOp>(inner);
    if (generic ? !isContraction(generic) : !isScalarOp(&inner) && !isa<tile::LoadOp>(inner))
      return false;
  }
  for (auto [value, argument] :
       llvm::zip(op.getBody()->getTerminator()->getOperands(), op.getRegionIterArgs())) {
    auto product = value.getDefiningOp<linalg::GenericOp>();
    if (!product || product.getDpsInits()[0] != argument)
      return false;
  }
  return true;
}

LogicalResult WarpgroupsPrinter::loop(scf::ForOp op) {
  settle(0);
  if (failed(carry(op)))
    return failure();
  auto bound = [&](Value value) { return boundText(value, context.names); };
  std::string low = bound(op.getLowerBound()), variable = context.unique.fresh("at");
  context.names[op.getInductionVar()] = variable;
  bool stream = streams(op);
  std::string last = stream ? context.unique.fresh("last") : "";
  if (stream) {
    text.line("u32 " + last + " = 0;");
    text.line("#pragma unroll 1");
  }
  text.open("for (" + indexType() + " " + variable + " = " + low + "; " + variable + " < " +
            bound(op.getUpperBound()) + "; " + variable + " += " + bound(op.getStep()) + ")");
  joined = stream;
  if (failed(body(op)))
    return failure();
  joined = false;
  if (!stream) {
    settle(0);
    text.close();
    return success();
  }
  // The slot of the last iteration is given back in this one.
  auto [ring, slot] = underWay.back().slots.front();
  text.line("commitProducts();");
  text.line("awaitProducts<1>();");
  text.open("if (" + variable + " > " + low + ")");
  release({ring, last});
  text.close();
  text.line(last + " = " + slot + ";");
  text.close();
  text.line("awaitProducts<0>();");
  release({ring, last});
  underWay.clear();
  return success();
}
