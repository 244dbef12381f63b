// RegexSyntax: translates Oniguruma's Ruby syntax into PCRE2's. The differences that matter:
//
//   Oniguruma                       PCRE2                        what is done
//   \s has no U+180E                \s has it                    spelled out as a class
//   \w is Alphabetic, M, Nd, Pc     \w is L, N, _                spelled out as a class
//   \h is a hexadecimal digit       \h is horizontal space       spelled out
//   a{1,3}+ repeats greedily        a{1,3}+ is possessive        (?:a{1,3})+
//   (?m) lets . match newlines      (?s) does                    renamed
//   a(?i)b|c is a(?i:b|c)           is a(?i:b)|(?i:c)            made explicit
//   \p{Han} is the script           ... the script extensions    \p{sc:Han}
//   \p{Letter}, \u00E9, {,3}        unknown                      \p{L}, \x{00E9}, {0,3}
//
// Anything else that only one of the two understands is refused by name.
#include "runtime/text/Regex.h"

#include "runtime/text/RegexClasses.h"
#include "runtime/text/Utf8.h"

#include <algorithm>
#include <cctype>

namespace quire::text {

namespace {

using namespace regex;

class Translator {
public:
  explicit Translator(std::string_view pattern) : in(pattern) {}

  Result<std::string> run() {
    groups.push_back({0, 0});
    while (at < in.size())
      QUIRE_RETURN_IF_ERROR(step());
    if (groups.size() != 1)
      return refuse("an unclosed group");
    out.append(groups.back().extraClosings, ')');
    return std::move(out);
  }

private:
  struct Group {
    size_t start;         ///< Where its text begins in `out`.
    size_t extraClosings; ///< Option groups that end with it.
  };
  static constexpr size_t kNone = std::string::npos;

  Status refuse(const std::string &what) const {
    return Status::error(ErrorCode::Unsupported, "the regular expression '" + std::string(in) +
                                                     "' uses " + what + " at byte " +
                                                     std::to_string(at) +
                                                     ", which is not supported");
  }

  char peek(size_t ahead = 0) const { return at + ahead < in.size() ? in[at + ahead] : '\0'; }
  bool startsWith(std::string_view prefix) const { return in.substr(at).starts_with(prefix); }

  Status step() {
    char c = peek();
    switch (c) {
    case '\\':
      atom = out.size();
      return escape(/*inClass=*/false);
    case '[':
      atom = out.size();
      return characterClass();
    case '(':
      return openGroup();
    case ')':
      return closeGroup();
    case '*':
    case '+':
    case '?':
      return quantifier({at, 1});
    case '{':
      return brace();
    case '|':
    case '^':
    case '$':
      atom = kNone;
      out.push_back(c);
      ++at;
      return Status::ok();
    default:
      atom = out.size();
      copyChar();
      return Status::ok();
    }
  }

  void copyChar() {
    do
      out.push_back(in[at++]);
    while (at < in.size() && (static_cast<unsigned char>(in[at]) & 0xC0) == 0x80);
  }

  struct Interval {
    size_t begin;
    size_t length;
    bool exact = false;
  };

  Status brace() {
    size_t close = in.find('}', at);
    size_t i = at + 1;
    auto digits = [&] {
      size_t from = i;
      while (i < in.size() && std::isdigit(static_cast<unsigned char>(in[i])))
        ++i;
      return i - from;
    };
    size_t low = digits();
    bool comma = i < in.size() && in[i] == ',';
    size_t high = comma ? (++i, digits()) : 0;
    bool interval = close == i && (low > 0 || (comma && high > 0));
    if (!interval) {
      atom = out.size();
      out += "\\{";
      ++at;
      return Status::ok();
    }
    return quantifier({at, close + 1 - at, !comma});
  }

  /// A repeat of the last atom, with the lazy or possessive sign that belongs to it.
  Status quantifier(Interval repeat) {
    if (atom == kNone)
      return refuse("a repeat of nothing");
    if (quantifiedAtom == atom) { // A repeat of a repeat.
      out.insert(atom, "(?:");
      out.push_back(')');
    }
    std::string_view text = in.substr(repeat.begin, repeat.length);
    if (text.starts_with("{,")) {
      out += "{0";
      text.remove_prefix(1);
    }
    out += text;
    at += repeat.length;
    bool interval = in[repeat.begin] == '{';
    if (peek() == '?') {
      if (repeat.exact)
        return refuse("a lazy exact repeat");
      out.push_back('?');
      ++at;
    } else if (peek() == '+' && !interval) {
      out.push_back('+');
      ++at;
    }
    quantifiedAtom = atom;
    return Status::ok();
  }

