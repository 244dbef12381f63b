// Loops that carry fragments. Operands of contractions that are loaded inside run through a ring of
// stages in shared memory, copied some iterations ahead: the part of the body that finds their
// addresses is printed once as a function of the loop's variable. Warps that walk different
// iterations have a ring each.
#include "compiler/cuda/FragmentsPrinter.h"

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

/// fetch(n, slot): copies the tiles of iteration n into a slot of the ring.
LogicalResult FragmentsPrinter::fetch(scf::ForOp op, ArrayRef<StagedTile> tiles, StringRef lambda,
                                      int64_t ringBytes) {
  Names names = context.names;
  std::string variable = context.unique.fresh("at");
  names[op.getInductionVar()] = variable;
  text.open("const auto " + lambda + " = [&](long long " + variable + ", int slot" +
            (pageName.empty() ? "" : ", long long " + pageName) + ")");
  // The scalars of the body that the tiles' addresses and values need.
  llvm::SetVector<Operation *> slice;
  std::function<void(Operation *)> collect = [&](Operation *user) {
    user->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands()) {
        Operation *maker = operand.getDefiningOp();
        if (!maker || maker->getBlock() != op.getBody() || slice.contains(maker))
          continue;
        collect(maker);
        slice.insert(maker);
      }
    });
  };
  for (const StagedTile &tile : tiles)
    collect(tile.tensor.getDefiningOp());
  for (Operation &inner : *op.getBody())
    if (slice.contains(&inner) && isScalarOp(&inner) && failed(scalar(&inner, names, text)))
      return failure();
  int64_t offset = 0;
  for (const StagedTile &tile : tiles) {
    StagedTile inSlot = tile;
    inSlot.name = context.unique.fresh("to");
    text.line("const u32 " + inSlot.name + " = ring + slot * " + Twine(ringBytes) + " + " +
              Twine(offset) + ";");
    if (failed(stage(inSlot, names, text)))
      return failure();
    offset += (tile.memory.bytes() + 127) / 128 * 128;
  }
  text.close(";");
  return success();
}

LogicalResult FragmentsPrinter::pageLookup(scf::ForOp op, ArrayRef<StagedTile> tiles) {
  tile::LoadPagesOp first;
  for (const StagedTile &tile : tiles) {
    Value source = tile.tensor;
    // A masked tile is computed from what is loaded.
    auto masked = source.getDefiningOp<linalg::GenericOp>();
    if (masked && masked.getNumDpsInputs() == 1)
      source = masked.getDpsInputs()[0];
    auto load = source.getDefiningOp<tile::LoadPagesOp>();
    if (!load || !isInOnePage(load) || load.getPosition() != op.getInductionVar() ||
        (first && (load.getTable() != first.getTable() || load.getFirst() != first.getFirst() ||
                   pageTokens(load) != pageTokens(first))))
      return success();
    first = load;
  }
  if (!first)
    return success();
  ElementPrinter elements(ElementScope{context.names, context.unique, text, text});
  FailureOr<std::string> table = elements.scalar(first.getTable()),
                         start = elements.scalar(first.getFirst());
  if (failed(table) || failed(start))
    return failure();
  pageName = "page";
  text.line("const auto pageOf = [&](long long at) -> long long { return " +
            pageEntry(*table, *start, "at", pageTokens(first)) + "; };");
  return success();
}

/// The addresses of the tiles in slot `slot` of the ring.
void FragmentsPrinter::nameTiles(ArrayRef<StagedTile> tiles, int64_t ringBytes) {
  int64_t offset = 0;
  for (const StagedTile &tile : tiles) {
    text.line("const u32 " + tile.name + " = ring + slot * " + Twine(ringBytes) + " + " +
              Twine(offset) + ";");
    offset += (tile.memory.bytes() + 127) / 128 * 128;
  }
}

LogicalResult FragmentsPrinter::carry(scf::ForOp op) {
  for (auto [init, argument, result] :
       llvm::zip(op.getInitArgs(), op.getRegionIterArgs(), op.getResults())) {
    if (isTile(init))
      continue;
    if (init.getType().isIndex()) {
      ElementPrinter elements(ElementScope{context.names, context.unique, text, text});
      FailureOr<std::string> start = elements.scalar(init);
      if (failed(start))
        return failure();
      std::string name = context.unique.fresh("place");
      text.line(indexType() + " " + name + " = " + *start + ";");
      context.names[argument] = context.names[result] = name;
      continue;
    }
    if (!isMatrix(init.getType()) && !isRowVector(init.getType()))
      return op.emitOpError() << "carries " << init.getType()
                              << ", which is no matrix of the kernel's " << rows << " rows";
    Held carried;
    if (isHeld(init) && init.hasOneUse()) {
      carried = held[init];
    } else {
      carried = declare(argument, "carried", /*carried=*/true);
      if (failed(assign(carried, init)))
        return failure();
    }
    held[argument] = carried;
    held[result] = carried;
  }
  return success();
}

