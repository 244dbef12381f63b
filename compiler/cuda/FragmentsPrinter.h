// The walk by fragments: kernels whose tensors live in registers, spread over the lanes of tensor
// core accumulators. A tensor is a matrix here: its last dimension is the column, all dimensions
// before it together are the row ("head in group" fastest), padded to whole instructions. A tensor
// that lacks the last dimension holds one value for each row, copied over the lanes that share the
// row.
//
// Tensors that are loads, or computed from loads alone, are held nowhere: they are evaluated where
// they are used, or staged in shared memory if they are operands of contractions.
#pragma once

#include "compiler/cuda/KernelContext.h"

#include "compiler/layout/MmaFragment.h"
#include "compiler/layout/SharedTile.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace quire::cuda {

/// A tensor in registers.
struct Held {
  std::string name;
  int64_t columns; ///< 0: one value for each row
  int64_t registers;
};

/// An operand of a contraction in shared memory, as rows of `columns` contiguous elements.
struct StagedTile {
  mlir::Value tensor;
  std::string name;      ///< address of the tile in shared memory, a u32
  mlir::Type element;    ///< as it lies in shared memory
  int64_t rows, columns; ///< of the tensor
  int64_t paddedRows, paddedColumns;
  layout::SharedTile memory;

  /// The address of byte `column` of `row`, both names or short expressions.
  std::string at(llvm::StringRef row, llvm::StringRef column) const {
    return name + " + " + memory.expression(row.str(), column.str());
  }
};

class FragmentsPrinter {
public:
  explicit FragmentsPrinter(KernelContext &context) : context(context), text(context.text) {}
  virtual ~FragmentsPrinter() = default;

  virtual mlir::LogicalResult run();

protected:
  /// Prints the definition of a scalar.
  virtual mlir::LogicalResult scalar(mlir::Operation *op, Names &names, CodeText &out);
  /// Whether a value that a loop carries is a tile in shared memory.
  virtual bool isTile(mlir::Value) const { return false; }
  /// Of variables for indices.
  virtual std::string indexType() const { return "long long"; }
  /// Called before text that reads or writes held registers.
  virtual void touch(const Held &) {}
  void touchOperands(mlir::Operation *op);

  // FragmentsPrinter.cpp, FragmentStores.cpp: the walk, elementwise operations, stores.
  mlir::LogicalResult chooseRows();
  mlir::LogicalResult block(mlir::Block &ops);
  virtual mlir::LogicalResult operation(mlir::Operation &op);
  mlir::LogicalResult elementwise(mlir::linalg::GenericOp op);
  virtual mlir::LogicalResult store(tile::StoreOp op);
  mlir::LogicalResult conditional(mlir::scf::IfOp op);
  mlir::LogicalResult sharedBuffer(mlir::memref::AllocOp op);
  bool isMatrix(mlir::Type type) const;
  bool isRowVector(mlir::Type type) const;
  bool readsInPlace(mlir::linalg::GenericOp op) const;
  /// The operand in whose registers the result may be, if nothing else wants it.
  const Held *inPlace(mlir::linalg::GenericOp op) const;
  bool isHeld(mlir::Value value) const { return held.contains(value); }
  /// Writes every element of `value` into `target` (declared), "target[i] = …".
  mlir::LogicalResult assign(const Held &target, mlir::Value value);
  /// Evaluates inside a loop over registers `i`; `pairs`: over pairs of neighbouring columns.
  ElementScope scope(CodeText &chunk, CodeText &element, int64_t columns, bool pairs);
  Coordinates coordinates(int64_t columns, bool pairs) const;
  void positions(CodeText &out, int64_t columns, bool pairs, llvm::StringRef used) const;
  Held declare(mlir::Value value, llvm::StringRef hint, bool carried = false);
  /// The registers of `init` if nothing else reads them, else new ones that hold its values.
  mlir::FailureOr<Held> continued(mlir::Operation *op, mlir::OpOperand *init, llvm::StringRef hint);

  // FragmentLayouts.cpp: how rows and columns are spread.
  layout::Fragment fragment(int64_t columns) const;
  int64_t tilesM() const;                ///< instructions of 16 rows a warp holds
  int64_t tilesN(int64_t columns) const; ///< of 8 columns
  int64_t paddedColumns(int64_t columns) const;
  int64_t registersOf(int64_t columns) const;
  std::string warpName() const; ///< of the warps that divide a matrix
  std::string warpRow() const;  ///< index of this warp along the rows / the columns
  std::string warpColumn() const;
  int64_t copies() const { return context.warps / (context.warpsM * context.warpsN); }
  /// Whether all rows are among the first eight of an instruction: registers of the other eight hold
  /// nothing that is read.
  bool isUpperHalf() const { return rows <= 8 && context.warpsM == 1; }
  /// Opens a loop over registers `i` (over pairs of them) of rows that exist.
  void openRegisters(int64_t columns, int64_t registers, bool pairs = false);

