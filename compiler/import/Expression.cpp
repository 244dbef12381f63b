// Recursive-descent parser of the expression language; the grammar is in Expression.h.
#include "compiler/import/Expression.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringRef.h"

#include <array>
#include <cmath>

using namespace quire;
using namespace quire::importer;

namespace {

struct OperatorSpelling {
  Operator op;
  const char *text;
};
constexpr std::array kSpellings{
    OperatorSpelling{Operator::Add, "+"},          OperatorSpelling{Operator::Subtract, "-"},
    OperatorSpelling{Operator::Multiply, "*"},     OperatorSpelling{Operator::Divide, "/"},
    OperatorSpelling{Operator::FloorDivide, "//"}, OperatorSpelling{Operator::Modulo, "%"},
    OperatorSpelling{Operator::Power, "**"},       OperatorSpelling{Operator::Equal, "=="},
    OperatorSpelling{Operator::NotEqual, "!="},    OperatorSpelling{Operator::Less, "<"},
    OperatorSpelling{Operator::LessEqual, "<="},   OperatorSpelling{Operator::Greater, ">"},
    OperatorSpelling{Operator::GreaterEqual, ">="}, OperatorSpelling{Operator::In, "in"},
    OperatorSpelling{Operator::NotIn, "not in"},   OperatorSpelling{Operator::And, "and"},
    OperatorSpelling{Operator::Or, "or"},          OperatorSpelling{Operator::Not, "not"},
    OperatorSpelling{Operator::Negate, "-"}};

bool startsName(char c) { return llvm::isAlpha(c) || c == '_'; }
bool continuesName(char c) { return llvm::isAlnum(c) || c == '_'; }

class Parser {
public:
  Parser(std::string_view text, unsigned column) : text(text), origin(column) {}

  Result<ExpressionPtr> parseAll() {
    QUIRE_ASSIGN_OR_RETURN(ExpressionPtr result, expression());
    if (peek() != End || at < text.size())
      return expected("an operator or the end");
    return result;
  }

  Result<ExpressionPtr> parseBracketList(size_t &length) {
    if (!accept("["))
      return expected("\"[\"");
    QUIRE_ASSIGN_OR_RETURN(ExpressionPtr result, list());
    length = at;
    return result;
  }

  /// The rest of the text up to `quote` (or its end, when that is End) as literal and {…} parts.
  Result<ExpressionPtr> format(char quote) {
    ExpressionPtr result = make(Expression::Kind::Format);
    std::string literal;
    auto flush = [&] {
      ExpressionPtr part = make(Expression::Kind::Literal);
      part->literal = Value::text(std::move(literal));
      literal.clear();
      result->children.push_back(std::move(part));
    };
    while (at < text.size() && (quote == End || text[at] != quote)) {
      char c = text[at++];
      if (c == '}')
        return fail("a \"}\" without its \"{\"");
      if (c != '{') {
        literal += c;
        continue;
      }
      flush();
      QUIRE_ASSIGN_OR_RETURN(ExpressionPtr part, expression());
      if (!accept("}"))
        return expected("\"}\"");
      result->children.push_back(std::move(part));
    }
    if (quote != End) {
      if (at == text.size())
        return fail("a text without its closing quote");
      ++at;
    }
    flush();
    if (result->children.size() == 1)
      return std::move(result->children.front());
    return finish(std::move(result));
  }

  static constexpr char End = '\0';

private:
  std::string_view text;
  unsigned origin;
  size_t at = 0;
  unsigned nesting = 0;

  // --- Characters and words -----------------------------------------------------------------------

  /// The next character that is no space, or End. A zero byte in the text reads as End too, so the
  /// real end is where `at` says.
  char peek() {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n'))
      ++at;
    return at < text.size() ? text[at] : End;
  }

