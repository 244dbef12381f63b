// Arithmetic on static values: integers stay integers where that is exact, overflow is an error.
#pragma once

#include "compiler/import/Expression.h"

namespace quire::importer {

/// `/` of two integers is an integer when it divides, else a number; comparisons of text, flags and
/// null are by == and != only; `in` looks a value up in a list.
Result<Value> staticBinary(Operator op, const Value &left, const Value &right);
Result<Value> staticUnary(Operator op, const Value &operand);
/// sqrt exp log sin cos tanh erf abs floor ceil of a number; floor and ceil give integers.
Result<Value> staticFunction(std::string_view function, const Value &operand);

} // namespace quire::importer
