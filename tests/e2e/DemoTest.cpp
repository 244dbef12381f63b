// The whole way from the demo model's directory to its text, through the programs a user runs. The
// expected tokens come from Hugging Face transformers (tests/golden/make_models.py).
//
//   QuireDemoTest QUIRE DEMO_DIRECTORY GOLDEN_JSON [gtest options]
#include "tests/e2e/Process.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include <unistd.h>

using nlohmann::json;
using quire::test::ProcessResult;
using quire::test::runProcess;

namespace {

std::string quireProgram, demoDirectory, goldenFile;
std::filesystem::path scratch;

ProcessResult run(std::vector<std::string> arguments, const std::string &input = "",
                  bool interrupt = false) {
  arguments.insert(arguments.begin(), {quireProgram, "run", demoDirectory});
  return runProcess(arguments, input, interrupt);
}

json golden() {
  std::ifstream file(goldenFile);
  return json::parse(file);
}

/// Writes the prompts of the golden cases as JSON lines.
std::string promptFile() {
  std::string path = scratch / "prompts.jsonl";
  std::ofstream file(path);
  json cases = golden()["cases"];
  for (const json &known : cases)
    file << json{{"prompt", known["prompt"]}}.dump() << "\n";
  return path;
}

std::vector<json> objects(const std::string &lines) {
  std::vector<json> result;
  std::istringstream stream(lines);
  for (std::string line; std::getline(stream, line);)
    result.push_back(json::parse(line));
  return result;
}

const std::vector<std::string> kGreedy = {
    "-t", "0", "--repetition-penalty", "1", "-n", "64", "--ignore-eos", "--json", "-q"};

std::vector<std::string> with(std::vector<std::string> first,
                              const std::vector<std::string> &more) {
  first.insert(first.end(), more.begin(), more.end());
  return first;
}

} // namespace

TEST(Demo, GreedyTextsOfABatchEqualTheGoldens) {
  json cases = golden()["cases"];
  ProcessResult result = run(with({"--file", promptFile()}, kGreedy));
  ASSERT_EQ(result.code, 0) << result.error;
  std::vector<json> generated = objects(result.output);
  ASSERT_EQ(generated.size(), cases.size());
  for (size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(generated[i]["prompt_ids"], cases[i]["prompt_ids"]) << "case " << i;
    EXPECT_EQ(generated[i]["tokens"], cases[i]["tokens"]) << "case " << i;
    EXPECT_EQ(generated[i]["text"], cases[i]["text"]) << "case " << i;
    EXPECT_EQ(generated[i]["finish_reason"], "length");
  }
}

TEST(Demo, ATextDoesNotDependOnItsNeighboursNorOnPreemption) {
  std::vector<std::string> sampled = {"--seed", "12345", "-n", "400", "--ignore-eos",
                                      "--json", "-q",    "-t", "0.8"};
  ProcessResult batch = run(with({"--file", promptFile()}, sampled));
  ASSERT_EQ(batch.code, 0) << batch.error;
  // So little memory that not all texts fit at once, and texts longer than the scheduler expects of
  // what it has not seen: it admits more than will fit.
  ProcessResult tight = run(with({"--file", promptFile(), "--cache-memory", "1800k"}, sampled));
  ASSERT_EQ(tight.code, 0) << tight.error;
  std::vector<json> together = objects(batch.output), squeezed = objects(tight.output);
  ASSERT_EQ(together.size(), squeezed.size());
  int preemptions = 0;
  std::set<std::string> texts;
  for (size_t i = 0; i < together.size(); ++i) {
    ProcessResult single = run(with({"-p", together[i]["prompt"]}, sampled));
    ASSERT_EQ(single.code, 0) << single.error;
    json alone = json::parse(single.output);
    EXPECT_EQ(alone["tokens"], together[i]["tokens"]) << "prompt " << i;
    EXPECT_EQ(alone["tokens"], squeezed[i]["tokens"]) << "prompt " << i;
    preemptions += squeezed[i]["statistics"]["preemptions"].get<int>();
    texts.insert(alone["text"]);
  }
  EXPECT_GT(texts.size(), 1u);
  EXPECT_GT(preemptions, 0);
}

TEST(Demo, AnotherSeedGivesAnotherText) {
  ProcessResult first = run({"-p", "ROMEO:", "-t", "1", "-n", "30", "-q", "--seed", "1"});
  ProcessResult again = run({"-p", "ROMEO:", "-t", "1", "-n", "30", "-q", "--seed", "1"});
  ProcessResult second = run({"-p", "ROMEO:", "-t", "1", "-n", "30", "-q", "--seed", "2"});
  ASSERT_EQ(first.code, 0) << first.error;
  EXPECT_EQ(first.output, again.output);
  EXPECT_NE(first.output, second.output);
}

