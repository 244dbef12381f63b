// Rings of tiles: which tiles share one, the barriers, the producers that fill them and the
// consumers' waits.
#include "compiler/cuda/Schedules.h"
#include "compiler/cuda/WarpgroupsPrinter.h"

#include "llvm/ADT/EquivalenceClasses.h"

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

namespace {

constexpr int64_t kTileAlignment = 1024; ///< of the widest swizzle
constexpr int64_t kBarrierBytes = 8;
/// Shared memory of a block that tiles may take; the rest is for barriers and items.
constexpr int64_t kMostTileBytes = 225 << 10;

/// What tells whether two loads may take turns in one place.
std::pair<Value, Type> sourceOf(Operation *load) {
  return {load->getOperand(0), load->getResult(0).getType()};
}

} // namespace

Value cuda::tileOf(Value operand) {
  while (auto generic = operand.getDefiningOp<linalg::GenericOp>()) {
    if (generic.getNumReductionLoops() > 0 || generic.getNumDpsInputs() != 1)
      return {};
    operand = generic.getDpsInputs()[0];
  }
  Operation *load = startOf(operand).getDefiningOp();
  return isa_and_nonnull<tile::LoadOp, tile::LoadPagesOp>(load) ? operand : Value();
}

Operation *cuda::loadOf(Value operand) {
  Value tile = tileOf(operand);
  return tile ? startOf(tile).getDefiningOp() : nullptr;
}

const RingTile &WarpgroupsPrinter::ringTile(Value tile) const {
  return ringTiles.find(startOf(tile))->second;
}

bool WarpgroupsPrinter::isTile(Value value) const { return ringTiles.contains(startOf(value)); }