  // FragmentReductions.cpp
  int64_t reducedColumns(mlir::linalg::GenericOp op) const;
  mlir::LogicalResult reduction(mlir::linalg::GenericOp op);

  // FragmentContractions.cpp
  virtual mlir::LogicalResult contraction(mlir::linalg::GenericOp op);
  mlir::LogicalResult multiplyHalf(mlir::linalg::GenericOp op, const Held &out, mlir::Type type);
  mlir::LogicalResult multiplyTf32(mlir::linalg::GenericOp op, const Held &out);
  /// Reads left operands that do not change in a loop into registers in front of it, if few.
  void readInvariant(llvm::ArrayRef<mlir::linalg::GenericOp> contractions);
  /// Where this lane finds its row of matrices [m][k] of a left operand, for ldmatrix.
  std::string leftAddress(const StagedTile &tile) const;

  // FragmentStaging.cpp
  mlir::FailureOr<StagedTile> planTile(mlir::linalg::GenericOp contraction, bool left);
  /// Prints the copy of a tile whose address is `tile.name` by this block, or by this warp.
  mlir::LogicalResult stage(const StagedTile &tile, const Names &names, CodeText &out);
  /// Copies a tile of a page whose rows the workers find at constant distances, one address for
  /// each; false, without any text, if it is none.
  mlir::FailureOr<bool> stageInPage(const StagedTile &tile, const Names &names, CodeText &out);
  /// Stages what contractions in `ops` read from outside; commits, does not wait.
  mlir::LogicalResult stageOperands(llvm::ArrayRef<mlir::linalg::GenericOp> contractions,
                                    mlir::Block *inside);
  mlir::Type stagedType(mlir::linalg::GenericOp contraction, bool left);

  // FragmentLoops.cpp
  virtual mlir::LogicalResult loop(mlir::scf::ForOp op);
  /// Registers for what a loop carries, with its first values.
  mlir::LogicalResult carry(mlir::scf::ForOp op);
  mlir::LogicalResult body(mlir::scf::ForOp op);
  void nameTiles(llvm::ArrayRef<StagedTile> tiles, int64_t ringBytes);
  mlir::LogicalResult fetch(mlir::scf::ForOp op, llvm::ArrayRef<StagedTile> tiles,
                            llvm::StringRef lambda, int64_t ringBytes);
  /// Prints `pageOf(at)` and sets `pageName` if all tiles of an iteration lie in pages of one number.
  mlir::LogicalResult pageLookup(mlir::scf::ForOp op, llvm::ArrayRef<StagedTile> tiles);

  KernelContext &context;
  CodeText &text;
  llvm::SmallVector<int64_t> lead; ///< sizes of the row dimensions
  int64_t rows = 0, rowsPadded = 0;
  llvm::DenseMap<mlir::Value, Held> held;
  llvm::DenseMap<mlir::Value, StagedTile> staged;
  llvm::DenseSet<mlir::Value> operands; ///< of contractions, with what they are computed from
  bool coarseTangents = false;          ///< do for this kernel's scores
  llvm::DenseMap<mlir::Value, std::string> invariant; ///< left operands in registers
  bool pending = false;                 ///< copies of the whole block are under way
  std::string pageName; ///< the variable with the page of a loop's tiles; "" where each is looked up
  /// Index and number of the threads that copy a tile together: of the block, or of one warp.
  std::string stageWorker = "thread";
  int64_t stageWorkers = 0;
};

/// What a loop carries comes from what it starts with: the value before all loops.
mlir::Value startOf(mlir::Value value);
/// Whether a generic is a matrix product: out[rows, n] += left[rows, k] * right[k, n].
bool isContraction(mlir::linalg::GenericOp op);
/// All products of a kernel, each with the 16-bit type in which both operands are multiplied
/// exactly as they were loaded (or, for a computed left one, rounded as every fused attention
/// does); null without one.
llvm::SmallVector<std::pair<mlir::linalg::GenericOp, mlir::Type>>
halfProducts(tile::KernelOp kernel);
/// Whether its operands are read as 16-bit matrices, and not element by element.
bool isMultipliedHalf(mlir::linalg::GenericOp contraction);
/// Whether its right operand is [n, k] (the depth contiguous in memory) and not [k, n].
bool depthIsContiguous(mlir::linalg::GenericOp contraction);

} // namespace quire::cuda
