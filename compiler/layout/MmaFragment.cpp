// Implements MmaFragment.h. Dimension 0 is the operand's rows (m or n), dimension 1 the other one.
#include "compiler/layout/MmaFragment.h"

namespace quire::layout {
namespace {

/// Strides of an operand's depth: its digits are the pair that shares a machine register (Half only),
/// the half of the instruction's depth, the lane of a quad, the instruction of a contiguous run.
struct DepthStrides {
  int pair, half, lane, step, run;
  DepthStrides(MmaType type, DepthOrder order) {
    bool wide = type == MmaType::Half;
    pair = 1;
    run = order > 0 ? order : 1;
    int elements = wide ? 4 : 2; // of a lane in one instruction
    half = order > 0 ? (wide ? 2 : 1) : mmaDepth(type) / 2;
    lane = order > 0 ? elements * run : (wide ? 2 : 1);
    step = order > 0 ? elements : mmaDepth(type);
  }
};

std::optional<Fragment> operand(MmaType type, int rows, int k, int rowsOfTile, Mode tiles,
                                std::vector<Mode> warps, DepthOrder order) {
  DepthStrides depth(type, order);
  int block = mmaDepth(type) * depth.run;
  if (order < 0 || k < 1 || k % block != 0)
    return std::nullopt;
  std::vector<Mode> registers;
  if (type == MmaType::Half)
    registers.push_back({1, 2, depth.pair});
  if (rowsOfTile == 16)
    registers.push_back({0, 2, 8});
  registers.push_back({1, 2, depth.half});
  registers.push_back({1, depth.run, depth.step});
  registers.push_back({1, k / block, block});
  registers.push_back(tiles);
  return Fragment({rows, k}, registers, {{1, 4, depth.lane}, {0, 8, 1}}, std::move(warps));
}

bool divides(int part, int whole) { return part > 0 && whole > 0 && whole % part == 0; }

/// Takes `count` (a power of two) off the front of `modes`, splitting a mode where it has to.
std::optional<std::vector<Mode>> takeFront(std::vector<Mode> &modes, int count) {
  std::vector<Mode> taken;
  while (count > 1) {
    if (modes.empty())
      return std::nullopt;
    Mode &front = modes.front();
    int part = std::min(front.extent & -front.extent, count);
    if (part == 1)
      return std::nullopt;
    taken.push_back({front.dimension, part, front.stride});
    front.extent /= part;
    front.stride *= part;
    count /= part;
    if (front.extent == 1)
      modes.erase(modes.begin());
    else if (count > 1)
      return std::nullopt; // an odd rest lies between
  }
  return taken;
}

} // namespace

std::optional<Fragment> accumulator(int m, int n, int warpsM, int warpsN) {
  if (!divides(kMmaRows * warpsM, m) || !divides(kMmaColumns * warpsN, n))
    return std::nullopt;
  int rowTiles = kMmaRows * warpsM, columns = n / warpsN;
  return Fragment({m, n},
                  {{1, 2, 1},
                   {0, 2, 8},
                   {1, columns / kMmaColumns, kMmaColumns},
                   {0, m / rowTiles, rowTiles}},
                  {{1, 4, 2}, {0, 8, 1}}, {{0, warpsM, kMmaRows}, {1, warpsN, columns}});
}

std::optional<Fragment> operandA(MmaType type, int m, int k, int warpsM, int warpsN,
                                 DepthOrder order) {
  if (warpsN < 1 || !divides(kMmaRows * warpsM, m))
    return std::nullopt;
  int rowTiles = kMmaRows * warpsM;
  return operand(type, m, k, 16, {0, m / rowTiles, rowTiles},
                 {{0, warpsM, kMmaRows}, {kReplicated, warpsN, 0}}, order);
}

std::optional<Fragment> operandB(MmaType type, int n, int k, int warpsM, int warpsN,
                                 DepthOrder order) {
  if (warpsM < 1 || !divides(kMmaColumns * warpsN, n))
    return std::nullopt;
  int columns = n / warpsN;
  return operand(type, n, k, 8, {0, columns / kMmaColumns, kMmaColumns},
                 {{kReplicated, warpsM, 0}, {0, warpsN, columns}}, order);
}

std::optional<MatrixLoad> matrixLoad(const Fragment &fragment, int rowDimension,
                                     int columnDimension) {
  // After ldmatrix lane l holds two neighbouring elements of row l / 4, after ldmatrix.trans of
  // column l / 4.
  auto matches = [&](int along, int across) {
    return !fragment.registers().empty() && fragment.registers().front() == Mode{along, 2, 1} &&
           fragment.lanes() == std::vector<Mode>{{along, 4, 2}, {across, 8, 1}};
  };
  bool transposed = !matches(columnDimension, rowDimension);
  if (rowDimension == columnDimension || (transposed && !matches(rowDimension, columnDimension)))
    return std::nullopt;
  // A matrix begins at the coordinates of its first register in lane 0, and its rows follow.
  for (int count : {4, 2, 1}) {
    std::vector<Mode> registers(fragment.registers().begin() + 1, fragment.registers().end());
    std::optional<std::vector<Mode>> matrices = takeFront(registers, count);
    if (!matrices)
      continue;
    std::vector<Mode> lanes{{rowDimension, 8, 1}};
    lanes.insert(lanes.end(), matrices->begin(), matrices->end());
    lanes.push_back({kReplicated, 4 / count, 0});
    return MatrixLoad{transposed, count,
                      Fragment(fragment.shape(), registers, lanes, fragment.warps())};
  }
  return std::nullopt;
}

} // namespace quire::layout
