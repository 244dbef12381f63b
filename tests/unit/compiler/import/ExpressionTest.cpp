// The expression language on static values: precedence, types, limits, and errors with their place.
#include "tests/support/RandomSeed.h"
#include "tests/unit/compiler/import/TestTemplate.h"

#include <gtest/gtest.h>

#include <random>

using namespace quire::importer::testing;

namespace {

TEST(Expression, Precedence) {
  EXPECT_EQ(evaluate("1 + 2 * 3"), "7");
  EXPECT_EQ(evaluate("(1 + 2) * 3"), "9");
  EXPECT_EQ(evaluate("10 - 4 - 3"), "3");
  EXPECT_EQ(evaluate("2 * 7 % 4"), "2");
  EXPECT_EQ(evaluate("-2 ** 2"), "-4");
  EXPECT_EQ(evaluate("2 ** 3 ** 2"), "512");
  EXPECT_EQ(evaluate("2 ** -1"), "0.5");
  EXPECT_EQ(evaluate("1 + 1 == 2 and not 3 < 2"), "true");
  EXPECT_EQ(evaluate("true or false and false"), "true");
  EXPECT_EQ(evaluate("not true == false"), "true");
  EXPECT_EQ(evaluate("1 if false else 2 if false else 3"), "3");
  EXPECT_EQ(evaluate("1 + (2 if true else 3)"), "3");
  EXPECT_EQ(evaluate("[1, 2, 3][1] + length([4, 5])"), "4");
  EXPECT_EQ(evaluate("2 not in [1, 2] or 'a' in ['a']"), "true");
}

TEST(Expression, NumbersStayWholeWhereThatIsExact) {
  EXPECT_EQ(evaluate("6 / 3"), "2");
  EXPECT_EQ(evaluate("7 / 2"), "3.5");
  EXPECT_EQ(evaluate("-7 // 2"), "-4");
  EXPECT_EQ(evaluate("-7 % 3"), "2");
  EXPECT_EQ(evaluate("9007199254740993 + 0"), "9007199254740993");
  EXPECT_EQ(evaluate("1e3"), "1000");
  EXPECT_EQ(evaluate("floor(-2.5) * ceil(2.5)"), "-9");
  EXPECT_EQ(evaluate("sqrt(2) ** 2 - 2 < 1e-12"), "true");
  EXPECT_EQ(evaluate("max(2, 3) - min(2, 3.5)"), "1");
  EXPECT_EQ(evaluate("-inf < 0"), "true");
}

TEST(Expression, ConditionsAreLazyAndDefaultToNull) {
  EXPECT_EQ(evaluate("1 if true else 1 / 0"), "1");
  EXPECT_EQ(evaluate("error('no') if false"), "null");
  EXPECT_EQ(evaluate("false and 1 / 0 == 1"), "false");
  EXPECT_EQ(evaluate("true or unheard_of"), "true");
  EXPECT_EQ(evaluate("null == null"), "true");
  EXPECT_EQ(evaluate("0 == null"), "false");
}

TEST(Expression, TextTakesExpressions) {
  EXPECT_EQ(evaluate("'a{1 + 1}b{'c'}{null}'"), "'a2bcnull'");
  EXPECT_EQ(evaluate("''"), "''");
}

TEST(Expression, ErrorsNameThePlace) {
  EXPECT_EQ(evaluate("1 + * 2"), "test.json: define \"e\": column 5: expected a value, found \"*\"");
  EXPECT_EQ(evaluate("(1 + 2"), "test.json: define \"e\": column 7: expected \")\", found the end");
  EXPECT_EQ(evaluate("1 2"),
            "test.json: define \"e\": column 3: expected an operator or the end, found \"2\"");
  EXPECT_EQ(evaluate("1 < 2 < 3"),
            "test.json: define \"e\": column 8: comparisons do not chain; join two of them with "
            "\"and\"");
  EXPECT_EQ(evaluate("'abc"),
            "test.json: define \"e\": column 5: a text without its closing quote");
  EXPECT_EQ(evaluate("2 + widht"),
            "test.json: define \"e\": column 5: unknown name \"widht\"; did you mean \"width\"?");
  EXPECT_EQ(evaluate("1 + sqr(2)"),
            "test.json: define \"e\": column 5: unknown function \"sqr\"; did you mean \"sqrt\"?");
  EXPECT_EQ(evaluate("1 + 3 / (2 - 2)"), "test.json: define \"e\": column 7: \"/\" of 3 and 0: "
                                         "division by zero");
  EXPECT_EQ(evaluate("'a' + 1"), "test.json: define \"e\": column 5: \"+\" of 'a' and 1: both "
                                 "sides must be numbers");
  EXPECT_EQ(evaluate("not 1"),
            "test.json: define \"e\": column 1: \"not\" of 1: it must be true or false");
  EXPECT_EQ(evaluate("[1, 2][2]"),
            "test.json: define \"e\": column 8: element 2 of a list of 2");
  EXPECT_EQ(evaluate("9223372036854775807 + 1"),
            "test.json: define \"e\": column 21: \"+\" of 9223372036854775807 and 1: the result "
            "does not fit 64 bits");
  EXPECT_EQ(evaluate("99999999999999999999"), "test.json: define \"e\": column 21: "
                                              "\"99999999999999999999\" is no number that fits");
  EXPECT_EQ(evaluate("sqrt(-1)"), "test.json: define \"e\": column 1: sqrt: sqrt(-1) has no value");
  EXPECT_EQ(evaluate("error('wide {width}')"), "test.json: define \"e\": column 1: error: wide 7");
}

TEST(Expression, HostileInputIsBounded) {
  std::string deep = std::string(5000, '(') + "1" + std::string(5000, ')');
  EXPECT_NE(evaluate(deep).find("nested deeper than 100 levels"), std::string::npos);
  EXPECT_NE(evaluate(std::string(5000, '-') + "1").find("too many signs"), std::string::npos);
  std::string chain = "1";
  for (int i = 0; i < 5000; ++i)
    chain += "+1";
  EXPECT_NE(evaluate(chain).find("nested deeper than 100 levels"), std::string::npos);
  EXPECT_NE(evaluate("endless").find("does a definition use itself?"), std::string::npos);
  EXPECT_NE(evaluate("doubling").find("takes more than"), std::string::npos);
  EXPECT_NE(evaluate(std::string("1\0", 2)).find("column 2"), std::string::npos);
}

/// A random tree of integers, written with no more parentheses than precedence asks for.
struct RandomTree {
  std::mt19937_64 random;
  struct Text {
    std::string text;
    int64_t value;
    int binding; ///< 3 atom, 2 product, 1 sum
  };
  Text draw(int depth) {
    if (depth == 0 || random() % 4 == 0) {
      int64_t value = static_cast<int64_t>(random() % 10);
      return {std::to_string(value), value, 3};
    }
    Text left = draw(depth - 1), right = draw(depth - 1);
    bool product = random() % 2, minus = random() % 2;
    int binding = product ? 2 : 1;
    // Operators group to the left: only the right side needs parentheses at equal binding.
    std::string a = left.binding < binding ? "(" + left.text + ")" : left.text;
    std::string b = right.binding <= binding ? "(" + right.text + ")" : right.text;
    int64_t value = product ? left.value * right.value
                    : minus ? left.value - right.value
                            : left.value + right.value;
    return {a + (product ? "*" : minus ? "-" : "+") + b, value, binding};
  }
};

TEST(Expression, RandomArithmeticEqualsItsTree) {
  RandomTree tree{std::mt19937_64(quire::test::randomSeed())};
  for (int round = 0; round < 300; ++round) {
    RandomTree::Text drawn = tree.draw(4);
    EXPECT_EQ(evaluate(drawn.text), std::to_string(drawn.value)) << drawn.text;
  }
}

} // namespace
