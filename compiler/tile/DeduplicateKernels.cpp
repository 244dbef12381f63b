// Kernels with equal bodies become one.
//
//   before:  tile.kernel @linear {body}  tile.kernel @linear_1 {body}  tile.call @linear_1
//   after:   tile.kernel @linear {body}                                tile.call @linear
#include "compiler/tile/Passes.h"

#include "mlir/IR/OperationSupport.h"
#include "llvm/ADT/Hashing.h"

using namespace mlir;

namespace quire::tile {
#define GEN_PASS_DEF_DEDUPLICATEKERNELSPASS
#include "compiler/tile/Passes.h.inc"

namespace {

/// Everything that makes a kernel but its name and the graph ops it came from.
bool areEqual(KernelOp a, KernelOp b) {
  return a.getBindsAttr() == b.getBindsAttr() && a.getGridAttr() == b.getGridAttr() &&
         a.getScheduleAttr() == b.getScheduleAttr() &&
         a.getPartitionAttr() == b.getPartitionAttr() &&
         a->getDiscardableAttrDictionary() == b->getDiscardableAttrDictionary() &&
         OperationEquivalence::isRegionEquivalentTo(&a.getBody(), &b.getBody(),
                                                    OperationEquivalence::Flags::IgnoreLocations);
}

llvm::hash_code hashOf(KernelOp kernel) {
  llvm::hash_code hash =
      llvm::hash_combine(kernel.getBindsAttr(), kernel->getDiscardableAttrDictionary());
  kernel.getBody().walk([&](Operation *op) {
    hash = llvm::hash_combine(
        hash, op->getName(), op->getAttrDictionary(),
        llvm::hash_combine_range(op->result_type_begin(), op->result_type_end()));
  });
  return hash;
}

struct DeduplicateKernelsPass : impl::DeduplicateKernelsPassBase<DeduplicateKernelsPass> {
  void runOnOperation() override {
    DenseMap<size_t, SmallVector<KernelOp>> kept;
    DenseMap<StringAttr, StringAttr> renamed;
    for (auto kernel : llvm::make_early_inc_range(getOperation().getOps<KernelOp>())) {
      SmallVector<KernelOp> &bucket = kept[hashOf(kernel)];
      auto same = llvm::find_if(bucket, [&](KernelOp other) { return areEqual(kernel, other); });
      if (same == bucket.end()) {
        bucket.push_back(kernel);
        continue;
      }
      renamed[kernel.getSymNameAttr()] = same->getSymNameAttr();
      kernel.erase();
    }
    getOperation().walk([&](CallOp call) {
      if (StringAttr name = renamed.lookup(call.getKernelAttr().getAttr()))
        call.setKernelAttr(FlatSymbolRefAttr::get(name));
    });
    getOperation().walk([&](VariantsOp variants) {
      SmallVector<Attribute> kernels;
      for (auto reference : variants.getKernels().getAsRange<FlatSymbolRefAttr>()) {
        StringAttr name = renamed.lookup(reference.getAttr());
        kernels.push_back(name ? FlatSymbolRefAttr::get(name) : reference);
      }
      variants.setKernelsAttr(ArrayAttr::get(&getContext(), kernels));
    });
  }
};

} // namespace
} // namespace quire::tile
