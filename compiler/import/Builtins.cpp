// Look-up of built-in functions, and the checks of their arguments.
#include "compiler/import/Builtins.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>

using namespace quire;
using namespace quire::importer;

const Builtin *quire::importer::findBuiltin(llvm::StringRef name) {
  for (llvm::ArrayRef<Builtin> table : {staticBuiltins(), rowBuiltins(), attentionBuiltins()})
    for (const Builtin &builtin : table)
      if (name == builtin.name)
        return &builtin;
  return nullptr;
}

bool quire::importer::isConstant(llvm::StringRef name) {
  return name == "inf" || name == "pi" || name == "context";
}

static Status bad(const char *name, const Value &value, const std::string &rule) {
  return Status::error(ErrorCode::InvalidArgument,
                       std::string(name) + " is " + value.describe() + "; it must be " + rule);
}

Result<int64_t> quire::importer::sizeArgument(const Value &value, const char *name, int64_t low,
                                              int64_t high) {
  const auto *integer = value.as<int64_t>();
  if (integer && *integer >= low && *integer <= high)
    return *integer;
  return bad(name, value,
             "an integer from " + std::to_string(low) + " to " + std::to_string(high));
}

Result<double> quire::importer::numberArgument(const Value &value, const char *name) {
  if (auto number = value.asNumber(); number && std::isfinite(*number))
    return *number;
  return bad(name, value, "a finite number");
}

Result<std::string> quire::importer::textArgument(const Value &value, const char *name) {
  if (const auto *text = value.as<std::string>())
    return *text;
  return bad(name, value, "a text");
}

Result<Tensor> quire::importer::rowsArgument(const Value &value, const char *name, int64_t rank) {
  const auto *tensor = value.as<Tensor>();
  if (tensor && tensor->rows != Rows::Weight && tensor->type().getRank() == rank &&
      tensor->type().getElementType().isF32())
    return *tensor;
  return bad(name, value,
             rank == 2 ? "a tensor [rows, columns] of f32" : "a tensor [rows, heads, columns] of f32");
}

Result<Tensor> quire::importer::tokensArgument(const Value &value, const char *name,
                                               int64_t rank) {
  QUIRE_ASSIGN_OR_RETURN(Tensor tensor, rowsArgument(value, name, rank));
  if (tensor.rows == Rows::Tokens)
    return tensor;
  return bad(name, value, "used before take_rows, while every token has a row");
}

Result<Tensor> quire::importer::weightArgument(const Value &value, const char *name,
                                               llvm::ArrayRef<int64_t> shape) {
  const auto *tensor = value.as<Tensor>();
  if (tensor && tensor->rows == Rows::Weight &&
      tensor->type().getRank() == static_cast<int64_t>(shape.size()) &&
      llvm::all_of(llvm::zip(tensor->type().getShape(), shape), [](auto pair) {
        return std::get<1>(pair) < 0 || std::get<0>(pair) == std::get<1>(pair);
      }))
    return *tensor;
  std::string rule = "a weight [";
  for (auto [index, size] : llvm::enumerate(shape))
    rule += (index ? ", " : "") + (size < 0 ? std::string("any") : std::to_string(size));
  return bad(name, value, rule + "]");
}

Result<std::optional<Tensor>> quire::importer::optionalWeight(const Value &value, const char *name,
                                                              llvm::ArrayRef<int64_t> shape) {
  if (value.isNull())
    return std::optional<Tensor>();
  QUIRE_ASSIGN_OR_RETURN(Tensor tensor, weightArgument(value, name, shape));
  return std::optional<Tensor>(tensor);
}
