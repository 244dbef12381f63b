// What all families of KernelLowering share: kernel arguments, loads, stores, and the walk.
#include "compiler/tile/KernelLowering.h"

#include "dialect/Graph/Elementwise.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace quire;
using namespace quire::tile;

namespace {

int64_t roundUp(int64_t size, int64_t multiple) {
  return llvm::divideCeil(size, multiple) * multiple;
}

int64_t rowElements(ArrayRef<int64_t> shape) {
  int64_t product = 1;
  for (int64_t size : shape.drop_front())
    product *= size;
  return product;
}

} // namespace

KernelLowering::KernelLowering(graph::DispatchOp dispatch, KernelOp kernel, const StepFacts &facts)
    : builder(dispatch.getContext()), dispatch(dispatch), kernel(kernel), facts(facts) {
  Block &body = dispatch.getBody().front();
  for (Operation &op : body) {
    linear |= isa<graph::LinearOp>(op);
    if (isa<graph::TakeRowsOp>(op))
      rowExtent = ExtentKind::Samples;
  }
  for (Value input : dispatch.getInputs())
    if (facts.sampleValues.contains(input))
      rowExtent = ExtentKind::Samples;
  builder.setInsertionPointToEnd(&kernel.entry());
}

Value KernelLowering::index(int64_t constant) {
  return arith::ConstantIndexOp::create(builder, dispatch.getLoc(), constant);
}

Value KernelLowering::constant(double value) {
  return arith::ConstantOp::create(builder, dispatch.getLoc(), builder.getF32FloatAttr(value));
}

MemRefType KernelLowering::rowsType(RankedTensorType type) const {
  ArrayRef<int64_t> shape = type.getShape();
  int64_t elements = rowElements(shape), stride = roundUp(elements, columnPadding(facts.storage));
  MemRefLayoutAttrInterface layout;
  if (type.isDynamicDim(0) && shape.size() > 1 && stride != elements) {
    SmallVector<int64_t> strides(shape.size(), 1);
    for (size_t dimension = shape.size() - 1; dimension-- > 1;)
      strides[dimension] = strides[dimension + 1] * shape[dimension + 1];
    strides[0] = stride;
    layout = StridedLayoutAttr::get(type.getContext(), 0, strides);
  }
  return MemRefType::get(shape, type.getElementType(), layout);
}

MemRefType KernelLowering::linearType(RankedTensorType type) const {
  SmallVector<int64_t> shape(type.getShape());
  if (facts.storage == Storage::Panels) {
    shape.back() = llvm::divideCeil(shape.back(), kPanel);
    shape.push_back(kPanel);
  } else {
    shape.back() = roundUp(shape.back(), columnPadding(facts.storage));
  }
  return MemRefType::get(shape, type.getElementType());
}

// --- Arguments ---------------------------------------------------------------------------------

Value KernelLowering::argument(BindAttr bind, Type type) {
  Value &value = arguments[{bind, type}];
  if (!value) {
    value = kernel.entry().addArgument(type, dispatch.getLoc());
    binds.push_back(bind);
    kernel.setBindsAttr(BindArrayAttr::get(dispatch.getContext(), binds));
  }
  return value;
}

Value KernelLowering::buffer(BlockArgument input, MemRefType type) {
  return argument(BindAttr::get(builder.getContext(), BindKind::Operand, input.getArgNumber(), {}),
                  type);
}

Value KernelLowering::batchArray(StringRef name, unsigned rank) {
  SmallVector<int64_t> shape(rank, ShapedType::kDynamic);
  return argument(
      BindAttr::get(builder.getContext(), BindKind::Batch, 0, builder.getStringAttr(name)),
      MemRefType::get(shape, builder.getI32Type()));
}

Value KernelLowering::scalar(StringRef name) {
  return argument(
      BindAttr::get(builder.getContext(), BindKind::Scalar, 0, builder.getStringAttr(name)),
      builder.getIndexType());
}

Value KernelLowering::workList() {
  return argument(BindAttr::get(builder.getContext(), BindKind::WorkList, 0, {}),
                  MemRefType::get({ShapedType::kDynamic, 8}, builder.getI32Type()));
}

Value KernelLowering::pool(BlockArgument cache, graph::ComponentAttr component,
                           bool tokensInnermost) {
  auto type = cast<graph::CacheType>(cache.getType());
  SmallVector<int64_t> shape{ShapedType::kDynamic, component.getHeads(), type.getPage(),
                             component.getDim()};
  if (tokensInnermost)
    std::swap(shape[2], shape[3]);
  return argument(BindAttr::get(builder.getContext(), BindKind::Pool, cache.getArgNumber(),
                                builder.getStringAttr(component.getName())),
                  MemRefType::get(shape, type.getElement()));
}

