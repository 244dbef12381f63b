// The plan writer: a module after stage D becomes a plan file. Everything in the file comes from the
// module, the headers of the weight files and the options; nothing is decided here. Weight bytes are
// not read: the plan records where they lie.
#pragma once

#include "runtime/plan/Writer.h"
#include "runtime/weights/ModelFiles.h"

#include "dialect/Plan/Plan.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace quire::compiler {

/// What one step may hold. The arena and the work lists are sized for it.
struct StepLimits {
  uint32_t maxTokens = 512;   ///< token rows
  uint32_t maxSequences = 32; ///< sequences
  uint32_t maxSamples = 32;   ///< rows whose logits are wanted
};

/// Where a kernel starts in an image. For a CPU the offset says all, the rest stays as it is here.
struct NativeEntry {
  uint64_t offset = 0;
  uint64_t bytes = 0;       ///< of its cubin
  std::string symbol;       ///< of the function in it
  uint32_t threads = 0;     ///< of a block
  uint32_t sharedBytes = 0; ///< dynamic
  uint32_t registers = 0;   ///< of a thread
  uint32_t flags = 0;       ///< plan::EntryFlags
  /// Its last parameters, in order. An outermost extent of 0 becomes the rows that a step can have,
  /// unless it is a pool's.
  std::vector<plan::TensorMapRecord> tensorMaps;
};

/// Code of all kernels for one target; `entries` in order of the module's kernels.
struct NativeCode {
  plan::ImageTarget target;
  std::vector<uint8_t> code;
  std::vector<NativeEntry> entries;
};

/// A text for people that travels in the plan.
struct PlanText {
  std::string name;
  std::string text;
};

struct WriteOptions {
  StepLimits limits;
  std::string compiler; ///< name and version of the writer
  std::string options;  ///< compile options as JSON
  std::vector<NativeCode> images;
  std::vector<PlanText> texts;
};

/// Records of the whole plan. `files` may be null for a module without weights. The module needs one
/// plan.entry with placed buffers; attributes `quire.model`, `quire.directory`, `quire.max_context`,
/// `quire.page_size` (both when there are pools) and `quire.stop_tokens` are optional otherwise.
/// Fails with a diagnostic on the op that cannot be written.
mlir::FailureOr<PlanWriter> makePlan(mlir::ModuleOp module, const ModelFiles *files,
                                     const WriteOptions &options);

} // namespace quire::compiler
