// A language model's step ends in sampling, so that token ids travel to the host instead of logits.
//
//   before:  return %logits, %cache        after:  %token, %log = graph.sample %logits of %batch
//                                                  return %logits, %cache, %token, %log
//
// The logits stay a result: rows that ask for more than the kernel does are sampled from them.
#include "compiler/graph/Passes.h"

using namespace mlir;

namespace quire::graph {
#define GEN_PASS_DEF_APPENDSAMPLINGPASS
#include "compiler/graph/Passes.h.inc"

namespace {

struct AppendSamplingPass : impl::AppendSamplingPassBase<AppendSamplingPass> {
  void runOnOperation() override {
    func::FuncOp step = getOperation();
    if (step.isExternal() || !step.getBody().hasOneBlock())
      return;
    Block &block = step.getBody().front();
    Value batch = batchOf(step), logits = logitsOf(step);
    if (!batch || !logits || block.getOps<TakeRowsOp>().empty())
      return;
    auto end = cast<func::ReturnOp>(block.getTerminator());
    OpBuilder builder(end);
    auto rows = [&](Type element) {
      return RankedTensorType::get({ShapedType::kDynamic, 1}, element);
    };
    auto sample = SampleOp::create(builder, end.getLoc(), rows(builder.getI32Type()),
                                   rows(builder.getF32Type()), logits, batch);
    unsigned first = end.getNumOperands();
    end->insertOperands(first, sample.getResults());
    step.setType(builder.getFunctionType(step.getArgumentTypes(), end.getOperandTypes()));
    step.setResultAttr(first, "quire.name", builder.getStringAttr("token"));
    step.setResultAttr(first + 1, "quire.name", builder.getStringAttr("log_probability"));
  }

  static Value batchOf(func::FuncOp step) {
    for (BlockArgument argument : step.getArguments())
      if (isa<BatchType>(argument.getType()))
        return argument;
    return {};
  }

  /// The result called "logits", if it is what graph.sample takes.
  static Value logitsOf(func::FuncOp step) {
    Operation *end = step.getBody().front().getTerminator();
    for (auto [number, value] : llvm::enumerate(end->getOperands())) {
      auto name = step.getResultAttrOfType<StringAttr>(number, "quire.name");
      auto type = dyn_cast<RankedTensorType>(value.getType());
      if (name && name == "logits" && type && type.getRank() == 2 && type.getElementType().isF32())
        return value;
    }
    return {};
  }
};

} // namespace
} // namespace quire::graph