LogicalResult WarpgroupsPrinter::planRings() {
  llvm::EquivalenceClasses<Operation *> together;
  SmallVector<Operation *> loads;
  llvm::DenseSet<Operation *> wholeItem;
  SmallVector<linalg::GenericOp> contractions;
  context.kernel.walk([&](linalg::GenericOp op) {
    if (isContraction(op))
      contractions.push_back(op);
  });
  // A tile that no loop carries and that a loop inside its block reads stays for the whole item.
  for (linalg::GenericOp op : contractions)
    for (Value input : op.getDpsInputs())
      if (Operation *load = loadOf(input)) {
        if (!llvm::is_contained(loads, load))
          loads.push_back(load);
        together.insert(load);
        if (startOf(tileOf(input)) == tileOf(input) && load->getBlock() != op->getBlock())
          wholeItem.insert(load);
      }
  // Tiles that one product reads come together.
  for (linalg::GenericOp op : contractions) {
    Operation *left = loadOf(op.getDpsInputs()[0]), *right = loadOf(op.getDpsInputs()[1]);
    if (left && right && left->getBlock() == right->getBlock() && !wholeItem.contains(left) &&
        !wholeItem.contains(right))
      together.unionSets(left, right);
  }
  // What loops pass on to their next step.
  SmallVector<Operation *> read = loads;
  context.kernel.walk([&](Operation *load) {
    bool isSame = llvm::any_of(read, [&](Operation *other) {
      return other->getName() == load->getName() && sourceOf(other) == sourceOf(load);
    });
    if (isSame && !llvm::is_contained(loads, load)) {
      loads.push_back(load);
      together.insert(load);
    }
  });
  for (Operation *load : loads)
    for (Operation *earlier : loads)
      if (!wholeItem.contains(load) && !wholeItem.contains(earlier) &&
          sourceOf(load) == sourceOf(earlier))
        together.unionSets(load, earlier);

  llvm::MapVector<Operation *, unsigned> numbers;           // of rings, by leader
  SmallVector<SmallVector<std::pair<Value, Type>>> sources; // of a ring's regions
  for (Operation *load : loads) {
    Operation *leader = together.getLeaderValue(load);
    auto [found, isNew] = numbers.try_emplace(leader, rings.size());
    unsigned number = found->second;
    if (isNew) {
      rings.emplace_back();
      sources.emplace_back();
    }
    TileRing &ring = rings[number];
    ring.wholeItem |= wholeItem.contains(load);
    FailureOr<BoxedTile> box = planBoxes(load, context.tensorMaps);
    if (failed(box))
      return failure();
    auto &known = sources[number];
    auto region = static_cast<unsigned>(llvm::find(known, sourceOf(load)) - known.begin());
    if (region == known.size()) {
      known.push_back(sourceOf(load));
      ring.regions.push_back(ring.slotBytes);
      ring.slotBytes += llvm::alignTo(box->bytes(), kTileAlignment);
    }
    for (auto &[tensor, tile] : ringTiles)
      if (tile.ring == number && tile.region == region &&
          tensor.getDefiningOp()->getBlock() == load->getBlock())
        return load->emitOpError() << "is loaded twice in one step of a walk by warpgroups";
    ringTiles.insert({load->getResult(0), RingTile{*box, number, region}});
    operands.insert(load->getResult(0));
  }

  ScheduleView schedule(context.kernel);
  planStores();
  int64_t offset =
      boxedStore ? warpgroups() * llvm::alignTo(storeTile->bytes(), kTileAlignment) : 0;
  for (TileRing &ring : rings) {
    ring.slots = ring.wholeItem ? 1 : std::max<int64_t>(schedule.stages, 2);
    offset += ring.slots * ring.slotBytes;
  }
  // The next item's tiles come while this one's are read, where there is room.
  for (TileRing &ring : rings)
    if (ring.wholeItem && offset + ring.slotBytes <= kMostTileBytes) {
      ring.slots = 2;
      offset += ring.slotBytes;
    }
  offset = 0;
  int64_t barriers = 0;
  for (TileRing &ring : rings) {
    ring.name = context.unique.fresh(ring.wholeItem ? "tile" : "ring");
    ring.offset = offset;
    ring.barrier = barriers;
    offset += ring.slots * ring.slotBytes;
    barriers += 2 * ring.slots;
  }
  size_t most = itemRing ? 3 : 4;
  if (rings.empty() || rings.size() > most)
    return context.kernel.emitOpError()
           << "needs " << rings.size() << " rings of tiles; a producer has a warp for 1 to "
           << most;
  if (boxedStore) {
    storeOffset = offset;
    offset += llvm::alignTo(warpgroups() * storeTile->bytes(), kTileAlignment);
  }
  placeItems(offset, barriers);
  barrierOffset = offset;
  // The tiles are aligned by the text itself.
  context.reserveShared(kTileAlignment + offset + barriers * kBarrierBytes);
  return success();
}

std::string WarpgroupsPrinter::barrier(const TileRing &ring, bool filled, StringRef slot) const {
  int64_t first = barrierOffset + (ring.barrier + (filled ? 0 : ring.slots)) * kBarrierBytes;
  return "tiles + " + std::to_string(first) +
         (ring.slots == 1 ? "" : " + " + std::to_string(kBarrierBytes) + " * " + slot.str());
}

void WarpgroupsPrinter::openRings() {
  text.line("const u32 tiles = (sharedAddress(shared) + " + Twine(kTileAlignment - 1) + ") & ~" +
            Twine(kTileAlignment - 1) + "u;");
  if (itemRing)
    text.line("const u32 itemFields = tiles + " + Twine(itemRing->offset) + ";");
  text.open("if (thread == 0)");
  for (const TileRing &ring : rings) {
    text.open("for (int slot = 0; slot < " + Twine(ring.slots) + "; ++slot)");
    text.line("initBarrier(" + barrier(ring, true, "slot") + ", 1), initBarrier(" +
              barrier(ring, false, "slot") + ", " + Twine(context.warps) + ");");
    text.close();
  }
  openItemBarriers();
  text.line("publishBarriers();");
  text.close();
  text.line("__syncthreads();");
}

SmallVector<Value> WarpgroupsPrinter::tilesIn(unsigned ring, Block &block) const {
  SmallVector<Value> found;
  for (const auto &[tensor, tile] : ringTiles)
    if (tile.ring == ring && tensor.getDefiningOp()->getBlock() == &block)
      found.push_back(tensor);
  llvm::sort(found, [](Value a, Value b) {
    return a.getDefiningOp()->isBeforeInBlock(b.getDefiningOp());
  });
  return found;
}

