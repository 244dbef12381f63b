// Sampler: picks the next token of one sequence from its logits. It keeps no state between tokens:
// the random numbers are a function of the seed and of the token's index in the text, so a sequence
// gives the same text alone, in any batch, and after preemption.
//
// The order of the steps is that of Hugging Face's generate(), with vLLM's penalties:
//   1. logit bias: added
//   2. repetition penalty over prompt and generated tokens: a positive logit is divided, another
//      one multiplied (CTRL, Keskar et al. 2019)
//   3. frequency and presence penalty over generated tokens only: subtracted
//   4. temperature; 0 takes the highest logit (the lowest id among equals) and ends here
//   5. top-k: logits not below the k-th highest; equal logits stay together
//   6. top-p: the fewest most probable tokens whose probability, among what top-k left, reaches p
//   7. min-p: tokens at least minP times as probable as the most probable one
//   8. one draw from what is left
// Steps 4 to 8 follow plan::SamplingRecord, as a plan that samples does them on its device: for the same
// logits both take the same token, up to the rounding of a mass at the very edge of top-p or min-p and of
// two arrivals that differ in their last bits.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/plan/Format.h"

#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace quire {

struct SamplingParams {
  float temperature = 1.0f;       ///< >= 0; 0 is greedy
  int32_t topK = 0;               ///< 0: all tokens
  float topP = 1.0f;              ///< in (0, 1]; 1: all tokens
  float minP = 0.0f;              ///< in [0, 1]; 0: all tokens
  float repetitionPenalty = 1.0f; ///< > 0; 1: none
  float presencePenalty = 0.0f;   ///< in [-2, 2]
  float frequencyPenalty = 0.0f;  ///< in [-2, 2]
  std::vector<std::pair<int32_t, float>> logitBias; ///< (token id, bias in [-100, 100])
  uint64_t seed = 0;

  /// Error: OutOfRange naming the parameter, its value and its limits.
  Status validate(int32_t vocabularySize = std::numeric_limits<int32_t>::max()) const;
};

/// The memory that sampling works in, shared by all sequences of one thread: 16 bytes per token of
/// the vocabulary, allocated once.
class SamplerScratch {
public:
  explicit SamplerScratch(int32_t vocabularySize);

private:
  friend class Sampler;
  std::vector<float> weights;                          ///< logits, then weights, by id
  std::vector<std::pair<float, int32_t>> candidates;   ///< room to select in
  std::vector<uint32_t> counts;                        ///< occurrences by id; zero between calls
};

class Sampler {
public:
  Sampler() = default;
  /// `params` have passed validate().
  explicit Sampler(SamplingParams params) : params(std::move(params)) {}

  /// The token that follows `generated`. `logits` is [vocabulary] and stays as it is. Token ids
  /// outside of the vocabulary in `prompt` or `generated` are not penalised. Allocates nothing.
  /// Error: InvalidArgument when a logit is NaN or positive infinity, or all are negative infinity.
  Result<int32_t> sample(std::span<const float> logits, std::span<const int32_t> prompt,
                         std::span<const int32_t> generated, SamplerScratch &scratch) const;

  const SamplingParams &parameters() const { return params; }

  /// Whether the logits are changed before the draw (steps 1 to 3), which no device does.
  bool changesLogits() const;
  /// Steps 4 to 8 for the token that follows `index` generated ones.
  plan::SamplingRecord record(uint64_t index) const;

private:
  void adjustLogits(std::span<float> logits, std::span<const int32_t> prompt,
                    std::span<const int32_t> generated, std::span<uint32_t> counts) const;
  int32_t draw(std::span<float> weights, float highest, const plan::SamplingRecord &record,
               std::vector<std::pair<float, int32_t>> &candidates) const;

  SamplingParams params;
};

/// 64 random bits that depend on (seed, index) only: Philox4x32-10 (Salmon et al. 2011) with the
/// seed as key and the index as counter.
uint64_t counterRandom(uint64_t seed, uint64_t index);

/// The v of plan::SamplingRecord.
float tokenRandom(const plan::SamplingRecord &record, uint32_t token);

} // namespace quire
