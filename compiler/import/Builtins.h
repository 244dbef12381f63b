// The functions that the template language is born with: static ones and one for each graph op.
#pragma once

#include "compiler/import/Config.h"
#include "compiler/import/GraphBuilder.h"

#include "llvm/ADT/ArrayRef.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace quire::importer {

/// A call with its arguments in the order of the parameters; those left out are null.
struct Call {
  GraphBuilder &graph;
  Config &config;
  std::vector<Value> arguments;
  /// Named arguments beyond the parameters, for functions that take them.
  std::vector<std::pair<std::string, Value>> others;
};

struct Builtin {
  const char *name;
  /// Parameter names separated by spaces; "?" marks an optional one, "*" at the end takes others.
  const char *parameters;
  Result<Value> (*run)(const Builtin &self, Call &call);
};

/// Null when there is none of that name.
const Builtin *findBuiltin(llvm::StringRef name);
/// The parts of the table.
llvm::ArrayRef<Builtin> staticBuiltins();
llvm::ArrayRef<Builtin> rowBuiltins();
llvm::ArrayRef<Builtin> attentionBuiltins();

/// inf, pi, and context (the positions a plan is made for).
bool isConstant(llvm::StringRef name);

// --- Arguments: each names the argument and the rule in its error -------------------------------

Result<int64_t> sizeArgument(const Value &value, const char *name, int64_t low, int64_t high);
Result<double> numberArgument(const Value &value, const char *name);
Result<std::string> textArgument(const Value &value, const char *name);
/// A tensor of rows with this rank, of f32.
Result<Tensor> rowsArgument(const Value &value, const char *name, int64_t rank);
/// The same, with a row for each token (not only for the sampled ones).
Result<Tensor> tokensArgument(const Value &value, const char *name, int64_t rank);
/// A weight of this shape; a negative size stands for any.
Result<Tensor> weightArgument(const Value &value, const char *name, llvm::ArrayRef<int64_t> shape);
/// The same, empty for null.
Result<std::optional<Tensor>> optionalWeight(const Value &value, const char *name,
                                             llvm::ArrayRef<int64_t> shape);

} // namespace quire::importer
