// The fragments of the tensor core's instructions, stated once (PTX ISA, "Matrix fragments for
// mma.m16n8k16 / m16n8k8" and "ldmatrix"). mma.sync and wgmma share the accumulator: a wgmma of a
// warpgroup is `accumulator(64, n, 4, 1)`.
#pragma once

#include "compiler/layout/Fragment.h"

namespace quire::layout {

/// The instruction by its operands: m16n8k16 with bf16 or f16, m16n8k8 with tf32.
enum class MmaType { Half, Tf32 };

/// Rows and columns of one instruction's accumulator, and its depth.
inline constexpr int kMmaRows = 16, kMmaColumns = 8;
constexpr int mmaDepth(MmaType type) { return type == MmaType::Half ? 16 : 8; }

/// How the depth of the two operands is ordered. Any order is right as long as both have the same.
///  0: the instruction's own.
///  n: a lane's elements of n instructions are contiguous in memory (Half: 4n elements, Tf32: 2n
///     elements), so one 16-byte load is the fragment of two instructions (n = 2). An accumulator
///     that becomes the next operand A has order 0 (Half) or 1 (Tf32).
using DepthOrder = int;

// Warp w owns row tile w % warpsM and column strip w / warpsM. Row tiles of 16 are dealt to the warps in
// turn (as wgmma does), columns in contiguous strips. All return nothing when a size does not divide.

/// [m, n]: register (mi * n' + ni) * 4 + r with n' = n / warpsN / 8; r = 0, 1: two neighbouring columns
/// of row lane / 4; r = 2, 3: of row lane / 4 + 8.
std::optional<Fragment> accumulator(int m, int n, int warpsM, int warpsN);

/// A as [m, k]: register (mi * k' + ks) * size + r, k' = k / depth, size = 8 (Half) or 4 (Tf32)
/// elements; warps along n hold copies.
std::optional<Fragment> operandA(MmaType type, int m, int k, int warpsM, int warpsN,
                                 DepthOrder order = 0);

/// B as [n, k] (each column of the product is a row of k): register (ni * k' + ks) * size + r, size = 4
/// (Half) or 2 (Tf32) elements; warps along m hold copies. For B stored as [k, n] permute by {1, 0}.
std::optional<Fragment> operandB(MmaType type, int n, int k, int warpsM, int warpsN,
                                 DepthOrder order = 0);

/// How to fill a fragment of 16-bit elements by ldmatrix.x4 / x2 / x1 from rows in shared memory.
struct MatrixLoad {
  bool transposed; ///< ldmatrix.trans
  int count;       ///< matrices of one instruction: 4, 2 or 1
  /// Which 16-byte piece of a row each lane points to: for instruction j (a register of this
  /// fragment), lane l passes the address of (row, first of 8 columns) = its coordinates. It fills
  /// registers j * 2 * count … of the fragment. Lanes beyond 8 * count repeat the addresses of others.
  Fragment addresses;
};

/// Rows are `rowDimension` of the fragment, contiguous in memory along `columnDimension`. Nothing if
/// the instruction cannot deliver this fragment.
std::optional<MatrixLoad> matrixLoad(const Fragment &fragment, int rowDimension,
                                     int columnDimension);

} // namespace quire::layout
