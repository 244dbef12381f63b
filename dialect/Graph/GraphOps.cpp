// Verifiers and folders of the graph dialect. Every message names the value and the rule.
#include "dialect/Graph/FloatList.h"
#include "dialect/Graph/Graph.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace quire::graph;

#define GET_OP_CLASSES
#include "dialect/Graph/GraphOps.cpp.inc"

namespace {

RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

int64_t lastDim(RankedTensorType type) { return type.getShape().back(); }

int64_t trailingElements(RankedTensorType type) {
  int64_t product = 1;
  for (int64_t size : type.getShape().drop_front())
    product *= size;
  return product;
}

/// A matrix of `heads * dim` columns or a head tensor must know all but its row count.
LogicalResult verifyRows(Operation *op, Value value, StringRef name) {
  RankedTensorType type = tensorType(value);
  if (type.getRank() < 1)
    return op->emitOpError() << name << " must have a row dimension";
  for (int64_t size : type.getShape().drop_front())
    if (ShapedType::isDynamic(size))
      return op->emitOpError() << name << " has type " << type
                               << "; only the row dimension may be dynamic";
  return success();
}

LogicalResult verifyVector(Operation *op, Value vector, StringRef name, int64_t size) {
  if (tensorType(vector).getShape()[0] != size)
    return op->emitOpError() << name << " has " << tensorType(vector).getShape()[0]
                             << " elements, expected " << size;
  return success();
}

/// The component and its head count must fit a query-like tensor [T, H, D].
LogicalResult verifyComponent(Operation *op, CacheType cache, StringRef component, int64_t heads,
                              int64_t dim) {
  ComponentAttr found = cache.lookup(component);
  if (!found)
    return op->emitOpError() << "cache has no component \"" << component << "\"";
  if (found.getDim() != dim)
    return op->emitOpError() << "component \"" << component << "\" has dim = " << found.getDim()
                             << ", expected " << dim;
  if (heads % found.getHeads())
    return op->emitOpError() << heads << " query heads are no multiple of the " << found.getHeads()
                             << " heads of component \"" << component << "\"";
  return success();
}

} // namespace

LogicalResult WeightOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  if (type.getRank() != 1 && type.getRank() != 2)
    return emitOpError() << "\"" << getName() << "\" has rank " << type.getRank()
                         << "; a weight is a vector or a matrix";
  int64_t columns = type.getRank() == 2 ? type.getShape()[1] : 1, rows = 0;
  for (SourceAttr source : getSources()) {
    if (source.getColumns() != columns)
      return emitOpError() << "source \"" << source.getTensor() << "\" has " << source.getColumns()
                           << " columns, expected " << columns;
    rows += source.getRows();
  }
  if (rows != type.getShape()[0])
    return emitOpError() << "sources of \"" << getName() << "\" have " << rows
                         << " rows, the type has " << type.getShape()[0];
  return success();
}

LogicalResult RotaryTableOp::verify() {
  int64_t columns = 2 * static_cast<int64_t>(getFrequencies().size());
  if (columns == 0 || getType().getShape()[1] != columns || getType().isDynamicDim(0))
    return emitOpError() << "has " << getFrequencies().size()
                         << " frequencies; the table must be [positions, " << columns << "]";
  return success();
}

LogicalResult SplatOp::verify() {
  auto result = getType(), like = tensorType(getLike());
  if (result.getElementType() != getValue().getType() || result.getShape() != like.getShape())
    return emitOpError() << "result " << result << " must have the shape of " << like
                         << " and the element type " << getValue().getType();
  return success();
}

LogicalResult EmbedOp::verify() {
  if (lastDim(getType()) != lastDim(tensorType(getTable())))
    return emitOpError() << "result has " << lastDim(getType()) << " columns, the table has "
                         << lastDim(tensorType(getTable()));
  return verifyRows(*this, getResult(), "result");
}

