// The plan dialect: its types and operations. See PlanOps.td for their meaning.
#pragma once

#include "dialect/Graph/Graph.h"
#include "dialect/Tile/Tile.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialect/Plan/PlanDialect.h.inc"
#include "dialect/Plan/PlanEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/Plan/PlanAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/Plan/PlanTypes.h.inc"
#define GET_OP_CLASSES
#include "dialect/Plan/PlanOps.h.inc"
