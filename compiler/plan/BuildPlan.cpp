// quire-build-plan: @step with its kernel calls becomes a plan.
//
//   %y = tile.call @linear(%x, %w) : (tensor<?x64xf32>, tensor<96x64xbf16>) -> tensor<?x96xf32>
// becomes
//   %y = plan.arena tokens bytes 384
//   plan.select %tokens limits [1, 0] { plan.launch @linear_r1 items %a (%x, %w, %y) },
//                                     { plan.launch @linear_r8 items %b (%x, %w, %y) }
#include "compiler/plan/CacheGroups.h"
#include "compiler/plan/Passes.h"
#include "compiler/plan/PlanSymbols.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace quire;

namespace quire {
#define GEN_PASS_DEF_BUILDPLANPASS
#include "compiler/plan/PlanPasses.h.inc"
} // namespace quire

namespace {

using planir::BatchArray;
using planir::RowExtent;
using planir::StepInput;

/// The name given to an argument or result, or `fallback` with its number.
std::string nameOf(DictionaryAttr attributes, StringRef fallback, unsigned number) {
  if (attributes)
    if (auto name = attributes.getAs<StringAttr>("quire.name"))
      return name.str();
  return (fallback + Twine(number)).str();
}

class PlanBuilder {
public:
  PlanBuilder(ModuleOp module, func::FuncOp step)
      : module(module), step(step), symbolTable(module), symbols(module), builder(step) {}

  LogicalResult run();

private:
  LogicalResult bindArguments();
  /// The group of the caches that a call takes; 0 without any.
  unsigned groupOf(tile::CallOp call) const;
  LogicalResult visit(Operation &op);
  LogicalResult call(tile::CallOp call);
  LogicalResult launch(tile::CallOp call, tile::KernelOp kernel);
  /// The kernels behind a call, with the row limit of each; `all` if every one runs.
  LogicalResult resolve(tile::CallOp call, SmallVectorImpl<tile::KernelOp> &kernels,
                        SmallVectorImpl<int64_t> &limits, bool &all);
  FailureOr<Value> items(tile::KernelOp kernel);
  FailureOr<Value> argument(tile::CallOp call, tile::KernelOp kernel, unsigned number);
  /// Makes the workspaces that kernels of one call share: a buffer for each number bound.
  LogicalResult makeWorkspaces(tile::CallOp call, ArrayRef<tile::KernelOp> kernels);
  FailureOr<Value> operandBuffer(tile::CallOp call, unsigned index, Type kernelType);

  /// Values that every part of the program may use are made once, at the start of the entry.
  Value input(StepInput which);
  Value batch(BatchArray which, unsigned group = 0);
  Value use(StringAttr symbol);
  Value constant(int64_t number);
  Type bufferType() { return planir::BufferType::get(builder.getContext()); }
  template <typename Make> Value atStart(Attribute key, Make make);

