// Gives every kernel its schedule, and its variants by shape.
//
//   before:  tile.kernel @linear(…)
//   after:   tile.kernel @linear_r1(…) schedule <rows = 1, …>   and @linear_r8, @linear_r32
//            tile.variants @linear [@linear_r1, @linear_r8, @linear_r32] rows [1, 8, 0]
//
// This pass only decides and copies; quire-tile-parallel and quire-tile-reduction do what it says.
#include "compiler/schedule/InvariantSchedules.h"
#include "compiler/schedule/ScheduleFile.h"
#include "compiler/tile/KernelShape.h"
#include "compiler/tile/Passes.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace quire::tile {
#define GEN_PASS_DEF_ASSIGNSCHEDULESPASS
#include "compiler/tile/Passes.h.inc"

namespace {

using schedule::Choice;
using schedule::KernelShape;

ScheduleAttr scheduleAttr(MLIRContext *context, const Choice &choice) {
  DenseI64ArrayAttr registers;
  if (choice.registers[0])
    registers = DenseI64ArrayAttr::get(context, choice.registers);
  return ScheduleAttr::get(context, choice.rows, choice.panels, choice.columns, choice.depth,
                           choice.queries, choice.keys, choice.split, registers, choice.warps,
                           choice.stages,
                           symbolizeInstruction(choice.instruction).value_or(Instruction::None),
                           symbolizeParallel(choice.parallel).value_or(Parallel::None));
}

struct AssignSchedulesPass : impl::AssignSchedulesPassBase<AssignSchedulesPass> {
  using AssignSchedulesPassBase::AssignSchedulesPassBase;

  void runOnOperation() override {
    for (auto kernel : llvm::to_vector(getOperation().getOps<KernelOp>()))
      if (!kernel.getSchedule() && failed(assign(kernel)))
        return signalPassFailure();
  }

  FailureOr<std::vector<Choice>> choicesFor(KernelOp kernel, const KernelShape &shape) {
    llvm::SmallString<128> path(schedules.getValue());
    if (!path.empty())
      llvm::sys::path::append(path, llvm::StringRef(shape.family) + ".json");
    std::vector<Choice> choices;
    if (!path.empty() && llvm::sys::fs::exists(path)) {
      llvm::Expected<std::vector<Choice>> read = schedule::readChoices(path, shape);
      if (!read)
        return kernel.emitOpError() << "schedule " << llvm::toString(read.takeError());
      choices = std::move(*read);
    }
    bool isOverride = !choices.empty();
    if (!isOverride)
      choices = batchInvariant ? schedule::invariantChoices(shape) : schedule::defaultChoices(shape);
    std::optional<std::string> reason = schedule::whyIncomplete(shape, choices);
    if (batchInvariant && !reason)
      reason = schedule::whyNotInvariant(shape, choices);
    for (size_t i = 0; i < choices.size() && !reason; ++i)
      reason = schedule::whyIllegal(shape, choices[i]);
    if (reason)
      return kernel.emitOpError() << "cannot have the schedule"
                                  << (isOverride ? " of " + path.str().str() : std::string())
                                  << ": " << *reason;
    for (Choice &choice : choices)
      if (!adapts(choice, shape))
        choice.split = schedule::splitLength(shape, choice);
    return choices;
  }

  /// Whether the length of splits follows the step: not where results must not depend on the batch.
  bool adapts(const Choice &choice, const KernelShape &shape) const {
    return choice.split > 0 && !batchInvariant && schedule::tilesOfWave(shape) > 0;
  }

  /// "linear_r64"; with its columns where another variant has as many rows, and with its limit where
  /// that has as many columns too.
  std::string variantName(KernelOp kernel, const Choice &choice, const std::vector<Choice> &all,
                          bool isAttention) {
    if (isAttention)
      return (kernel.getSymName() + "_q" + Twine(choice.queries)).str();
    std::string name = (kernel.getSymName() + "_r" + Twine(choice.rows)).str();
    auto count = [&](auto like) { return llvm::count_if(all, like); };
    if (count([&](const Choice &c) { return c.rows == choice.rows; }) > 1)
      name += "_c" + std::to_string(choice.columns);
    if (count([&](const Choice &c) {
          return c.rows == choice.rows && c.columns == choice.columns;
        }) > 1)
      name += "_l" + std::to_string(choice.limit);
    return name;
  }

  LogicalResult assign(KernelOp kernel) {
    FailureOr<KernelShape> shape = kernelShape(kernel);
    if (failed(shape))
      return failure();
    FailureOr<std::vector<Choice>> choices = choicesFor(kernel, *shape);
    if (failed(choices))
      return failure();
    bool isAttention = shape->family == "attention";
    auto apply = [&](KernelOp to, const Choice &choice) {
      to.setScheduleAttr(scheduleAttr(&getContext(), choice));
      if (isAttention)
        to.setPartitionAttr(PartitionAttr::get(&getContext(), choice.queries, choice.minimum,
                                               choice.maximum, choice.split,
                                               adapts(choice, *shape)
                                                   ? schedule::tilesOfWave(*shape)
                                                   : 0));
    };
    if (shape->family == "rows") {
      apply(kernel, choices->front());
      return success();
    }
    OpBuilder builder(kernel);
    SmallVector<Attribute> names;
    SmallVector<int64_t> limits;
    for (const Choice &choice : *choices) {
      auto variant = cast<KernelOp>(builder.clone(*kernel));
      variant.setSymName(variantName(kernel, choice, *choices, isAttention));
      apply(variant, choice);
      names.push_back(FlatSymbolRefAttr::get(variant.getSymNameAttr()));
      limits.push_back(choice.limit);
    }
    VariantsOp::create(builder, kernel.getLoc(), kernel.getSymNameAttr(),
                       builder.getArrayAttr(names), builder.getDenseI64ArrayAttr(limits),
                       isAttention);
    kernel.erase();
    return success();
  }
};

} // namespace
} // namespace quire::tile
