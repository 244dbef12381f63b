// Implementation of SelfTest.
#include "tools/quire/SelfTest.h"

#include "tools/quire/Generation.h"
#include "tools/quire/Paths.h"

#include "runtime/base/File.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace quire::cli {

namespace {

constexpr int32_t kTokens = 32;

struct KnownText {
  std::string prompt;
  std::vector<int32_t> tokens;
};

/// The golden texts that belong to the demo model, if they are there.
std::vector<KnownText> readKnownTexts(const std::string &demo) {
  for (const char *relative : {"/golden.json", "/../../tests/golden/models/demo.json"}) {
    Result<std::vector<uint8_t>> bytes = readFile(demo + relative, 16 << 20);
    if (!bytes.isOk())
      continue;
    nlohmann::json object = nlohmann::json::parse(*bytes, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object() || !object.contains("cases") || !object["cases"].is_array())
      continue;
    std::vector<KnownText> texts;
    for (const nlohmann::json &known : object["cases"]) {
      if (!known.is_object() || !known.contains("prompt") || !known["prompt"].is_string() ||
          !known.contains("tokens") || !known["tokens"].is_array())
        continue;
      KnownText text{known["prompt"].get<std::string>(), {}};
      for (const nlohmann::json &token : known["tokens"])
        if (token.is_number_integer())
          text.tokens.push_back(token.get<int32_t>());
      if (static_cast<int32_t>(text.tokens.size()) > kTokens)
        text.tokens.resize(kTokens);
      texts.push_back(std::move(text));
    }
    if (!texts.empty())
      return texts;
  }
  return {};
}

/// Keeps the tokens of each prompt.
class TokenOutput : public GenerationOutput {
public:
  explicit TokenOutput(size_t prompts) : tokens(prompts) {}
  Status text(std::string_view) override { return Status::ok(); }
  Status done(size_t index, const Prompt &, const Generated &generated) override {
    tokens[index] = generated.texts.front().tokens;
    return Status::ok();
  }
  std::vector<std::vector<int32_t>> tokens;
};

} // namespace

SelfTestResult runSelfTest() {
  Result<std::string> demo = findDemoModel();
  if (!demo.isOk())
    return {kModel, false, demo.status().message(), "install the folder models/demo"};
  ModelLocation location;
  if (int code = locateModel({*demo, {}, /*quiet=*/true}, location))
    return {code, false, "the demo model does not compile", "see the message above"};
  std::vector<KnownText> known = readKnownTexts(*demo);
  bool compared = !known.empty();
  if (!compared)
    known = {{"First Citizen:\n", {}}};

  SessionOptions sessionOptions;
  sessionOptions.device.kind = DeviceChoice::Kind::Cpu;
  sessionOptions.quiet = true;
  sessionOptions.maxSequences = static_cast<uint32_t>(known.size());
  std::unique_ptr<Session> session;
  if (int code = Session::open(location, sessionOptions, session))
    return {code, false, "the demo plan does not load", "see the message above"};
  RunOptions options;
  options.quiet = true;
  options.ignoreStopTokens = true;
  GenerationDefaults settings; // greedy
  settings.sampling.temperature = 0;
  settings.maxNewTokens = kTokens;
  std::vector<Prompt> prompts;
  for (const KnownText &text : known) {
    Prompt prompt;
    prompt.text = text.prompt;
    prompt.place = "self-test";
    prompts.push_back(std::move(prompt));
  }
  TokenOutput output(prompts.size());
  GenerationResult result = generate(*session, prompts, settings, options, output);
  if (result.code != kOk)
    return {result.code, false, "the demo model does not run", "see the message above"};

  int64_t tokens = 0;
  for (size_t i = 0; i < known.size(); ++i) {
    std::vector<int32_t> written = output.tokens[i];
    tokens += static_cast<int64_t>(written.size());
    if (!compared)
      continue;
    written.resize(std::min(written.size(), known[i].tokens.size()));
    if (written == known[i].tokens)
      continue;
    size_t at = std::mismatch(written.begin(), written.end(), known[i].tokens.begin(),
                              known[i].tokens.end())
                    .first -
                written.begin();
    return {kGeneral, true,
            format("wrong text: prompt %zu differs from the known text at token %zu", i + 1, at),
            "please report this with the output of `quire doctor --json` and `quire --version`"};
  }
  std::string speed =
      format("%.0f tok/s", static_cast<double>(tokens) / std::max(result.figures.seconds, 1e-9));
  if (!compared)
    return {kOk, false,
            "the demo model writes " + speed + ", but its known texts are not installed",
            "put tests/golden/models/demo.json as golden.json into " + *demo};
  return {kOk, true,
          format("the demo model writes %zu known texts of %d tokens exactly, %s together",
                 known.size(), kTokens, speed.c_str()),
          ""};
}

} // namespace quire::cli