  /// Takes `token` if it comes next. Words must end there; "*" is not taken from "**".
  bool accept(std::string_view token) {
    peek();
    if (text.substr(at, token.size()) != token)
      return false;
    char after = at + token.size() < text.size() ? text[at + token.size()] : End;
    if (startsName(token[0]) ? continuesName(after)
                             : ((token == "*" || token == "/") && after == token[0]) ||
                                   ((token == "<" || token == ">" || token == "=") && after == '='))
      return false;
    at += token.size();
    return true;
  }

  bool acceptNotIn() {
    size_t before = at;
    if (accept("not") && accept("in"))
      return true;
    at = before;
    return false;
  }

  std::string word() {
    size_t start = at;
    while (at < text.size() && continuesName(text[at]))
      ++at;
    return std::string(text.substr(start, at - start));
  }

  // --- Nodes and errors ---------------------------------------------------------------------------

  ExpressionPtr make(Expression::Kind kind) {
    auto node = std::make_unique<Expression>();
    node->kind = kind;
    node->column = origin + static_cast<unsigned>(at);
    return node;
  }

  Result<ExpressionPtr> finish(ExpressionPtr node) {
    for (const ExpressionPtr &child : node->children)
      node->depth = std::max(node->depth, child->depth + 1);
    if (node->depth > kMaxExpressionDepth)
      return fail("nested deeper than " + std::to_string(kMaxExpressionDepth) +
                  " levels; split it into definitions");
    return node;
  }

  Status fail(const std::string &message) {
    return Status::error(ErrorCode::InvalidArgument,
                         "column " + std::to_string(origin + at) + ": " + message);
  }

  Status expected(const std::string &what) {
    char next = peek();
    std::string found = at >= text.size() ? "the end" : "\"" + std::string(1, next) + "\"";
    if (startsName(next))
      found = "\"" + word() + "\"";
    return fail("expected " + what + ", found " + found);
  }

  Result<ExpressionPtr> operation(Operator op, unsigned column, ExpressionPtr left,
                                  ExpressionPtr right = nullptr) {
    ExpressionPtr node = make(Expression::Kind::Operation);
    node->op = op;
    node->column = column;
    node->children.push_back(std::move(left));
    if (right)
      node->children.push_back(std::move(right));
    return finish(std::move(node));
  }

  // --- Grammar ------------------------------------------------------------------------------------

  using Rule = Result<ExpressionPtr> (Parser::*)();

  Result<ExpressionPtr> expression() {
    if (++nesting > kMaxExpressionDepth)
      return fail("nested deeper than " + std::to_string(kMaxExpressionDepth) +
                  " levels; split it into definitions");
    llvm::scope_exit leave([&] { --nesting; });
    QUIRE_ASSIGN_OR_RETURN(ExpressionPtr value, disjunction());
    if (!accept("if"))
      return value;
    ExpressionPtr node = make(Expression::Kind::Conditional);
    QUIRE_ASSIGN_OR_RETURN(ExpressionPtr condition, disjunction());
    ExpressionPtr other;
    if (accept("else")) {
      QUIRE_ASSIGN_OR_RETURN(other, expression());
    } else {
      other = make(Expression::Kind::Literal);
    }
    node->children.push_back(std::move(condition));
    node->children.push_back(std::move(value));
    node->children.push_back(std::move(other));
    return finish(std::move(node));
  }

  /// rule { one of `operators` rule }, grouping to the left.
  Result<ExpressionPtr> chain(Rule rule, std::initializer_list<Operator> operators) {
    QUIRE_ASSIGN_OR_RETURN(ExpressionPtr left, (this->*rule)());
    while (true) {
      const Operator *found = nullptr;
      peek();
      unsigned column = origin + static_cast<unsigned>(at);
      for (const Operator &op : operators)
        if (!found && accept(spelling(op)))
          found = &op;
      if (!found)
        return left;
      QUIRE_ASSIGN_OR_RETURN(ExpressionPtr right, (this->*rule)());
      QUIRE_ASSIGN_OR_RETURN(left, operation(*found, column, std::move(left), std::move(right)));
    }
  }

