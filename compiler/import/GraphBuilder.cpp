// The function @step, its arguments and results, and the values that are made once.
#include "compiler/import/GraphBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Location.h"

using namespace mlir;
using namespace quire;
using namespace quire::importer;

GraphBuilder::GraphBuilder(MLIRContext &context, const GraphSettings &settings)
    : builder(&context), settings(settings), currentLocation(UnknownLoc::get(&context)) {
  module = ModuleOp::create(currentLocation);
  builder.setInsertionPointToEnd(module->getBody());
  function = func::FuncOp::create(builder, currentLocation, "step", builder.getFunctionType({}, {}));
  block = function.addEntryBlock();
  builder.setInsertionPointToEnd(block);
}

void GraphBuilder::setLocation(StringRef place) {
  currentLocation = NameLoc::get(builder.getStringAttr(place));
}

Status GraphBuilder::count() {
  if (++operations <= settings.maxOperations)
    return Status::ok();
  return Status::error(ErrorCode::OutOfRange, "the model needs more than " +
                                                  std::to_string(settings.maxOperations) +
                                                  " operations; look for absurd numbers in "
                                                  "config.json");
}

Type GraphBuilder::elementType(plan::ElementType type) {
  switch (type) {
  case plan::ElementType::F16:
    return builder.getF16Type();
  case plan::ElementType::BF16:
    return builder.getBF16Type();
  default:
    return builder.getF32Type();
  }
}

RankedTensorType GraphBuilder::rowType(ArrayRef<int64_t> row, Type element) {
  SmallVector<int64_t> shape{ShapedType::kDynamic};
  shape.append(row.begin(), row.end());
  return RankedTensorType::get(shape, element ? element : builder.getF32Type());
}

mlir::Value GraphBuilder::addArgument(const std::string &name, Type type) {
  mlir::Value argument = block->addArgument(type, currentLocation);
  arguments.push_back({name, argument});
  return argument;
}

Tensor GraphBuilder::input(const std::string &name, bool isInteger, ArrayRef<int64_t> row) {
  return {addArgument(name, rowType(row, isInteger ? Type(builder.getI32Type()) : Type())),
          Rows::Tokens};
}

Tensor GraphBuilder::weight(const std::string &name, const std::string &tensor,
                            ArrayRef<int64_t> shape, bool transposed, plan::ElementType element) {
  auto [entry, isNew] = weights.try_emplace(tensor + (transposed ? " transposed" : ""));
  if (isNew) {
    auto source = graph::SourceAttr::get(builder.getContext(), tensor, shape[0],
                                         shape.size() == 2 ? shape[1] : 1, transposed);
    entry->second = {make<graph::WeightOp>(RankedTensorType::get(shape, elementType(element)), name,
                                           graph::SourcesAttr::get(builder.getContext(), source)),
                     Rows::Weight};
  }
  return entry->second;
}

Result<Tensor> GraphBuilder::rotaryTable(ArrayRef<float> frequencies, double scale) {
  std::vector<float> key(frequencies);
  key.push_back(static_cast<float>(scale));
  for (const auto &[known, table] : tables)
    if (known == key)
      return table;
  if (settings.context < 1)
    return Status::error(ErrorCode::InvalidArgument,
                         "the template defines no max_context, so the table has no length");
  auto type = RankedTensorType::get({settings.context, 2 * int64_t(frequencies.size())},
                                    builder.getF32Type());
  Tensor table{make<graph::RotaryTableOp>(type, frequencies, llvm::APFloat(float(scale))),
               Rows::Weight};
  tables.emplace_back(std::move(key), table);
  return table;
}

Tensor GraphBuilder::positions() {
  if (!positionsValue.value)
    positionsValue.value =
        make<graph::PositionsOp>(rowType({}, builder.getI32Type()), batch());
  return positionsValue;
}

mlir::Value GraphBuilder::batch() {
  if (!batchValue)
    batchValue = addArgument("", graph::BatchType::get(builder.getContext()));
  return batchValue;
}

Result<Cache> GraphBuilder::append(const std::string &name, int64_t window,
                                   ArrayRef<std::pair<std::string, Tensor>> components) {
  for (const Named &cache : caches)
    if (cache.name == name)
      return Status::error(ErrorCode::InvalidArgument,
                           "cache '" + name + "' is appended to twice; a cache needs its own name");
  SmallVector<graph::ComponentAttr> attributes;
  SmallVector<Attribute> names;
  SmallVector<mlir::Value> values;
  for (const auto &[component, tensor] : components) {
    for (Attribute other : names)
      if (cast<StringAttr>(other).getValue() == component)
        return Status::error(ErrorCode::InvalidArgument,
                             "component \"" + component + "\" is given twice");
    ArrayRef<int64_t> shape = tensor.type().getShape();
    attributes.push_back(
        graph::ComponentAttr::get(builder.getContext(), component, shape[1], shape[2]));
    names.push_back(builder.getStringAttr(component));
    values.push_back(tensor.value);
  }
  auto type = graph::CacheType::get(builder.getContext(), settings.pageSize,
                                    elementType(settings.cacheElement), window, attributes);
  mlir::Value operand = batch();
  mlir::Value before = addArgument(name, type);
  mlir::Value after = make<graph::CacheAppendOp>(type, before, operand,
                                                 builder.getArrayAttr(names), ValueRange(values));
  caches.push_back({name, after});
  return Cache{after};
}

Status GraphBuilder::output(const std::string &name, const Value &value) {
  const auto *tensor = value.as<Tensor>();
  if (!tensor || tensor->rows == Rows::Weight)
    return Status::error(ErrorCode::InvalidArgument,
                         "an output is a tensor of rows, not " + value.describe());
  outputs.push_back({name, tensor->value});
  return Status::ok();
}

OwningOpRef<ModuleOp> GraphBuilder::finish() {
  std::vector<Named> results = outputs;
  for (const Named &cache : caches)
    results.push_back({"", cache.value});
  SmallVector<mlir::Value> values;
  for (const Named &result : results)
    values.push_back(result.value);
  func::ReturnOp::create(builder, currentLocation, values);
  function.setType(builder.getFunctionType(block->getArgumentTypes(), TypeRange(ValueRange(values))));
  for (auto [index, argument] : llvm::enumerate(arguments))
    if (!argument.name.empty())
      function.setArgAttr(index, "quire.name", builder.getStringAttr(argument.name));
  for (auto [index, result] : llvm::enumerate(results))
    if (!result.name.empty())
      function.setResultAttr(index, "quire.name", builder.getStringAttr(result.name));
  return std::move(module);
}
