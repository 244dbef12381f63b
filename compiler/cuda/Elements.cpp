// Evaluates elements of tensors by inlining their producers.
#include "compiler/cuda/Elements.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

#include "llvm/ADT/TypeSwitch.h"

#include <numeric>

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

FailureOr<std::string> ElementPrinter::element(Value tensor, const Coordinates &at) {
  if (scope.held)
    if (std::optional<std::string> text = scope.held(tensor, at))
      return *text;
  std::string key = keyOf(tensor, at);
  if (auto found = known.find(key); found != known.end())
    return found->second;
  FailureOr<std::string> text = compute(tensor, at);
  if (succeeded(text))
    known[key] = *text;
  return text;
}

FailureOr<std::string> ElementPrinter::compute(Value tensor, const Coordinates &at) {
  Operation *op = tensor.getDefiningOp();
  if (!op)
    return emitError(tensor.getLoc()) << "a tensor carried by a loop is not held in registers";
  auto pass = [&](Value source, const Coordinates &coordinates) {
    return element(source, coordinates);
  };
  return llvm::TypeSwitch<Operation *, FailureOr<std::string>>(op)
      .Case<tile::LoadOp, tile::LoadPagesOp>([&](auto load) -> FailureOr<std::string> {
        FailureOr<Address> where = address(load, at);
        return succeeded(where) ? read(*where) : FailureOr<std::string>();
      })
      .Case([&](linalg::FillOp fill) { return scalar(fill.getInputs()[0]); })
      .Case([&](linalg::GenericOp inner) { return generic(inner, at); })
      .Case([&](tensor::ExpandShapeOp reshape) {
        ArrayRef<int64_t> shape = reshape.getResultType().getShape();
        Coordinates source;
        for (const ReassociationIndices &group : reshape.getReassociationIndices()) {
          Coordinate sum = Coordinate::of(0);
          for (int64_t dimension : group)
            sum = added(scaled(sum, shape[dimension]), at[dimension]);
          source.push_back(sum);
        }
        return pass(reshape.getSrc(), source);
      })
      .Case([&](tensor::CollapseShapeOp reshape) {
        ArrayRef<int64_t> shape = reshape.getSrcType().getShape();
        Coordinates source(shape.size());
        for (auto [coordinate, group] : llvm::zip(at, reshape.getReassociationIndices())) {
          Coordinate rest = coordinate;
          for (int64_t dimension : llvm::reverse(ArrayRef(group).drop_front())) {
            auto [outer, inner] = divided(rest, shape[dimension], scope.vector);
            source[dimension] = inner;
            rest = outer;
          }
          source[group.front()] = rest;
        }
        return pass(reshape.getSrc(), source);
      })
      .Case([&](tensor::ExtractSliceOp slice) -> FailureOr<std::string> {
        if (!slice.hasUnitStride())
          return slice.emitOpError() << "has strides; the CUDA stage takes contiguous slices";
        llvm::SmallBitVector dropped = slice.getDroppedDims();
        Coordinates source;
        size_t next = 0;
        for (auto [dimension, offset] : llvm::enumerate(slice.getMixedOffsets())) {
          Coordinate inside = dropped[dimension] ? Coordinate::of(0) : at[next++];
          FailureOr<Coordinate> origin = Coordinate();
          if (auto constant = dyn_cast<Attribute>(offset))
            origin = Coordinate::of(cast<IntegerAttr>(constant).getInt());
          else
            origin = index(cast<Value>(offset));
          if (failed(origin))
            return failure();
          source.push_back(added(inside, *origin));
        }
        return pass(slice.getSource(), source);
      })
      .Case([&](tensor::InsertSliceOp slice) -> FailureOr<std::string> {
        if (!slice.hasUnitStride() || !llvm::all_of(slice.getMixedOffsets(), [](OpFoldResult o) {
              return isa<Attribute>(o);
            }))
          return slice.emitOpError() << "does not insert at a constant place";
        llvm::SmallBitVector dropped = slice.getDroppedDims();
        Coordinates inside;
        std::string condition;
        for (auto [dimension, coordinate] : llvm::enumerate(at)) {
          int64_t origin = slice.getStaticOffset(dimension),
                  end = origin + slice.getStaticSize(dimension);
          if (coordinate.high <= origin || coordinate.low >= end)
            return pass(slice.getDest(), at);
          if (coordinate.low < origin || coordinate.high > end)
            condition = both(
                condition,
                both(coordinate.low < origin ? std::to_string(origin) + " <= " + coordinate.text()
                                             : "",
                     coordinate.high > end ? coordinate.text() + " < " + std::to_string(end) : ""));
          if (!dropped[dimension])
            inside.push_back(added(coordinate, Coordinate::of(-origin)));
        }
        if (condition.empty())
          return pass(slice.getSource(), inside);
        // Told apart by element: what is not chosen is not read either.
        auto guarded = [&](Value source, const Coordinates &coordinates, std::string guard) {
          ElementScope part = scope;
          part.guard = both(scope.guard, guard);
          return ElementPrinter(part).element(source, coordinates);
        };
        FailureOr<std::string> in = guarded(slice.getSource(), inside, condition),
                               out = guarded(slice.getDest(), at, "!(" + condition + ")");
        if (failed(in) || failed(out))
          return failure();
        return "(" + condition + " ? " + *in + " : " + *out + ")";
      })
      .Case([&](arith::ConstantOp constant) -> FailureOr<std::string> {
        auto values = dyn_cast<SplatElementsAttr>(constant.getValue());
        if (!values)
          return constant.emitOpError() << "is a table; the CUDA stage takes splats only";
        return constantText(values.getSplatValue<Attribute>());
      })
      .Case([&](tensor::EmptyOp empty) -> FailureOr<std::string> {
        // Nothing is written there: any value will do.
        return std::string(isa<FloatType>(empty.getType().getElementType()) ? "0.0f" : "0");
      })
      .Default([&](Operation *) -> FailureOr<std::string> {
        return op->emitOpError() << "has no CUDA form as a tensor";
      });
}

