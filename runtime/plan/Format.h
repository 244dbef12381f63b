// The plan file: the one thing that compiler and runtime share. Plain little-endian records in
// sections, addressed by index; no pointers, no virtual types, nothing that needs a parser. The
// writer (compiler/plan) fills these records, the reader (runtime/plan) validates every index,
// offset and size before anything uses them.
//
// File = Header, then `sectionCount` SectionRecord, then the sections, each aligned to 64 bytes.
// Strings are (offset, size) pairs into the Strings section.
#pragma once

#include <cstdint>

namespace quire::plan {

inline constexpr uint64_t kMagic = 0x314e4c5045525551ull; // "QUREPLN1" read as bytes
inline constexpr uint32_t kVersion = 6;
inline constexpr uint32_t kSectionAlignment = 64;
inline constexpr uint32_t kNone = 0xffffffffu;
/// Groups of layers that keep the same tokens, each with a block table of its own.
inline constexpr uint32_t kMaxCacheGroups = 8;

struct Header {
  uint64_t magic;
  uint32_t version;
  uint32_t sectionCount;
  uint64_t fileBytes;
  uint64_t checksum; ///< FNV-1a 64 over all bytes after the header.
};

enum class SectionKind : uint32_t {
  Strings,       ///< bytes
  Info,          ///< one InfoRecord
  Files,         ///< FileRecord[]: weight files
  Weights,       ///< WeightRecord[]
  Sources,       ///< SourceRecord[]: where the elements of weights come from
  Pools,         ///< PoolRecord[]: one paged cache component of one layer
  Tensors,       ///< TensorRecord[]: user-visible inputs and outputs of the step
  Kernels,       ///< KernelRecord[]
  Images,        ///< ImageRecord[]: native code of all kernels for one target
  Entries,       ///< EntryRecord[]: where a kernel starts in an image
  TensorMaps,    ///< TensorMapRecord[]: what the kernels of entries copy as boxes
  Partitions,    ///< PartitionRecord[]: host work lists
  Instructions,  ///< InstructionRecord[]: the step program
  Operands,      ///< OperandRecord[]
  Data,          ///< bytes: constants and native code
  Texts,         ///< TextRecord[]: IR and reports for people (`quire inspect`)
  Stops,         ///< int32[]: token ids that end a sequence
  Count
};

struct SectionRecord {
  SectionKind kind;
  uint32_t elementBytes;
  uint64_t offset; ///< from the start of the file
  uint64_t bytes;
};

struct StringRef {
  uint32_t offset;
  uint32_t size;
};

enum class ElementType : uint32_t { F32, F16, BF16, I32, I64, U8, Count };

/// A row count that is only known at each step, or a constant.
enum class Extent : uint32_t {
  One,        ///< a constant, the coefficient alone
  Tokens,     ///< token rows of the step, padded to InfoRecord::rowPadding
  Samples,    ///< rows whose logits are wanted, padded to InfoRecord::rowPadding
  Count
};

/// bytes = constant + perToken * paddedTokens + perSample * paddedSamples
struct ByteSize {
  uint64_t constant;
  uint64_t perToken;
  uint64_t perSample;
};

struct InfoRecord {
  StringRef modelName;      ///< for people
  StringRef modelDirectory; ///< absolute path at compile time; weight files are relative to it
  StringRef compiler;       ///< name and version of the writer
  StringRef options;        ///< JSON of the compile options, for people
  uint32_t maxTokens;       ///< token rows of one step, at most
  uint32_t maxSequences;    ///< sequences of one step, at most
  uint32_t maxSamples;      ///< sample rows of one step, at most
  uint32_t maxContext;      ///< tokens of one sequence, at most; 0 without a cache
  uint32_t pageSize;        ///< tokens a cache page; 0 without a cache
  uint32_t vocabularySize;  ///< columns of the logits; 0 if the step has no logits output
  uint32_t weightElement;   ///< ElementType of most weights, for people
  uint32_t registerCount;   ///< registers of the step program
  uint32_t rowPadding;      ///< rows of every arena buffer, tensor and batch array are padded to a
                            ///< multiple of this, so that kernels handle whole row tiles; a power
                            ///< of two up to 1024
  uint32_t reserved;
  ByteSize arena;           ///< all temporaries of one step; the constant part is the workspaces
  uint64_t weightBytes;     ///< resident bytes of all prepacked weights
  uint64_t pageBytes;       ///< bytes of one page: of all places of pools
  uint64_t workListBytes;   ///< all host work lists at their capacity
};

/// A weight file, relative to the model directory.
struct FileRecord {
  StringRef name;
  uint64_t bytes;          ///< size at compile time
  uint64_t headerChecksum; ///< FNV-1a 64 of its safetensors header (length word and JSON)
};

enum class WeightLayout : uint32_t {
  RowMajor, ///< [rows, columns], with `panel` padded by zero rows to a multiple of it
  Panel,    ///< [ceil(rows / panel), columns, panel], tail rows zero: a register tile streams it
  Count
};

/// A prepacked weight: its sources are stacked along rows, then laid out.
struct WeightRecord {
  StringRef name;
  ElementType element;
  WeightLayout layout;
  uint32_t panel; ///< rows of a panel; RowMajor: rows are padded to a multiple, 0: not padded
  uint32_t reserved;
  uint64_t rows;
  uint64_t columns;
  uint64_t bytes; ///< resident size after layout
  uint32_t firstSource;
  uint32_t sourceCount;
};

enum class SourceKind : uint32_t {
  Tensor,           ///< [rows, columns] in a file, as stored
  TransposedTensor, ///< stored [columns, rows]
  Inline,           ///< [rows, columns] in the Data section
  RotaryTable,      ///< rows positions; Data holds columns/2 float frequencies. Column pairs are
                    ///< [cos(p f_0) .. cos(p f_n), sin(p f_0) .. sin(p f_n)], times `scale`
  Random,           ///< for plans that are measured: no file, made when weights are loaded. Element i
                    ///< in row-major order is scale * (u / 2^23 - 1), rounded, where u are the 24
                    ///< highest bits of output offset + i (from 0) of SplitMix64 seeded with 0
  Count
};

struct SourceRecord {
  SourceKind kind;
  ElementType element;
  uint32_t file;    ///< index into Files, kNone for all but tensors
  float scale;      ///< RotaryTable and Random only
  StringRef tensor; ///< name in the file, for messages
  uint64_t offset;  ///< in the file, or in Data; Random: the number of its first element
  uint64_t bytes;
  uint64_t rows; ///< after transposition
  uint64_t columns;
};

/// One named component of one layer's paged cache: [pages, heads, rows, columns].
/// Keys are stored [heads, headDim, pageSize] and values [heads, pageSize, headDim] within a page;
/// the runtime only needs `bytesPerPage`.
///
/// Layers that keep the same tokens form a group; each group has a block table and slots of its own.
/// All groups take their pages from one memory: a page belongs to one group at a time, and pools of
/// different groups at one place lie over each other. So a page that layers with a window give back
/// can serve any other layers, and no share of the memory is set aside for a group.
struct PoolRecord {
  StringRef name;
  ElementType element;
  uint32_t group; ///< pools of one group share a block table; from 0, below kMaxCacheGroups
  uint64_t bytesPerPage;
  uint32_t window; ///< tokens kept, 0 for all
  uint32_t place; ///< pools of one place have equal bytesPerPage and are of different groups
};

/// A user-visible tensor of the step: [extent rows, columns].
struct TensorRecord {
  StringRef name;
  ElementType element;
  Extent extent;
  uint64_t columns;
  uint64_t rowStride; ///< elements
  uint32_t isOutput;
  uint32_t reserved;
};

struct KernelRecord {
  StringRef name;
  StringRef source; ///< the graph ops it came from, for people
  uint32_t bufferCount;
  uint32_t scalarCount;
  StringRef schedule; ///< text of its schedule
  uint64_t flopsPerItem; ///< predicted, 0 if it depends on the batch
  uint64_t bytesPerItem; ///< predicted weight and cache bytes read
};

/// What the code of an image runs on. All images of a plan are for CPUs or all for CUDA: the layouts
/// of weights and cache pages differ. CUDA targets follow NVIDIA's rule of binary compatibility:
/// code for sm_80 runs on compute capability 8.x, code for sm_90a on 9.0 alone.
enum class ImageTarget : uint32_t { X86_64_V3, X86_64_V4, Sm80, Sm90a, Count };

constexpr bool isCuda(ImageTarget target) {
  return target == ImageTarget::Sm80 || target == ImageTarget::Sm90a;
}

/// CPU: position-independent native code without external references, mapped read+execute as it is.
/// CUDA: the cubins of all kernels one behind the other, each at a multiple of 64 bytes.
struct ImageRecord {
  ImageTarget target;
  uint32_t reserved;
  uint64_t dataOffset; ///< in Data
  uint64_t bytes;
  uint32_t firstEntry; ///< one entry per kernel, in kernel order
  uint32_t entryCount;
};

enum EntryFlags : uint32_t {
  /// The kernel waits itself (griddepcontrol.wait) before it reads what the launch before it wrote,
  /// so it may be started early (programmatic dependent launch).
  kEntryProgrammaticLaunch = 1u << 0,
  /// Blocks loop over items; the launch has as many blocks as the device holds at once (whole
  /// clusters), at most one for each item.
  kEntryPersistent = 1u << 1,
  /// Bits 8 to 11: blocks of a cluster; 0 launches without clusters. Items are a multiple of it.
  kEntryClusterShift = 8,
  kEntryClusterMask = 0xfu << kEntryClusterShift,
};

/// Where one kernel lies in an image. For a CPU only `codeOffset` counts, everything else is 0.
///
/// A CUDA kernel is `extern "C" __global__ void symbol(B0 *b0, ..., long long s0, ..., long long
/// items, const __grid_constant__ TensorMap m0, ...)`: all buffers in the order of the launch's
/// operands, then all scalars, then the number of items, 8 bytes each; then its tensor maps, 128 bytes
/// each at a multiple of 64, encoded for this launch's buffers and scalars. It is launched with one
/// block of `threads` for each item, blockIdx.x being the item; see kEntryPersistent for fewer.
///
/// A runtime may run a step as one of more tokens, samples and work items than it has, so that a few
/// captured launches serve steps of many sizes. Kernels see such a step as any other: the rows behind
/// the real ones are padding (token 0, position 0, slot -1, in no sequence), and work lists end with
/// items that are all zero. An item with rowCount 0 reads no keys and writes no rows.
struct EntryRecord {
  uint64_t codeOffset; ///< in the image
  uint64_t codeBytes;  ///< of the cubin
  StringRef symbol;    ///< of the function in the cubin
  uint32_t threads;    ///< of a block
  uint32_t sharedBytes; ///< dynamic shared memory of a block
  uint32_t registers;  ///< of a thread, as compiled; for people
  uint32_t flags;      ///< EntryFlags
  uint32_t firstTensorMap; ///< in TensorMaps; 0 without
  uint32_t tensorMapCount; ///< sm_90a and later only
};

inline constexpr uint32_t kMaxTensorRank = 5;

/// A tensor in one of a kernel's buffers, of which the tensor memory accelerator (TMA) copies boxes
/// between global and shared memory. The device encodes it for each launch (cuTensorMapEncodeTiled);
/// its rules are those here. Dimensions are listed innermost first; the entries behind `rank` are 0.
///
/// What of a box lies outside the tensor reads as zero and is not written, so the outermost extent is
/// the number of rows that there are in this step: the launch's scalar `scalar`. An item that the
/// launch has must not come with 0 rows. Pools have no such count: a kernel asks for existing pages
/// only, and the tensor goes on without end.
struct TensorMapRecord {
  uint32_t buffer;     ///< among the kernel's buffers; starts at a multiple of 16 bytes
  ElementType element;
  uint32_t rank;       ///< 2 to kMaxTensorRank
  uint32_t swizzle;    ///< bytes in which a row of the box is permuted: 0 (as it is), 32, 64 or 128
  uint32_t scalar;     ///< the outermost extent, among the kernel's scalars; kNone: `extents` has it
  uint32_t box[kMaxTensorRank]; ///< elements, 1 to 256; a row takes a multiple of 16 bytes and at
                                ///< most `swizzle` unless that is 0
  uint64_t extents[kMaxTensorRank]; ///< elements; the outermost is 0 if `scalar` has it, and 0 with
                                    ///< `scalar` kNone for a tensor without end
  uint64_t strides[kMaxTensorRank]; ///< bytes from one element to the next; the innermost is the
                                    ///< element's size, the others are multiples of 16 below 2^40
};
static_assert(sizeof(TensorMapRecord) == 120, "no padding");

/// Signature of every CPU kernel. `item` counts work items from 0; a launch runs [0, grid).
using CpuKernel = void (*)(void *const *buffers, const int64_t *scalars, int64_t item);

/// A work list built by the host each step: which rows of which sequence meet which keys.
///
/// Split s of a sequence holds its keys [s * split, (s + 1) * split), as far as there are any: the
/// boundaries depend on nothing but the position, so a sequence's result depends neither on its
/// neighbours nor on how its tokens are cut into steps. A step has ceil(keys / split) <= maxSplits
/// items for each query tile of a sequence; split * maxSplits >= InfoRecord::maxContext.
///
/// A list that may adapt (wave > 0) takes `split`, or 2, 4, 8 … times as many keys, whichever lets
/// the step end first when `wave` items read as fast as memory delivers and parts take time to merge.
/// Then the last bits of a result do depend on the batch, and sequences with most keys come first.
///
/// The workspace, in the constant part of the arena, has a row for each item that the list can
/// hold. Its buffers lie one behind the other, `capacity` rows each: the kernel of the parts writes
/// row i for item i, the kernel that merges them reads rows i .. i + splitCount - 1 for the item i
/// that holds split 0. Nothing in it outlives the launches between those two.
struct PartitionRecord {
  uint32_t queryTile; ///< query tokens of one item, at most
  uint32_t minQuery;  ///< only sequences with minQuery <= query tokens <= maxQuery in this step
  uint32_t maxQuery;
  uint32_t split;     ///< keys of one split, boundaries at absolute positions; 0: not split
  uint32_t maxSplits; ///< items of one query tile, at most; 1 when not split
  uint32_t capacity;  ///< items, at most
  uint32_t wave;      ///< items that use all of memory's speed; 0: all splits have `split` keys
  uint32_t reserved;
  uint64_t workspaceOffset;    ///< bytes from the start of the arena, a multiple of kSectionAlignment
  uint64_t workspaceItemBytes; ///< of all buffers for one item; 0 without a workspace
};

/// One work item. Items of one query tile are adjacent, in the order of their splits.
struct WorkItem {
  int32_t sequence;
  int32_t firstRow;   ///< token row of the first query
  int32_t rowCount;   ///< queries of this item, <= queryTile; 0: nothing to do
  int32_t position;   ///< absolute position of the first query
  int32_t keyBegin;   ///< keys [keyBegin, keyEnd) belong to this item
  int32_t keyEnd;
  int32_t split;      ///< 0 .. splitCount-1
  int32_t splitCount;
};

enum class Opcode : uint32_t {
  Constant,  ///< r[dst] = imm
  Add,       ///< r[dst] = r[a] + r[b]
  Multiply,  ///< r[dst] = r[a] * r[b]
  CeilDiv,   ///< r[dst] = ceil(r[a] / r[b]); r[b] > 0
  Minimum,   ///< r[dst] = min(r[a], r[b])
  Maximum,   ///< r[dst] = max(r[a], r[b])
  BranchIfGreater, ///< if r[a] > r[b] continue at instruction imm (forward only)
  Jump,      ///< continue at instruction imm (forward only)
  Partition, ///< r[dst] = number of items of work list `index`; with imm 1 none if no keys are split
  Launch,    ///< kernel `index`, r[a] work items, operands [firstOperand, +operandCount)
  End,
  Count
};

/// Registers set before the program starts.
enum class InputRegister : uint32_t {
  Tokens,
  Sequences,
  Samples,
  PaddedTokens,
  PaddedSamples,
  MaxPages, ///< columns of the block table
  Count
};

struct InstructionRecord {
  Opcode opcode;
  uint32_t dst;
  uint32_t a;
  uint32_t b;
  int64_t imm;
  uint32_t index;
  uint32_t firstOperand;
  uint32_t operandCount;
  uint32_t reserved;
};

enum class OperandKind : uint32_t {
  Arena,    ///< offset = constant + perToken * paddedTokens + perSample * paddedSamples
  Weight,   ///< index into Weights
  Pool,     ///< index into Pools
  Tensor,   ///< index into Tensors
  Batch,    ///< index is a BatchField
  WorkList, ///< index into Partitions
  Workspace, ///< index into Partitions; byte offset.constant of its workspace
  Scalar,   ///< register `index`, passed in `scalars`; all others go to `buffers` in order
  Count
};

/// Arrays that describe the ragged batch of a step.
enum class BatchField : uint32_t {
  TokenIds,     ///< int32[paddedTokens], padding 0
  Positions,    ///< int32[paddedTokens], absolute position in its sequence, padding 0
  Slots,        ///< int32[paddedTokens], page * pageSize + offset in page, padding -1; by group
  QueryOffsets, ///< int32[sequences + 1], first token row of each sequence
  KeyLengths,   ///< int32[sequences], keys after this step's appends
  BlockTable,   ///< int32[sequences, maxPages]; by group. What lies behind a group's window is a page
                ///< of zeros: tiles of keys may reach over its edge
  SampleRows,   ///< int32[paddedSamples], token rows whose logits are wanted, padding 0
  Sampling,     ///< SamplingRecord[paddedSamples], padding all zero
  Count
};

/// Whether there is one such array for each group of cache pools.
constexpr bool isByGroup(BatchField field) {
  return field == BatchField::Slots || field == BatchField::BlockTable;
}

enum SamplingFlags : uint32_t {
  kSamplingLogProbability = 1u << 0, ///< the token's log-probability is wanted
  kSamplingOnHost = 1u << 1,         ///< the host reads this row's logits; nobody reads the token
};

/// How the token of a sample row is drawn by a step that samples. The row's logits are l, their highest
/// is m, and token t has the score s = (l - m) inverseTemperature and the weight exp(s). Of the tokens
/// that the filters below leave, the one with the least -log1p(-v) / exp(s) is taken, where v in (0, 1)
/// is random: so each is taken with a probability proportional to its weight, and what is taken depends
/// on nothing but the logits and this record (exponential races, the Gumbel-max trick in other terms).
///
/// v = min((r + 0.5) / 2^32, 1 - 2^-24) with r made from the token's id t, all in 32 bits:
///   r = t ^ key[0]
///   r ^= r >> 17;  r *= kSamplingFactors[0];  r ^= key[1]
///   r ^= r >> 11;  r *= kSamplingFactors[1]
///   r ^= r >> 15;  r *= kSamplingFactors[2]
///   r ^= r >> 14
/// (C. Wellons's triple32, with the other half of the key after the first round.)
struct SamplingRecord {
  float inverseTemperature; ///< finite; 0: the highest logit, the lowest id among equals, and no draw
  float topP;               ///< in (0, 1]: the fewest most probable tokens that reach this probability
                            ///< among those that topK leaves; 1: all
  float leastScore;         ///< at most 0: tokens of lower scores are left out; -inf: none
  int32_t topK;             ///< tokens whose logit is not below the topK-th highest; 0: all
  uint32_t key[2];          ///< of this draw
  uint32_t flags;           ///< SamplingFlags
  uint32_t reserved;
};
static_assert(sizeof(SamplingRecord) == 32, "eight words");

inline constexpr uint32_t kSamplingFactors[3] = {0xed5ad4bbu, 0xac4c1b51u, 0x31848babu};

struct OperandRecord {
  OperandKind kind;
  uint32_t index;
  ByteSize offset; ///< Arena and Workspace only
  uint32_t group;  ///< Batch only: of which group Slots and BlockTable are; 0 for everything else
  uint32_t reserved;
};

/// A text for people: an IR stage, a report.
struct TextRecord {
  StringRef name;
  StringRef text;
};

/// FNV-1a, 64 bit. `seed` continues an earlier sum.
inline uint64_t checksum(const void *data, uint64_t bytes, uint64_t seed = 0xcbf29ce484222325ull) {
  const auto *p = static_cast<const uint8_t *>(data);
  for (uint64_t i = 0; i < bytes; ++i)
    seed = (seed ^ p[i]) * 0x100000001b3ull;
  return seed;
}

} // namespace quire::plan
