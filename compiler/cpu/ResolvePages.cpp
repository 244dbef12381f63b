// Turns loads of pages into loads of the pool, through the block table.
//
//   before:  %k = tile.load_pages %pool, %table[%first] head %h at %n to %end tokens 1
//   after:   %page = %table[%first + %n / 32]      %k = tile.load %pool[%page, %h, 0, %n % 32]
//
// A tile of keys or values that fits a page is a view of it: nothing is gathered, nothing dense is
// made. A tile of several pages is put together page by page; the last page of the sequence stands
// for those behind it, whose table entries hold anything.
#include "compiler/cpu/Passes.h"
#include "dialect/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace quire::compiler {
#define GEN_PASS_DEF_RESOLVEPAGES
#include "compiler/cpu/Passes.h.inc"
} // namespace quire::compiler

using namespace mlir;
using namespace quire;
using namespace quire::compiler;

namespace {

class Resolver {
public:
  explicit Resolver(tile::LoadPagesOp load)
      : load(load), tokens(load.getTokens()), type(load.getType()),
        page(cast<MemRefType>(load.getPool().getType()).getShape()[2 + tokens]),
        size(type.getShape()[tokens]) {}

  void run() {
    OpBuilder builder(load);
    load.replaceAllUsesWith(size > page ? pages(builder) : partOfPage(builder));
    load.erase();
  }

private:
  Value constant(OpBuilder &builder, int64_t value) {
    return arith::ConstantIndexOp::create(builder, load.getLoc(), value);
  }

  /// The keys at offset `inPage` of page `number` of the sequence.
  Value loadPart(OpBuilder &builder, Value number, Value inPage, RankedTensorType part) {
    Location loc = load.getLoc();
    Value entry = arith::AddIOp::create(builder, loc, load.getFirst(), number);
    Value narrow = tile::LoadOp::create(
        builder, loc, RankedTensorType::get({1}, builder.getI32Type()), load.getTable(), entry);
    narrow = tensor::ExtractOp::create(builder, loc, narrow, constant(builder, 0));
    SmallVector<Value> offsets(4, constant(builder, 0));
    offsets[0] = arith::IndexCastOp::create(builder, loc, builder.getIndexType(), narrow);
    offsets[1] = load.getHead();
    offsets[2 + tokens] = inPage;
    return tile::LoadOp::create(builder, loc, part, load.getPool(), offsets);
  }

  Value partOfPage(OpBuilder &builder) {
    Location loc = load.getLoc();
    Value length = constant(builder, page);
    Value number = arith::DivUIOp::create(builder, loc, load.getPosition(), length);
    Value inPage = arith::RemUIOp::create(builder, loc, load.getPosition(), length);
    // A tile as long as the page always begins with it.
    return loadPart(builder, number, size == page ? constant(builder, 0) : inPage, type);
  }

  Value pages(OpBuilder &builder) {
    Location loc = load.getLoc();
    Value zero = constant(builder, 0), one = constant(builder, 1), length = constant(builder, page);
    Value first = arith::DivUIOp::create(builder, loc, load.getPosition(), length);
    Value lastKey = arith::SubIOp::create(builder, loc, load.getEnd(), one);
    Value last = arith::DivUIOp::create(builder, loc, lastKey, length);
    SmallVector<int64_t> shape(type.getShape());
    shape[tokens] = page;
    RankedTensorType part = type.clone(shape);
    Value empty = tensor::EmptyOp::create(builder, loc, type.getShape(), type.getElementType());
    auto loop = scf::ForOp::create(
        builder, loc, zero, constant(builder, size / page), one, empty,
        [&](OpBuilder &body, Location, Value number, ValueRange tile) {
          Value wanted = arith::AddIOp::create(body, loc, first, number);
          Value present = arith::MinUIOp::create(body, loc, wanted, last);
          Value loaded = loadPart(body, present, zero, part);
          Value position = arith::MulIOp::create(body, loc, number, length);
          SmallVector<OpFoldResult> offsets(2, body.getIndexAttr(0)),
              sizes = getAsIndexOpFoldResult(body.getContext(), shape),
              strides(2, body.getIndexAttr(1));
          offsets[tokens] = position;
          Value place =
              tensor::ExtractSliceOp::create(body, loc, part, tile[0], offsets, sizes, strides);
          // An op, so that it is known as wanted: nothing else may move pages into scratch.
          Value copied = linalg::CopyOp::create(body, loc, loaded, place).getResult(0);
          Value next =
              tensor::InsertSliceOp::create(body, loc, copied, tile[0], offsets, sizes, strides);
          scf::YieldOp::create(body, loc, next);
        });
    return loop.getResult(0);
  }

  tile::LoadPagesOp load;
  int64_t tokens;
  RankedTensorType type;
  int64_t page, size;
};

struct ResolvePages : quire::compiler::impl::ResolvePagesBase<ResolvePages> {
  void runOnOperation() override {
    SmallVector<tile::LoadPagesOp> loads;
    getOperation().walk([&](tile::LoadPagesOp op) { loads.push_back(op); });
    for (tile::LoadPagesOp load : loads)
      Resolver(load).run();
  }
};

} // namespace
