// Weights and rotary tables of a plan: from recipes to records that name bytes in files.
#pragma once

#include "runtime/plan/Writer.h"
#include "runtime/weights/ModelFiles.h"

#include "dialect/Plan/Plan.h"

#include <map>

namespace quire::compiler {

/// The plan's element type for an MLIR type, empty if it has none.
std::optional<plan::ElementType> planElementType(mlir::Type type);

class WeightWriter {
public:
  /// `random`: weights are random numbers whatever `files` has (kRandomWeightsAttr).
  WeightWriter(PlanWriter &writer, const ModelFiles *files, bool random)
      : writer(writer), files(files), random(random) {}

  /// The index of the new record. Fails with a diagnostic when a source is absent or stored with
  /// another shape or element type.
  mlir::FailureOr<uint32_t> add(planir::WeightOp weight);
  mlir::FailureOr<uint32_t> add(planir::RotaryTableOp table);

private:
  mlir::FailureOr<plan::SourceRecord> source(planir::WeightOp weight, graph::SourceAttr source,
                                             plan::ElementType element);
  plan::SourceRecord randomSource(graph::SourceAttr source, plan::ElementType element);
  uint32_t fileRecord(uint32_t file);

  PlanWriter &writer;
  const ModelFiles *files;
  bool random;
  std::map<uint32_t, uint32_t> fileRecords; ///< index in ModelFiles to index in the plan
};

} // namespace quire::compiler
