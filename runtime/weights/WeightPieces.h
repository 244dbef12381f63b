// Weights cut into pieces of about a megabyte, and how one piece gets from its source into its place.
// Internal to runtime/weights.
#pragma once

#include "runtime/base/File.h"
#include "runtime/plan/Plan.h"
#include "runtime/weights/Prepack.h"

#include <vector>

namespace quire {

/// A rectangle of one source and where it goes.
struct WeightPiece {
  uint32_t weight;
  uint32_t source;
  PrepackPiece target; ///< in the weight
  uint64_t sourceRow;  ///< of the target's first row, within the source
};

/// Pieces of rows [firstRow, endRow) of a weight; with a Panel layout both are whole panels, or the
/// end of the weight.
void cutWeight(const Plan &plan, uint32_t weight, uint64_t firstRow, uint64_t endRow,
               std::vector<WeightPiece> &pieces);

/// Bytes of a piece in its weight.
uint64_t pieceBytes(const Plan &plan, const WeightPiece &piece);

class WeightFiles {
public:
  /// Opens the plan's weight files and checks that they are those it was compiled for. An empty
  /// `directory` means the plan's.
  static Result<WeightFiles> open(const Plan &plan, const std::string &directory);

  /// Reads a piece and moves it into the weight that begins at `base`. `buffer` is scratch memory of the
  /// caller's thread.
  Status move(const Plan &plan, const WeightPiece &piece, uint8_t *base,
              std::vector<uint8_t> &buffer) const;

private:
  std::vector<File> files_;
};

} // namespace quire