Value KernelLowering::result(unsigned number, MemRefType type) {
  return argument(BindAttr::get(builder.getContext(), BindKind::Result, number, {}), type);
}

MemRefType KernelLowering::matrixType(BlockArgument weight) {
  auto type = cast<RankedTensorType>(weight.getType());
  int64_t rows = type.getShape()[0], columns = type.getShape()[1];
  SmallVector<int64_t> shape{rows, columns};
  if (facts.storage == Storage::Rows)
    shape[0] = roundUp(rows, columnPadding(facts.storage));
  else if (facts.linearWeights.contains(dispatch.getInputs()[weight.getArgNumber()]))
    shape = {static_cast<int64_t>(llvm::divideCeil(rows, kPanel)), columns, kPanel};
  return MemRefType::get(shape, type.getElementType());
}

bool KernelLowering::hasTokensInnermost(BlockArgument cache, StringRef component) {
  if (facts.storage == Storage::Rows)
    return false;
  auto found = facts.keyComponents.find(dispatch.getInputs()[cache.getArgNumber()]);
  return found != facts.keyComponents.end() && found->second.contains(component);
}

// --- Values ------------------------------------------------------------------------------------

Value KernelLowering::load(Value buffer) {
  Value &tensor = loads[buffer];
  if (!tensor) {
    auto type = cast<MemRefType>(buffer.getType());
    SmallVector<Value> offsets(type.getRank(), index(0));
    tensor = LoadOp::create(builder, dispatch.getLoc(),
                            RankedTensorType::get(type.getShape(), type.getElementType()), buffer,
                            offsets);
  }
  return tensor;
}

Value KernelLowering::rowArray(StringRef name) {
  Value array = batchArray(name);
  if (rowExtent == ExtentKind::Tokens)
    return load(array);
  Value rows = load(batchArray("sample_rows"));
  return GatherOp::create(builder, dispatch.getLoc(),
                          RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type()),
                          array, rows, ValueRange{}, false);
}

/// Loads a dispatch input as `type`; token rows in a kernel over sample rows are gathered.
Value KernelLowering::input(BlockArgument argument, MemRefType type) {
  Value memory = buffer(argument, type);
  bool isSampled = facts.sampleValues.contains(dispatch.getInputs()[argument.getArgNumber()]);
  if (!type.isDynamicDim(0) || rowExtent == ExtentKind::Tokens || isSampled)
    return load(memory);
  Value &tensor = loads[memory];
  if (!tensor)
    tensor = GatherOp::create(builder, dispatch.getLoc(),
                              RankedTensorType::get(type.getShape(), type.getElementType()), memory,
                              load(batchArray("sample_rows")),
                              SmallVector<Value>(type.getRank() - 1, index(0)), false);
  return tensor;
}

Value KernelLowering::getRows(Value graphValue) {
  Value source = graphValue;
  while (auto reshape = source.getDefiningOp<graph::ReshapeOp>())
    source = reshape.getInput();
  if (auto take = source.getDefiningOp<graph::TakeRowsOp>())
    source = take.getInput();
  if (auto argument = dyn_cast<BlockArgument>(source))
    return input(argument, rowsType(cast<RankedTensorType>(graphValue.getType())));
  return values.lookupOrNull(graphValue);
}

Value KernelLowering::get(Value graphValue) {
  if (Value lowered = values.lookupOrNull(graphValue))
    return lowered;
  auto type = dyn_cast<RankedTensorType>(graphValue.getType());
  auto argument = dyn_cast<BlockArgument>(graphValue);
  if (!type || !argument)
    return {};
  return input(argument, linear ? linearType(type) : rowsType(type));
}

Value KernelLowering::empty(ArrayRef<int64_t> shape, Type element, Value rowsOf) {
  SmallVector<Value> sizes;
  if (ShapedType::isDynamic(shape[0])) {
    if (!rowCount)
      rowCount = tensor::DimOp::create(builder, dispatch.getLoc(), rowsOf, static_cast<int64_t>(0));
    sizes.push_back(rowCount);
  }
  return tensor::EmptyOp::create(builder, dispatch.getLoc(), shape, element, sizes);
}

Value KernelLowering::filled(Value scalar, Value empty) {
  return linalg::FillOp::create(builder, dispatch.getLoc(), scalar, empty).getResult(0);
}

