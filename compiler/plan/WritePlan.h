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

/// Native code of all kernels for one CPU level; `entries` in order of the module's kernels.
struct NativeCode {
  plan::ImageTarget target;
  std::vector<uint8_t> code;
  std::vector<uint64_t> entries;
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

/// makePlan, then an atomic write to `path`.
mlir::LogicalResult writePlan(mlir::ModuleOp module, const ModelFiles *files,
                              const WriteOptions &options, const std::string &path);

} // namespace quire::compiler
