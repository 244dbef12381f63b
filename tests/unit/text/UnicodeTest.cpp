// Unicode: UTF-8 validation and repair, normalisation forms, and the byte alphabet.
#include "TestSupport.h"

#include "runtime/text/ByteAlphabet.h"
#include "runtime/text/UnicodeForms.h"
#include "runtime/text/Utf8.h"

#include <chrono>
#include <set>

namespace quire::text::test {
namespace {

constexpr size_t kNone = std::string_view::npos;

TEST(Utf8, FindsTheFirstIllFormedSequence) {
  EXPECT_EQ(findInvalidUtf8(""), kNone);
  EXPECT_EQ(findInvalidUtf8("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"), kNone);
  EXPECT_EQ(findInvalidUtf8("\xF4\x8F\xBF\xBF\xED\x9F\xBF\xEE\x80\x80"), kNone);
  const std::string_view bad[] = {
      "\x80",         "\xC0\x80",         "\xC1\xBF",     "\xE0\x9F\xBF", "\xED\xA0\x80",
      "\xF0\x8F\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80", "\xC3",         "\xE2\x82",
      "\xF0\x9F\x98", "\xC3(",            "\xFF",         "\xFE"};
  for (std::string_view sequence : bad)
    EXPECT_EQ(findInvalidUtf8("ab" + std::string(sequence)), 2u) << testing::PrintToString(sequence);
}

TEST(Utf8, RepairReplacesMaximalSubparts) {
  // The example of the Unicode standard, table 3-8.
  EXPECT_EQ(toValidUtf8("a\xF1\x80\x80\xE1\x80\xC2"
                        "b\x80"
                        "c\x80\xBF"
                        "d"),
            "a\uFFFD\uFFFD\uFFFDb\uFFFDc\uFFFD\uFFFDd");
  EXPECT_EQ(toValidUtf8("\xE2\x82"), "\uFFFD");
}

TEST(Utf8, RepairInPiecesEqualsRepairAtOnce) {
  std::mt19937_64 random(randomSeed());
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = randomText(random, 12);
    for (size_t i = random() % 4; i > 0 && !bytes.empty(); --i)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    Utf8Repairer repairer;
    std::string repaired;
    for (size_t at = 0; at < bytes.size();) {
      size_t length = std::min<size_t>(random() % 4, bytes.size() - at);
      repairer.push(std::string_view(bytes).substr(at, length), repaired);
      EXPECT_EQ(findInvalidUtf8(repaired), kNone);
      at += length;
    }
    repairer.finish(repaired);
    EXPECT_EQ(repaired, toValidUtf8(bytes));
  }
}

TEST(Utf8, CharactersRoundTrip) {
  for (char32_t c = 0; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 37) {
    if (c >= 0xD800 && c <= 0xDFFF)
      continue;
    std::string text;
    appendChar(text, c);
    ASSERT_EQ(findInvalidUtf8(text), kNone);
    ASSERT_EQ(decodeChar(text, 0).codePoint, c);
    ASSERT_EQ(decodeChar(text, 0).length, text.size());
  }
}

TEST(ByteAlphabet, IsABijectionOfPrintableCharacters) {
  std::set<char32_t> chars;
  for (int byte = 0; byte < 256; ++byte) {
    char32_t c = charOfByte(static_cast<uint8_t>(byte));
    EXPECT_EQ(byteOfChar(c), byte);
    EXPECT_FALSE(isWhitespace(c)) << byte;
    chars.insert(c);
  }
  EXPECT_EQ(chars.size(), 256u);
  EXPECT_EQ(charOfByte(' '), 0x120u);
  EXPECT_EQ(charOfByte('\n'), 0x10Au);
  EXPECT_EQ(byteOfChar(0x10FFFF), -1);
  EXPECT_EQ(byteOfChar(' '), -1);
}

TEST(UnicodeForms, KnownExamples) {
  EXPECT_EQ(toUnicodeForm("e\u0301", UnicodeForm::NFC), "\u00E9");
  EXPECT_EQ(toUnicodeForm("\u00E9", UnicodeForm::NFD), "e\u0301");
  EXPECT_EQ(toUnicodeForm("\uAC01", UnicodeForm::NFD), "\u1100\u1161\u11A8");
  EXPECT_EQ(toUnicodeForm("\u1100\u1161\u11A8", UnicodeForm::NFC), "\uAC01");
  EXPECT_EQ(toUnicodeForm("\uFB01", UnicodeForm::NFC), "\uFB01");
  EXPECT_EQ(toUnicodeForm("\uFB01", UnicodeForm::NFKC), "fi");
  // Marks are ordered by class; a composition exclusion stays apart.
  EXPECT_EQ(toUnicodeForm("a\u0301\u0323", UnicodeForm::NFD), "a\u0323\u0301");
  EXPECT_EQ(toUnicodeForm("\u0958", UnicodeForm::NFC), "\u0915\u093C");
  EXPECT_EQ(toLowercase("\u0130\u00C4\u03A3"), "i\u0307\u00E4\u03C3");
}

TEST(UnicodeForms, FormsAreIdempotentAndAgree) {
  std::mt19937_64 random(randomSeed());
  for (int round = 0; round < 500; ++round) {
    std::string text = randomText(random, 30);
    std::string composed = toUnicodeForm(text, UnicodeForm::NFC);
    std::string decomposed = toUnicodeForm(text, UnicodeForm::NFD);
    EXPECT_EQ(toUnicodeForm(composed, UnicodeForm::NFC), composed);
    EXPECT_EQ(toUnicodeForm(composed, UnicodeForm::NFD), decomposed);
    EXPECT_EQ(toUnicodeForm(decomposed, UnicodeForm::NFC), composed);
  }
}

} // namespace
} // namespace quire::text::test