  ModuleOp module;
  func::FuncOp step;
  SymbolTable symbolTable;
  PlanSymbols symbols;
  OpBuilder builder;
  planir::EntryOp entry;
  Operation *startAnchor = nullptr;
  llvm::DenseMap<Attribute, Value> shared;
  llvm::DenseMap<Value, Value> buffers;       ///< tensors of @step
  /// A cache of @step, with the group of its layer.
  struct Cache {
    StringAttr name;
    unsigned group = 0;
  };
  llvm::DenseMap<Value, Cache> caches;        ///< and what kernels make of them
  llvm::DenseMap<Value, StringAttr> outputs;  ///< returned tensors by symbol
  /// Of the call at hand, by work list and number.
  llvm::DenseMap<std::pair<Attribute, int64_t>, planir::ArenaOp> workspaces;
};

template <typename Make> Value PlanBuilder::atStart(Attribute key, Make make) {
  Value &value = shared[key];
  if (!value) {
    OpBuilder::InsertionGuard guard(builder);
    if (startAnchor)
      builder.setInsertionPointAfter(startAnchor);
    else
      builder.setInsertionPointToStart(&entry.getBody().front());
    value = make();
    startAnchor = value.getDefiningOp();
  }
  return value;
}

Value PlanBuilder::input(StepInput which) {
  auto attribute = planir::StepInputAttr::get(builder.getContext(), which);
  return atStart(attribute, [&] {
    return planir::InputOp::create(builder, step.getLoc(), builder.getIndexType(), attribute).getResult();
  });
}

Value PlanBuilder::batch(BatchArray which, unsigned group) {
  if (which != BatchArray::Slots && which != BatchArray::BlockTable)
    group = 0;
  auto attribute = planir::BatchArrayAttr::get(builder.getContext(), which);
  auto number = builder.getI64IntegerAttr(group);
  return atStart(builder.getArrayAttr({attribute, number}), [&] {
    return planir::BatchOp::create(builder, step.getLoc(), bufferType(), attribute, number)
        .getResult();
  });
}

Value PlanBuilder::use(StringAttr symbol) {
  auto reference = FlatSymbolRefAttr::get(symbol);
  return atStart(reference, [&] {
    return planir::UseOp::create(builder, step.getLoc(), bufferType(), reference).getResult();
  });
}

Value PlanBuilder::constant(int64_t number) {
  return atStart(builder.getIndexAttr(number), [&] {
    return arith::ConstantIndexOp::create(builder, step.getLoc(), number).getResult();
  });
}

LogicalResult PlanBuilder::bindArguments() {
  bool hasBatch = llvm::any_of(step.getArgumentTypes(), llvm::IsaPred<graph::BatchType>);
  llvm::DenseMap<Value, unsigned> groups = groupCaches(step);
  for (BlockArgument argument : step.getArguments()) {
    unsigned number = argument.getArgNumber();
    std::string name = nameOf(step.getArgAttrDict(number), "argument", number);
    if (isa<graph::BatchType>(argument.getType()))
      continue;
    if (auto cache = dyn_cast<graph::CacheType>(argument.getType())) {
      auto page = builder.getI64IntegerAttr(cache.getPage());
      if (auto other = module->getAttr("quire.page_size"); other && other != page)
        return step.emitError() << "argument " << number << " has pages of " << cache.getPage()
                                << " tokens, another cache or quire.page_size has " << other;
      module->setAttr("quire.page_size", page);
      caches[argument] = {builder.getStringAttr(name), groups.lookup(argument)};
      continue;
    }
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type)
      return step.emitError() << "argument " << number << " of type " << argument.getType()
                              << " is neither a tensor, a cache nor the batch";
    if (hasBatch && type.getElementType().isInteger(32))
      buffers[argument] = batch(BatchArray::TokenIds);
    else
      buffers[argument] =
          use(symbols.tensor(step.getLoc(), name, type, RowExtent::Tokens, /*output=*/false));
  }
  return success();
}

unsigned PlanBuilder::groupOf(tile::CallOp call) const {
  for (Value input : call.getInputs())
    if (auto cache = caches.find(input); cache != caches.end())
      return cache->second.group;
  return 0;
}

LogicalResult PlanBuilder::resolve(tile::CallOp call, SmallVectorImpl<tile::KernelOp> &kernels,
                                   SmallVectorImpl<int64_t> &limits, bool &all) {
  Operation *callee = symbolTable.lookup(call.getKernel());
  all = false;
  if (auto kernel = dyn_cast_or_null<tile::KernelOp>(callee)) {
    kernels.push_back(kernel);
    limits.push_back(0);
  } else if (auto variants = dyn_cast_or_null<tile::VariantsOp>(callee)) {
    all = variants.getAll();
    limits.append(variants.getRows().begin(), variants.getRows().end());
    for (auto reference : variants.getKernels().getAsRange<FlatSymbolRefAttr>()) {
      kernels.push_back(symbolTable.lookup<tile::KernelOp>(reference.getAttr()));
      if (!kernels.back())
        return variants.emitOpError() << "names " << reference << ", which is no kernel";
    }
  } else {
    return call.emitOpError() << "calls @" << call.getKernel() << ", which is no kernel";
  }
  for (tile::KernelOp kernel : kernels)
    if (!kernel.getGrid() || kernel.getGrid()->empty())
      return kernel.emitOpError() << "has no grid; kernels are tiled before the plan is built";
  return success();
}

