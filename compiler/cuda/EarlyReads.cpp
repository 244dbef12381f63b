// Implements EarlyReads.h.
#include "compiler/cuda/EarlyReads.h"

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

bool EarlyReads::isEarly(Operation *op) {
  bool early = op->getBlock() == &context.kernel->getRegion(0).front() &&
               llvm::all_of(op->getOperands(), [&](Value operand) {
                 return scalars.contains(operand.getDefiningOp());
               });
  if (early)
    scalars.insert(op);
  return early;
}

bool EarlyReads::reads(StringRef buffer) const {
  tile::KernelOp kernel = context.kernel;
  for (auto [argument, bind] : llvm::zip(kernel.entry().getArguments(), kernel.getBinds())) {
    if (context.names.lookup(argument) != buffer)
      continue;
    return bind.getKind() == tile::BindKind::Operand &&
           cast<MemRefType>(argument.getType()).hasStaticShape() &&
           llvm::all_of(argument.getUsers(), [&](Operation *user) {
             auto load = dyn_cast<tile::LoadOp>(user);
             return load && llvm::all_of(load.getOffsets(), [&](Value offset) {
                      return scalars.contains(offset.getDefiningOp());
                    });
           });
  }
  return false;
}