FailureOr<std::string> ElementPrinter::generic(linalg::GenericOp op, const Coordinates &at) {
  if (op.getNumResults() != 1)
    return op.emitOpError() << "has " << op.getNumResults() << " results; the CUDA stage takes one";
  FailureOr<Coordinates> loops = loopCoordinates(op, at);
  if (failed(loops))
    return failure();
  if (op.getNumReductionLoops() > 0)
    return reduction(op, *loops);
  bool bad = false;
  BodyInputs inputs;
  inputs.argument = [&](unsigned number) -> std::string {
    OpOperand &operand = op->getOpOperand(number);
    FailureOr<Coordinates> where =
        operandCoordinates(op, op.getMatchingIndexingMap(&operand), *loops);
    FailureOr<std::string> text =
        succeeded(where) ? element(operand.get(), *where) : FailureOr<std::string>();
    bad |= failed(text);
    return succeeded(text) ? *text : "0";
  };
  inputs.index = [&](unsigned dimension) { return (*loops)[dimension].text(); };
  inputs.outside = [&](Value value) -> std::string {
    FailureOr<std::string> text = scalar(value);
    bad |= failed(text);
    return succeeded(text) ? *text : "0";
  };
  CodeText &text = sink(at);
  ScalarOptions options = scope.scalars;
  options.unroundedResult = op.getResult(0) == scope.unrounded;
  FailureOr<std::string> result =
      bodyExpression(*op.getBody(), inputs, text, scope.unique, options);
  if (bad || failed(result))
    return failure();
  // A value with a name of its own is cheap to use again.
  if (!StringRef(*result).contains('('))
    return result;
  std::string name = scope.unique.fresh("v");
  text.line("const " + registerType(getElementTypeOrSelf(op.getResult(0).getType())) + " " + name +
            " = " + *result + ";");
  return name;
}

