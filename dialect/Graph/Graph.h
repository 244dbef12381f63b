// The graph dialect: its types, attributes and operations. See GraphOps.td for their meaning.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace quire::graph {
/// A vocabulary has less than 2 to the power of this tokens, so that three counts of them share an i64.
inline constexpr int kVocabularyBits = 21;
} // namespace quire::graph

#include "dialect/Graph/GraphDialect.h.inc"
#include "dialect/Graph/GraphEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/Graph/GraphAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/Graph/GraphTypes.h.inc"
#define GET_OP_CLASSES
#include "dialect/Graph/GraphOps.h.inc"
