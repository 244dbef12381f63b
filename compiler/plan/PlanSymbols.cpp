// Creation of a plan's named memory.
#include "compiler/plan/PlanSymbols.h"

using namespace mlir;

namespace quire {

int64_t rowElements(RankedTensorType type) {
  int64_t product = 1;
  for (int64_t size : type.getShape().drop_front())
    product *= size;
  return product;
}

int64_t pageBytes(graph::CacheType type, graph::ComponentAttr component) {
  return component.getHeads() * component.getDim() * type.getPage() *
         (type.getElement().getIntOrFloatBitWidth() / 8);
}

StringAttr PlanSymbols::unique(StringRef wish) {
  std::string base, name;
  for (char letter : wish)
    base += llvm::isAlnum(letter) ? letter : '_';
  name = base;
  for (unsigned next = 1; symbols.lookup(name); ++next)
    name = base + "_" + std::to_string(next);
  return builder.getStringAttr(name);
}

StringAttr PlanSymbols::weight(graph::WeightOp weight, bool panels) {
  bool byRows = storage == Storage::Rows;
  StringAttr &symbol = weights[{weight, panels}];
  if (!symbol) {
    auto type = cast<RankedTensorType>(weight.getType());
    symbol = unique(weight.getName());
    auto op = planir::WeightOp::create(
        builder, weight.getLoc(), symbol, weight.getNameAttr(), weight.getSourcesAttr(),
        builder.getI64IntegerAttr(
            byRows || panels || type.getRank() == 1 ? columnPadding(storage) : 0),
        byRows ? builder.getUnitAttr() : UnitAttr(), TypeAttr::get(type));
    symbols.insert(op);
  }
  return symbol;
}

StringAttr PlanSymbols::rotaryTable(graph::RotaryTableOp table) {
  auto key = ArrayAttr::get(table.getContext(), {table.getFrequenciesAttr(), table.getScaleAttr(),
                                                 TypeAttr::get(table.getType())});
  StringAttr &symbol = tables[key];
  if (!symbol) {
    symbol = unique("rotary_table");
    auto op = planir::RotaryTableOp::create(builder, table.getLoc(), symbol,
                                            table.getFrequenciesAttr(), table.getScaleAttr(),
                                            TypeAttr::get(table.getType()));
    symbols.insert(op);
  }
  return symbol;
}

StringAttr PlanSymbols::pool(Location loc, StringRef cache, graph::CacheType type,
                             StringRef component, unsigned group) {
  std::string name = (cache + "." + component).str();
  StringAttr &symbol = pools[name];
  if (!symbol) {
    graph::ComponentAttr found = type.lookup(component);
    int64_t bytes = pageBytes(type, found);
    auto *place = llvm::find_if(places, [&](const Place &one) {
      return one.pageBytes == bytes && !(one.groups & (1u << group));
    });
    if (place == places.end())
      place = &places.emplace_back(Place{bytes, 0});
    place->groups |= 1u << group;
    symbol = unique(name);
    auto op = planir::PoolOp::create(
        builder, loc, symbol, builder.getStringAttr(name), TypeAttr::get(type.getElement()),
        builder.getI64IntegerAttr(found.getHeads() * found.getDim() * type.getPage()),
        builder.getI64IntegerAttr(group), builder.getI64IntegerAttr(place - places.begin()),
        builder.getI64IntegerAttr(type.getWindow()));
    symbols.insert(op);
  }
  return symbol;
}

StringAttr PlanSymbols::tensor(Location loc, StringRef name, RankedTensorType type,
                               planir::RowExtent extent, bool output) {
  StringAttr symbol = unique(name);
  int64_t columns = rowElements(type);
  auto op = planir::TensorOp::create(
      builder, loc, symbol, planir::RowExtentAttr::get(builder.getContext(), extent),
      builder.getI64IntegerAttr(columns), builder.getI64IntegerAttr(rowStride(columns)),
      TypeAttr::get(type.getElementType()), output ? builder.getUnitAttr() : UnitAttr());
  symbols.insert(op);
  return symbol;
}

StringAttr PlanSymbols::partition(Location loc, tile::PartitionAttr partition) {
  StringAttr &symbol = partitions[partition];
  if (!symbol) {
    symbol = unique("items");
    symbols.insert(
        planir::PartitionOp::create(builder, loc, symbol, partition, IntegerAttr()));
  }
  return symbol;
}

} // namespace quire
