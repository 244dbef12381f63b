// The walk by warpgroups (sm_90a): fragments as in the walk by fragments, but products are wgmma
// instructions of four warps, whose operands come by TMA. A block has consumer warpgroups, which
// run the kernel's operations on 64 rows each, and a producer warpgroup, whose warps run only the
// part of the kernel that finds the addresses of tiles and start their copies. Tiles go through
// rings of slots: a slot's `filled` barrier completes when its bytes have come, its `drained`
// barrier when every consumer warp has read it. Blocks are persistent: each takes item after item.
//
// Products are asynchronous. They are waited for where a register that they write or read is
// touched, and their slots are given back then.
#pragma once

#include "compiler/cuda/FragmentsPrinter.h"
#include "compiler/cuda/TensorMaps.h"

namespace quire::cuda {

/// Rows of tiles that blocks work through together.
inline constexpr int64_t kBand = 8;

/// Named barriers: for the turns of warpgroups, and for each warpgroup on its own.
inline constexpr int64_t kTurnBarrier = 1, kOwnBarrier = 4;

/// Marks a loop over tiles that starts where the loop before it ended, or one step behind the tile
/// that was peeled off the first.
inline constexpr llvm::StringLiteral kFollows = "cuda.follows";

/// Tiles that wait for each other in one ring; those of one product come together.
struct TileRing {
  std::string name;                   ///< of its position in the text
  llvm::SmallVector<int64_t> regions; ///< offsets of the tiles of a slot
  int64_t slotBytes = 0, slots = 0;
  int64_t offset = 0;     ///< of slot 0 in shared memory
  int64_t barrier = 0;    ///< number of the first `filled` barrier; as many `drained` ones follow
  bool wholeItem = false; ///< read until the item's end
};

/// The ring of an item's number and fields.
struct ItemRing {
  llvm::SmallVector<mlir::tensor::ExtractOp> fields;
  int64_t words = 0;   ///< of a slot
  int64_t offset = 0;  ///< of slot 0 behind the tiles
  int64_t barrier = 0; ///< as in TileRing
};

struct RingTile {
  BoxedTile box;
  unsigned ring, region;
};

class WarpgroupsPrinter : public FragmentsPrinter {
public:
  explicit WarpgroupsPrinter(KernelContext &context) : FragmentsPrinter(context) {}

  mlir::LogicalResult run() override;

protected:
  mlir::LogicalResult scalar(mlir::Operation *op, Names &names, CodeText &out) override;
  mlir::LogicalResult operation(mlir::Operation &op) override;
  mlir::LogicalResult contraction(mlir::linalg::GenericOp op) override;
  mlir::LogicalResult loop(mlir::scf::ForOp op) override;
  mlir::LogicalResult store(tile::StoreOp op) override;
  void touch(const Held &registers) override;
  bool isTile(mlir::Value value) const override;
  /// Numbers of tokens, pages and tiles of a listed item fit 32 bits, as TMA takes no others.
  std::string indexType() const override { return itemRing ? "int" : "long long"; }

private:
  /// A slot of a ring that consumers hold; `name` is its number in the text.
  struct Slot {
    unsigned ring;
    std::string name;
  };
  /// A committed group of products.
  struct Group {
    llvm::SmallVector<std::string> registers; ///< that it writes or reads
    llvm::SmallVector<Slot> slots;            ///< whose last readers it has
  };

  // WarpgroupItems.cpp
  void planItems();
  void placeItems(int64_t &offset, int64_t &barriers);
  void openItemBarriers();
  mlir::LogicalResult fetchItems();
  void openItems(Names &names, llvm::function_ref<bool(mlir::Operation *)> wanted);
  void closeItems();
  void readItem();
  void readField(mlir::tensor::ExtractOp field, Names &names);
  mlir::LogicalResult computeAgain(mlir::ValueRange values);
  bool isItemField(mlir::Operation *op) const;
  std::string itemWord(size_t number) const;
  std::string itemBarrier(bool filled, llvm::StringRef slot) const;

  /// Whether items are tiles of a matrix, taken in bands of rows.
  bool takesBands() const;
  bool streams(mlir::scf::ForOp op) const;
  void release(const Slot &slot);
  /// Waits until at most `left` groups are under way and gives back the slots of the others.
  void settle(size_t left);
  int64_t warpgroups() const { return context.warps / 4; }
  /// Of a consumer's thread; three consumer warpgroups share what two have.
  int64_t consumerRegisters() const {
    return warpgroups() > 2 ? 160 : warpgroups() > 1 ? 232 : 240;
  }
  int64_t producerRegisters() const { return warpgroups() > 2 ? 32 : 40; }

