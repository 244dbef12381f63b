// Parsing modules and making weights for tests of the graph level.
#pragma once

#include "compiler/reference/Interpreter.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <random>
#include <string>

namespace quire::test {

/// A context with the dialects of the graph level.
std::unique_ptr<mlir::MLIRContext> graphContext();

/// Parses a module; a test fails when it does not parse.
mlir::OwningOpRef<mlir::ModuleOp> parse(mlir::MLIRContext &context, const std::string &text);

/// The function called step.
mlir::func::FuncOp stepOf(mlir::ModuleOp module);

/// A loader of weights that depend on the seed and the tensor's name only: normal numbers with
/// deviation 0.3, of the sizes that the graph.weight ops of `module` name.
reference::WeightLoader randomWeights(mlir::ModuleOp module, uint64_t seed);

/// A loader that knows these tensors.
reference::WeightLoader fixedWeights(std::map<std::string, std::vector<float>> tensors);

} // namespace quire::test
