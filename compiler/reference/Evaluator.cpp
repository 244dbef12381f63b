// Evaluation of a step, op by op; see the header.
#include "compiler/reference/Evaluator.h"

#include "compiler/reference/RowOps.h"
#include "dialect/Graph/Elementwise.h"

#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace quire::graph;

namespace quire::reference {

Evaluator::Evaluator(Interpreter &interpreter, const Batch &batch)
    : interpreter(interpreter), batch(batch) {
  for (const SequenceStep &each : batch) {
    for (int64_t sample : each.samples)
      sampleRows.push_back(static_cast<int64_t>(rows.size()) + sample);
    auto known = interpreter.computed.find(each.sequence);
    int64_t first = known == interpreter.computed.end() ? 0 : known->second;
    for (size_t t = 0; t < each.tokens.size(); ++t)
      rows.push_back({each.sequence, first + static_cast<int64_t>(t)});
  }
}

FailureOr<std::vector<Tensor>> Evaluator::run(const llvm::StringMap<Tensor> &inputs) {
  Block &block = interpreter.step.getBody().front();
  if (failed(bindArguments(inputs)) || failed(evaluate(block)))
    return failure();
  std::vector<Tensor> results;
  for (Value value : block.getTerminator()->getOperands())
    if (isa<RankedTensorType>(value.getType()))
      results.push_back(tensor(value));
  return results;
}

LogicalResult Evaluator::bindArguments(const llvm::StringMap<Tensor> &inputs) {
  func::FuncOp step = interpreter.step;
  size_t cacheNumber = 0;
  for (BlockArgument argument : step.getArguments()) {
    auto name = step.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "quire.name");
    if (isa<BatchType>(argument.getType())) {
      values[argument] = std::monostate();
    } else if (isa<CacheType>(argument.getType())) {
      values[argument] = cacheNumber++;
    } else if (name && name == "tokens") {
      Tensor tokens(rowVectorShape());
      auto next = tokens.values.begin();
      for (const SequenceStep &each : batch)
        next = llvm::copy(each.tokens, next);
      values[argument] = std::make_shared<const Tensor>(std::move(tokens));
    } else if (auto input = name ? inputs.find(name) : inputs.end(); input != inputs.end()) {
      values[argument] = std::make_shared<const Tensor>(input->second);
    } else {
      return step.emitError() << "no input for argument " << argument.getArgNumber() << " ("
                              << (name ? name.getValue() : "no quire.name") << ")";
    }
  }
  return success();
}

LogicalResult Evaluator::evaluate(Block &block) {
  for (Operation &op : block.without_terminator())
    if (failed(evaluate(op)))
      return failure();
  return success();
}

LogicalResult Evaluator::evaluate(Operation &op) {
  if (auto dispatch = dyn_cast<DispatchOp>(op))
    return evaluateDispatch(dispatch);
  if (auto appendOp = dyn_cast<CacheAppendOp>(op))
    return append(appendOp);
  if (auto sample = dyn_cast<SampleOp>(op))
    return evaluateSample(sample);
  if (op.getNumResults() == 1 && !isa<RankedTensorType>(op.getResult(0).getType()))
    return evaluateScalarOp(op);
  if (isa<WeightOp, RotaryTableOp>(op)) {
    auto table = constant(op);
    if (failed(table))
      return failure();
    values[op.getResult(0)] = *table;
    return success();
  }
  FailureOr<Tensor> result = compute(op);
  if (failed(result))
    return failure();
  Type element = getElementTypeOrSelf(op.getResult(0).getType());
  if (interpreter.precision == Precision::Float32 || element.isBF16() || element.isF16())
    roundTo(element, *result);
  values[op.getResult(0)] = std::make_shared<const Tensor>(std::move(*result));
  return success();
}

LogicalResult Evaluator::evaluateDispatch(DispatchOp op) {
  Block &body = op.getBody().front();
  for (auto [argument, input] : llvm::zip_equal(body.getArguments(), op.getInputs())) {
    RuntimeValue value = values.at(input);
    values[argument] = std::move(value);
  }
  if (failed(evaluate(body)))
    return failure();
  for (auto [result, yielded] :
       llvm::zip_equal(op.getResults(), body.getTerminator()->getOperands())) {
    RuntimeValue value = values.at(yielded);
    values[result] = std::move(value);
  }
  return success();
}

LogicalResult Evaluator::evaluateScalarOp(Operation &op) {
  FailureOr<ScalarFunction> function = scalarFunction(&op, interpreter.precision);
  if (failed(function))
    return failure();
  SmallVector<double> operands;
  for (Value operand : op.getOperands())
    operands.push_back(scalar(operand));
  values[op.getResult(0)] = (*function)(operands);
  return success();
}

