// RegexClasses: Oniguruma's character classes and properties, as PCRE2 spells them.
#pragma once

#include <array>
#include <string_view>

namespace quire::text::regex {

inline constexpr std::string_view kSpaceClass =
    "\\x09-\\x0D\\x20\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}"
    "\\x{3000}";
inline constexpr std::string_view kNotSpaceClass =
    "\\x00-\\x08\\x0E-\\x1F\\x21-\\x{84}\\x{86}-\\x{9F}\\x{A1}-\\x{167F}\\x{1681}-\\x{1FFF}"
    "\\x{200B}-\\x{2027}\\x{202A}-\\x{202E}\\x{2030}-\\x{205E}\\x{2060}-\\x{2FFF}"
    "\\x{3001}-\\x{10FFFF}";
// Oniguruma's Latin-1 table counts the superscript digits and the fractions as word characters.
inline constexpr std::string_view kWordClass =
    "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}";
inline constexpr std::string_view kHexClass = "0-9A-Fa-f";

struct NamePair {
  std::string_view name;
  std::string_view value;
};

/// Long names of general categories, lower case without separators.
inline constexpr std::array<NamePair, 38> kCategories = {{
    {"letter", "L"},           {"uppercaseletter", "Lu"},     {"lowercaseletter", "Ll"},
    {"titlecaseletter", "Lt"}, {"casedletter", "L&"},         {"modifierletter", "Lm"},
    {"otherletter", "Lo"},     {"mark", "M"},                 {"nonspacingmark", "Mn"},
    {"spacingmark", "Mc"},     {"enclosingmark", "Me"},       {"number", "N"},
    {"decimalnumber", "Nd"},   {"letternumber", "Nl"},        {"othernumber", "No"},
    {"punctuation", "P"},      {"connectorpunctuation", "Pc"}, {"dashpunctuation", "Pd"},
    {"openpunctuation", "Ps"}, {"closepunctuation", "Pe"},    {"initialpunctuation", "Pi"},
    {"finalpunctuation", "Pf"}, {"otherpunctuation", "Po"},   {"symbol", "S"},
    {"mathsymbol", "Sm"},      {"currencysymbol", "Sc"},      {"modifiersymbol", "Sk"},
    {"othersymbol", "So"},     {"separator", "Z"},            {"spaceseparator", "Zs"},
    {"lineseparator", "Zl"},   {"paragraphseparator", "Zp"},  {"other", "C"},
    {"control", "Cc"},         {"format", "Cf"},              {"surrogate", "Cs"},
    {"privateuse", "Co"},      {"unassigned", "Cn"},
}};

/// POSIX bracket names, and properties of the same names, as contents of a class.
inline constexpr std::array<NamePair, 10> kPosixClasses = {{
    {"alpha", "\\p{Alphabetic}"},
    {"digit", "\\p{Nd}"},
    {"alnum", "\\p{Alphabetic}\\p{Nd}"},
    {"upper", "\\p{Uppercase}"},
    {"lower", "\\p{Lowercase}"},
    {"space", kSpaceClass},
    {"whitespace", kSpaceClass},
    {"word", kWordClass},
    {"xdigit", kHexClass},
    {"cntrl", "\\p{Cc}"},
}};

inline constexpr std::array<std::string_view, 16> kBinaryProperties = {
    "alphabetic", "uppercase", "lowercase", "emoji", "emojipresentation", "emojimodifier",
    "emojimodifierbase", "emojicomponent", "extendedpictographic", "ideographic", "math",
    "idstart", "idcontinue", "xidstart", "xidcontinue", "any"};

template <size_t N>
const std::string_view *lookUp(const std::array<NamePair, N> &table, std::string_view name) {
  for (const NamePair &entry : table)
    if (entry.name == name)
      return &entry.value;
  return nullptr;
}

} // namespace quire::text::regex