  Result<ExpressionPtr> disjunction() { return chain(&Parser::conjunction, {Operator::Or}); }
  Result<ExpressionPtr> conjunction() { return chain(&Parser::negation, {Operator::And}); }

  Result<ExpressionPtr> negation() {
    peek();
    unsigned column = origin + static_cast<unsigned>(at);
    if (!accept("not"))
      return comparison();
    if (++nesting > kMaxExpressionDepth)
      return fail("too many \"not\"");
    llvm::scope_exit leave([&] { --nesting; });
    QUIRE_ASSIGN_OR_RETURN(ExpressionPtr inner, negation());
    return operation(Operator::Not, column, std::move(inner));
  }

  bool acceptComparison(Operator &op) {
    if (acceptNotIn()) {
      op = Operator::NotIn;
      return true;
    }
    for (Operator candidate : {Operator::Equal, Operator::NotEqual, Operator::LessEqual,
                               Operator::GreaterEqual, Operator::Less, Operator::Greater,
                               Operator::In})
      if (accept(spelling(candidate))) {
        op = candidate;
        return true;
      }
    return false;
  }

  Result<ExpressionPtr> comparison() {
    QUIRE_ASSIGN_OR_RETURN(ExpressionPtr left, sum());
    peek();
    unsigned column = origin + static_cast<unsigned>(at);
    Operator op;
    if (!acceptComparison(op))
      return left;
    QUIRE_ASSIGN_OR_RETURN(ExpressionPtr right, sum());
    if (Operator second; acceptComparison(second))
      return fail("comparisons do not chain; join two of them with \"and\"");
    return operation(op, column, std::move(left), std::move(right));
  }

  Result<ExpressionPtr> sum() {
    return chain(&Parser::product, {Operator::Add, Operator::Subtract});
  }
  Result<ExpressionPtr> product() {
    return chain(&Parser::unary, {Operator::Multiply, Operator::FloorDivide, Operator::Divide,
                                  Operator::Modulo});
  }

  Result<ExpressionPtr> unary() {
    peek();
    unsigned column = origin + static_cast<unsigned>(at);
    if (++nesting > kMaxExpressionDepth)
      return fail("too many signs or powers");
    llvm::scope_exit leave([&] { --nesting; });
    if (accept("-")) {
      QUIRE_ASSIGN_OR_RETURN(ExpressionPtr inner, unary());
      return operation(Operator::Negate, column, std::move(inner));
    }
    QUIRE_ASSIGN_OR_RETURN(ExpressionPtr base, postfix());
    peek();
    column = origin + static_cast<unsigned>(at);
    if (!accept("**"))
      return base;
    QUIRE_ASSIGN_OR_RETURN(ExpressionPtr exponent, unary());
    return operation(Operator::Power, column, std::move(base), std::move(exponent));
  }

  Result<ExpressionPtr> postfix() {
    QUIRE_ASSIGN_OR_RETURN(ExpressionPtr value, atom());
    while (true) {
      if (accept("[")) {
        ExpressionPtr node = make(Expression::Kind::Index);
        QUIRE_ASSIGN_OR_RETURN(ExpressionPtr index, expression());
        if (!accept("]"))
          return expected("\"]\"");
        node->children.push_back(std::move(value));
        node->children.push_back(std::move(index));
        QUIRE_ASSIGN_OR_RETURN(value, finish(std::move(node)));
      } else if (accept(".")) {
        peek();
        ExpressionPtr node = make(Expression::Kind::Member);
        if (!startsName(peek()))
          return expected("a field's name");
        node->text = word();
        node->children.push_back(std::move(value));
        QUIRE_ASSIGN_OR_RETURN(value, finish(std::move(node)));
      } else {
        return value;
      }
    }
  }