TEST(Demo, TheStreamIsTheTextAndFiguresGoToStandardError) {
  json known = golden()["cases"][0];
  ProcessResult result = run({"-t", "0", "-n", "64", "--ignore-eos", "-p", known["prompt"]});
  ASSERT_EQ(result.code, 0) << result.error;
  std::string text = known["text"];
  EXPECT_EQ(result.output, text.ends_with('\n') ? text : text + "\n");
  EXPECT_NE(result.error.find("wrote 64 tokens"), std::string::npos) << result.error;
  ProcessResult piped = run({"-t", "0", "-n", "64", "--ignore-eos", "-"}, known["prompt"]);
  EXPECT_EQ(piped.output, result.output);
}

TEST(Demo, AStopStringEndsTheText) {
  json known = golden()["cases"][0];
  std::string text = known["text"];
  std::string stop = text.substr(text.size() / 2, 5);
  ProcessResult result = run(with({"-p", known["prompt"], "--stop", stop}, kGreedy));
  ASSERT_EQ(result.code, 0) << result.error;
  json generated = json::parse(result.output);
  EXPECT_EQ(generated["text"], text.substr(0, text.find(stop)));
  EXPECT_EQ(generated["finish_reason"], "stop_string");
}

TEST(Demo, APromptBeyondTheContextIsRefused) {
  std::string prompt;
  for (int i = 0; i < 5000; ++i)
    prompt += "word ";
  ProcessResult result = run({"-"}, prompt);
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.output, "");
  EXPECT_NE(result.error.find("but the context holds"), std::string::npos) << result.error;
}

TEST(Demo, AnInterruptEndsCleanly) {
  ProcessResult result = run({"-p", "ROMEO:", "-n", "900", "--ignore-eos"}, "", true);
  EXPECT_EQ(result.code, 130) << result.error;
  EXPECT_NE(result.error.find("(cancelled)"), std::string::npos) << result.error;
  EXPECT_TRUE(result.output.ends_with('\n'));
}

TEST(Demo, ACompiledPlanRunsWithoutTheCache) {
  std::string plan = scratch / "demo.plan";
  ProcessResult compiled = runProcess({quireProgram, "compile", demoDirectory, "-o", plan});
  ASSERT_EQ(compiled.code, 0) << compiled.error;
  json known = golden()["cases"][0];
  ProcessResult result =
      runProcess(with({quireProgram, "run", plan, "-p", known["prompt"]}, kGreedy));
  ASSERT_EQ(result.code, 0) << result.error;
  EXPECT_EQ(json::parse(result.output)["tokens"], known["tokens"]);
  // A damaged copy is refused.
  std::string damaged = scratch / "damaged.plan";
  std::filesystem::copy_file(plan, damaged);
  std::filesystem::resize_file(damaged, std::filesystem::file_size(plan) / 2);
  ProcessResult refused = runProcess({quireProgram, "run", damaged, "-p", "x"});
  EXPECT_EQ(refused.code, 3);
  EXPECT_NE(refused.error.find("damaged.plan"), std::string::npos) << refused.error;
}

TEST(Demo, TheCacheIsOwnerOnlyAndHoldsWholePlans) {
  ASSERT_EQ(run({"-p", "x", "-n", "1", "-q"}).code, 0);
  using std::filesystem::perms;
  std::filesystem::path cache = scratch / "cache" / "quire";
  EXPECT_EQ(std::filesystem::status(cache).permissions(), perms::owner_all);
  for (const auto &entry : std::filesystem::directory_iterator(cache)) {
    EXPECT_EQ(entry.path().extension(), ".plan");
    EXPECT_EQ(entry.status().permissions(), perms::owner_read | perms::owner_write);
  }
}

TEST(Demo, TheDoctorsSelfTestComparesTheTexts) {
  setenv("QUIRE_DEMO", demoDirectory.c_str(), 1);
  ProcessResult result = runProcess({quireProgram, "doctor", "--json"});
  unsetenv("QUIRE_DEMO");
  ASSERT_EQ(result.code, 0) << result.error << result.output;
  json report = json::parse(result.output);
  EXPECT_EQ(report["ok"], true);
  bool found = false;
  for (const json &check : report["checks"])
    if (check["check"] == "self-test") {
      found = true;
      EXPECT_EQ(check["status"], "ok") << check.dump();
    }
  EXPECT_TRUE(found);
}

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 4) {
    std::fprintf(stderr, "usage: QuireDemoTest QUIRE DEMO_DIRECTORY GOLDEN_JSON\n");
    return 2;
  }
  quireProgram = argv[1];
  demoDirectory = argv[2];
  goldenFile = argv[3];
  std::string folder = (std::filesystem::temp_directory_path() / "quire-e2e-XXXXXX").string();
  if (!mkdtemp(folder.data()))
    return 2;
  scratch = folder;
  setenv("XDG_CACHE_HOME", (scratch / "cache").c_str(), 1);
  int code = RUN_ALL_TESTS();
  std::filesystem::remove_all(scratch);
  return code;
}
