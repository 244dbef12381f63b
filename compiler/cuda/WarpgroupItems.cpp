// Items ahead of their time, where a kernel's items are a list: one thread of a block takes the
// number of the next item from a counter and reads its fields while the current item is worked on.
// Numbers and fields reach producers and consumers through a ring in shared memory; an item below 0
// ends the block.
#include "compiler/cuda/WarpgroupsPrinter.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

namespace {

constexpr int64_t kSlots = 4; ///< producers are up to two items ahead of consumers
constexpr int64_t kFieldBytes = 4;

/// Whether `load` reads the fields of the work item itself.
bool readsItem(tile::LoadOp load, tile::KernelOp kernel) {
  auto list = dyn_cast<BlockArgument>(load.getBuffer());
  return list && load->getBlock() == &kernel.entry() &&
         kernel.getBinds()[list.getArgNumber()].getKind() == tile::BindKind::WorkList &&
         load.getOffsets().front().getDefiningOp<tile::WorkItemOp>();
}

} // namespace

void WarpgroupsPrinter::planItems() {
  tile::GridAttr grid = context.kernel.getGridAttr();
  if (!grid || grid[0].getKind() != tile::ExtentKind::WorkList)
    return;
  itemRing.emplace();
  for (auto extract : context.kernel.entry().getOps<tensor::ExtractOp>())
    if (auto load = extract.getTensor().getDefiningOp<tile::LoadOp>();
        load && readsItem(load, context.kernel) && extract.getType().isInteger(32))
      itemRing->fields.push_back(extract);
}

/// Behind the tiles: kSlots numbers and their fields, of words; then the barriers of the ring.
void WarpgroupsPrinter::placeItems(int64_t &offset, int64_t &barriers) {
  if (!itemRing)
    return;
  itemRing->words = static_cast<int64_t>(llvm::PowerOf2Ceil(itemRing->fields.size() + 1));
  itemRing->offset = offset;
  offset += kSlots * itemRing->words * kFieldBytes;
  itemRing->barrier = barriers;
  barriers += 2 * kSlots;
}

std::string WarpgroupsPrinter::itemBarrier(bool filled, StringRef slot) const {
  TileRing ring;
  ring.barrier = itemRing->barrier;
  ring.slots = kSlots;
  return barrier(ring, filled, slot);
}

void WarpgroupsPrinter::openItemBarriers() {
  if (!itemRing)
    return;
  text.open("for (int slot = 0; slot < " + Twine(kSlots) + "; ++slot)");
  text.line("initBarrier(" + itemBarrier(true, "slot") + ", 1), initBarrier(" +
            itemBarrier(false, "slot") + ", " + Twine(context.warps + rings.size()) + ");");
  text.close();
}

/// The thread that goes ahead.
LogicalResult WarpgroupsPrinter::fetchItems() {
  if (!itemRing)
    return success();
  context.preamble.line(
      "// Items that blocks have taken from the list, beyond each block's first.");
  context.preamble.line("static __device__ u32 taken;");
  Names names = context.names;
  text.open("if (thread == " + Twine(32 * (context.warps + rings.size())) + ")");
  text.line("RingPosition<" + Twine(kSlots) + "> fetched(1);");
  text.open("for (long long next = blockIdx.x;; next = takeItem(taken, items))");
  text.line("const int item = int(min(next, items - 1));");
  SmallVector<std::string> values;
  for (tensor::ExtractOp field : itemRing->fields) {
    auto number = field.getTensor().getDefiningOp<tile::LoadOp>().getOffsets().front();
    if (!names.contains(number) && failed(scalar(number.getDefiningOp(), names, text)))
      return failure();
    if (failed(printScalar(field, names, context.unique, text)))
      return failure();
    values.push_back(names.lookup(field));
  }
  text.line("await(" + itemBarrier(false, "fetched.slot()") + ", fetched.parity());");
  std::string to = "itemFields + fetched.slot() * " + std::to_string(itemRing->words * kFieldBytes);
  text.line("storeShared4(" + to + ", next < items ? item : -1);");
  for (auto [place, value] : llvm::enumerate(values))
    text.line("storeShared4(" + to + " + " + Twine((place + 1) * kFieldBytes) + ", " + value +
              ");");
  text.line("arrive(" + itemBarrier(true, "fetched.slot()") + ");");
  text.line("fetched.advance();");
  text.line("if (next >= items)");
  text.line("  break;");
  text.close();
  text.close();
  return success();
}

/// Opens the loop over items; `wanted` says which of an item's fields its body reads.
void WarpgroupsPrinter::openItems(Names &names, function_ref<bool(Operation *)> wanted) {
  if (!itemRing) {
    text.open("for (long long item = blockIdx.x; item < items; item += gridDim.x)");
    if (takesBands())
      text.line("const TilePlace place = placeInBand<" + Twine(kBand) + ">(item, items, " +
                Twine(context.kernel.getGridAttr()[1].getSize()) + ");");
    return;
  }
  text.line("RingPosition<" + Twine(kSlots) + "> fetched(0);");
  text.open("while (true)");
  text.line("await(" + itemBarrier(true, "fetched.slot()") + ", fetched.parity());");
  readItem();
  for (tensor::ExtractOp field : itemRing->fields)
    if (wanted(field))
      readField(field, names);
  text.line("if (item < 0)");
  text.line("  break;");
}

/// Closes the loop over items.
void WarpgroupsPrinter::closeItems() {
  if (itemRing) {
    text.line("__syncwarp();");
    text.line("if (lane == 0)");
    text.line("  arrive(" + itemBarrier(false, "fetched.slot()") + ");");
    text.line("fetched.advance();");
  }
  text.close();
}

std::string WarpgroupsPrinter::itemWord(size_t number) const {
  return "loadShared4(itemFields + fetched.slot() * " +
         std::to_string(itemRing->words * kFieldBytes) +
         (number ? " + " + std::to_string(number * kFieldBytes) : "") + ")";
}

void WarpgroupsPrinter::readItem() { text.line("const int item = " + itemWord(0) + ";"); }

void WarpgroupsPrinter::readField(tensor::ExtractOp field, Names &names) {
  auto place = static_cast<size_t>(llvm::find(itemRing->fields, field) - itemRing->fields.begin());
  std::string name = context.unique.fresh("field");
  text.line("const int " + name + " = " + itemWord(place + 1) + ";");
  names[field.getResult()] = name;
}

/// Reads the item again and computes `values` from it, so that no register keeps them while loops
/// run.
LogicalResult WarpgroupsPrinter::computeAgain(ValueRange values) {
  readItem();
  SmallPtrSet<Operation *, 16> done;
  std::function<LogicalResult(Value)> compute = [&](Value value) -> LogicalResult {
    Operation *op = value.getDefiningOp();
    if (!op || op->hasTrait<OpTrait::ConstantLike>() || !done.insert(op).second)
      return success();
    if (isItemField(op)) {
      readField(cast<tensor::ExtractOp>(op), context.names);
      return success();
    }
    for (Value operand : op->getOperands())
      if (failed(compute(operand)))
        return failure();
    return scalar(op, context.names, text);
  };
  for (Value value : values)
    if (failed(compute(value)))
      return failure();
  return success();
}

bool WarpgroupsPrinter::isItemField(Operation *op) const {
  return itemRing &&
         llvm::any_of(itemRing->fields, [&](tensor::ExtractOp field) { return field == op; });
}