scf::ForOp WarpgroupsPrinter::chainOf(unsigned ring, Value &first) const {
  Block &block = context.kernel.entry();
  scf::ForOp last;
  for (auto loop : block.getOps<scf::ForOp>()) {
    if (tilesIn(ring, *loop.getBody()).empty())
      continue;
    if (!loop->hasAttr(kFollows))
      return {};
    last = loop;
  }
  SmallVector<Value> peeled = tilesIn(ring, block);
  auto load =
      peeled.size() == 1 ? peeled[0].getDefiningOp<tile::LoadPagesOp>() : tile::LoadPagesOp();
  if (!last || !load)
    return {};
  first = load.getPosition();
  return last;
}

/// One warp of the producer warpgroup for each ring.
LogicalResult WarpgroupsPrinter::produce(unsigned ring) {
  needed.clear();
  SmallVector<Operation *> work;
  Value first;
  scf::ForOp chain = chainOf(ring, first);
  for (const auto &[tensor, tile] : ringTiles)
    if (tile.ring == ring && (!chain || tensor.getDefiningOp()->getParentOp() == chain))
      work.push_back(tensor.getDefiningOp());
  if (chain && first.getDefiningOp())
    work.push_back(first.getDefiningOp());
  while (!work.empty()) {
    Operation *op = work.pop_back_val();
    if (op == context.kernel || !needed.insert(op).second)
      continue;
    work.push_back(op->getParentOp());
    auto loop = dyn_cast<scf::ForOp>(op);
    ValueRange values = op->getOperands();
    if (loop)
      values = chain ? values.slice(1, 2) : values.take_front(3);
    for (Value operand : values)
      if (Operation *maker = operand.getDefiningOp())
        work.push_back(maker);
  }
  Names names = context.names;
  text.open("if (warp == " + Twine(context.warps + ring) + ")");
  text.line("RingPosition<" + Twine(rings[ring].slots) + "> " + rings[ring].name + "(1);");
  openItems(names, [&](Operation *field) { return needed.contains(field); });
  if (failed(produceBlock(ring, context.kernel.entry(), names)))
    return failure();
  closeItems();
  text.close();
  return success();
}

LogicalResult WarpgroupsPrinter::produceBlock(unsigned ring, Block &block, Names &names) {
  SmallVector<Value> tiles = tilesIn(ring, block);
  Value first;
  scf::ForOp chain = &block == &context.kernel.entry() ? chainOf(ring, first) : scf::ForOp();
  if (chain)
    tiles.clear(); // the chain's own loop takes them all
  for (Operation &op : block.without_terminator()) {
    // All copies of a slot start where the addresses of the last are known.
    if (!tiles.empty() && &op == tiles.back().getDefiningOp()) {
      if (failed(fill(ring, tiles, names)))
        return failure();
      continue;
    }
    if (!needed.contains(&op))
      continue;
    if (isScalarOp(&op)) {
      if (failed(scalar(&op, names, text)))
        return failure();
    } else if (auto inner = dyn_cast<scf::ForOp>(op)) {
      auto bound = [&](Value value) { return boundText(value, names); };
      std::string variable = context.unique.fresh("at"),
                  step = variable + " += " + bound(inner.getStep()),
                  more = variable + " < " + bound(inner.getUpperBound());
      names[inner.getInductionVar()] = variable;
      if (inner == chain) {
        text.line(indexType() + " " + variable + " = " + bound(first) + ";");
        text.open("do");
      } else {
        text.open("for (" + indexType() + " " + variable + " = " + bound(inner.getLowerBound()) +
                  "; " + more + "; " + step + ")");
      }
      if (failed(produceBlock(ring, *inner.getBody(), names)))
        return failure();
      if (inner == chain)
        text.line(step + ";");
      text.close(inner == chain ? " while (" + more + ");" : "");
    }
  }
  return success();
}