FailureOr<Combiner> cuda::combinerOf(linalg::GenericOp op) {
  Block &body = *op.getBody();
  Value out = body.getArguments().back();
  Operation *last = body.getTerminator()->getOperand(0).getDefiningOp();
  Combiner result;
  result.op = last;
  bool readsOut = last && last->getBlock() == &body && last->getNumOperands() == 2 &&
                  (last->getOperand(0) == out) != (last->getOperand(1) == out) && out.hasOneUse();
  if (readsOut && isa<arith::AddFOp>(last)) {
    result.identity = "0.0f";
    result.warpFunction = "Sum";
  } else if (readsOut && isa<arith::MaxNumFOp, arith::MaximumFOp>(last)) {
    result.identity = "-INFINITY";
    result.warpFunction = "Maximum";
  } else if (readsOut && isa<arith::MaxSIOp>(last) && last->getResult(0).getType().isInteger(64)) {
    result.identity = constantText(Builder(op).getI64IntegerAttr(INT64_MIN));
    result.warpFunction = "Maximum";
  } else if (readsOut && isa<arith::AddIOp>(last) && last->getResult(0).getType().isInteger(64)) {
    result.identity = "0";
    result.warpFunction = "Sum";
  } else {
    return op.emitOpError() << "reduces by something else than a sum or a maximum";
  }
  return result;
}

FailureOr<std::string> Combiner::apply(StringRef left, StringRef right) const {
  return scalarExpression(op, {left.str(), right.str()});
}

/// A reduction in one thread, as a loop: for the few parts of something, not for long rows.
FailureOr<std::string> ElementPrinter::reduction(linalg::GenericOp op, Coordinates loops) {
  FailureOr<Combiner> combiner = combinerOf(op);
  if (failed(combiner))
    return failure();
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  CodeText &text = sink(loops);
  std::string sum = scope.unique.fresh("sum");
  OpOperand *init = op.getDpsInitOperand(0);
  FailureOr<Coordinates> initAt = operandCoordinates(op, op.getMatchingIndexingMap(init), loops);
  FailureOr<std::string> start =
      succeeded(initAt) ? element(init->get(), *initAt) : FailureOr<std::string>();
  if (failed(start))
    return failure();
  text.line(registerType(getElementTypeOrSelf(op.getResult(0).getType())) + " " + sum + " = " +
            *start + ";");
  CodeText inside(text.indentation());
  unsigned open = 0;
  for (auto [dimension, kind] : llvm::enumerate(op.getIteratorTypesArray())) {
    if (kind != utils::IteratorType::reduction)
      continue;
    if (extents[dimension] == 1) {
      loops[dimension] = Coordinate::of(0);
      continue;
    }
    std::string name = scope.unique.fresh("r");
    inside.openUnrolled(name, extents[dimension]);
    ++open;
    loops[dimension] = Coordinate::variable(name, 0, extents[dimension]);
  }
  // Inside the loop everything is done element by element.
  for (Coordinate &coordinate : loops)
    if (coordinate.lane == Coordinate::Contiguous) {
      coordinate.base = coordinate.text();
      coordinate.lane = Coordinate::Fixed;
      coordinate.multiple = 1;
      coordinate.constant = std::nullopt;
    } else if (coordinate.lane == Coordinate::Folded) {
      coordinate.lane = Coordinate::Fixed;
    }
  ElementScope innerScope{scope.names, scope.unique, inside,        inside,
                          1,           scope.guard,  scope.scalars, scope.held};
  ElementPrinter inner(innerScope);
  bool bad = false;
  BodyInputs inputs;
  inputs.argument = [&](unsigned number) -> std::string {
    if (number + 1 == op->getNumOperands())
      return sum;
    OpOperand &operand = op->getOpOperand(number);
    FailureOr<Coordinates> where =
        operandCoordinates(op, op.getMatchingIndexingMap(&operand), loops);
    FailureOr<std::string> value =
        succeeded(where) ? inner.element(operand.get(), *where) : FailureOr<std::string>();
    bad |= failed(value);
    return succeeded(value) ? *value : "0";
  };
  inputs.index = [&](unsigned dimension) { return loops[dimension].text(); };
  inputs.outside = [&](Value value) -> std::string {
    FailureOr<std::string> outer = scalar(value);
    bad |= failed(outer);
    return succeeded(outer) ? *outer : "0";
  };
  FailureOr<std::string> next =
      bodyExpression(*op.getBody(), inputs, inside, scope.unique, scope.scalars);
  if (bad || failed(next))
    return failure();
  inside.line(sum + " = " + *next + ";");
  while (open-- > 0)
    inside.close();
  text.append(inside);
  return sum;
}
