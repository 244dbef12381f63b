// Every dispatch becomes a kernel in structured form and a call of it.
//
//   before:  %y = graph.dispatch (%x, %w) { linear } {quire.kernel_name = "linear"}
//   after:   tile.kernel @linear(%x: memref<?x64xf32>, %w: memref<3x64x32xbf16>, …) { load,
//   generic, store }
//            %y = tile.call @linear(%x, %w)
//
// What a dispatch alone does not show is found first: which weights some linear reads, which
// tensors have sample rows, which cache components are keys.
#include "compiler/tile/KernelLowering.h"
#include "compiler/tile/Passes.h"
#include "compiler/tile/SampleKernel.h"
#include "compiler/tile/ScoreKernels.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace quire::tile {
#define GEN_PASS_DEF_OUTLINEKERNELSPASS
#include "compiler/tile/Passes.h.inc"

namespace {

/// The cache argument of the step that a cache value descends from.
Value cacheOrigin(Value cache) {
  while (auto dispatch = cache.getDefiningOp<graph::DispatchOp>()) {
    Operation *yield = dispatch.getBody().front().getTerminator();
    Value inner = yield->getOperand(cast<OpResult>(cache).getResultNumber());
    while (auto append = inner.getDefiningOp<graph::CacheAppendOp>())
      inner = append.getCache();
    auto argument = dyn_cast<BlockArgument>(inner);
    if (!argument)
      return {};
    cache = dispatch.getInputs()[argument.getArgNumber()];
  }
  return cache;
}

StepFacts findFacts(func::FuncOp step) {
  StepFacts facts;
  DenseMap<Value, llvm::DenseSet<StringRef>> keys;
  step.walk([&](Operation *op) {
    auto dispatch = op->getParentOfType<graph::DispatchOp>();
    auto outer = [&](Value inner) -> Value {
      auto argument = dyn_cast<BlockArgument>(inner);
      return argument && dispatch ? dispatch.getInputs()[argument.getArgNumber()] : Value();
    };
    if (auto linear = dyn_cast<graph::LinearOp>(op))
      facts.linearWeights.insert(outer(linear.getWeight()));
    if (auto attention = dyn_cast<graph::AttentionOp>(op))
      if (Value cache = outer(attention.getCache()))
        keys[cacheOrigin(cache)].insert(attention.getKey());
    if (auto scores = dyn_cast<graph::ScoresOp>(op))
      if (Value cache = outer(scores.getCache()))
        keys[cacheOrigin(cache)].insert(scores.getComponent());
  });
  facts.linearWeights.erase(Value());
  auto note = [&](Value value) {
    if (!isa<graph::CacheType>(value.getType()))
      return;
    if (auto found = keys.find(cacheOrigin(value)); found != keys.end())
      facts.keyComponents[value] = found->second;
  };
  llvm::for_each(step.getArguments(), note);
  for (Operation &op : step.getBody().front()) {
    llvm::for_each(op.getResults(), note);
    bool samples = llvm::any_of(op.getOperands(),
                                [&](Value value) { return facts.sampleValues.contains(value); });
    if (auto dispatch = dyn_cast<graph::DispatchOp>(op))
      samples |= !dispatch.getBody().getOps<graph::TakeRowsOp>().empty();
    if (samples)
      for (Value result : op.getResults())
        if (isa<RankedTensorType>(result.getType()))
          facts.sampleValues.insert(result);
  }
  return facts;
}

/// Results of a dispatch with take_rows must all come after it: a kernel has one kind of rows.
LogicalResult checkRows(graph::DispatchOp dispatch) {
  Block &body = dispatch.getBody().front();
  if (body.getOps<graph::TakeRowsOp>().empty())
    return success();
  llvm::DenseSet<Operation *> sampled;
  for (Operation &op : body.without_terminator())
    if (isa<graph::TakeRowsOp>(op) || llvm::any_of(op.getOperands(), [&](Value operand) {
          return sampled.contains(operand.getDefiningOp());
        }))
      sampled.insert(&op);
  for (auto [number, value] : llvm::enumerate(body.getTerminator()->getOperands()))
    if (!value.getDefiningOp() || !sampled.contains(value.getDefiningOp()))
      return dispatch.emitOpError() << "result " << number
                                    << " has token rows and another result sample rows; they need "
                                       "two dispatches";
  return success();
}

StringRef familyOf(graph::DispatchOp dispatch) {
  if (!dispatch.getBody().getOps<graph::AttentionOp>().empty())
    return "attention";
  return dispatch.getBody().getOps<graph::LinearOp>().empty() ? "rows" : "linear";
}

/// Chains of elementwise generics over the same loops become one; statistics of a row are not
/// computed again for each of its elements.
void fuseElementwise(KernelOp kernel) {
  RewritePatternSet patterns(kernel.getContext());
  linalg::populateElementwiseOpsFusionPatterns(patterns, [](OpOperand *operand) {
    auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
    auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
    return producer && consumer && operand->get().hasOneUse() &&
           producer.getNumLoops() == consumer.getNumLoops();
  });
  (void)applyPatternsGreedily(kernel, std::move(patterns));
}

struct OutlineKernelsPass : impl::OutlineKernelsPassBase<OutlineKernelsPass> {
  using OutlineKernelsPassBase::OutlineKernelsPassBase;