LogicalResult FragmentsPrinter::loop(scf::ForOp op) {
  SmallVector<linalg::GenericOp> contractions;
  for (auto generic : op.getBody()->getOps<linalg::GenericOp>())
    if (isContraction(generic) && !operands.contains(generic.getResult(0)))
      contractions.push_back(generic);
  if (failed(stageOperands(contractions, op.getBody())))
    return failure();

  if (failed(carry(op)))
    return failure();

  int64_t top = context.sharedTop;
  SmallVector<StagedTile> tiles;
  int64_t ringBytes = 0;
  for (linalg::GenericOp generic : contractions)
    for (bool left : {true, false}) {
      Value tensor = generic.getDpsInputs()[left ? 0 : 1];
      Operation *maker = tensor.getDefiningOp();
      if (staged.contains(tensor) || !maker || maker->getBlock() != op.getBody())
        continue;
      // A fragment that the body computes is held by the time it is read.
      if (!operands.contains(tensor))
        continue;
      FailureOr<StagedTile> tile = planTile(generic, left);
      if (failed(tile))
        return failure();
      ringBytes += (tile->memory.bytes() + 127) / 128 * 128;
      staged.try_emplace(tensor, *tile);
      tiles.push_back(*tile);
    }

  auto bound = [&](Value value) { return boundText(value, context.names); };
  std::string low = bound(op.getLowerBound()), high = bound(op.getUpperBound()),
              step = bound(op.getStep());
  std::string variable = context.unique.fresh("at");
  context.names[op.getInductionVar()] = variable;
  if (tiles.empty()) {
    // Unrolled, what it reads would take registers that nobody planned.
    text.line("#pragma unroll 1");
    text.open("for (long long " + variable + " = " + low + "; " + variable + " < " + high + "; " +
              variable + " += " + step + ")");
    if (failed(body(op)))
      return failure();
    text.close();
    return success();
  }

  int64_t stages = 2;
  if (auto chosen = context.kernel->getAttrOfType<IntegerAttr>(kStages))
    stages = std::max<int64_t>(1, chosen.getInt());
  bool byWarp = copies() > 1;
  int64_t offset = context.reserveShared(stages * ringBytes * (byWarp ? context.warps : 1));
  std::string sync = byWarp ? "__syncwarp();" : "__syncthreads();";
  std::string lambda = context.unique.fresh("fetch");
  text.open();
  std::string ofWarp = byWarp ? " + warp * " + std::to_string(stages * ringBytes) : "";
  text.line("const u32 ring = sharedAddress(shared + " + Twine(offset) + ")" + ofWarp + ";");
  stageWorker = byWarp ? "lane" : "thread";
  stageWorkers = byWarp ? layout::kLanes : context.threads();
  if (stages > 1 && failed(pageLookup(op, tiles)))
    return failure();
  if (failed(fetch(op, tiles, lambda, ringBytes)))
    return failure();
  std::string page = std::exchange(pageName, "");
  if (stages == 1) {
    // No memory for a tile ahead: each is copied when the one before has been read.
    text.line("constexpr int slot = 0;");
    text.open("for (long long " + variable + " = " + low + "; " + variable + " < " + high + "; " +
              variable + " += " + step + ")");
    text.line(sync);
    text.line(lambda + "(" + variable + ", slot);");
    text.line("commitCopies();");
    text.line("waitCopies<0>();");
    text.line("__syncthreads();");
    pending = false;
    nameTiles(tiles, ringBytes);
    if (failed(body(op)))
      return failure();
    text.close();
    text.line(sync);
    text.close();
    context.sharedTop = top;
    return success();
  }
  text.line("long long ahead = " + low + ";");
  // The page of the next tile is on its way while this one is worked on.
  std::string nextPage, withPage = page.empty() ? "" : ", " + page;
  if (!page.empty()) {
    nextPage = page + " = ahead < " + high + " ? pageOf(ahead) : 0;";
    text.line("long long " + nextPage);
  }
  text.open("for (int slot = 0; slot < " + Twine(stages - 1) + "; ++slot)");
  text.line("if (ahead < " + high + ") " + lambda + "(ahead, slot" + withPage + ");");
  text.line("commitCopies();");
  text.line("ahead += " + step + ";");
  if (!nextPage.empty())
    text.line(nextPage);
  text.close();
  if (byWarp && pending) {
    // What the whole block copies together is read before the first iteration.
    text.line("waitCopies<" + Twine(stages - 1) + ">();");
    text.line("__syncthreads();");
  }
  if (byWarp)
    readInvariant(contractions);
  pending = false;
  text.line("int slot = 0;");
  text.open("for (long long " + variable + " = " + low + "; " + variable + " < " + high + "; " +
            variable + " += " + step + ")");
  text.line("waitCopies<" + Twine(stages - 2) + ">();");
  text.line(sync);
  std::string filled = "(slot + " + std::to_string(stages - 1) + ") % " + std::to_string(stages);
  text.line("if (ahead < " + high + ") " + lambda + "(ahead, " + filled + withPage + ");");
  text.line("commitCopies();");
  text.line("ahead += " + step + ";");
  if (!nextPage.empty())
    text.line(nextPage);
  nameTiles(tiles, ringBytes);
  if (failed(body(op)))
    return failure();
  text.line("slot = (slot + 1) % " + Twine(stages) + ";");
  text.close();
  text.line("waitCopies<0>();");
  text.line(sync);
  text.close();
  context.sharedTop = top;
  invariant.clear();
  return success();
}

/// The body and, at its end, the values that the next iteration starts from.
LogicalResult FragmentsPrinter::body(scf::ForOp op) {
  if (failed(block(*op.getBody())))
    return failure();
  for (auto [value, argument] :
       llvm::zip(op.getBody()->getTerminator()->getOperands(), op.getRegionIterArgs())) {
    if (isTile(argument))
      continue;
    if (argument.getType().isIndex()) {
      ElementPrinter elements(ElementScope{context.names, context.unique, text, text});
      FailureOr<std::string> next = elements.scalar(value);
      if (failed(next))
        return failure();
      text.line(context.names.lookup(argument) + " = " + *next + ";");
      continue;
    }
    const Held &carried = held[argument];
    if (!isHeld(value)) {
      if (failed(assign(carried, value)))
        return failure();
      continue;
    }
    const Held &next = held[value];
    if (next.name == carried.name)
      continue;
    touch(carried);
    openRegisters(carried.columns, carried.registers);
    text.line(carried.name + "[i] = " + next.name + "[i];");
    text.close();
  }
  return success();
}