  Status openGroup() {
    size_t start = out.size();
    atom = kNone;
    if (peek(1) == '*')
      return refuse("a verb or callout");
    if (peek(1) != '?') {
      out.push_back('(');
      ++at;
      groups.push_back({start, 0});
      return Status::ok();
    }
    if (startsWith("(?#")) {
      size_t close = in.find(')', at);
      if (close == kNone)
        return refuse("an unclosed comment");
      at = close + 1;
      return Status::ok();
    }
    for (std::string_view opening : {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"})
      if (startsWith(opening)) {
        out += opening;
        at += opening.size();
        groups.push_back({start, 0});
        return Status::ok();
      }
    if (startsWith("(?<") && (std::isalpha(static_cast<unsigned char>(peek(3))) || peek(3) == '_')) {
      size_t close = in.find('>', at);
      if (close == kNone)
        return refuse("an unclosed group name");
      out += in.substr(at, close + 1 - at);
      at = close + 1;
      groups.push_back({start, 0});
      return Status::ok();
    }
    return optionGroup(start);
  }

  /// `(?im-im:` and `(?im-im)`; the latter lasts until the enclosing group ends.
  Status optionGroup(size_t start) {
    size_t i = at + 2;
    std::string options = "(?";
    for (; i < in.size() && in[i] != ')' && in[i] != ':'; ++i) {
      if (in[i] != 'i' && in[i] != 'm' && in[i] != '-')
        return refuse("the group option '" + std::string(in.substr(at, i + 1 - at)) + "'");
      options.push_back(in[i] == 'm' ? 's' : in[i]);
    }
    if (i == in.size())
      return refuse("an unclosed group");
    out += options + ":";
    if (in[i] == ':')
      groups.push_back({start, 0});
    else
      ++groups.back().extraClosings;
    at = i + 1;
    return Status::ok();
  }

  Status closeGroup() {
    if (groups.size() == 1)
      return refuse("an unmatched ')'");
    out.append(groups.back().extraClosings + 1, ')');
    atom = groups.back().start;
    quantifiedAtom = kNone;
    groups.pop_back();
    ++at;
    return Status::ok();
  }

  void emitClass(std::string_view contents, bool negated, bool inClass) {
    if (inClass) {
      out += contents;
      return;
    }
    out += negated ? "[^" : "[";
    out += contents;
    out.push_back(']');
  }

  Status escape(bool inClass) {
    char c = peek(1);
    if (at + 1 >= in.size())
      return refuse("a trailing backslash");
    size_t escapeAt = at;
    at += 2;
    switch (c) {
    case 's':
      emitClass(kSpaceClass, false, inClass);
      return Status::ok();
    case 'S':
      emitClass(inClass ? kNotSpaceClass : kSpaceClass, true, inClass);
      return Status::ok();
    case 'w':
      emitClass(kWordClass, false, inClass);
      return Status::ok();
    case 'h':
      emitClass(kHexClass, false, inClass);
      return Status::ok();
    case 'W':
    case 'H':
      if (inClass) {
        at = escapeAt;
        return refuse(std::string("\\") + c + " inside a character class");
      }
      emitClass(c == 'W' ? kWordClass : kHexClass, true, false);
      return Status::ok();
    case 'd':
      out += "\\p{Nd}";
      return Status::ok();
    case 'D':
      out += "\\P{Nd}";
      return Status::ok();
    case 'v':
      out += "\\x0B";
      return Status::ok();
    case 'p':
    case 'P':
      at = escapeAt;
      return property(inClass);
    case 'u':
      return hexEscape(4, 4, escapeAt);
    case 'x':
      return hexEscape(1, 2, escapeAt);
    case 'b':
    case 'B':
    case 'A':
    case 'Z':
    case 'z':
    case 'G':
      if (inClass) {
        if (c != 'b')
          break;
        out += "\\x08";
        return Status::ok();
      }
      atom = kNone;
      out.push_back('\\');
      out.push_back(c);
      return Status::ok();
    case 't':
    case 'n':
    case 'r':
    case 'f':
    case 'a':
    case 'e':
      out.push_back('\\');
      out.push_back(c);
      return Status::ok();
    case 'R':
    case 'X':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
      if (inClass || std::isdigit(static_cast<unsigned char>(peek())))
        break;
      out.push_back('\\');
      out.push_back(c);
      return Status::ok();
    default:
      if (std::isalnum(static_cast<unsigned char>(c)))
        break;
      at = escapeAt + 1;
      if (static_cast<unsigned char>(c) < 0x80)
        out.push_back('\\');
      copyChar();
      return Status::ok();
    }
    at = escapeAt;
    return refuse(std::string("the escape \\") + c);
  }

  Status hexEscape(size_t minimum, size_t maximum, size_t escapeAt) {
    bool braced = peek() == '{';
    size_t i = at + (braced ? 1 : 0), from = i;
    uint32_t value = 0;
    while (i < in.size() && i - from < (braced ? 6 : maximum) &&
           std::isxdigit(static_cast<unsigned char>(in[i]))) {
      char digit = static_cast<char>(std::tolower(static_cast<unsigned char>(in[i])));
      value = value * 16 + static_cast<uint32_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
      ++i;
    }
    bool complete = i > from && (braced ? i < in.size() && in[i] == '}' : i - from >= minimum);
    // A bare \xHH from 0x80 on is one byte of a character for Oniguruma, no code point.
    bool codePoint = value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF) &&
                     (braced || maximum == 4 || value < 0x80);
    if (!complete || !codePoint) {
      at = escapeAt;
      return refuse("a malformed or byte-valued hexadecimal escape");
    }
    static constexpr char kDigits[] = "0123456789ABCDEF";
    out += "\\x{";
    for (int shift = 20; shift >= 0; shift -= 4)
      out.push_back(kDigits[value >> shift & 15]);
    out.push_back('}');
    at = i + (braced ? 1 : 0);
    return Status::ok();
  }

  Status property(bool inClass) {
    bool negated = peek(1) == 'P';
    size_t close = in.find('}', at);
    if (peek(2) != '{' || close == kNone)
      return refuse("a property without braces");
    std::string name;
    for (char c : in.substr(at + 3, close - at - 3)) {
      if (c == '^' && name.empty())
        negated = !negated;
      else if (std::isalnum(static_cast<unsigned char>(c)))
        name.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
      else if (c != '_' && c != ' ' && c != '-')
        return refuse("a property with the character '" + std::string(1, c) + "'");
    }
    if (name.empty())
      return refuse("a property without a name");
    const std::string_view *posix = lookUp(kPosixClasses, name);
    if (posix) {
      if (negated && inClass)
        return refuse("a negated compound property inside a character class");
      emitClass(*posix, negated, inClass);
      at = close + 1;
      return Status::ok();
    }
    std::string spelled;
    if (const std::string_view *category = lookUp(kCategories, name)) {
      spelled = *category;
    } else if (name.size() <= 2) {
      spelled = name == "lc" ? "L&" : name;
      spelled[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(spelled[0])));
    } else if (std::find(kBinaryProperties.begin(), kBinaryProperties.end(), name) !=
               kBinaryProperties.end()) {
      spelled = name;
    } else {
      spelled = "sc:" + name;
    }
    out += (negated ? "\\P{" : "\\p{") + spelled + "}";
    at = close + 1;
    return Status::ok();
  }

