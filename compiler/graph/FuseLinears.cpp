// Horizontal fusion of linears: query, key and value projections read their rows once.
//
//   before:  %q = graph.linear %x, %wq       after:  %y = graph.linear %x, %"q+k"
//            %k = graph.linear %x, %wk               %q = graph.columns %y from 0
//                                                    %k = graph.columns %y from 64
//
// The merged weight is only a longer list of sources; the rows are stacked when the checkpoint is
// read. Linears whose results meet in elementwise mathematics are left for one dispatch of two
// linears: merged, their results would have to be written and read again to meet.
#include "compiler/graph/Passes.h"

#include "dialect/Graph/Elementwise.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace quire::graph {
#define GEN_PASS_DEF_FUSELINEARSPASS
#include "compiler/graph/Passes.h.inc"

namespace {

/// Columns of a packed weight panel. A part that begins inside a panel would make every later part
/// straddle panels, and the rows of two parts share cache lines.
constexpr int64_t kPanelColumns = 32;

/// The weight behind an operand when this linear is its only reader, else null.
WeightOp ownWeight(Value operand) {
  auto weight = operand.getDefiningOp<WeightOp>();
  return weight && operand.hasOneUse() ? weight : WeightOp();
}

/// Why a linear cannot be part of a merged one, or nothing.
std::optional<StringRef> refusal(LinearOp linear) {
  if (!ownWeight(linear.getWeight()) || (linear.getBias() && !ownWeight(linear.getBias())))
    return "its weight or bias is shared or computed";
  if (linear.getType().getShape()[1] % kPanelColumns)
    return "its width is no multiple of 32 columns";
  return std::nullopt;
}

/// Linears may merge when they agree on everything but weight values and width.
bool isCompatible(LinearOp a, LinearOp b) {
  auto elements = [](Value value) {
    return value ? getElementTypeOrSelf(value.getType()) : Type();
  };
  return a->getBlock() == b->getBlock() && elements(a.getResult()) == elements(b.getResult()) &&
         elements(a.getWeight()) == elements(b.getWeight()) &&
         elements(a.getBias()) == elements(b.getBias());
}

/// One weight that stacks the rows of `parts`.
Value stackWeights(OpBuilder &builder, Location loc, ArrayRef<Value> parts) {
  SmallVector<SourceAttr> sources;
  SmallVector<StringRef> names;
  int64_t rows = 0;
  for (Value part : parts) {
    auto weight = part.getDefiningOp<WeightOp>();
    llvm::append_range(sources, weight.getSources());
    names.push_back(weight.getName());
    rows += weight.getType().getShape()[0];
  }
  auto type = cast<RankedTensorType>(parts.front().getType());
  SmallVector<int64_t> shape(type.getShape());
  shape[0] = rows;
  return WeightOp::create(builder, loc, type.clone(shape),
                          builder.getStringAttr(llvm::join(names, "+")),
                          SourcesAttr::get(builder.getContext(), sources));
}

void merge(ArrayRef<LinearOp> linears) {
  LinearOp first = linears.front();
  OpBuilder builder(first);
  SmallVector<Value> weights, biases;
  SmallVector<Location> locations;
  int64_t columns = 0;
  for (LinearOp linear : linears) {
    weights.push_back(linear.getWeight());
    if (linear.getBias())
      biases.push_back(linear.getBias());
    locations.push_back(linear.getLoc());
    columns += linear.getType().getShape()[1];
  }
  Location loc = builder.getFusedLoc(locations);
  Value weight = stackWeights(builder, loc, weights);
  Value bias = biases.empty() ? Value() : stackWeights(builder, loc, biases);
  RankedTensorType type = first.getType();
  Type wide = type.clone({type.getShape()[0], columns});
  Value result = LinearOp::create(builder, loc, wide, first.getInput(), weight, bias);
  remark::passed(loc, remark::RemarkOpts::name("merged").category("quire-fuse-linears"))
      << remark::add("{0} linears, {1} columns", linears.size(), columns);

  int64_t offset = 0;
  for (LinearOp linear : linears) {
    Value part = ColumnsOp::create(builder, linear.getLoc(), linear.getType(), result,
                                   builder.getI64IntegerAttr(offset));
    offset += linear.getType().getShape()[1];
    linear.getResult().replaceAllUsesWith(part);
  }
  for (LinearOp linear : linears)
    linear.erase();
  for (Value part : llvm::concat<Value>(weights, biases))
    part.getDefiningOp()->erase();
}

struct FuseLinearsPass : impl::FuseLinearsPassBase<FuseLinearsPass> {
  void runOnOperation() override {
    llvm::MapVector<Value, SmallVector<LinearOp>> readers;
    getOperation().walk([&](LinearOp linear) { readers[linear.getInput()].push_back(linear); });
    for (auto &[input, linears] : readers)
      mergeReaders(linears);
  }

  void mergeReaders(ArrayRef<LinearOp> linears) {
    SmallVector<SmallVector<LinearOp>> sets;
    for (LinearOp linear : linears) {
      if (llvm::any_of(linears, [&](LinearOp other) {
            return other != linear && meetInElementwise(linear.getResult(), other.getResult());
          }))
        continue;
      if (std::optional<StringRef> reason = refusal(linear)) {
        if (linears.size() > 1)
          remark::missed(linear.getLoc(),
                         remark::RemarkOpts::name("apart").category("quire-fuse-linears"))
              << remark::reason("{0}", *reason);
        continue;
      }
      auto *set = llvm::find_if(sets, [&](auto &set) { return isCompatible(set.front(), linear); });
      if (set == sets.end())
        sets.push_back({linear});
      else
        set->push_back(linear);
    }
    for (ArrayRef<LinearOp> set : sets)
      if (set.size() > 1)
        merge(set);
  }
};

} // namespace
} // namespace quire::graph