  // WarpgroupRings.cpp
  mlir::LogicalResult planRings();
  void openRings();
  mlir::LogicalResult produce(unsigned ring);
  mlir::LogicalResult produceBlock(unsigned ring, mlir::Block &block, Names &names);
  /// The last of the loops that together take every tile of a ring from the one that starts at
  /// `first`.
  mlir::scf::ForOp chainOf(unsigned ring, mlir::Value &first) const;
  mlir::LogicalResult fill(unsigned ring, llvm::ArrayRef<mlir::Value> tiles, Names &names);
  /// Tiles of a ring that a block loads, in order.
  llvm::SmallVector<mlir::Value> tilesIn(unsigned ring, mlir::Block &block) const;
  /// Waits for the slot that a tile is in and names the addresses of all its tiles.
  Slot acquire(mlir::Value tensor);
  /// The tile that a product reads, acquired, and its address; the product gives the slot back if
  /// it is the last to read it.
  const layout::SharedTile &acquireFor(mlir::linalg::GenericOp product, mlir::Value operand,
                                       Group &group, std::string &address);
  const RingTile &ringTile(mlir::Value tile) const;
  std::string barrier(const TileRing &ring, bool filled, llvm::StringRef slot) const;

  // WarpgroupStores.cpp
  void planStores();
  mlir::LogicalResult storeTileOf(tile::StoreOp op);
  mlir::LogicalResult storeBySlot(tile::StoreOp op, mlir::Value queries);
  mlir::LogicalResult writeShared(mlir::Value value, const layout::SharedTile &tile,
                                  llvm::StringRef base, llvm::StringRef inTile);

  // WarpgroupProducts.cpp
  std::string product(int64_t columns, mlir::Type type, bool leftInRegisters, bool columnMajor);
  bool isPacked(mlir::Value value) const;
  mlir::LogicalResult pack(mlir::linalg::GenericOp op);
  bool takesTurn(mlir::linalg::GenericOp product, bool first) const;
  static mlir::Value keepsAll(mlir::linalg::GenericOp op);
  mlir::LogicalResult clearRows(mlir::linalg::GenericOp mask, const layout::SharedTile &tile,
                                llvm::StringRef address);

  llvm::SmallVector<Group> underWay;
  bool takeTurns = false;
  bool joined = false; ///< products go into one group, which the loop commits
  llvm::SmallVector<Slot> wholeItemSlots;
  llvm::SmallVector<TileRing> rings;
  std::optional<ItemRing> itemRing;
  llvm::MapVector<mlir::Value, RingTile> ringTiles;
  llvm::DenseMap<mlir::Value, std::string> addresses; ///< of acquired tiles
  llvm::DenseMap<mlir::Value, Slot> acquired;         ///< slots of tiles
  llvm::DenseSet<mlir::Operation *> needed;           ///< by producers
  llvm::StringSet<> products;                         ///< functions defined so far
  int64_t barrierOffset = 0;                          ///< in shared memory
  /// The store whose tile goes through shared memory, how 64 rows of it lie there, and where.
  tile::StoreOp boxedStore;
  std::optional<layout::SharedTile> storeTile;
  int64_t storeOffset = 0;
  unsigned storeMap = 0;
  /// Stores that go through the slot of a whole-item tile of their shape, which products have read.
  llvm::DenseMap<mlir::Operation *, mlir::Value> slotStores;
};

/// Consumer warpgroups of a kernel that can be walked by them; 0 for one that cannot.
int64_t consumerWarpgroups(tile::KernelOp kernel);

/// The loops over the keys of an attention kernel, each of which goes on from the one before, with
/// two products a step; empty if there are none or they have another form.
llvm::SmallVector<mlir::scf::ForOp> attentionLoops(tile::KernelOp kernel);

/// The tile behind a product's operand, without what masks it: a load's result, or a value that a
/// loop carries and that starts as one. Null if the operand is computed.
mlir::Value tileOf(mlir::Value operand);
/// The load that `tileOf` starts as.
mlir::Operation *loadOf(mlir::Value operand);

} // namespace quire::cuda