FailureOr<Value> PlanBuilder::items(tile::KernelOp kernel) {
  Location loc = kernel.getLoc();
  Value count;
  int64_t factor = 1;
  ArrayRef<tile::ExtentAttr> grid = kernel.getGridAttr().getValue();
  for (tile::ExtentAttr extent : grid) {
    switch (extent.getKind()) {
    case tile::ExtentKind::Constant:
      factor *= extent.getSize();
      continue;
    case tile::ExtentKind::Tokens:
    case tile::ExtentKind::Samples:
      count = input(extent.getKind() == tile::ExtentKind::Tokens ? StepInput::Tokens
                                                                 : StepInput::Samples);
      if (extent.getSize() > 1)
        count = arith::CeilDivUIOp::create(builder, loc, count, constant(extent.getSize()));
      continue;
    case tile::ExtentKind::WorkList:
    case tile::ExtentKind::SplitList:
      if (!kernel.getPartition())
        return kernel.emitOpError() << "runs over a work list and has no partition";
      StringAttr symbol = symbols.partition(loc, *kernel.getPartition());
      auto reference = FlatSymbolRefAttr::get(symbol);
      UnitAttr split;
      SmallVector<Attribute> key{reference};
      if (extent.getKind() == tile::ExtentKind::SplitList)
        key.push_back(split = builder.getUnitAttr());
      count = atStart(ArrayAttr::get(builder.getContext(), key), [&] {
        return planir::ItemsOp::create(builder, loc, builder.getIndexType(), reference, split)
            .getResult();
      });
    }
  }
  if (!count)
    return constant(factor);
  if (factor > 1)
    count = arith::MulIOp::create(builder, loc, count, constant(factor));
  return count;
}

FailureOr<Value> PlanBuilder::operandBuffer(tile::CallOp call, unsigned index, Type kernelType) {
  if (index >= call.getInputs().size())
    return call.emitOpError() << "has no operand " << index;
  Value operand = call.getInputs()[index];
  if (auto weight = operand.getDefiningOp<graph::WeightOp>()) {
    auto type = cast<RankedTensorType>(weight.getType());
    bool panels = type.getRank() == 2 && cast<MemRefType>(kernelType).getRank() == 3;
    return use(symbols.weight(weight, panels));
  }
  if (auto table = operand.getDefiningOp<graph::RotaryTableOp>())
    return use(symbols.rotaryTable(table));
  if (Value buffer = buffers.lookup(operand))
    return buffer;
  return call.emitOpError() << "operand " << index << " of type " << operand.getType()
                            << " has no buffer";
}

FailureOr<Value> PlanBuilder::argument(tile::CallOp call, tile::KernelOp kernel, unsigned number) {
  tile::BindAttr bind = kernel.getBinds()[number];
  StringRef name = bind.getName() ? bind.getName().getValue() : StringRef();
  switch (bind.getKind()) {
  case tile::BindKind::Operand:
    return operandBuffer(call, bind.getIndex(), kernel.entry().getArgument(number).getType());
  case tile::BindKind::Result:
    if (bind.getIndex() < static_cast<int64_t>(call.getNumResults()))
      return buffers.lookup(call.getResult(bind.getIndex()));
    return call.emitOpError() << "has no result " << bind.getIndex();
  case tile::BindKind::Batch:
    if (auto array = planir::symbolizeBatchArray(name))
      return batch(*array, groupOf(call));
    return kernel.emitOpError() << "binds \"" << name << "\", which is no batch array";
  case tile::BindKind::Pool: {
    if (bind.getIndex() >= static_cast<int64_t>(call.getInputs().size()) ||
        !caches.count(call.getInputs()[bind.getIndex()]))
      return call.emitOpError() << "operand " << bind.getIndex() << " is no cache";
    Value cache = call.getInputs()[bind.getIndex()];
    auto type = cast<graph::CacheType>(cache.getType());
    if (!type.lookup(name))
      return kernel.emitOpError() << "binds component \"" << name << "\", the cache has none";
    return use(symbols.pool(call.getLoc(), caches[cache].name.getValue(), type, name,
                            caches[cache].group));
  }
  case tile::BindKind::WorkList:
    if (!kernel.getPartition())
      return kernel.emitOpError() << "binds a work list and has no partition";
    return use(symbols.partition(kernel.getLoc(), *kernel.getPartition()));
  case tile::BindKind::Workspace:
    return workspaces.lookup({*kernel.getPartition(), bind.getIndex()}).getResult();
  case tile::BindKind::Scalar:
    if (auto which = planir::symbolizeStepInput(name))
      return input(*which);
    return kernel.emitOpError() << "binds \"" << name << "\", which is no number of the step";
  }
  return failure();
}

