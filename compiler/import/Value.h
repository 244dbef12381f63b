// Values of the template language: what an expression is worth while a model is imported. A value is
// static (null, flag, integer, number, text, list, a record of config.json) or lives in the graph
// (a tensor, a cache). Arithmetic on static values happens now, arithmetic on tensors becomes ops.
#pragma once

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"
#include <nlohmann/json.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace quire::importer {

struct Value;
using List = std::shared_ptr<const std::vector<Value>>;

/// An object inside config.json. `path` is how a message names it, such as "rope_scaling".
struct Record {
  const nlohmann::json *object;
  std::string path;
};

/// What the first dimension of a tensor counts.
enum class Rows { Weight, Tokens, Samples };

struct Tensor {
  mlir::Value value;
  Rows rows;

  mlir::RankedTensorType type() const {
    return llvm::cast<mlir::RankedTensorType>(value.getType());
  }
};

/// The paged state of a layer, after this step's rows were appended.
struct Cache {
  mlir::Value value;
};

struct Value {
  std::variant<std::monostate, bool, int64_t, double, std::string, List, Record, Tensor, Cache> held;

  static Value null() { return {}; }
  static Value flag(bool value) { return {value}; }
  static Value integer(int64_t value) { return {value}; }
  static Value number(double value) { return {value}; }
  static Value text(std::string value) { return {std::move(value)}; }
  static Value list(std::vector<Value> elements) {
    return {std::make_shared<const std::vector<Value>>(std::move(elements))};
  }

  /// The value as a T, or null if it is something else.
  template <class T> const T *as() const { return std::get_if<T>(&held); }
  bool isNull() const { return as<std::monostate>(); }
  /// An integer or a number.
  std::optional<double> asNumber() const {
    if (const auto *integer = as<int64_t>())
      return static_cast<double>(*integer);
    if (const auto *number = as<double>())
      return *number;
    return std::nullopt;
  }

  /// For messages: "4", "'silu'", "null", "a tensor [tokens, 64] of f32".
  std::string describe() const;
};

/// Equality of static values; integers and numbers compare as numbers. Anything of the graph, and
/// records, are equal to nothing.
bool equal(const Value &a, const Value &b);

/// A JSON value as the language sees it; `path` names it in messages. Objects become records that
/// point into `json`, which must outlive the value. Lists nested deeper than 16 become null.
Value fromJson(const nlohmann::json &json, const std::string &path, unsigned depth = 0);

} // namespace quire::importer
