// The expressions of model templates: a small language in the manner of Python's, parsed into a tree.
//
//   expression  := or [ "if" or [ "else" expression ] ]        without "else" it is null
//   or          := and { "or" and }
//   and         := not { "and" not }
//   not         := "not" not | comparison
//   comparison  := sum [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in") sum ]
//   sum         := product { ("+" | "-") product }
//   product     := unary { ("*" | "/" | "//" | "%") unary }
//   unary       := "-" unary | power
//   power       := postfix [ "**" unary ]
//   postfix     := atom { "[" expression "]" | "." name }
//   atom        := number | 'text {expression}' | true | false | null | name
//                | name "(" [ [name "="] expression { "," … } ] ")" | "[" … "]" | "(" … ")"
#pragma once

#include "compiler/import/Value.h"
#include "runtime/base/Status.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace quire::importer {

enum class Operator {
  Add, Subtract, Multiply, Divide, FloorDivide, Modulo, Power,
  Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual, In, NotIn,
  And, Or, Not, Negate
};

const char *spelling(Operator op);

struct Expression {
  enum class Kind {
    Literal,     ///< `literal`
    Name,        ///< `text`
    Operation,   ///< `op` on one or two children
    Conditional, ///< condition, value, other value
    Call,        ///< function `text`; `labels[i]` is the name of argument i or empty
    Index,       ///< list, index
    Member,      ///< record, `text`
    List,        ///< the children
    Format       ///< text made of the children one after the other
  };
  Kind kind;
  Operator op = Operator::Add;
  unsigned column; ///< 1-based place in the whole text
  unsigned depth = 1;
  std::string text;
  Value literal;
  std::vector<std::unique_ptr<Expression>> children;
  std::vector<std::string> labels;
};
using ExpressionPtr = std::unique_ptr<Expression>;

/// Deepest tree accepted; keeps every recursion over a tree small.
inline constexpr unsigned kMaxExpressionDepth = 100;

/// Parses all of `text`. `column` is the place of its first character, for messages. Error:
/// InvalidArgument "column N: expected …".
Result<ExpressionPtr> parseExpression(std::string_view text, unsigned column = 1);

/// Parses the inside of a text with "{expression}" parts, such as a tensor's name pattern.
Result<ExpressionPtr> parseFormat(std::string_view text, unsigned column = 1);

/// Parses "[expression, …]" at the start of `text` and tells how many characters that took.
Result<ExpressionPtr> parseList(std::string_view text, unsigned column, size_t &length);

/// Whether `text` is a name: a letter or "_", then letters, digits and "_".
bool isName(std::string_view text);

} // namespace quire::importer