/// A batch has no sampling records here, and a row without one takes the highest logit.
LogicalResult Evaluator::evaluateSample(SampleOp op) {
  const Tensor &logits = tensor(op.getLogits());
  values[op.getToken()] = std::make_shared<const Tensor>(highest(logits));
  values[op.getLogProbability()] =
      std::make_shared<const Tensor>(Tensor(ArrayRef<int64_t>{logits.rows(), 1}));
  return success();
}

FailureOr<Tensor> Evaluator::compute(Operation &op) {
  return llvm::TypeSwitch<Operation *, FailureOr<Tensor>>(&op)
      .Case([&](SplatOp op) {
        const Tensor &like = tensor(op.getLike());
        Tensor result(like.shape);
        result.rowKeys = like.rowKeys;
        llvm::fill(result.values, scalar(op.getValue()));
        return result;
      })
      .Case([&](EmbedOp op) { return computeEmbed(op); })
      .Case([&](PositionsOp) {
        Tensor result(rowVectorShape());
        for (auto [value, row] : llvm::zip_equal(result.values, rows))
          value = static_cast<double>(row.position);
        return result;
      })
      .Case([&](LinearOp op) {
        return linear(tensor(op.getInput()), tensor(op.getWeight()), optionalTensor(op.getBias()));
      })
      .Case([&](NormOp op) {
        return norm(tensor(op.getInput()), tensor(op.getWeight()), optionalTensor(op.getBias()),
                    {op.getKind() == NormKind::Layer, op.getEpsilon().convertToDouble(),
                     op.getOffset().convertToDouble()});
      })
      .Case([&](RotateOp op) { return computeRotate(op); })
      .Case([&](ReshapeOp op) {
        Tensor result = tensor(op.getInput());
        SmallVector<int64_t> shape(op.getType().getShape());
        shape[0] = result.rows();
        result.shape = shape;
        return result;
      })
      .Case([&](ColumnsOp op) {
        return columns(tensor(op.getInput()), op.getOffset(), op.getType().getShape()[1]);
      })
      .Case([&](TakeRowsOp op) { return takeRows(tensor(op.getInput()), sampleRows); })
      .Case([&](ScoresOp op) {
        return scores(tensor(op.getQuery()), cache(op.getCache()), op.getComponent(), rows);
      })
      .Case([&](PositionOp op) { return computePosition(op); })
      .Case([&](SoftmaxOp op) {
        return softmax(tensor(op.getScores()), optionalTensor(op.getSink()));
      })
      .Case([&](MixOp op) {
        return mix(tensor(op.getWeights()), cache(op.getCache()), op.getComponent(), rows,
                   op.getType().getShape()[2]);
      })
      .Case([&](AttentionOp op) { return computeAttention(op); })
      .Default([&](Operation *op) { return computeElementwise(*op); });
}

FailureOr<Tensor> Evaluator::computeElementwise(Operation &op) {
  if (!isElementwise(&op))
    return op.emitError() << "the reference interpreter does not know '" << op.getName() << "'";
  FailureOr<ScalarFunction> function = scalarFunction(&op, interpreter.precision);
  if (failed(function))
    return failure();
  const Tensor *shape = nullptr;
  SmallVector<const Tensor *> tensors;
  SmallVector<double> operands;
  for (Value operand : op.getOperands()) {
    bool isTensor = isa<RankedTensorType>(operand.getType());
    tensors.push_back(isTensor ? &tensor(operand) : nullptr);
    operands.push_back(isTensor ? 0 : scalar(operand));
    if (!shape)
      shape = tensors.back();
    else if (isTensor && tensors.back()->shape != shape->shape)
      return op.emitError() << "operands have different row counts";
  }
  Tensor result(shape->shape);
  result.rowKeys = shape->rowKeys;
  for (size_t i = 0; i < result.values.size(); ++i) {
    for (auto [operand, from] : llvm::zip_equal(operands, tensors))
      operand = from ? from->values[i] : operand;
    result.values[i] = (*function)(operands);
  }
  return result;
}

LogicalResult Evaluator::checkIndices(Operation *op, const Tensor &indices, int64_t limit) {
  for (double index : indices.values)
    if (index < 0 || index >= static_cast<double>(limit))
      return op->emitError() << "index " << static_cast<int64_t>(index) << " is outside of the "
                             << limit << " rows of the table";
  return success();
}

FailureOr<Tensor> Evaluator::computeEmbed(EmbedOp op) {
  const Tensor &indices = tensor(op.getIndices()), &table = tensor(op.getTable());
  if (failed(checkIndices(op, indices, table.rows())))
    return failure();
  return embed(indices, table);
}

FailureOr<Tensor> Evaluator::computeRotate(RotateOp op) {
  const Tensor &positions = tensor(op.getPositions()), &table = tensor(op.getTable());
  if (failed(checkIndices(op, positions, table.rows())))
    return failure();
  return rotate(tensor(op.getInput()), table, positions, op.getInterleaved());
}