LogicalResult PlanBuilder::makeWorkspaces(tile::CallOp call, ArrayRef<tile::KernelOp> kernels) {
  workspaces.clear();
  for (tile::KernelOp kernel : kernels)
    for (auto [bind, argument] : llvm::zip(kernel.getBinds(), kernel.entry().getArguments())) {
      if (bind.getKind() != tile::BindKind::Workspace)
        continue;
      auto type = dyn_cast<MemRefType>(argument.getType());
      if (!kernel.getPartition() || kernel.getPartition()->getSplit() == 0)
        return kernel.emitOpError() << "binds a workspace, and its work list is not split";
      if (!type || !type.isDynamicDim(0) || type.getNumDynamicDims() != 1)
        return kernel.emitOpError() << "binds the workspace " << argument.getType()
                                    << ", which must have a row for each item";
      int64_t bytes = type.getElementTypeBitWidth() / 8;
      for (int64_t size : type.getShape().drop_front())
        bytes *= size;
      planir::ArenaOp &buffer = workspaces[{*kernel.getPartition(), bind.getIndex()}];
      if (!buffer)
        buffer = planir::ArenaOp::create(
            builder, call.getLoc(), bufferType(),
            planir::RowExtentAttr::get(builder.getContext(), RowExtent::Items),
            FlatSymbolRefAttr::get(symbols.partition(kernel.getLoc(), *kernel.getPartition())),
            builder.getI64IntegerAttr(bytes), IntegerAttr());
      if (static_cast<int64_t>(buffer.getBytes()) != bytes)
        return kernel.emitOpError() << "binds workspace " << bind.getIndex() << " with " << bytes
                                    << " bytes an item, another kernel with " << buffer.getBytes();
    }
  return success();
}

LogicalResult PlanBuilder::launch(tile::CallOp call, tile::KernelOp kernel) {
  FailureOr<Value> count = items(kernel);
  if (failed(count))
    return failure();
  SmallVector<Value> arguments;
  for (unsigned number = 0; number < kernel.getBinds().size(); ++number) {
    FailureOr<Value> value = argument(call, kernel, number);
    if (failed(value))
      return failure();
    arguments.push_back(*value);
  }
  planir::LaunchOp::create(builder, call.getLoc(), FlatSymbolRefAttr::get(kernel.getSymNameAttr()),
                           *count, arguments);
  return success();
}