// --- The walk ----------------------------------------------------------------------------------

LogicalResult KernelLowering::lower(Operation *op) {
  if (graph::isElementwise(op))
    return lowerElementwise(op, *this);
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](graph::LinearOp linear) { return lowerLinear(linear, *this); })
      .Case([&](graph::NormOp norm) { return lowerNorm(norm, *this); })
      .Case([&](graph::RotateOp rotate) { return lowerRotate(rotate, *this); })
      .Case([&](graph::EmbedOp embed) { return lowerEmbed(embed, *this); })
      .Case([&](graph::ReshapeOp reshape) { return lowerReshape(reshape, *this); })
      .Case([&](graph::ColumnsOp columns) { return lowerColumns(columns, *this); })
      .Case([&](graph::CacheAppendOp append) { return lowerCacheAppend(append, *this); })
      .Case([&](graph::AttentionOp attention) { return lowerAttention(attention, *this); })
      .Case([&](graph::PositionsOp positions) {
        set(positions, rowArray("positions"));
        return success();
      })
      .Case([&](graph::TakeRowsOp take) {
        // In a kernel over sample rows every input was gathered when it was loaded.
        Value rows = get(take.getInput());
        if (rows)
          set(take, rows);
        return success(rows != nullptr);
      })
      .Case([&](graph::SplatOp splat) {
        Value scalar = get(splat.getValue());
        if (scalar)
          set(splat, scalar);
        return success(scalar != nullptr);
      })
      .Default([&](Operation *other) -> LogicalResult {
        bool isScalar = llvm::none_of(other->getResultTypes(), llvm::IsaPred<ShapedType>) &&
                        isPure(other) && other->getNumRegions() == 0;
        if (auto constant = dyn_cast<arith::ConstantOp>(other); constant && !isScalar) {
          auto splat = dyn_cast<SplatElementsAttr>(constant.getValue());
          if (!splat)
            return other->emitError("a tensor constant in a dispatch must be a splat");
          set(constant,
              arith::ConstantOp::create(builder, constant.getLoc(),
                                        cast<TypedAttr>(splat.getSplatValue<Attribute>())));
          return success();
        }
        if (!isScalar)
          return other->emitError()
                 << "'" << other->getName()
                 << "' has no lowering to tiles; see the ops of the graph dialect";
        builder.clone(*other, values);
        return success();
      });
}

LogicalResult KernelLowering::storeResults(Operation *yield) {
  Location loc = yield->getLoc();
  for (auto [number, graphValue] : llvm::enumerate(yield->getOperands())) {
    if (isa<graph::CacheType>(graphValue.getType()))
      continue;
    if (isa_and_nonnull<graph::AttentionOp>(graphValue.getDefiningOp()))
      continue;
    Value value = get(graphValue);
    if (!value)
      return yield->emitError() << "result " << number << " of the dispatch was not lowered";
    auto type = cast<RankedTensorType>(graphValue.getType());
    MemRefType memory = linear ? linearType(type) : rowsType(type);
    if (!isa<RankedTensorType>(value.getType()))
      return yield->emitError() << "result " << number << " of the dispatch is a constant";
    StoreOp::create(builder, loc, value, result(number, memory),
                    SmallVector<Value>(memory.getRank(), index(0)), Value());
  }
  return success();
}

LogicalResult KernelLowering::run() {
  for (Operation &op : dispatch.getBody().front().without_terminator())
    if (failed(lower(&op)))
      return failure();
  if (failed(storeResults(dispatch.getBody().front().getTerminator())))
    return failure();
  ReturnOp::create(builder, dispatch.getLoc());
  if (!kernel.getBindsAttr())
    kernel.setBindsAttr(BindArrayAttr::get(dispatch.getContext(), {}));
  return success();
}

Value tile::toF32(OpBuilder &builder, Location loc, Value value) {
  if (value.getType().isF32())
    return value;
  if (cast<FloatType>(value.getType()).getWidth() < 32)
    return arith::ExtFOp::create(builder, loc, builder.getF32Type(), value);
  return arith::TruncFOp::create(builder, loc, builder.getF32Type(), value);
}

Value tile::fromF32(OpBuilder &builder, Location loc, Value value, Type type) {
  if (type.isF32())
    return value;
  if (cast<FloatType>(type).getWidth() < 32)
    return arith::TruncFOp::create(builder, loc, type, value);
  return arith::ExtFOp::create(builder, loc, type, value);
}
