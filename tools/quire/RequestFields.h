// RequestFields: what one line of a job says of its own request. Whatever it leaves out comes from
// the command line and the model's recommendations.
#pragma once

#include "tools/quire/GenerationDefaults.h"

#include "runtime/engine/Request.h"

#include <nlohmann/json_fwd.hpp>

#include <optional>

namespace quire::cli {

struct RequestFields {
  std::optional<int32_t> maxNewTokens; ///< "max_tokens"
  std::optional<float> temperature, topP, minP;
  std::optional<int32_t> topK;
  std::optional<float> repetitionPenalty, presencePenalty, frequencyPenalty;
  std::optional<std::vector<std::pair<int32_t, float>>> logitBias; ///< {"42": -1.5}
  std::optional<uint64_t> seed;
  std::optional<std::vector<std::string>> stop; ///< a text or a list of them
  std::optional<bool> ignoreStopTokens;         ///< "ignore_eos"
  std::optional<int32_t> n;                     ///< texts
  std::optional<int32_t> bestOf, beamWidth;     ///< "best_of", "beam_width"
  std::optional<double> lengthPenalty;          ///< "length_penalty"
  std::optional<int32_t> priority;
  std::optional<uint32_t> tenant;
  std::optional<double> weight;          ///< of the tenant
  std::optional<uint64_t> salt;          ///< "cache_salt"
  std::optional<double> deadlineSeconds; ///< "deadline", from the moment it is queued

  /// Takes over what is given here.
  void applyTo(Request &request) const;
};

/// Reads the field `name` of a line. InvalidArgument, without the place, for a name that is not
/// known or a value that it cannot have.
Status readField(const std::string &name, const nlohmann::json &value, RequestFields &fields);

} // namespace quire::cli
