// Parses the rules of a template's "config" section.
#include "compiler/import/FieldKind.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringRef.h"

#include <array>

using namespace quire;
using namespace quire::importer;

static constexpr std::array kKinds{"integer", "number", "text", "flag", "list", "record"};

const char *quire::importer::kindName(Field::Kind kind) { return kKinds[static_cast<int>(kind)]; }

Result<Field> quire::importer::parseField(std::string_view text) {
  llvm::StringRef rest(text.data(), text.size());
  auto fail = [&](const std::string &message) {
    return Status::error(ErrorCode::InvalidArgument,
                         "column " + std::to_string(text.size() - rest.size() + 1) + ": " + message);
  };
  Field field;
  llvm::StringRef kind = rest.take_while([](char c) { return llvm::isAlpha(c); });
  const auto *found = std::find(kKinds.begin(), kKinds.end(), kind);
  if (found == kKinds.end())
    return fail("expected one of integer, number, text, flag, list, record");
  field.kind = static_cast<Field::Kind>(found - kKinds.begin());
  rest = rest.drop_front(kind.size());
  field.nullable = rest.consume_front("?");
  rest = rest.ltrim();

  if (!rest.empty() && rest[0] != '=') {
    llvm::StringRef range = rest.take_until([](char c) { return c == ' ' || c == '='; });
    auto [low, high] = range.split("..");
    double lowValue, highValue;
    bool hasRange = field.kind == Field::Kind::Integer || field.kind == Field::Kind::Number;
    if (!hasRange || low.getAsDouble(lowValue) || high.getAsDouble(highValue) ||
        !(lowValue <= highValue))
      return fail("expected \"low..high\" (integers and numbers only) or \"= default\"");
    field.low = lowValue;
    field.high = highValue;
    rest = rest.drop_front(range.size()).ltrim();
  }
  if (rest.empty())
    return field;
  if (!rest.consume_front("="))
    return fail("expected \"= default\" or the end");
  QUIRE_ASSIGN_OR_RETURN(field.fallback,
                         parseExpression(std::string_view(rest),
                                         static_cast<unsigned>(text.size() - rest.size() + 1)));
  return field;
}