LogicalResult LinearOp::verify() {
  auto input = tensorType(getInput()), weight = tensorType(getWeight());
  if (lastDim(input) != lastDim(weight))
    return emitOpError() << "input has " << lastDim(input) << " columns, weight has "
                         << lastDim(weight) << "; a weight is [out, in]";
  if (lastDim(getType()) != weight.getShape()[0])
    return emitOpError() << "result has " << lastDim(getType()) << " columns, weight has "
                         << weight.getShape()[0] << " rows";
  if (getBias() && failed(verifyVector(*this, getBias(), "bias", weight.getShape()[0])))
    return failure();
  return verifyRows(*this, getResult(), "result");
}

LogicalResult NormOp::verify() {
  auto input = tensorType(getInput());
  if (input.getShape() != getType().getShape())
    return emitOpError() << "result " << getType() << " must have the shape of the input " << input;
  if (failed(verifyRows(*this, getInput(), "input")) ||
      failed(verifyVector(*this, getWeight(), "weight", lastDim(input))))
    return failure();
  if (getBias() && failed(verifyVector(*this, getBias(), "bias", lastDim(input))))
    return failure();
  if (getBias() && getKind() == NormKind::Rms)
    return emitOpError() << "an rms norm has no bias";
  if (!(getEpsilon().convertToDouble() >= 0))
    return emitOpError() << "epsilon must not be negative";
  return success();
}

LogicalResult SampleOp::verify() {
  int64_t vocabulary = lastDim(tensorType(getLogits()));
  int64_t most = (int64_t(1) << kVocabularyBits) - 1;
  if (vocabulary < 1 || vocabulary > most)
    return emitOpError() << "has logits for " << vocabulary << " tokens; legal are 1 to " << most;
  for (Value result : getResults())
    if (lastDim(tensorType(result)) != 1)
      return emitOpError() << "result " << result.getType() << " must have one column";
  return success();
}

LogicalResult RotateOp::verify() {
  int64_t columns = lastDim(tensorType(getTable()));
  if (getType() != getInput().getType())
    return emitOpError() << "result " << getType() << " must have the input's type";
  if (columns > lastDim(getType()) || columns % 2)
    return emitOpError() << "table has " << columns << " columns; a head has " << lastDim(getType())
                         << " and pairs are rotated";
  return verifyRows(*this, getInput(), "input");
}

LogicalResult ReshapeOp::verify() {
  auto input = tensorType(getInput());
  if (failed(verifyRows(*this, getInput(), "input")) ||
      failed(verifyRows(*this, getResult(), "result")))
    return failure();
  if (input.getElementType() != getType().getElementType() ||
      trailingElements(input) != trailingElements(getType()) ||
      input.getShape()[0] != getType().getShape()[0])
    return emitOpError() << "cannot see " << input << " as " << getType();
  return success();
}

OpFoldResult ReshapeOp::fold(FoldAdaptor) {
  if (getInput().getType() == getType())
    return getInput();
  if (auto producer = getInput().getDefiningOp<ReshapeOp>()) {
    setOperand(producer.getInput());
    return getResult();
  }
  return {};
}

LogicalResult ColumnsOp::verify() {
  int64_t offset = getOffset(), columns = lastDim(getType());
  if (offset < 0 || offset + columns > lastDim(tensorType(getInput())))
    return emitOpError() << "columns [" << offset << ", " << offset + columns
                         << ") are outside the input's " << lastDim(tensorType(getInput()));
  return verifyRows(*this, getResult(), "result");
}

OpFoldResult ColumnsOp::fold(FoldAdaptor) {
  if (getInput().getType() == getType())
    return getInput();
  if (auto producer = getInput().getDefiningOp<ColumnsOp>()) {
    setOffset(getOffset() + producer.getOffset());
    setOperand(producer.getInput());
    return getResult();
  }
  return {};
}

LogicalResult TakeRowsOp::verify() {
  if (lastDim(getType()) != lastDim(tensorType(getInput())))
    return emitOpError() << "result has " << lastDim(getType()) << " columns, the input has "
                         << lastDim(tensorType(getInput()));
  return success();
}