  Result<ExpressionPtr> atom() {
    char next = peek();
    if (llvm::isDigit(next) || (next == '.' && at + 1 < text.size() && llvm::isDigit(text[at + 1])))
      return number();
    if (next == '\'') {
      ++at;
      return format('\'');
    }
    if (accept("(")) {
      QUIRE_ASSIGN_OR_RETURN(ExpressionPtr inner, expression());
      if (!accept(")"))
        return expected("\")\"");
      return inner;
    }
    if (accept("["))
      return list();
    if (startsName(next))
      return nameOrCall();
    return expected("a value");
  }

  Result<ExpressionPtr> number() {
    ExpressionPtr node = make(Expression::Kind::Literal);
    size_t start = at;
    auto digits = [&] {
      while (at < text.size() && llvm::isDigit(text[at]))
        ++at;
    };
    digits();
    bool whole = true;
    // ".." is a range, not a decimal point.
    if (at < text.size() && text[at] == '.' && text.substr(at, 2) != "..") {
      whole = false;
      ++at;
      digits();
    }
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
      whole = false;
      ++at;
      if (at < text.size() && (text[at] == '+' || text[at] == '-'))
        ++at;
      digits();
    }
    llvm::StringRef literal(text.data() + start, at - start);
    int64_t integer;
    double real;
    if (whole && !literal.getAsInteger(10, integer))
      node->literal = Value::integer(integer);
    else if (!whole && !literal.getAsDouble(real) && std::isfinite(real))
      node->literal = Value::number(real);
    else
      return fail("\"" + literal.str() + "\" is no number that fits");
    return node;
  }

  Result<ExpressionPtr> list() {
    ExpressionPtr node = make(Expression::Kind::List);
    if (!accept("]")) {
      do {
        QUIRE_ASSIGN_OR_RETURN(ExpressionPtr element, expression());
        node->children.push_back(std::move(element));
      } while (accept(","));
      if (!accept("]"))
        return expected("\",\" or \"]\"");
    }
    return finish(std::move(node));
  }

  Result<ExpressionPtr> nameOrCall() {
    ExpressionPtr node = make(Expression::Kind::Name);
    node->text = word();
    if (node->text == "true" || node->text == "false" || node->text == "null") {
      node->kind = Expression::Kind::Literal;
      node->literal = node->text == "null" ? Value::null() : Value::flag(node->text == "true");
      return node;
    }
    for (const char *reserved : {"if", "else", "and", "or", "not", "in"})
      if (node->text == reserved)
        return fail("expected a value, found \"" + node->text + "\"");
    if (!accept("("))
      return node;
    node->kind = Expression::Kind::Call;
    if (accept(")"))
      return node;
    do {
      peek();
      size_t start = at;
      std::string label = word();
      if (label.empty() || !accept("=")) {
        label.clear();
        at = start;
      }
      QUIRE_ASSIGN_OR_RETURN(ExpressionPtr argument, expression());
      node->labels.push_back(std::move(label));
      node->children.push_back(std::move(argument));
    } while (accept(","));
    if (!accept(")"))
      return expected("\",\" or \")\"");
    return finish(std::move(node));
  }
};

} // namespace

const char *quire::importer::spelling(Operator op) {
  for (const OperatorSpelling &entry : kSpellings)
    if (entry.op == op)
      return entry.text;
  return "?";
}

Result<ExpressionPtr> quire::importer::parseExpression(std::string_view text, unsigned column) {
  return Parser(text, column).parseAll();
}

Result<ExpressionPtr> quire::importer::parseFormat(std::string_view text, unsigned column) {
  return Parser(text, column).format(Parser::End);
}

Result<ExpressionPtr> quire::importer::parseList(std::string_view text, unsigned column,
                                                 size_t &length) {
  return Parser(text, column).parseBracketList(length);
}

bool quire::importer::isName(std::string_view text) {
  return !text.empty() && startsName(text[0]) && llvm::all_of(text, continuesName);
}
