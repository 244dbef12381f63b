// Arithmetic of the template language. Static operands give a static result at once; as soon as one
// operand is a tensor, the operation becomes upstream arith and math ops, with numbers splat to the
// tensor's shape and integer tensors converted where they meet f32.
#pragma once

#include "compiler/import/Expression.h"
#include "compiler/import/GraphBuilder.h"

namespace quire::importer {

/// Errors name both operands and the rule that they break.
Result<Value> binary(GraphBuilder &graph, Operator op, const Value &left, const Value &right);
/// Negate or Not.
Result<Value> unary(GraphBuilder &graph, Operator op, const Value &operand);
/// sqrt exp log sin cos tanh erf abs floor ceil of a number, or elementwise of a tensor.
Result<Value> elementwise(GraphBuilder &graph, llvm::StringRef function, const Value &operand);
/// `left` where the flag (or the tensor of flags) holds, else `right`.
Result<Value> choose(GraphBuilder &graph, const Value &condition, const Value &left,
                     const Value &right);
/// The smaller or larger of two numbers, or elementwise.
Result<Value> extreme(GraphBuilder &graph, bool largest, const Value &left, const Value &right);

} // namespace quire::importer
