// GenerationJson: what became of a prompt as a JSON object, on standard output and in the results
// of a batch job alike.
#pragma once

#include "tools/quire/Prompts.h"
#include "tools/quire/RunFigures.h"

#include <string>

namespace quire::cli {

/// One line without its break. The first text's fields are those of the object; with several texts
/// "choices" has all of them. `id` is JSON text; "index" is left out if negative.
std::string generationJson(int64_t index, const std::string &id, const Prompt &prompt,
                           const Generated &generated);

} // namespace quire::cli
