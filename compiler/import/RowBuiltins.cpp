// Built-in functions that work on each row by itself: embed, linear, norms, rotation and reshaping.
#include "compiler/import/Builtins.h"

#include <array>
#include <cmath>

using namespace quire;
using namespace quire::importer;

namespace {

Status invalid(const std::string &message) {
  return Status::error(ErrorCode::InvalidArgument, message);
}

/// Counts the op and makes it; `rows` is what its first dimension counts.
template <class Op, class... Args> Result<Value> make(Call &call, Rows rows, Args &&...args) {
  QUIRE_RETURN_IF_ERROR(call.graph.count());
  return Value{Tensor{call.graph.make<Op>(std::forward<Args>(args)...), rows}};
}

int64_t lastSize(const Tensor &tensor) { return tensor.type().getShape().back(); }

Result<Value> runEmbed(const Builtin &, Call &call) {
  const auto *indices = call.arguments[0].as<Tensor>();
  if (!indices || indices->rows == Rows::Weight || indices->type().getRank() != 1 ||
      !indices->type().getElementType().isInteger(32))
    return invalid("indices is " + call.arguments[0].describe() +
                   "; it must be a tensor [rows] of i32");
  QUIRE_ASSIGN_OR_RETURN(Tensor table, weightArgument(call.arguments[1], "table", {-1, -1}));
  return make<graph::EmbedOp>(call, indices->rows, call.graph.rowType(lastSize(table)),
                              indices->value, table.value);
}

Result<Value> runPositions(const Builtin &, Call &call) {
  QUIRE_RETURN_IF_ERROR(call.graph.count());
  return Value{call.graph.positions()};
}

Result<Value> runLinear(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(Tensor x, rowsArgument(call.arguments[0], "x", 2));
  QUIRE_ASSIGN_OR_RETURN(Tensor weight,
                         weightArgument(call.arguments[1], "weight", {-1, lastSize(x)}));
  int64_t outputs = weight.type().getShape()[0];
  QUIRE_ASSIGN_OR_RETURN(auto bias, optionalWeight(call.arguments[2], "bias", {outputs}));
  return make<graph::LinearOp>(call, x.rows, call.graph.rowType(outputs), x.value, weight.value,
                               bias ? bias->value : mlir::Value());
}

Status checkColumnsKnown(const Value &x) {
  if (mlir::ShapedType::isDynamic(lastSize(*x.as<Tensor>())))
    return invalid("x is " + x.describe() + "; its columns must be known");
  return Status::ok();
}

Result<Tensor> normInput(Call &call) {
  const Value &argument = call.arguments[0];
  const auto *x = argument.as<Tensor>();
  QUIRE_ASSIGN_OR_RETURN(Tensor rows,
                         rowsArgument(argument, "x", x && x->type().getRank() == 3 ? 3 : 2));
  QUIRE_RETURN_IF_ERROR(checkColumnsKnown(argument));
  return rows;
}

Result<double> epsilonArgument(const Value &value) {
  QUIRE_ASSIGN_OR_RETURN(double epsilon, numberArgument(value, "epsilon"));
  if (epsilon >= 0 && epsilon <= 1)
    return epsilon;
  return invalid("epsilon is " + value.describe() + "; it must be from 0 to 1");
}

Result<Value> runRmsNorm(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(Tensor x, normInput(call));
  QUIRE_ASSIGN_OR_RETURN(Tensor weight, weightArgument(call.arguments[1], "weight", {lastSize(x)}));
  QUIRE_ASSIGN_OR_RETURN(double epsilon, epsilonArgument(call.arguments[2]));
  double offset = 0;
  if (!call.arguments[3].isNull()) {
    QUIRE_ASSIGN_OR_RETURN(offset, numberArgument(call.arguments[3], "offset"));
  }
  return make<graph::NormOp>(call, x.rows, x.type(), x.value, weight.value, mlir::Value(),
                             graph::NormKind::Rms, llvm::APFloat(epsilon), llvm::APFloat(offset));
}

Result<Value> runLayerNorm(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(Tensor x, normInput(call));
  QUIRE_ASSIGN_OR_RETURN(Tensor weight, weightArgument(call.arguments[1], "weight", {lastSize(x)}));
  QUIRE_ASSIGN_OR_RETURN(auto bias, optionalWeight(call.arguments[2], "bias", {lastSize(x)}));
  QUIRE_ASSIGN_OR_RETURN(double epsilon, epsilonArgument(call.arguments[3]));
  return make<graph::NormOp>(call, x.rows, x.type(), x.value, weight.value,
                             bias ? bias->value : mlir::Value(), graph::NormKind::Layer,
                             llvm::APFloat(epsilon), llvm::APFloat(0.0));
}

Result<Value> runRotaryTable(const Builtin &, Call &call) {
  const auto *list = call.arguments[0].as<List>();
  if (!list || (*list)->empty() || (*list)->size() > 32768)
    return invalid("frequencies is " + call.arguments[0].describe() +
                   "; it must be a list of 1 to 32768 numbers");
  std::vector<float> frequencies;
  for (const Value &element : **list) {
    QUIRE_ASSIGN_OR_RETURN(double frequency, numberArgument(element, "a frequency"));
    frequencies.push_back(static_cast<float>(frequency));
  }
  double scale = 1;
  if (!call.arguments[1].isNull()) {
    QUIRE_ASSIGN_OR_RETURN(scale, numberArgument(call.arguments[1], "scale"));
  }
  QUIRE_RETURN_IF_ERROR(call.graph.count());
  QUIRE_ASSIGN_OR_RETURN(Tensor table, call.graph.rotaryTable(frequencies, scale));
  return Value{table};
}

Result<Value> runRotate(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(Tensor x, tokensArgument(call.arguments[0], "x", 3));
  QUIRE_ASSIGN_OR_RETURN(Tensor table, weightArgument(call.arguments[1], "table", {-1, -1}));
  if (!table.value.getDefiningOp<graph::RotaryTableOp>() || lastSize(table) > lastSize(x))
    return invalid("table is " + call.arguments[1].describe() +
                   "; it must come from rotary_table, with at most " +
                   std::to_string(lastSize(x)) + " columns");
  const auto *interleaved = call.arguments[2].as<bool>();
  if (!interleaved && !call.arguments[2].isNull())
    return invalid("interleaved is " + call.arguments[2].describe() +
                   "; it must be true or false");
  mlir::Value positions = call.graph.positions().value;
  return make<graph::RotateOp>(call, Rows::Tokens, x.type(), x.value, table.value, positions,
                               interleaved && *interleaved);
}

/// [rows, heads * n] as [rows, heads, n].
Result<Value> runSplitHeads(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(Tensor x, rowsArgument(call.arguments[0], "x", 2));
  QUIRE_ASSIGN_OR_RETURN(int64_t count, sizeArgument(call.arguments[1], "count", 1, kMaxDimension));
  if (lastSize(x) % count)
    return invalid(std::to_string(lastSize(x)) + " columns do not split into " +
                   std::to_string(count) + " heads");
  return make<graph::ReshapeOp>(call, x.rows, call.graph.rowType({count, lastSize(x) / count}),
                                x.value);
}

Result<Value> runMergeHeads(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(Tensor x, rowsArgument(call.arguments[0], "x", 3));
  QUIRE_RETURN_IF_ERROR(checkColumnsKnown(call.arguments[0]));
  llvm::ArrayRef<int64_t> shape = x.type().getShape();
  return make<graph::ReshapeOp>(call, x.rows, call.graph.rowType(shape[1] * shape[2]), x.value);
}

Result<Value> runColumns(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(Tensor x, rowsArgument(call.arguments[0], "x", 2));
  QUIRE_ASSIGN_OR_RETURN(int64_t offset,
                         sizeArgument(call.arguments[1], "offset", 0, lastSize(x) - 1));
  QUIRE_ASSIGN_OR_RETURN(int64_t count,
                         sizeArgument(call.arguments[2], "count", 1, lastSize(x) - offset));
  return make<graph::ColumnsOp>(call, x.rows, call.graph.rowType(count), x.value,
                                static_cast<uint64_t>(offset));
}

Result<Value> runTakeRows(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(Tensor x, tokensArgument(call.arguments[0], "x", 2));
  mlir::Value batch = call.graph.batch();
  return make<graph::TakeRowsOp>(call, Rows::Samples, x.type(), x.value, batch);
}

constexpr std::array kTable{
    Builtin{"embed", "indices table", runEmbed},
    Builtin{"positions", "", runPositions},
    Builtin{"linear", "x weight bias?", runLinear},
    Builtin{"rms_norm", "x weight epsilon offset?", runRmsNorm},
    Builtin{"layer_norm", "x weight bias epsilon", runLayerNorm},
    Builtin{"rotary_table", "frequencies scale?", runRotaryTable},
    Builtin{"rotate", "x table interleaved?", runRotate},
    Builtin{"split_heads", "x count", runSplitHeads},
    Builtin{"merge_heads", "x", runMergeHeads},
    Builtin{"columns", "x offset count", runColumns},
    Builtin{"take_rows", "x", runTakeRows},
};

} // namespace

llvm::ArrayRef<Builtin> quire::importer::rowBuiltins() { return kTable; }