LogicalResult WarpgroupsPrinter::fill(unsigned number, ArrayRef<Value> tiles, Names &names) {
  const TileRing &ring = rings[number];
  std::string slot = ring.name + ".slot()", filled = barrier(ring, true, slot);
  int64_t bytes = 0;
  for (Value tensor : tiles)
    bytes += ringTiles.find(tensor)->second.box.bytes();
  CodeText copies(text.indentation());
  for (Value tensor : tiles) {
    const RingTile &tile = ringTiles.find(tensor)->second;
    std::string to = "tiles + " + std::to_string(ring.offset + ring.regions[tile.region]) +
                     (ring.slots == 1 ? "" : " + " + slot + " * " + std::to_string(ring.slotBytes));
    if (failed(printBoxes(tile.box, names, context.unique, to, filled, text, copies)))
      return failure();
  }
  text.line("await(" + barrier(ring, false, slot) + ", " + ring.name + ".parity());");
  text.line("if (lane == 0)");
  text.line("  arriveExpecting(" + filled + ", " + Twine(bytes) + ");");
  text.append(copies);
  text.line(ring.name + ".advance();");
  return success();
}

WarpgroupsPrinter::Slot WarpgroupsPrinter::acquire(Value tensor) {
  unsigned number = ringTile(tensor).ring;
  const TileRing &ring = rings[number];
  Slot slot{number, context.unique.fresh("slot")};
  text.line("await(" + barrier(ring, true, ring.name + ".slot()") + ", " + ring.name +
            ".parity());");
  text.line("const u32 " + slot.name + " = " + ring.name + ".slot();");
  text.line(ring.name + ".advance();");
  // What a loop carries lies in a slot of its own.
  SmallVector<Value> tiles{tensor};
  if (ringTiles.contains(tensor))
    tiles = tilesIn(number, *tensor.getDefiningOp()->getBlock());
  for (Value other : tiles) {
    std::string name = context.unique.fresh("operand");
    text.line("const u32 " + name + " = tiles + " +
              Twine(ring.offset + ring.regions[ringTile(other).region]) + " + " + slot.name +
              " * " + Twine(ring.slotBytes) + ";");
    addresses[other] = name;
    acquired.insert({other, slot});
  }
  return slot;
}

const layout::SharedTile &WarpgroupsPrinter::acquireFor(linalg::GenericOp product, Value operand,
                                                        Group &group, std::string &address) {
  Value tile = tileOf(operand);
  const RingTile &place = ringTile(tile);
  if (!addresses.contains(tile))
    acquire(tile);
  address = addresses.lookup(tile);
  if (rings[place.ring].wholeItem)
    return place.box.memory;
  Slot slot = acquired.find(tile)->second;
  bool isLast = llvm::none_of(group.slots, [&](const Slot &s) { return s.name == slot.name; });
  for (auto other : product->getBlock()->getOps<linalg::GenericOp>())
    if (isContraction(other) && product->isBeforeInBlock(other))
      for (Value input : other.getDpsInputs())
        if (auto found = acquired.find(tileOf(input)); found != acquired.end())
          isLast &= found->second.name != slot.name;
  if (isLast)
    group.slots.push_back(slot);
  return place.box.memory;
}

int64_t cuda::consumerWarpgroups(tile::KernelOp kernel) {
  int64_t rows = 0;
  for (auto [op, type] : halfProducts(kernel)) {
    auto result = cast<RankedTensorType>(op.getResult(0).getType());
    Value left = op.getDpsInputs()[0];
    Operation *leftLoad = left.getDefiningOp(), *rightLoad = loadOf(op.getDpsInputs()[1]);
    bool isLoaded = isa_and_nonnull<tile::LoadOp, tile::LoadPagesOp>(leftLoad);
    if (!type || !isBoxable(rightLoad) ||
        (isLoaded ? !isBoxable(leftLoad) : loadOf(left) != nullptr))
      return 0;
    if (!isLoaded && attentionLoops(kernel).empty())
      return 0;
    int64_t columns = result.getShape().back();
    rows = result.getNumElements() / columns;
    if (columns % 16 != 0 || columns > 256 || op.getStaticLoopRanges().back() % 16 != 0)
      return 0;
  }
  return rows % 64 == 0 && rows <= 192 ? rows / 64 : 0;
}
