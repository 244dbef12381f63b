// Single elements of tensors as expressions. A tensor that is nowhere held (a load, and whatever is
// computed from loads element by element) is evaluated where it is used: its producers are inlined
// down to reads of global memory. What is held in registers or shared memory is asked for by a
// hook.
//
// Elements are evaluated in chunks of `vector` neighbours along one dimension, so that reads become
// 16-byte reads: the coordinate of that dimension is a base plus the chunk's index `j`.
#pragma once

#include "compiler/cuda/CodeText.h"
#include "compiler/cuda/Scalars.h"

#include "dialect/Tile/Tile.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>
#include <optional>

namespace quire::cuda {

struct Coordinate {
  enum Lane {
    Fixed,      ///< the same for the whole chunk
    Contiguous, ///< base + j
    Folded      ///< j is somewhere inside `base`
  };
  std::string base = "0";
  Lane lane = Fixed;
  std::optional<int64_t> constant; ///< of base
  int64_t multiple = 1;            ///< divides base; 0 for the constant 0
  /// base + j lies in [low, high).
  int64_t low = std::numeric_limits<int64_t>::min() / 4;
  int64_t high = std::numeric_limits<int64_t>::max() / 4;

  static Coordinate of(int64_t value);
  /// A variable that runs over [low, high) in steps of `multiple`.
  static Coordinate variable(std::string name, int64_t low, int64_t high, int64_t multiple = 1);

  /// The coordinate of element j.
  std::string text() const { return lane == Contiguous ? "(" + base + " + j)" : base; }
};
using Coordinates = llvm::SmallVector<Coordinate, 4>;

Coordinate added(const Coordinate &coordinate, const Coordinate &offset);
Coordinate scaled(const Coordinate &coordinate, int64_t factor);
/// Coordinates of a tensor of `shape` from a running number of its elements.
Coordinates unravel(llvm::ArrayRef<int64_t> shape, llvm::StringRef number);
/// coordinate / size and coordinate % size, of chunks of `vector` elements.
std::pair<Coordinate, Coordinate> divided(const Coordinate &coordinate, int64_t size,
                                          int64_t vector);
/// "left && right"; an empty condition always holds.
std::string both(const std::string &left, const std::string &right);
/// Names an element of a tensor.
std::string keyOf(mlir::Value tensor, const Coordinates &at);

struct Address;

/// Where the text goes and what it may use.
struct ElementScope {
  const Names &names; ///< scalars, buffers and held tensors in scope
  UniqueNames &unique;
  CodeText &chunk;    ///< what is done once a chunk
  CodeText &element;  ///< what is done for each j; the same as `chunk` where there are no chunks
  int64_t vector = 1; ///< elements of a chunk
  std::string guard = ""; ///< loads happen only where this holds and give 0 elsewhere; "" always
  ScalarOptions scalars = {};
  /// The element of a held tensor; nothing if the tensor is not held.
  std::function<std::optional<std::string>(mlir::Value, const Coordinates &)> held = {};
  /// The vector that `load` (an expression of type `type`) reads, if it was read before; else nothing.
  std::function<std::optional<std::string>(const Address &, const std::string &type,
                                           const std::string &load)>
      loaded = {};
  /// The variable that holds the page of a tile that lies in one; "" where it is looked up here.
  std::function<std::string(tile::LoadPagesOp)> page = {};
  /// A tensor of a 16-bit type whose elements nobody needs rounded yet.
  mlir::Value unrounded = {};
};

/// The address of an element of global (or shared) memory.
struct Address {
  std::string buffer;
  std::string offset;    ///< in elements, of the chunk's first element
  std::string guard;     ///< "" if the read is always valid
  Coordinate::Lane lane; ///< Contiguous: element j is at offset + j
  int64_t multiple;      ///< of the offset in elements; 0 for the constant 0
  mlir::Type element;
  /// Elements at a time, at most `wanted`, that are contiguous, aligned and valid together.
  int64_t contiguous(int64_t wanted) const;
};

class ElementPrinter {
public:
  explicit ElementPrinter(ElementScope scope) : scope(std::move(scope)) {}

  /// The element as a register value ("float" for 16-bit types).
  mlir::FailureOr<std::string> element(mlir::Value tensor, const Coordinates &at);
  /// A scalar in scope, or a constant.
  mlir::FailureOr<std::string> scalar(mlir::Value value);
  /// A scalar index as a coordinate.
  mlir::FailureOr<Coordinate> index(mlir::Value value);

  /// Where tile.load, tile.load_pages or tile.store find element `at` of their tile.
  mlir::FailureOr<Address> address(tile::LoadOp load, const Coordinates &at);
  mlir::FailureOr<Address> address(tile::LoadPagesOp load, const Coordinates &at);
  mlir::FailureOr<Address> address(tile::StoreOp store, const Coordinates &at);

private:
  mlir::FailureOr<Address> address(mlir::Operation *op, mlir::Value buffer,
                                   mlir::ValueRange offsets, mlir::Value rows,
                                   llvm::ArrayRef<int64_t> tile, const Coordinates &at);
  mlir::FailureOr<std::string> read(const Address &address);
  mlir::FailureOr<std::string> generic(mlir::linalg::GenericOp op, const Coordinates &at);
  mlir::FailureOr<std::string> reduction(mlir::linalg::GenericOp op, Coordinates loops);
  mlir::FailureOr<std::string> compute(mlir::Value tensor, const Coordinates &at);
  /// The text to which something that depends on `at` belongs.
  CodeText &sink(const Coordinates &at);

  ElementScope scope;
  llvm::StringMap<std::string> known; ///< elements already evaluated in this chunk
};

/// Tokens of a page of the pool, and whether the tile lies in one page.
int64_t pageTokens(tile::LoadPagesOp load);
bool isInOnePage(tile::LoadPagesOp load);
/// The entry of a block table that names the page of key `position`.
std::string pageEntry(llvm::StringRef table, llvm::StringRef first, llvm::StringRef position,
                      int64_t page);

/// The loop coordinates of a generic from those of its result; reduction loops are left as 0.
mlir::FailureOr<Coordinates> loopCoordinates(mlir::linalg::GenericOp op, const Coordinates &at);
/// The coordinates of an operand from those of the loops.
mlir::FailureOr<Coordinates> operandCoordinates(mlir::linalg::GenericOp op, mlir::AffineMap map,
                                                const Coordinates &loops);

/// How the body of a reduction combines: "out = combine(out, f(in…))".
struct Combiner {
  mlir::Operation *op = nullptr; ///< addf, maxnumf, …
  std::string identity;          ///< neutral element
  std::string warpFunction;      ///< suffix of the device primitives: "Sum", "Maximum"
  /// "(a + b)", "fmaxf(a, b)", …
  mlir::FailureOr<std::string> apply(llvm::StringRef left, llvm::StringRef right) const;
};
mlir::FailureOr<Combiner> combinerOf(mlir::linalg::GenericOp op);

} // namespace quire::cuda
