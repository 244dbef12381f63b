// Fields of config.json: kinds, ranges, defaults, aliases, null, requirements, and what is not used.
#include "tests/unit/compiler/import/TestTemplate.h"

#include <gtest/gtest.h>

using namespace quire::importer::testing;

namespace {

const std::string kTemplate = R"json({
  "config": {
    "heads | n_head": "integer 1..64",
    "size": "integer 1..4096 = 64",
    "dim": "integer 1..256 = size / heads",
    "window": "integer? 1..100 = 50",
    "rate": "number 0..1 = 0.5",
    "scaling": "record? = null",
    "kinds": "list? = null",
    "a": "integer = b", "b": "integer = 3"
  },
  "require": ["size % heads == 0"],
  "ignore": ["dropout"],
  "define": {
    "shown": "'{heads} {size} {dim} {window} {rate}'",
    "kind": {"case": "get(scaling, 'type', 'none')", "of": {"none": "0", "linear | scaled": "scaling.factor"}},
    "inner": "get(get(scaling, 'deep', null), 'x', 9)"
  },
  "outputs": {"y": "shown"}
})json";

std::string shown(const std::string &config, const std::string &name = "shown") {
  return evaluateIn(kTemplate, config, name);
}

TEST(Config, DefaultsAreExpressionsOverOtherFields) {
  EXPECT_EQ(shown(R"({"heads": 4})"), "'4 64 16 50 0.5'");
  EXPECT_EQ(shown(R"({"heads": 4, "size": 128, "dim": 8})"), "'4 128 8 50 0.5'");
}

TEST(Config, AliasesAndWholeNumbersAreRead) {
  EXPECT_EQ(shown(R"({"n_head": 8.0, "rate": 1})"), "'8 64 8 50 1'");
}

TEST(Config, NullIsTheDefaultUnlessTheKindAllowsIt) {
  EXPECT_EQ(shown(R"({"heads": 4, "dim": null, "window": null})"), "'4 64 16 null 0.5'");
}

TEST(Config, AbsurdValuesAreRefusedWithTheLimit) {
  EXPECT_EQ(shown("{}"), "config.json: heads or n_head is missing; the template test needs it");
  EXPECT_EQ(shown(R"({"heads": 0})"),
            "config.json: heads = 0; it must be an integer from 1 to 64");
  EXPECT_EQ(shown(R"({"n_head": 1e9})"),
            "config.json: n_head = 1000000000; it must be an integer from 1 to 64");
  EXPECT_EQ(shown(R"({"heads": "4"})"),
            "config.json: heads = '4'; it must be an integer from 1 to 64");
  EXPECT_EQ(shown(R"({"heads": 4, "rate": -0.1})"),
            "config.json: rate = -0.1; it must be a number from 0 to 1");
  EXPECT_EQ(shown(R"({"heads": 4, "scaling": 3})"),
            "config.json: scaling = 3; it must be a record");
  EXPECT_EQ(shown(R"({"heads": 3, "size": 65})"),
            "config.json has no dim, which then is = 21.66666667; it must be an integer from 1 to "
            "256");
}

TEST(Config, RequirementsShowTheValuesTheySpeakOf) {
  EXPECT_EQ(shown(R"({"heads": 3, "dim": 4})"),
            "config.json: size = 64, heads = 3: the template test requires size % heads == 0");
}

TEST(Config, CasesNameWhatIsKnown) {
  EXPECT_EQ(shown(R"({"heads": 4})", "kind"), "0");
  EXPECT_EQ(shown(R"({"heads": 4, "scaling": {"type": "scaled", "factor": 2}})", "kind"), "2");
  EXPECT_EQ(shown(R"({"heads": 4, "scaling": {"type": "magic"}})", "kind"),
            "test.json: define \"kind\": column 1: 'magic' is not known; known are none, linear, "
            "scaled");
  EXPECT_EQ(shown(R"({"heads": 4, "scaling": {"type": "linear"}})", "kind"),
            "test.json: define \"kind\" case \"linear | scaled\": column 9: config.json: "
            "scaling.factor is missing");
}

TEST(Config, UnusedFieldsAreNamedOnceAndDeeply) {
  std::string unused;
  EXPECT_EQ(evaluateIn(kTemplate,
                       R"({"heads": 4, "dropout": 0.1, "mystery": 1, "scaling":
                           {"type": "linear", "factor": 2, "extra": 1, "deep": {"x": 1, "y": 2}}})",
                       "kind", &unused),
            "2");
  EXPECT_EQ(unused, "config.json: not used: mystery, scaling.deep, scaling.extra");
  EXPECT_EQ(evaluateIn(kTemplate, R"({"heads": 4, "scaling": {"deep": {"x": 1, "y": 2}}})",
                       "inner", &unused),
            "1");
  EXPECT_EQ(unused, "config.json: not used: scaling.deep.y");
}

TEST(Config, TemplatesAreCheckedWhenRead) {
  auto error = [](const std::string &json) {
    auto model = templateFrom(json);
    return model.isOk() ? "fine" : model.status().message();
  };
  EXPECT_EQ(error(R"({"config": {"n": "integr"}})"),
            "test.json: config \"n\": column 1: expected one of integer, number, text, flag, list, "
            "record");
  EXPECT_EQ(error(R"({"config": {"n": "text 1..2"}})"),
            "test.json: config \"n\": column 6: expected \"low..high\" (integers and numbers only) "
            "or \"= default\"");
  EXPECT_EQ(error(R"({"config": {"n": "integer = 1 +"}})"),
            "test.json: config \"n\": column 14: expected a value, found the end");
  EXPECT_EQ(error(R"json({"define": {"sqrt(x)": "x"}})json"),
            "test.json: define \"sqrt(x)\": \"sqrt\" is built in and keeps its meaning");
  EXPECT_EQ(error(R"({"config": {"n": "integer"}, "define": {"n": "1"}})"),
            "test.json: define \"n\": the name is taken by test.json: config \"n\"");
  EXPECT_EQ(error(R"json({"define": {"f(x)": ["y = x"]}})json"),
            "test.json: define \"f(x)\": the last step must be the value, without a \"name =\"");
  EXPECT_EQ(error(R"({"graph": [{"for": "i", "do": []}]})"),
            "test.json: graph step 1: expected {\"for\": name, \"count\": …, \"do\": […]} or "
            "{\"when\": …, \"do\": […]}");
  EXPECT_EQ(error(R"({"weights": {"w": "tensor"}})"),
            "test.json: weights \"w\": expected \"tensor.name [rows, columns]\"");
  EXPECT_EQ(error(R"({"wieghts": {"w": "t [1]"}})").substr(0, 37),
            "test.json: unknown section \"wieghts\";");
  EXPECT_EQ(error(R"({"include": ["test.json"]})"),
            "test.json: includes nest deeper than 8; does it include itself?");
  EXPECT_EQ(error(R"({"include": ["../etc/passwd"]})"),
            "../etc/passwd: an include is a path inside the template folder");
  EXPECT_EQ(error("{\n  \"a\": }").substr(0, 14), "test.json:2:8:");
  EXPECT_EQ(error("{}"), "test.json: has no \"graph\" and no \"outputs\"");
}

} // namespace
