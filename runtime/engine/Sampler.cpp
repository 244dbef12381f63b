// Sampler: see the header. Every step is linear in the vocabulary: nth_element instead of a sort
// for top-k, and for top-p a search that halves the undecided tokens and looks at their mass.
#include "runtime/engine/Sampler.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace quire {

namespace {

Status outOfRange(const char *name, double value, const char *limits) {
  std::string text = std::to_string(value);
  return Status::error(ErrorCode::OutOfRange,
                       std::string(name) + " is " + text + ", but must be " + limits);
}

/// Finds the highest logit, the lowest id among equals.
Result<int32_t> highestLogit(std::span<const float> logits) {
  float highest = -std::numeric_limits<float>::infinity();
  int32_t best = -1;
  for (size_t i = 0; i < logits.size(); ++i) {
    // NaN fails both comparisons of a number that may be sampled.
    if (!(logits[i] < std::numeric_limits<float>::infinity()))
      return Status::error(ErrorCode::InvalidArgument,
                           "the logit of token " + std::to_string(i) + " is " +
                               (std::isnan(logits[i]) ? "NaN" : "infinite") +
                               ": the model's computation went wrong");
    if (logits[i] > highest) {
      highest = logits[i];
      best = static_cast<int32_t>(i);
    }
  }
  if (best < 0)
    return Status::error(ErrorCode::InvalidArgument, "no token may be sampled: all " +
                                                         std::to_string(logits.size()) +
                                                         " logits are negative infinity");
  return best;
}

/// More probable first, the lower id among equals.
bool isBefore(const std::pair<float, int32_t> &a, const std::pair<float, int32_t> &b) {
  return a.first != b.first ? a.first > b.first : a.second < b.second;
}

/// The last of the fewest candidates, most probable first, whose weights reach `mass`.
std::pair<float, int32_t> lastOfMass(std::span<std::pair<float, int32_t>> candidates, double mass) {
  double before = 0;
  while (candidates.size() > 1) {
    size_t half = candidates.size() / 2;
    std::nth_element(candidates.begin(), candidates.begin() + static_cast<ptrdiff_t>(half),
                     candidates.end(), isBefore);
    double first = before;
    for (const auto &candidate : candidates.first(half))
      first += candidate.first;
    if (first >= mass) {
      candidates = candidates.first(half);
    } else {
      before = first;
      candidates = candidates.subspan(half);
    }
  }
  return candidates.front();
}

} // namespace

Status SamplingParams::validate(int32_t vocabularySize) const {
  if (!std::isfinite(temperature) || temperature < 0)
    return outOfRange("temperature", temperature, "a finite number of at least 0 (0 is greedy)");
  if (topK < 0)
    return outOfRange("top_k", topK, "at least 0 (0 keeps all tokens)");
  if (!(topP > 0 && topP <= 1))
    return outOfRange("top_p", topP, "above 0 and at most 1");
  if (!(minP >= 0 && minP <= 1))
    return outOfRange("min_p", minP, "between 0 and 1");
  if (!std::isfinite(repetitionPenalty) || repetitionPenalty <= 0)
    return outOfRange("repetition_penalty", repetitionPenalty, "a finite number above 0");
  if (!(presencePenalty >= -2 && presencePenalty <= 2))
    return outOfRange("presence_penalty", presencePenalty, "between -2 and 2");
  if (!(frequencyPenalty >= -2 && frequencyPenalty <= 2))
    return outOfRange("frequency_penalty", frequencyPenalty, "between -2 and 2");
  for (auto [token, bias] : logitBias) {
    if (token < 0 || token >= vocabularySize)
      return Status::error(ErrorCode::OutOfRange,
                           "logit_bias names token " + std::to_string(token) +
                               ", but ids end at " + std::to_string(vocabularySize - 1));
    if (!(bias >= -100 && bias <= 100))
      return outOfRange("logit_bias", bias, "between -100 and 100");
  }
  return Status::ok();
}

SamplerScratch::SamplerScratch(int32_t vocabularySize)
    : weights(static_cast<size_t>(vocabularySize)), counts(static_cast<size_t>(vocabularySize)) {
  candidates.reserve(static_cast<size_t>(vocabularySize));
}

bool Sampler::changesLogits() const {
  return !params.logitBias.empty() || params.repetitionPenalty != 1 ||
         params.presencePenalty != 0 || params.frequencyPenalty != 0;
}

void Sampler::adjustLogits(std::span<float> logits, std::span<const int32_t> prompt,
                           std::span<const int32_t> generated, std::span<uint32_t> counts) const {
  auto known = [&](int32_t token) {
    return token >= 0 && static_cast<size_t>(token) < logits.size();
  };
  for (auto [token, bias] : params.logitBias)
    if (known(token))
      logits[token] += bias;

  // The high bit marks a token that carries its repetition penalty already.
  constexpr uint32_t kRepeated = uint32_t(1) << 31;
  auto repeat = [&](int32_t token) {
    if (!known(token) || counts[token] & kRepeated)
      return;
    counts[token] |= kRepeated;
    float &logit = logits[token];
    logit = logit > 0 ? logit / params.repetitionPenalty : logit * params.repetitionPenalty;
  };
  if (params.repetitionPenalty != 1) {
    std::for_each(prompt.begin(), prompt.end(), repeat);
    std::for_each(generated.begin(), generated.end(), repeat);
  }
  for (int32_t token : generated)
    if (known(token))
      ++counts[token];
  for (int32_t token : generated) {
    if (!known(token))
      continue;
    if (uint32_t count = counts[token] & ~kRepeated)
      logits[token] -= params.frequencyPenalty * static_cast<float>(count) + params.presencePenalty;
    counts[token] = 0;
  }
  for (int32_t token : prompt)
    if (known(token))
      counts[token] = 0;
}

