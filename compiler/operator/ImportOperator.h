// Makes a module of the graph dialect from an operator's signature, without a model directory. What an
// operator computes is a template, models/operators/NAME.json, in the language of models/README.md;
// the signature's fields are its config.json. A definition with parameters that the template has,
// such as mask(query, key, head), is replaced by a field of that name: an expression over the
// parameters, or the name of another definition with the same ones (mask=causal).
#pragma once

#include "compiler/operator/Signature.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace quire::compiler {

/// Fields that every operator has beside its own: `type` (f32, f16, bf16: of weights, cache and, on
/// GPUs, activations), `page` (tokens of a cache page) and `context` (tokens of a sequence).
struct OperatorDefaults {
  std::string type = "bf16";
  int64_t page = 32;
  int64_t context = 8192;
};

/// The module carries kActivationsAttr and kRandomWeightsAttr. `templates` is the project's models/
/// folder. Errors name the field, the value, the limit and the fields there are.
Result<mlir::OwningOpRef<mlir::ModuleOp>>
importOperator(mlir::MLIRContext &context, const std::string &signature,
               const std::string &templates, const OperatorDefaults &defaults,
               std::vector<std::string> &warnings);

} // namespace quire::compiler
