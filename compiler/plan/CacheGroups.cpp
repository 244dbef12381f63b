// Implements CacheGroups.h.
#include "compiler/plan/CacheGroups.h"

#include "compiler/plan/PlanSymbols.h"
#include "runtime/plan/CacheGroups.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLExtras.h"

#include <map>

using namespace mlir;

namespace quire {
namespace {

/// Layers by the tokens that they keep; first those that keep all, then the longest windows.
using Classes = std::map<int64_t, SmallVector<size_t>, std::greater<>>;

int64_t groupsOf(const Classes &classes, int64_t size) {
  int64_t count = 0;
  for (const auto &[kept, members] : classes)
    count += llvm::divideCeil(members.size(), uint64_t(size));
  return count;
}

/// Tokens of one layer that a sequence of `context` tokens holds, over all groups of `size` layers.
int64_t layerTokens(const Classes &classes, int64_t size, int64_t context, int64_t pageSize) {
  int64_t tokens = 0;
  for (const auto &[kept, members] : classes)
    tokens += llvm::divideCeil(members.size(), uint64_t(size)) * size *
              plan::tokensHeld(kept == INT64_MAX ? 0 : kept, context, 1, pageSize);
  return tokens;
}

} // namespace

SmallVector<unsigned> groupCacheLayers(ArrayRef<CacheLayer> layers, int64_t context,
                                       int64_t pageSize) {
  SmallVector<unsigned> groups(layers.size(), 0);
  if (context <= 0)
    context = int64_t(1) << 40;
  Classes classes;
  for (auto [number, layer] : llvm::enumerate(layers)) {
    if (layer.pageBytes != layers[0].pageBytes)
      return groups;
    bool all = layer.window == 0 || layer.window >= context;
    classes[all ? INT64_MAX : layer.window].push_back(number);
  }
  if (classes.size() < 2)
    return groups;
  int64_t all = layers.size(), best = 0, least = all * context;
  for (int64_t size = all; size >= 1; --size) { // of equals the one with the fewest groups
    if (groupsOf(classes, size) > plan::kMaxCacheGroups)
      break;
    if (int64_t tokens = layerTokens(classes, size, context, pageSize); tokens < least) {
      least = tokens;
      best = size;
    }
  }
  if (best == 0)
    return groups;
  unsigned next = 0;
  for (const auto &[kept, members] : classes) {
    for (auto [place, layer] : llvm::enumerate(members))
      groups[layer] = next + unsigned(place / best);
    next += llvm::divideCeil(members.size(), uint64_t(best));
  }
  return groups;
}

llvm::DenseMap<Value, unsigned> groupCaches(func::FuncOp step) {
  SmallVector<Value> arguments;
  SmallVector<CacheLayer> layers;
  int64_t pageSize = 0;
  for (BlockArgument argument : step.getArguments())
    if (auto type = dyn_cast<graph::CacheType>(argument.getType())) {
      arguments.push_back(argument);
      layers.push_back({type.getWindow(), {}});
      for (graph::ComponentAttr component : type.getComponents())
        layers.back().pageBytes.push_back(pageBytes(type, component));
      pageSize = type.getPage();
    }
  auto context = step->getParentOfType<ModuleOp>()->getAttrOfType<IntegerAttr>("quire.max_context");
  SmallVector<unsigned> numbers =
      groupCacheLayers(layers, context ? context.getInt() : 0, pageSize);
  llvm::DenseMap<Value, unsigned> groups;
  for (auto [argument, number] : llvm::zip(arguments, numbers))
    groups[argument] = number;
  for (auto call : step.getOps<tile::CallOp>()) {
    std::optional<unsigned> group;
    for (Value input : call.getInputs())
      if (auto found = groups.find(input); found != groups.end()) {
        if (group && *group != found->second)
          return llvm::DenseMap<Value, unsigned>();
        group = found->second;
      }
    for (Value result : call.getResults())
      if (group && isa<graph::CacheType>(result.getType()))
        groups[result] = *group;
  }
  return groups;
}

} // namespace quire
