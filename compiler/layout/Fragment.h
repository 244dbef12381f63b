// Which thread of a block holds which element of a tensor, and in which of its registers. A fragment
// maps (register, lane, warp) to a coordinate of the tensor by mixed-radix digits: no table, no
// special case for an instruction, and an index expression that can be printed. It knows no IR.
//
// Terms as in PTX: a warp has 32 lanes; a *register* is one element's slot in a thread (two 16-bit
// elements that share a machine register count as two).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quire::layout {

inline constexpr int kLanes = 32;
/// Dimension of a mode that changes no coordinate: its threads hold copies of the same elements.
inline constexpr int kReplicated = -1;

/// One digit of a register, lane or warp index: it runs from 0 to extent - 1 and moves the coordinate
/// of `dimension` by `stride` a step.
struct Mode {
  int dimension;
  int extent;
  int stride;
  bool operator==(const Mode &) const = default;
};

/// Where an element is.
struct Place {
  int reg, lane, warp;
  bool operator==(const Place &) const = default;
};

/// Names of the three indices in printed expressions.
struct IndexNames {
  std::string_view reg = "i", lane = "lane", warp = "warp";
};

class Fragment {
public:
  /// The first mode of each list is its fastest digit. The extents of `lanes` multiply to 32.
  Fragment(std::vector<int> shape, std::vector<Mode> registers, std::vector<Mode> lanes,
           std::vector<Mode> warps);

  const std::vector<int> &shape() const { return shape_; }
  int rank() const { return static_cast<int>(shape_.size()); }
  const std::vector<Mode> &registers() const { return registers_; }
  const std::vector<Mode> &lanes() const { return lanes_; }
  const std::vector<Mode> &warps() const { return warps_; }

  int registersPerThread() const;
  int warpCount() const;
  int threadCount() const { return kLanes * warpCount(); }
  /// Elements of the tensor.
  int elementCount() const;
  /// Copies of each element over the lanes and warps: 1 when nothing is replicated.
  int replication() const;

  /// Coordinate of one dimension / all coordinates of what (register, lane, warp) holds.
  int coordinate(int dimension, int reg, int lane, int warp) const;
  std::vector<int> coordinates(int reg, int lane, int warp) const;
  /// The first place (lowest warp, then lane, then register) that holds the element, if any does.
  std::optional<Place> owner(std::span<const int> coordinates) const;

  /// Whether every element of the shape has a place, nothing lies outside the shape, and elements
  /// have one place each but for replicated modes.
  bool isBijective() const;
  /// Whether both map every (register, lane, warp) to the same coordinates, however they are written.
  bool sameMapping(const Fragment &other) const;

  /// Lanes / warps over which the elements of one dimension are spread: the factors that a reduction
  /// of that dimension has to combine by shuffles / through shared memory.
  int lanesAlong(int dimension) const;
  int warpsAlong(int dimension) const;
  /// Distances (xor masks) of the lanes that share everything but the coordinate of `dimension`, for
  /// a butterfly reduction; each is a power of two. Empty also if the modes are not powers of two.
  std::vector<int> laneMasksAlong(int dimension) const;

  /// What is left of coordinate `dimension` when the register is a constant: the part that lanes and
  /// warps contribute, as a C expression ("(lane >> 2) + warp * 16"; "0" if there is none), and the
  /// constant that `reg` adds to it.
  std::string threadExpression(int dimension, const IndexNames &names = {}) const;
  int registerOffset(int dimension, int reg) const;
  /// The whole coordinate as a C expression of register, lane and warp indices.
  std::string expression(int dimension, const IndexNames &names = {}) const;

  /// "[16, 8] registers (1:2x1 0:2x8) lanes (...) warps (...)": dimension:extent x stride.
  std::string text() const;

private:
  std::vector<int> shape_;
  std::vector<Mode> registers_, lanes_, warps_;
};

/// Elements of a `shape` that ends in `vector` contiguous elements a thread (16 bytes, say): the
/// vectors of a row go to neighbouring lanes as far as a power of two divides their number, then rows
/// to the other lanes and warps, the rest to registers. Threads without work hold copies. Nothing if
/// `vector` does not divide the last extent or the shape has no elements; `warps` is a power of two.
std::optional<Fragment> blocked(std::span<const int> shape, int warps, int vector);

/// The fragment of a reduction of `dimension` (which disappears from the shape): its registers are
/// gone, its lanes and warps hold copies. Also what a tensor must have that is broadcast along it.
Fragment reduced(const Fragment &fragment, int dimension);

/// Dimension d of the result is dimension order[d] of `fragment`.
Fragment permuted(const Fragment &fragment, std::span<const int> order);

/// The same threads and registers hold a tensor with a dimension of extent 1 put in before
/// `dimension`.
Fragment expanded(const Fragment &fragment, int dimension);

} // namespace quire::layout