LogicalResult PlanBuilder::call(tile::CallOp call) {
  SmallVector<tile::KernelOp> kernels;
  SmallVector<int64_t> limits;
  bool all;
  if (failed(resolve(call, kernels, limits, all)))
    return failure();
  bool samples = kernels[0].getGrid()->front().getKind() == tile::ExtentKind::Samples;
  RowExtent extent = samples ? RowExtent::Samples : RowExtent::Tokens;

  auto cacheOperands = llvm::make_filter_range(
      call.getInputs(), [](Value input) { return isa<graph::CacheType>(input.getType()); });
  auto nextCache = cacheOperands.begin();
  for (Value result : call.getResults()) {
    if (isa<graph::CacheType>(result.getType())) {
      if (nextCache == cacheOperands.end())
        return call.emitOpError() << "gives more caches than it takes";
      caches[result] = caches.lookup(*nextCache++);
      continue;
    }
    auto type = cast<RankedTensorType>(result.getType());
    if (StringAttr symbol = outputs.lookup(result)) {
      buffers[result] = use(symbol);
      cast<planir::TensorOp>(SymbolTable(module).lookup(symbol)).setExtent(extent);
      continue;
    }
    int64_t bytes = symbols.rowStride(rowElements(type)) * type.getElementTypeBitWidth() / 8;
    buffers[result] = planir::ArenaOp::create(
        builder, call.getLoc(), bufferType(),
        planir::RowExtentAttr::get(builder.getContext(), extent), FlatSymbolRefAttr(),
        builder.getI64IntegerAttr(bytes), IntegerAttr());
  }
  if (failed(makeWorkspaces(call, kernels)))
    return failure();

  if (kernels.size() == 1 || all) {
    for (tile::KernelOp kernel : kernels)
      if (failed(launch(call, kernel)))
        return failure();
    return success();
  }
  auto select = planir::SelectOp::create(
      builder, call.getLoc(), input(samples ? StepInput::Samples : StepInput::Tokens),
      builder.getDenseI64ArrayAttr(limits), kernels.size());
  for (auto [kernel, region] : llvm::zip(kernels, select.getCases())) {
    OpBuilder::InsertionGuard guard(builder);
    builder.createBlock(&region);
    if (failed(launch(call, kernel)))
      return failure();
  }
  return success();
}

LogicalResult PlanBuilder::visit(Operation &op) {
  if (auto call = dyn_cast<tile::CallOp>(op))
    return this->call(call);
  if (auto reshape = dyn_cast<graph::ReshapeOp>(op)) {
    Value source = buffers.lookup(reshape.getInput());
    if (!source)
      return reshape.emitOpError() << "views a value that has no buffer";
    buffers[reshape.getResult()] = source;
    return success();
  }
  if (isa<graph::WeightOp, graph::RotaryTableOp, func::ReturnOp>(op))
    return success();
  return op.emitOpError() << "cannot stand in @step when the plan is built";
}

LogicalResult PlanBuilder::run() {
  Location loc = step.getLoc();
  entry = planir::EntryOp::create(builder, loc, builder.getStringAttr("entry"), IntegerAttr(),
                                  IntegerAttr());
  entry.getBody().emplaceBlock();
  symbols.insertBefore(entry);
  builder.setInsertionPointToStart(&entry.getBody().front());

  auto returned = cast<func::ReturnOp>(step.getBody().front().getTerminator());
  for (auto [number, value] : llvm::enumerate(returned.getOperands())) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type)
      continue;
    Value source = value;
    while (auto reshape = source.getDefiningOp<graph::ReshapeOp>())
      source = reshape.getInput();
    if (!source.getDefiningOp<tile::CallOp>() || outputs.count(source))
      return returned.emitOpError() << "result " << number
                                    << " must be computed by one kernel and returned once";
    outputs[source] = symbols.tensor(
        loc, nameOf(step.getResultAttrDict(number), "result", number), type, RowExtent::Tokens,
        /*output=*/true);
  }
  if (failed(bindArguments()))
    return failure();
  builder.setInsertionPointToEnd(&entry.getBody().front());
  for (Operation &op : step.getBody().front())
    if (failed(visit(op)))
      return failure();
  std::string name = step.getSymName().str();
  step.erase();
  entry.setSymName(name);
  return success();
}

struct BuildPlan : quire::impl::BuildPlanPassBase<BuildPlan> {
  void runOnOperation() override {
    auto step = getOperation().lookupSymbol<func::FuncOp>("step");
    if (!step) {
      getOperation().emitError("has no function @step to make a plan of");
      return signalPassFailure();
    }
    if (failed(PlanBuilder(getOperation(), step).run()))
      return signalPassFailure();
    for (auto variants : llvm::make_early_inc_range(getOperation().getOps<tile::VariantsOp>()))
      variants.erase();
  }
};

} // namespace
