// Evaluates printed C index expressions: integers, names, + * / % >> << & ^ and parentheses, with C's
// precedence. Lets a test check what is printed by its value and not by its spelling.
#pragma once

#include <map>
#include <string>

namespace quire::test {

/// Throws std::invalid_argument for anything else.
long evaluate(const std::string &text, const std::map<std::string, long> &values);

} // namespace quire::test
