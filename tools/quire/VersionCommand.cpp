// quire --version: what this program is and what it reads.
#include "tools/quire/Commands.h"
#include "tools/quire/Console.h"
#include "tools/quire/Paths.h"

#include "runtime/base/CpuInfo.h"
#include "runtime/plan/Format.h"

#include <nlohmann/json.hpp>

namespace quire::cli {

#if defined(__clang__)
static constexpr const char *kBuiltWith = "clang " __clang_version__;
#else
static constexpr const char *kBuiltWith = "g++ " __VERSION__;
#endif

int printVersion(bool json) {
  std::optional<std::string> compiler = findSibling("quire-compile");
  CpuInfo cpu = queryCpuInfo();
  std::string text;
  if (json) {
    nlohmann::json object = {
        {"version", QUIRE_VERSION},
        {"built_with", kBuiltWith},
        {"plan_format", plan::kVersion},
        {"model_formats", {"safetensors", "tokenizer.json", "vocab.json + merges.txt"}},
        {"compiler", compiler ? nlohmann::json(*compiler) : nlohmann::json()},
        {"cpu_level", cpu.level()},
    };
    text = object.dump(2) + "\n";
  } else {
    text = format("quire %s\n", QUIRE_VERSION);
    text += format("built with     %s\n", kBuiltWith);
    text += format("plan format    %u\n", plan::kVersion);
    text += "model formats  safetensors; tokenizer.json, vocab.json + merges.txt\n";
    text += format("compiler       %s\n", compiler ? compiler->c_str() : "quire-compile not found");
    text += format("processor      %s\n", cpu.level());
  }
  Status status = writeOutput(text);
  return status.isOk() ? static_cast<int>(kOk) : fail(kGeneral, status);
}

} // namespace quire::cli
