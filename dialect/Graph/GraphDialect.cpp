// Registration of the graph dialect, its types and attributes, and their verifiers.
#include "dialect/Graph/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace quire::graph;

#include "dialect/Graph/GraphDialect.cpp.inc"
#include "dialect/Graph/GraphEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/Graph/GraphAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/Graph/GraphTypes.cpp.inc"

void GraphDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/Graph/GraphAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialect/Graph/GraphTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/Graph/GraphOps.cpp.inc"
      >();
}

LogicalResult ComponentAttr::verify(function_ref<InFlightDiagnostic()> emitError, StringRef name,
                                    int64_t heads, int64_t dim) {
  if (name.empty())
    return emitError() << "a cache component needs a name";
  if (heads < 1 || dim < 1)
    return emitError() << "component \"" << name << "\" has heads = " << heads << " and dim = "
                       << dim << "; both must be at least 1";
  return success();
}

LogicalResult SourceAttr::verify(function_ref<InFlightDiagnostic()> emitError, StringRef tensor,
                                 int64_t rows, int64_t columns, bool) {
  if (tensor.empty())
    return emitError() << "a weight source needs the name of a checkpoint tensor";
  if (rows < 1 || columns < 1)
    return emitError() << "source \"" << tensor << "\" has shape [" << rows << ", " << columns
                       << "]; both dimensions must be at least 1";
  return success();
}

LogicalResult CacheType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t page,
                                Type element, int64_t window,
                                ArrayRef<ComponentAttr> components) {
  if (page < 1 || (page & (page - 1)))
    return emitError() << "cache page = " << page << " must be a power of two";
  if (!isa<FloatType>(element))
    return emitError() << "cache element " << element << " must be a float type";
  if (window < 0)
    return emitError() << "cache window = " << window << " must not be negative";
  if (components.empty())
    return emitError() << "a cache needs at least one component";
  llvm::StringSet<> names;
  for (ComponentAttr component : components)
    if (!names.insert(component.getName()).second)
      return emitError() << "cache component \"" << component.getName() << "\" appears twice";
  return success();
}

ComponentAttr CacheType::lookup(StringRef name) const {
  for (ComponentAttr component : getComponents())
    if (component.getName() == name)
      return component;
  return {};
}
