// The graph dialect: its types, attributes and operations. See GraphOps.td for their meaning.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialect/Graph/GraphDialect.h.inc"
#include "dialect/Graph/GraphEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/Graph/GraphAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/Graph/GraphTypes.h.inc"
#define GET_OP_CLASSES
#include "dialect/Graph/GraphOps.h.inc"