  Status characterClass() {
    out.push_back('[');
    ++at;
    if (peek() == '^') {
      out.push_back('^');
      ++at;
    }
    if (peek() == ']') { // The first ']' is a literal.
      out += "\\]";
      ++at;
    }
    while (at < in.size() && in[at] != ']') {
      if (in[at] == '\\') {
        QUIRE_RETURN_IF_ERROR(escape(/*inClass=*/true));
      } else if (startsWith("[:")) {
        size_t close = in.find(":]", at);
        const std::string_view *posix =
            close == kNone ? nullptr : lookUp(kPosixClasses, in.substr(at + 2, close - at - 2));
        if (!posix)
          return refuse("a bracket class that is unknown or negated");
        out += *posix;
        at = close + 2;
      } else if (in[at] == '[') {
        return refuse("a nested character class");
      } else if (startsWith("&&")) {
        return refuse("an intersection of character classes");
      } else {
        copyChar();
      }
    }
    if (at == in.size())
      return refuse("an unclosed character class");
    out.push_back(']');
    ++at;
    quantifiedAtom = kNone;
    return Status::ok();
  }

  std::string_view in;
  size_t at = 0;
  std::string out;
  std::vector<Group> groups;
  size_t atom = kNone;           ///< Where the last repeatable atom begins in `out`.
  size_t quantifiedAtom = kNone; ///< The atom that already carries a repeat.
};

} // namespace

Result<std::string> translateOnigurumaPattern(std::string_view pattern) {
  size_t invalid = findInvalidUtf8(pattern);
  if (invalid != std::string_view::npos)
    return Status::error(ErrorCode::InvalidArgument,
                         "a regular expression is not valid UTF-8 at byte " +
                             std::to_string(invalid));
  constexpr size_t kMaxPatternBytes = 16384;
  if (pattern.size() > kMaxPatternBytes)
    return Status::error(ErrorCode::OutOfRange, "a regular expression of " +
                                                    std::to_string(pattern.size()) +
                                                    " bytes exceeds the limit of 16384");
  return Translator(pattern).run();
}

std::string escapeForRegex(std::string_view literal) {
  std::string pattern;
  for (char c : literal) {
    if (std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos)
      pattern.push_back('\\');
    pattern.push_back(c);
  }
  return pattern;
}

} // namespace quire::text
