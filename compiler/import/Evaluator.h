// Runs a template: looks names up, evaluates expressions, executes steps. Static parts are computed,
// calls of graph functions become operations. Work is bounded, so that no template and no config.json
// can make it run away.
#pragma once

#include "compiler/import/Builtins.h"
#include "compiler/import/Config.h"
#include "compiler/import/GraphBuilder.h"
#include "compiler/import/Template.h"

namespace quire::importer {

/// Passes of one loop, and so the layers of a model.
inline constexpr int64_t kMaxLoopCount = 1024;

class Evaluator {
public:
  struct Limits {
    uint64_t steps = 50'000'000; ///< expression nodes evaluated in all
    unsigned depth = 400;        ///< of expressions and calls within each other
    size_t textBytes = 4096;     ///< of any text that is put together
  };

  /// Everything must outlive this object.
  Evaluator(const Template &model, Config &config, WeightCatalog &catalog, GraphBuilder &graph,
            const Limits &limits);

  /// Checks every declared field and every requirement.
  Status checkConfig();
  /// Makes the inputs, runs the graph and gives the outputs to the builder.
  Status run();
  /// The value of a definition without parameters, or null if the template has none.
  Result<Value> definition(std::string_view name);

private:
  using Names = std::map<std::string, Value, std::less<>>;
  /// The names of a running definition, and where it was written.
  struct Frame {
    Names locals;
    Origin origin;
  };

  const Template &model;
  Config &config;
  WeightCatalog &catalog;
  GraphBuilder &graph;
  const Limits limits;
  uint64_t stepsTaken = 0;
  unsigned depth = 0;
  std::vector<Frame> frames;
  std::vector<std::pair<std::string, int64_t>> loops; ///< visible everywhere inside the loop
  Names inputs, fields;
  std::string prefix;
  bool prefixKnown = false;

  Frame &frame() { return frames.back(); }
  Status fail(const Expression &at, const std::string &message,
              ErrorCode code = ErrorCode::InvalidArgument) const;
  /// Gives an error from arithmetic or a built-in function its place in the template.
  Status locate(const Expression &at, Status status, const std::string &what = {}) const;

  Result<Value> evaluate(const Expression &expression);
  Result<Value> evaluateNode(const Expression &expression);
  Result<Value> evaluateName(const Expression &expression);
  Result<Value> evaluateOperation(const Expression &expression);
  Result<Value> evaluateConditional(const Expression &expression);
  Result<Value> evaluateIndex(const Expression &expression);
  Result<Value> evaluateMember(const Expression &expression);
  Result<Value> evaluateList(const Expression &expression);
  Result<Value> evaluateFormat(const Expression &expression);
  Result<Value> evaluateCall(const Expression &expression);
  Result<Value> callBuiltin(const Builtin &builtin, const Expression &call);
  Result<Value> callDefinition(const Definition &definition, Names arguments);

  /// An expression of its own place in the template, outside of any definition.
  Result<Value> evaluateAt(const Expression &expression, const Origin &origin);
  Result<Value> fieldValue(const Field &field);
  Result<Value> weightValue(const std::string &name, const WeightRule &rule);
  Result<std::vector<int64_t>> shapeOf(const Expression &expression, size_t leastRank,
                                       size_t mostRank);
  /// The prefix of `prefixes` under which the checkpoint has this tensor.
  const std::string &prefixFor(const std::string &tensor);

  /// Runs steps in the present frame; the value of the last Value step comes back.
  Result<Value> runSteps(const std::vector<Step> &steps);
  Result<Value> runFor(const Step &step);
  Result<Value> runCase(const Step &step);
  Status describeUnknown(const Expression &expression) const;
};

} // namespace quire::importer