Result<int32_t> Sampler::sample(std::span<const float> logits, std::span<const int32_t> prompt,
                                std::span<const int32_t> generated, SamplerScratch &scratch) const {
  if (logits.size() > scratch.weights.size())
    return Status::error(ErrorCode::Internal,
                         "sampling has room for " + std::to_string(scratch.weights.size()) +
                             " tokens, but the logits are " + std::to_string(logits.size()));
  if (params.temperature == 0 && !changesLogits())
    return highestLogit(logits);

  std::span<float> weights = std::span(scratch.weights).first(logits.size());
  std::copy(logits.begin(), logits.end(), weights.begin());
  if (changesLogits())
    adjustLogits(weights, prompt, generated, scratch.counts);
  QUIRE_ASSIGN_OR_RETURN(int32_t best, highestLogit(weights));
  if (params.temperature == 0)
    return best;
  return draw(weights, weights[best], record(generated.size()), scratch.candidates);
}

int32_t Sampler::draw(std::span<float> weights, float highest, const plan::SamplingRecord &record,
                      std::vector<std::pair<float, int32_t>> &candidates) const {
  float lowestLogit = -std::numeric_limits<float>::infinity();
  if (params.topK > 0 && static_cast<size_t>(params.topK) < weights.size()) {
    candidates.clear();
    for (size_t i = 0; i < weights.size(); ++i)
      candidates.emplace_back(weights[i], static_cast<int32_t>(i));
    auto last = candidates.begin() + (params.topK - 1);
    std::nth_element(candidates.begin(), last, candidates.end(), isBefore);
    lowestLogit = last->first;
  }

  double total = 0;
  for (float &weight : weights) {
    // The highest logit is subtracted first, so that no temperature overflows.
    weight = weight >= lowestLogit ? std::exp((weight - highest) * record.inverseTemperature) : 0.0f;
    total += weight;
  }

  std::pair<float, int32_t> last = {0.0f, std::numeric_limits<int32_t>::max()};
  if (params.topP < 1) {
    candidates.clear();
    for (size_t i = 0; i < weights.size(); ++i)
      if (weights[i] > 0)
        candidates.emplace_back(weights[i], static_cast<int32_t>(i));
    last = lastOfMass(candidates, static_cast<double>(params.topP) * total);
  }

  // The highest weight is exp(0) = 1, so minP is a weight itself.
  auto kept = [&](size_t i) {
    return weights[i] > 0 && weights[i] >= params.minP &&
           !isBefore(last, {weights[i], static_cast<int32_t>(i)});
  };
  int32_t first = 0;
  float earliest = std::numeric_limits<float>::infinity();
  for (size_t i = 0; i < weights.size(); ++i) {
    if (!kept(i))
      continue;
    float random = tokenRandom(record, static_cast<uint32_t>(i));
    // -log1p(-v) is at least v, so few tokens need the logarithm.
    if (random > earliest * weights[i])
      continue;
    float arrival = -std::log1p(-random) / weights[i];
    if (arrival < earliest) {
      earliest = arrival;
      first = static_cast<int32_t>(i);
    }
  }
  return first;
}

plan::SamplingRecord Sampler::record(uint64_t index) const {
  plan::SamplingRecord record{};
  if (params.temperature > 0)
    record.inverseTemperature =
        std::min(1 / params.temperature, std::numeric_limits<float>::max());
  record.topP = params.topP;
  record.leastScore = std::log(params.minP);
  record.topK = params.topK;
  uint64_t key = counterRandom(params.seed, index);
  record.key[0] = static_cast<uint32_t>(key);
  record.key[1] = static_cast<uint32_t>(key >> 32);
  return record;
}

float tokenRandom(const plan::SamplingRecord &record, uint32_t token) {
  uint32_t bits = token ^ record.key[0];
  bits ^= bits >> 17;
  bits *= plan::kSamplingFactors[0];
  bits ^= record.key[1];
  bits ^= bits >> 11;
  bits *= plan::kSamplingFactors[1];
  bits ^= bits >> 15;
  bits *= plan::kSamplingFactors[2];
  bits ^= bits >> 14;
  return std::min(static_cast<float>(bits) * 0x1p-32f + 0x1p-33f, 1 - 0x1p-24f);
}

uint64_t counterRandom(uint64_t seed, uint64_t index) {
  uint32_t counter[4] = {static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), 0, 0};
  uint32_t key[2] = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  for (int round = 0; round < 10; ++round) {
    uint64_t first = uint64_t(0xD2511F53) * counter[0], second = uint64_t(0xCD9E8D57) * counter[2];
    uint32_t next[4] = {static_cast<uint32_t>(second >> 32) ^ counter[1] ^ key[0],
                        static_cast<uint32_t>(second),
                        static_cast<uint32_t>(first >> 32) ^ counter[3] ^ key[1],
                        static_cast<uint32_t>(first)};
    std::copy(next, next + 4, counter);
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return static_cast<uint64_t>(counter[1]) << 32 | counter[0];
}

} // namespace quire
