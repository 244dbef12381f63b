// Built-in functions of attention, stated in its parts: append, scores, positions, softmax, mix.
#include "compiler/import/Builtins.h"

#include <array>

using namespace quire;
using namespace quire::importer;

namespace {

Status invalid(const std::string &message) {
  return Status::error(ErrorCode::InvalidArgument, message);
}

template <class Op, class... Args> Result<Value> make(Call &call, Args &&...args) {
  QUIRE_RETURN_IF_ERROR(call.graph.count());
  return Value{Tensor{call.graph.make<Op>(std::forward<Args>(args)...), Rows::Tokens}};
}

/// cache_append(name, window, k = …, v = …): window null retains everything.
Result<Value> runCacheAppend(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(std::string name, textArgument(call.arguments[0], "name"));
  int64_t window = 0;
  if (!call.arguments[1].isNull()) {
    QUIRE_ASSIGN_OR_RETURN(window, sizeArgument(call.arguments[1], "window", 1, kMaxDimension));
  }
  if (name.empty() || call.others.empty())
    return invalid("a cache needs a name and at least one component, such as k = …");
  std::vector<std::pair<std::string, Tensor>> components;
  for (const auto &[component, value] : call.others) {
    QUIRE_ASSIGN_OR_RETURN(Tensor tensor, tokensArgument(value, component.c_str(), 3));
    if (mlir::ShapedType::isDynamic(tensor.type().getShape()[2]))
      return invalid(component + " is " + value.describe() + "; its columns must be known");
    components.emplace_back(component, tensor);
  }
  QUIRE_RETURN_IF_ERROR(call.graph.count());
  QUIRE_ASSIGN_OR_RETURN(Cache cache, call.graph.append(name, window, components));
  return Value{cache};
}

struct Component {
  mlir::Value cache;
  graph::ComponentAttr attribute;
};

/// Arguments 1 and 2: a cache and the name of one of its components, which `heads` query heads read.
Result<Component> componentArgument(Call &call, int64_t heads) {
  const auto *cache = call.arguments[1].as<Cache>();
  if (!cache)
    return invalid("cache is " + call.arguments[1].describe() +
                   "; it must come from cache_append");
  QUIRE_ASSIGN_OR_RETURN(std::string name, textArgument(call.arguments[2], "component"));
  graph::ComponentAttr attribute =
      llvm::cast<graph::CacheType>(cache->value.getType()).lookup(name);
  if (!attribute)
    return invalid("the cache has no component '" + name + "'");
  if (heads % attribute.getHeads())
    return invalid(std::to_string(heads) + " query heads are no multiple of the " +
                   std::to_string(attribute.getHeads()) + " heads of component '" + name + "'");
  return Component{cache->value, attribute};
}

Result<Value> runScores(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(Tensor query, tokensArgument(call.arguments[0], "query", 3));
  llvm::ArrayRef<int64_t> shape = query.type().getShape();
  QUIRE_ASSIGN_OR_RETURN(Component component, componentArgument(call, shape[1]));
  if (component.attribute.getDim() != shape[2])
    return invalid("query is " + call.arguments[0].describe() + ", component '" +
                   component.attribute.getName().str() + "' has " +
                   std::to_string(component.attribute.getDim()) + " columns");
  mlir::Value batch = call.graph.batch();
  return make<graph::ScoresOp>(call, call.graph.rowType({shape[1], mlir::ShapedType::kDynamic}),
                               query.value, component.cache, component.attribute.getName(), batch);
}

Result<Tensor> scoresArgument(const Value &value, const char *name) {
  QUIRE_ASSIGN_OR_RETURN(Tensor scores, tokensArgument(value, name, 3));
  if (mlir::ShapedType::isDynamic(scores.type().getShape()[2]))
    return scores;
  return invalid(std::string(name) + " is " + value.describe() + "; it must come from scores");
}

template <graph::PositionKind kind> Result<Value> runPosition(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(Tensor scores, scoresArgument(call.arguments[0], "scores"));
  mlir::Value batch = call.graph.batch();
  auto type = mlir::RankedTensorType::get(scores.type().getShape(),
                                          call.graph.builder.getI32Type());
  return make<graph::PositionOp>(call, type, kind, scores.value, batch);
}

Result<Value> runSoftmax(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(Tensor scores, scoresArgument(call.arguments[0], "scores"));
  QUIRE_ASSIGN_OR_RETURN(auto sink, optionalWeight(call.arguments[1], "sink",
                                                   {scores.type().getShape()[1]}));
  return make<graph::SoftmaxOp>(call, scores.type(), scores.value,
                                sink ? sink->value : mlir::Value());
}

Result<Value> runMix(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(Tensor weights, scoresArgument(call.arguments[0], "weights"));
  int64_t heads = weights.type().getShape()[1];
  QUIRE_ASSIGN_OR_RETURN(Component component, componentArgument(call, heads));
  mlir::Value batch = call.graph.batch();
  return make<graph::MixOp>(call, call.graph.rowType({heads, component.attribute.getDim()}),
                            weights.value, component.cache, component.attribute.getName(), batch);
}

constexpr std::array kTable{
    Builtin{"cache_append", "name window *", runCacheAppend},
    Builtin{"scores", "query cache component", runScores},
    Builtin{"query_position", "scores", runPosition<graph::PositionKind::Query>},
    Builtin{"key_position", "scores", runPosition<graph::PositionKind::Key>},
    Builtin{"head_index", "scores", runPosition<graph::PositionKind::Head>},
    Builtin{"softmax", "scores sink?", runSoftmax},
    Builtin{"mix", "weights cache component", runMix},
};

} // namespace

llvm::ArrayRef<Builtin> quire::importer::attentionBuiltins() { return kTable; }