LogicalResult CacheAppendOp::verify() {
  if (getComponents().size() != getValues().size())
    return emitOpError() << "names " << getComponents().size() << " components for "
                         << getValues().size() << " values";
  if (getComponents().size() != getCache().getType().getComponents().size())
    return emitOpError() << "must write all " << getCache().getType().getComponents().size()
                         << " components of the cache";
  llvm::StringSet<> names;
  for (auto [name, value] : llvm::zip(getComponents().getAsValueRange<StringAttr>(), getValues())) {
    auto type = tensorType(value);
    ComponentAttr component = getCache().getType().lookup(name);
    if (!component)
      return emitOpError() << "cache has no component \"" << name << "\"";
    if (!names.insert(name).second)
      return emitOpError() << "writes component \"" << name << "\" twice";
    if (type.getShape()[1] != component.getHeads() || type.getShape()[2] != component.getDim())
      return emitOpError() << "value " << type << " does not fit component \"" << name << "\" with "
                           << component.getHeads() << " heads of " << component.getDim();
  }
  if (!getCache().hasOneUse())
    return emitOpError() << "the cache before an append must have no other use";
  return success();
}

LogicalResult ScoresOp::verify() {
  auto query = tensorType(getQuery());
  if (getType().getShape()[1] != query.getShape()[1])
    return emitOpError() << "result " << getType() << " must be [T, " << query.getShape()[1]
                         << ", keys]";
  return verifyComponent(*this, getCache().getType(), getComponent(), query.getShape()[1],
                         query.getShape()[2]);
}

LogicalResult PositionOp::verify() {
  if (getType().getShape() != tensorType(getScores()).getShape())
    return emitOpError() << "result " << getType() << " must have the shape of the scores "
                         << getScores().getType();
  return success();
}

LogicalResult SoftmaxOp::verify() {
  if (getType() != getScores().getType())
    return emitOpError() << "result must have the type of the scores " << getScores().getType();
  if (getSink())
    return verifyVector(*this, getSink(), "sink", getType().getShape()[1]);
  return success();
}

LogicalResult MixOp::verify() {
  if (getType().getShape()[1] != tensorType(getWeights()).getShape()[1])
    return emitOpError() << "result " << getType() << " must have the heads of the weights "
                         << getWeights().getType();
  return verifyComponent(*this, getCache().getType(), getComponent(), getType().getShape()[1],
                         getType().getShape()[2]);
}

LogicalResult AttentionOp::verify() {
  auto query = tensorType(getQuery());
  if (failed(verifyComponent(*this, getCache().getType(), getKey(), query.getShape()[1],
                             query.getShape()[2])) ||
      failed(verifyComponent(*this, getCache().getType(), getValue(), getType().getShape()[1],
                             getType().getShape()[2])))
    return failure();
  if (getCache().getType().lookup(getKey()).getHeads() !=
      getCache().getType().lookup(getValue()).getHeads())
    return emitOpError() << "key and value components have different head counts";
  if (getSink() && failed(verifyVector(*this, getSink(), "sink", query.getShape()[1])))
    return failure();

  Builder builder(getContext());
  SmallVector<Type> positions(3, builder.getI32Type()), captures(getCaptures().getTypes());
  SmallVector<Type> maskTypes = positions, scoreTypes{builder.getF32Type()};
  maskTypes.append(captures);
  scoreTypes.append(maskTypes);
  auto verifyRegion = [&](Region &region, StringRef name, ArrayRef<Type> arguments,
                          Type yielded) -> LogicalResult {
    if (!region.hasOneBlock() || region.getArgumentTypes() != TypeRange(arguments))
      return emitOpError() << name << " region must take (" << arguments << ")";
    auto yield = dyn_cast<YieldOp>(region.front().getTerminator());
    if (!yield || yield.getValues().size() != 1 || yield.getValues()[0].getType() != yielded)
      return emitOpError() << name << " region must yield one " << yielded;
    return success();
  };
  if (failed(verifyRegion(getScore(), "score", scoreTypes, builder.getF32Type())))
    return failure();
  return verifyRegion(getMask(), "mask", maskTypes, builder.getI1Type());
}

LogicalResult DispatchOp::verify() {
  Block &block = getBody().front();
  if (block.getArgumentTypes() != getInputs().getTypes())
    return emitOpError() << "body arguments must have the types of the inputs";
  auto yield = dyn_cast<YieldOp>(block.getTerminator());
  if (!yield || yield.getValues().getTypes() != getResultTypes())
    return emitOpError() << "body must yield the results";
  return success();
}
