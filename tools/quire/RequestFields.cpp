// Implementation of RequestFields: one table of names, what each wants, and where it goes.
#include "tools/quire/RequestFields.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <cmath>
#include <functional>
#include <limits>

namespace quire::cli {

namespace {

using nlohmann::json;

/// Reads a value; false if it is not one that the field can have.
using Reader = std::function<bool(const json &, RequestFields &)>;

struct Field {
  const char *name;
  const char *wants;
  Reader read;
};

template <class T> Reader integer(std::optional<T> RequestFields::*member, int64_t least) {
  return [=](const json &value, RequestFields &fields) {
    constexpr uint64_t most = static_cast<uint64_t>(std::numeric_limits<T>::max());
    if (!value.is_number_integer() || (!value.is_number_unsigned() && value.get<int64_t>() < least))
      return false;
    if (value.is_number_unsigned() && (value.get<uint64_t>() > most ||
                                       (least > 0 && value.get<uint64_t>() < uint64_t(least))))
      return false;
    fields.*member = value.get<T>();
    return true;
  };
}

template <class T>
Reader number(std::optional<T> RequestFields::*member, double least, double most) {
  return [=](const json &value, RequestFields &fields) {
    if (!value.is_number() || !(value.get<double>() >= least && value.get<double>() <= most))
      return false;
    fields.*member = value.get<T>();
    return true;
  };
}

bool readStop(const json &value, RequestFields &fields) {
  fields.stop.emplace();
  if (value.is_string()) {
    fields.stop->push_back(value.get<std::string>());
    return true;
  }
  if (!value.is_array())
    return false;
  for (const json &one : value) {
    if (!one.is_string())
      return false;
    fields.stop->push_back(one.get<std::string>());
  }
  return true;
}

bool readLogitBias(const json &value, RequestFields &fields) {
  if (!value.is_object())
    return false;
  fields.logitBias.emplace();
  for (const auto &[key, bias] : value.items()) {
    int32_t token = -1;
    auto [stop, error] = std::from_chars(key.data(), key.data() + key.size(), token);
    if (error != std::errc() || stop != key.data() + key.size() || token < 0 || !bias.is_number() ||
        !std::isfinite(bias.get<double>()))
      return false;
    fields.logitBias->emplace_back(token, bias.get<float>());
  }
  return true;
}

bool readIgnoreStop(const json &value, RequestFields &fields) {
  if (value.is_boolean())
    fields.ignoreStopTokens = value.get<bool>();
  return value.is_boolean();
}

const std::vector<Field> &allFields() {
  constexpr double kMost = 1e9;
  constexpr int64_t kNegative = std::numeric_limits<int32_t>::min();
  static const std::vector<Field> fields = {
      {"max_tokens", "a count of at least 1", integer(&RequestFields::maxNewTokens, 1)},
      {"temperature", "0 to 100", number(&RequestFields::temperature, 0, 100)},
      {"top_k", "a count, 0 for all", integer(&RequestFields::topK, 0)},
      {"top_p", "0 to 1", number(&RequestFields::topP, 0, 1)},
      {"min_p", "0 to 1", number(&RequestFields::minP, 0, 1)},
      {"repetition_penalty", "0.01 to 100", number(&RequestFields::repetitionPenalty, 0.01, 100)},
      {"presence_penalty", "-2 to 2", number(&RequestFields::presencePenalty, -2, 2)},
      {"frequency_penalty", "-2 to 2", number(&RequestFields::frequencyPenalty, -2, 2)},
      {"logit_bias", "an object of token ids and numbers", readLogitBias},
      {"seed", "a count", integer(&RequestFields::seed, 0)},
      {"stop", "a text or a list of texts", readStop},
      {"ignore_eos", "true or false", readIgnoreStop},
      {"n", "a count of at least 1", integer(&RequestFields::n, 1)},
      {"best_of", "a count of at least n", integer(&RequestFields::bestOf, 1)},
      {"beam_width", "a count of at least n", integer(&RequestFields::beamWidth, 1)},
      {"length_penalty", "-10 to 10", number(&RequestFields::lengthPenalty, -10, 10)},
      {"priority", "a whole number, 0 the most urgent",
       integer(&RequestFields::priority, kNegative)},
      {"tenant", "a count", integer(&RequestFields::tenant, 0)},
      {"weight", "a number above 0", number(&RequestFields::weight, 1e-9, kMost)},
      {"cache_salt", "a count", integer(&RequestFields::salt, 0)},
      {"deadline", "seconds above 0", number(&RequestFields::deadlineSeconds, 1e-9, kMost)},
  };
  return fields;
}

} // namespace

Status readField(const std::string &name, const json &value, RequestFields &fields) {
  std::string names = "prompt, prompt_ids, id";
  for (const Field &field : allFields()) {
    names += std::string(", ") + field.name;
    if (name != field.name)
      continue;
    if (field.read(value, fields))
      return Status::ok();
    return Status::error(ErrorCode::InvalidArgument,
                         "cannot use \"" + name + "\": " +
                             value.dump(-1, ' ', false, json::error_handler_t::replace) +
                             "; it must be " + field.wants);
  }
  return Status::error(ErrorCode::InvalidArgument,
                       "cannot use \"" + name + "\": there is no such field; known are " + names);
}

void RequestFields::applyTo(Request &request) const {
  auto take = [](const auto &given, auto &target) {
    if (given)
      target = *given;
  };
  SamplingParams &sampling = request.sampling;
  take(maxNewTokens, request.maxNewTokens);
  take(temperature, sampling.temperature);
  take(topK, sampling.topK);
  take(topP, sampling.topP);
  take(minP, sampling.minP);
  take(repetitionPenalty, sampling.repetitionPenalty);
  take(presencePenalty, sampling.presencePenalty);
  take(frequencyPenalty, sampling.frequencyPenalty);
  take(logitBias, sampling.logitBias);
  take(seed, sampling.seed);
  take(stop, request.stopStrings);
  take(ignoreStopTokens, request.ignoreStopTokens);
  take(n, request.n);
  take(bestOf, request.bestOf);
  take(beamWidth, request.beamWidth);
  take(lengthPenalty, request.lengthPenalty);
  take(priority, request.priority);
  take(tenant, request.tenant);
  take(weight, request.weight);
  take(salt, request.salt);
  take(deadlineSeconds, request.deadlineSeconds);
}

} // namespace quire::cli
