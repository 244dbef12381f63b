// Which schedules a kernel can have, and which it gets when nobody says otherwise. Pure functions
// over plain data: sizes count rows, panels of 32 weight rows, query tokens and keys.
#pragma once

#include "compiler/schedule/Storage.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quire::schedule {

/// Splits of one sequence's keys, at most: partial results take memory for each.
inline constexpr int64_t kMaxSplits = 64;

/// What about a kernel limits its schedule.
struct KernelShape {
  std::string_view family; ///< "linear", "attention" or "rows"
  Storage storage = Storage::Panels; ///< panels: a CPU runs it, rows: a GPU
  int64_t panels = 0;      ///< linear: weight panels
  int64_t columns = 0;     ///< linear: input columns, the length of the reduction; rows: of a row
  int64_t width = 0;       ///< linear on rows: output columns, padded
  int64_t products = 1;    ///< linear: weights that an item multiplies with the same rows
  int64_t elementBytes = 0; ///< linear, attention: of a weight or of a cached key
  int64_t rowBytes = 0;    ///< linear, attention: of an element of a row or a query
  int64_t page = 0;        ///< attention: tokens of a cache page
  int64_t cacheHeads = 0;  ///< attention: heads of keys and values, each an item of its own
  int64_t group = 0;       ///< attention: query heads of a cache head
  int64_t headDim = 0;     ///< attention: columns of a key
  int64_t context = 0;     ///< attention: keys of a sequence, at most; 0 unknown
  int64_t leanScore = 0;   ///< attention: 1 if score and mask are arithmetic of a few terms, which
                         ///< leaves a warp's registers to its tiles
  bool singleRow = false;  ///< rows: reads or writes rows by index, so one row at a time
};

/// One schedule. A kernel with several has a variant for each.
struct Choice {
  int64_t limit = 0;   ///< linear: serves steps of at most so many rows, 0 any
  int64_t minimum = 1; ///< attention: serves sequences with minimum <= query tokens <= maximum,
  int64_t maximum = 0; ///< 0 any
  int64_t rows = 1;
  int64_t panels = 1;
  int64_t queries = 1;
  int64_t keys = 0;
  int64_t split = 0; ///< attention: keys of a split, 0 unsplit
  std::array<int64_t, 3> registers{0, 0, 0}; ///< CPU: [m, n, k]; all 0 in row kernels
  // GPU alone.
  int64_t columns = 0;     ///< linear: output columns of a work item
  int64_t depth = 0;       ///< linear: step along the reduction, 0 all at once
  int64_t warps = 0;       ///< of a block
  int64_t stages = 0;      ///< copies of tiles in flight
  std::string instruction; ///< "fma", "mma" or "wgmma"
  std::string parallel;    ///< what the warps divide; attention: "rows" or "keys", linear: "depth" or ""
};

/// Linears: 1, 8 and 32 rows. Attention: single query tokens, and tiles of 8. Rows: one at a time.
/// On a GPU linears of 1 row, of 4 to 16 whose warps divide the depth, and of 64 and 128 on warpgroups
/// or 16, 64 and 128 without them; attention tiles of 128 or about 64 query rows.
std::vector<Choice> defaultChoices(const KernelShape &shape);

/// `choice` with what it leaves open (0 keys, no registers) as the default has it.
Choice complete(const KernelShape &shape, Choice choice);

/// The keys of a split that stays the same in every step: as many as were chosen, or as many whole
/// pages and tiles more as kMaxSplits splits need to hold the context. 0 stays 0.
int64_t splitLength(const KernelShape &shape, const Choice &choice);

/// Query tiles of a work list whose items, one for each cache head, read as fast as memory delivers.
int64_t tilesOfWave(const KernelShape &shape);

/// Why a kernel of `shape` cannot have `choice`; nothing if it can.
std::optional<std::string> whyIllegal(const KernelShape &shape, const Choice &choice);

/// Why the choices do not serve every step together; nothing if they do.
std::optional<std::string> whyIncomplete(const KernelShape &shape,
                                         const std::vector<Choice> &choices);

} // namespace quire::schedule