  void runOnOperation() override {
    std::optional<Storage> kind = storageNamed(storage.getValue());
    if (!kind) {
      getOperation().emitError() << "has no storage \"" << storage.getValue()
                                 << "\"; known are \"panels\" and \"rows\"";
      return signalPassFailure();
    }
    if (*kind != Storage::Panels)
      getOperation()->setAttr(kStorageAttr, StringAttr::get(&getContext(), storageName(*kind)));
    SymbolTable symbols(getOperation());
    for (auto step : llvm::to_vector(getOperation().getOps<func::FuncOp>())) {
      if (step.isExternal())
        continue;
      if (!step.getBody().hasOneBlock()) {
        step.emitOpError() << "has more than one block; a step function has one";
        return signalPassFailure();
      }
      StepFacts facts = findFacts(step);
      facts.storage = *kind;
      for (auto dispatch : llvm::to_vector(step.getOps<graph::DispatchOp>()))
        if (failed(outline(dispatch, step, facts, symbols)))
          return signalPassFailure();
    }
  }

  LogicalResult outline(graph::DispatchOp dispatch, func::FuncOp step, StepFacts &facts,
                        SymbolTable &symbols) {
    if (failed(checkRows(dispatch)))
      return failure();
    OpBuilder builder(step);
    FailureOr<StringAttr> callee = isScoreDispatch(dispatch)
                                       ? writeScoreKernels(dispatch, builder, facts, symbols)
                                   : sampleOf(dispatch)
                                       ? writeSampleKernel(dispatch, builder, facts, symbols)
                                       : writeKernel(dispatch, builder, facts, symbols);
    if (failed(callee))
      return failure();

    builder.setInsertionPoint(dispatch);
    auto call = CallOp::create(builder, dispatch.getLoc(), dispatch.getResultTypes(),
                               callee->getValue(), dispatch.getInputs());
    // Facts are about values of the step; the call's results stand for the dispatch's.
    for (auto [before, after] : llvm::zip(dispatch.getResults(), call.getResults())) {
      if (facts.sampleValues.contains(before))
        facts.sampleValues.insert(after);
      if (facts.keyComponents.count(before)) {
        auto components = facts.keyComponents[before];
        facts.keyComponents[after] = std::move(components);
      }
    }
    dispatch.replaceAllUsesWith(call.getResults());
    dispatch.erase();
    return success();
  }

  StringAttr wishedName(graph::DispatchOp dispatch) {
    auto wish = dispatch->getAttrOfType<StringAttr>("quire.kernel_name");
    return wish ? wish : StringAttr::get(&getContext(), "kernel");
  }

  KernelOp emptyKernel(graph::DispatchOp dispatch, OpBuilder &builder, StringAttr name) {
    auto source = dispatch->getAttrOfType<StringAttr>("quire.source");
    auto kernel = KernelOp::create(
        builder, dispatch.getLoc(), name, BindArrayAttr::get(&getContext(), {}), GridAttr(),
        ScheduleAttr(), PartitionAttr(), source ? source : wishedName(dispatch));
    kernel.getBody().emplaceBlock();
    return kernel;
  }

  FailureOr<StringAttr> writeKernel(graph::DispatchOp dispatch, OpBuilder &builder,
                                    const StepFacts &facts, SymbolTable &symbols) {
    KernelOp kernel = emptyKernel(dispatch, builder, wishedName(dispatch));
    KernelLowering lowering(dispatch, kernel, facts);
    if (failed(lowering.run())) {
      kernel.erase();
      return failure();
    }
    kernel->setDiscardableAttr(kFamilyAttr, builder.getStringAttr(familyOf(dispatch)));
    kernel->setDiscardableAttr(kExtentAttr, ExtentAttr::get(&getContext(), lowering.extent(), 1));
    symbols.insert(kernel);
    fuseElementwise(kernel);
    return kernel.getSymNameAttr();
  }

  FailureOr<StringAttr> writeSampleKernel(graph::DispatchOp dispatch, OpBuilder &builder,
                                          const StepFacts &facts, SymbolTable &symbols) {
    KernelOp kernel = emptyKernel(dispatch, builder, wishedName(dispatch));
    KernelLowering lowering(dispatch, kernel, facts);
    if (failed(lowerSample(sampleOf(dispatch), lowering, kernel))) {
      kernel.erase();
      return failure();
    }
    symbols.insert(kernel);
    return kernel.getSymNameAttr();
  }

  /// Parts of unfused attention come with their variants.
  FailureOr<StringAttr> writeScoreKernels(graph::DispatchOp dispatch, OpBuilder &builder,
                                          const StepFacts &facts, SymbolTable &symbols) {
    FailureOr<std::vector<schedule::Choice>> choices = scoreChoices(dispatch);
    if (failed(choices))
      return failure();
    StringAttr name = wishedName(dispatch);
    SmallVector<Attribute> variants;
    for (const schedule::Choice &choice : *choices) {
      KernelOp kernel = emptyKernel(
          dispatch, builder, builder.getStringAttr(name.getValue() + "_q" + Twine(choice.queries)));
      KernelLowering lowering(dispatch, kernel, facts);
      if (failed(lowerScoreDispatch(dispatch, lowering, kernel, choice))) {
        kernel.erase();
        return failure();
      }
      symbols.insert(kernel);
      variants.push_back(FlatSymbolRefAttr::get(kernel.getSymNameAttr()));
    }
    auto all = VariantsOp::create(
        builder, dispatch.getLoc(), name, builder.getArrayAttr(variants),
        builder.getDenseI64ArrayAttr(SmallVector<int64_t>(variants.size(), 0)), true);
    symbols.insert(all);
    return all.getSymNameAttr();
  }
};

} // namespace
} // namespace quire::tile
