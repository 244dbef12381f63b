// GenerationDefaults: the sampling settings a model directory recommends in generation_config.json,
// read as Hugging Face transformers reads them: without `do_sample: true` the text is greedy, and
// temperature, top_k and the like apply only with it.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/engine/Sampler.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace quire::cli {

struct GenerationDefaults {
  SamplingParams sampling;         ///< greedy unless the file says otherwise
  std::vector<int32_t> stopTokens; ///< eos_token_id
  std::optional<int32_t> maxNewTokens;
  std::map<std::string, std::string> origins; ///< setting -> where its value comes from
};

/// A missing file gives the plain defaults; a damaged one is Corrupt with the field.
Result<GenerationDefaults> readGenerationDefaults(const std::string &modelDirectory);

} // namespace quire::cli