Tensor Evaluator::computePosition(PositionOp op) {
  Tensor result(tensor(op.getScores()).shape);
  result.rowKeys = tensor(op.getScores()).rowKeys;
  mapScores(result, rows, [kind = op.getKind()](double, double query, double key, double head) {
    return kind == PositionKind::Query ? query : kind == PositionKind::Key ? key : head;
  });
  return result;
}

FailureOr<Tensor> Evaluator::computeAttention(AttentionOp op) {
  auto score = ScalarRegion::create(op.getScore(), interpreter.precision);
  auto mask = ScalarRegion::create(op.getMask(), interpreter.precision);
  if (failed(score) || failed(mask))
    return failure();
  Precision precision = interpreter.precision;
  auto round = [&](Tensor &values) {
    if (precision == Precision::Float32)
      roundTo(Float32Type::get(op.getContext()), values);
  };
  Tensor all = scores(tensor(op.getQuery()), cache(op.getCache()), op.getKey(), rows);
  round(all);
  SmallVector<double> scoreArguments(4), maskArguments(3);
  for (Value capture : op.getCaptures()) {
    scoreArguments.push_back(scalar(capture));
    maskArguments.push_back(scalar(capture));
  }
  mapScores(all, rows, [&](double value, double query, double key, double head) {
    llvm::copy(ArrayRef<double>{query, key, head}, maskArguments.begin());
    if ((*mask)(maskArguments) == 0)
      return -std::numeric_limits<double>::infinity();
    llvm::copy(ArrayRef<double>{value, query, key, head}, scoreArguments.begin());
    return (*score)(scoreArguments);
  });
  Tensor weights = softmax(all, optionalTensor(op.getSink()));
  round(weights);
  return mix(weights, cache(op.getCache()), op.getValue(), rows, op.getType().getShape()[2]);
}

LogicalResult Evaluator::append(CacheAppendOp op) {
  size_t number = std::get<size_t>(values.at(op.getCache()));
  for (auto [component, value] :
       llvm::zip_equal(op.getComponents().getAsValueRange<StringAttr>(), op.getValues())) {
    if (tensor(value).rows() != static_cast<int64_t>(rows.size()))
      return op.emitError() << "appends " << tensor(value).rows() << " rows of a step of "
                            << rows.size();
    Tensor stored = tensor(value);
    roundTo(op.getType().getElement(), stored);
    quire::reference::append(interpreter.caches[number], component, stored, rows);
  }
  values[op.getResult()] = number;
  return success();
}

FailureOr<std::shared_ptr<const Tensor>> Evaluator::constant(Operation &op) {
  std::shared_ptr<const Tensor> &kept = interpreter.constants[&op];
  if (kept)
    return kept;
  if (auto table = dyn_cast<RotaryTableOp>(op)) {
    kept = std::make_shared<const Tensor>(rotaryTable(
        table.getFrequencies(), table.getScale().convertToDouble(), table.getType().getShape()[0]));
    return kept;
  }
  FailureOr<Tensor> weight = loadWeight(cast<WeightOp>(op));
  if (failed(weight))
    return failure();
  kept = std::make_shared<const Tensor>(std::move(*weight));
  return kept;
}

FailureOr<Tensor> Evaluator::loadWeight(WeightOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  Tensor result(type.getShape());
  auto next = result.values.begin();
  for (SourceAttr source : op.getSources()) {
    FailureOr<std::vector<float>> stored = interpreter.loader(source.getTensor());
    if (failed(stored))
      return op.emitError() << "tensor \"" << source.getTensor() << "\" cannot be loaded";
    int64_t sourceRows = source.getRows(), sourceColumns = source.getColumns();
    if (static_cast<int64_t>(stored->size()) != sourceRows * sourceColumns)
      return op.emitError() << "tensor \"" << source.getTensor() << "\" has " << stored->size()
                            << " elements, expected " << sourceRows << " x " << sourceColumns;
    for (int64_t r = 0; r < sourceRows; ++r)
      for (int64_t c = 0; c < sourceColumns; ++c)
        *next++ = (*stored)[source.getTransposed() ? c * sourceRows + r : r * sourceColumns + c];
  }
  roundTo(type.getElementType(), result);
  return result;
}

const Tensor &Evaluator::tensor(Value value) const {
  return *std::get<std::shared_ptr<const Tensor>>(values.at(value));
}

const Tensor *Evaluator::optionalTensor(Value value) const {
  return value ? &tensor(value) : nullptr;
}

const CacheState &Evaluator::cache(Value value) const {
  return interpreter.caches[std::get<size_t>(values.at(value))];
}

} // namespace quire::reference
