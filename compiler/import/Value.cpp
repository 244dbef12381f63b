// How values print, compare, and come out of JSON.
#include "compiler/import/Value.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace quire::importer;

static std::string describeNumber(double number) {
  if (std::isinf(number))
    return number < 0 ? "-inf" : "inf";
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.10g", number);
  return text;
}

static std::string describeTensor(const Tensor &tensor) {
  std::string text;
  llvm::raw_string_ostream out(text);
  out << (tensor.rows == Rows::Weight ? "a weight [" : "a tensor [");
  for (auto [index, size] : llvm::enumerate(tensor.type().getShape())) {
    out << (index ? ", " : "");
    if (!mlir::ShapedType::isDynamic(size))
      out << size;
    else
      out << (index ? "keys" : tensor.rows == Rows::Samples ? "samples" : "tokens");
  }
  out << "] of " << tensor.type().getElementType();
  return text;
}

std::string Value::describe() const {
  if (const auto *value = as<bool>())
    return *value ? "true" : "false";
  if (const auto *value = as<int64_t>())
    return std::to_string(*value);
  if (const auto *value = as<double>())
    return describeNumber(*value);
  if (const auto *value = as<std::string>())
    return "'" + *value + "'";
  if (const auto *value = as<List>())
    return "a list of " + std::to_string((*value)->size());
  if (const auto *value = as<Record>())
    return "the object " + value->path;
  if (const auto *value = as<Tensor>())
    return describeTensor(*value);
  return as<Cache>() ? "a cache" : "null";
}

bool quire::importer::equal(const Value &a, const Value &b) {
  if (const auto *left = a.as<int64_t>(), *right = b.as<int64_t>(); left && right)
    return *left == *right;
  if (auto left = a.asNumber(), right = b.asNumber(); left && right)
    return *left == *right;
  if (const auto *left = a.as<std::string>(), *right = b.as<std::string>(); left && right)
    return *left == *right;
  if (const auto *left = a.as<bool>(), *right = b.as<bool>(); left && right)
    return *left == *right;
  if (const auto *left = a.as<List>(), *right = b.as<List>(); left && right)
    return (*left)->size() == (*right)->size() &&
           std::equal((*left)->begin(), (*left)->end(), (*right)->begin(), equal);
  return a.isNull() && b.isNull();
}

Value quire::importer::fromJson(const nlohmann::json &json, const std::string &path,
                                unsigned depth) {
  constexpr unsigned kMaxListDepth = 16;
  if (json.is_boolean())
    return Value::flag(json.get<bool>());
  if (json.is_number_unsigned() && json.get<uint64_t>() > uint64_t(INT64_MAX))
    return Value::number(static_cast<double>(json.get<uint64_t>()));
  if (json.is_number_integer())
    return Value::integer(json.get<int64_t>());
  if (json.is_number())
    return Value::number(json.get<double>());
  if (json.is_string())
    return Value::text(json.get<std::string>());
  if (json.is_object())
    return {Record{&json, path}};
  if (json.is_array() && depth < kMaxListDepth) {
    std::vector<Value> elements;
    elements.reserve(json.size());
    for (const nlohmann::json &element : json)
      elements.push_back(fromJson(element, path + "[" + std::to_string(elements.size()) + "]",
                                  depth + 1));
    return Value::list(std::move(elements));
  }
  return Value::null();
}
