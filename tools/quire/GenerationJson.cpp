// Implementation of GenerationJson.
#include "tools/quire/GenerationJson.h"

#include <nlohmann/json.hpp>

namespace quire::cli {

using nlohmann::ordered_json;

static ordered_json statisticsJson(const RequestStatistics &statistics) {
  return {{"prompt_tokens", statistics.promptTokens},
          {"cached_tokens", statistics.cachedTokens},
          {"new_tokens", statistics.newTokens},
          {"preemptions", statistics.preemptions},
          {"seconds_to_start", statistics.secondsToStart},
          {"seconds_to_first_token", statistics.secondsToFirstToken},
          {"seconds_per_token", statistics.secondsPerToken()},
          {"longest_pause", statistics.longestPause},
          {"seconds", statistics.secondsTotal},
          {"tokens_per_second", statistics.tokensPerSecond()}};
}

static void addText(ordered_json &object, const GeneratedText &text) {
  object["text"] = text.text;
  object["finish_reason"] = finishReasonName(text.finish);
  if (!text.error.empty())
    object["error"] = text.error;
  if (text.statistics.score != 0)
    object["score"] = text.statistics.score;
  object["tokens"] = text.tokens;
}

std::string generationJson(int64_t index, const std::string &id, const Prompt &prompt,
                           const Generated &generated) {
  ordered_json object;
  if (index >= 0)
    object["index"] = index;
  if (!id.empty())
    object["id"] = ordered_json::parse(id);
  if (prompt.tokens.empty())
    object["prompt"] = prompt.text;
  addText(object, generated.texts.front());
  object["prompt_ids"] = generated.promptIds;
  object["seed"] = generated.seed;
  object["statistics"] = statisticsJson(generated.texts.front().statistics);
  if (generated.texts.size() > 1) {
    object["choices"] = ordered_json::array();
    for (const GeneratedText &text : generated.texts) {
      ordered_json choice;
      addText(choice, text);
      choice["statistics"] = statisticsJson(text.statistics);
      object["choices"].push_back(std::move(choice));
    }
  }
  return object.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

} // namespace quire::cli
