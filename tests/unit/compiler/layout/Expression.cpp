// Implements Expression.h by precedence climbing.
#include "Expression.h"

#include <cctype>
#include <stdexcept>

namespace quire::test {
namespace {

struct Operator {
  const char *text;
  int precedence;
  long (*apply)(long, long);
};

constexpr Operator kOperators[] = {
    {"*", 5, [](long a, long b) { return a * b; }},
    {"/", 5, [](long a, long b) { return a / b; }},
    {"%", 5, [](long a, long b) { return a % b; }},
    {"+", 4, [](long a, long b) { return a + b; }},
    {">>", 3, [](long a, long b) { return a >> b; }},
    {"<<", 3, [](long a, long b) { return a << b; }},
    {"&", 2, [](long a, long b) { return a & b; }},
    {"^", 1, [](long a, long b) { return a ^ b; }},
};

class Parser {
public:
  Parser(const std::string &text, const std::map<std::string, long> &values)
      : text(text), values(values) {}

  long run() {
    long value = expression(1);
    if (at != text.size())
      throw std::invalid_argument("trailing text in " + text);
    return value;
  }

private:
  void skip() {
    while (at < text.size() && text[at] == ' ')
      ++at;
  }

  const Operator *nextOperator() {
    skip();
    for (const Operator &op : kOperators)
      if (text.compare(at, std::string(op.text).size(), op.text) == 0)
        return &op;
    return nullptr;
  }

  long expression(int precedence) {
    long value = primary();
    while (const Operator *op = nextOperator()) {
      if (op->precedence < precedence)
        break;
      at += std::string(op->text).size();
      value = op->apply(value, expression(op->precedence + 1));
    }
    return value;
  }

  long primary() {
    skip();
    size_t start = at;
    if (at < text.size() && text[at] == '(') {
      ++at;
      long value = expression(1);
      skip();
      if (at == text.size() || text[at++] != ')')
        throw std::invalid_argument("missing ) in " + text);
      return value;
    }
    while (at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) || text[at] == '_'))
      ++at;
    std::string word = text.substr(start, at - start);
    if (!word.empty() && std::isdigit(static_cast<unsigned char>(word[0])))
      return std::stol(word);
    auto found = values.find(word);
    if (found == values.end())
      throw std::invalid_argument("unknown '" + word + "' in " + text);
    return found->second;
  }

  const std::string &text;
  const std::map<std::string, long> &values;
  size_t at = 0;
};

} // namespace

long evaluate(const std::string &text, const std::map<std::string, long> &values) {
  return Parser(text, values).run();
}

} // namespace quire::test
