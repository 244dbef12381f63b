// The published rules for the frequencies of rotary position embedding, in the arithmetic of Hugging
// Face transformers (f32 vectors, f64 scalars), so that angles agree to the last bits. `dim` is the
// number of rotated columns of a head, even; every rule gives dim / 2 frequencies in radians a token.
#pragma once

#include <cstdint>
#include <vector>

namespace quire::importer {

/// theta^(-2i/dim). Su et al., RoFormer, arXiv 2104.09864.
std::vector<float> ropeDefault(int64_t dim, double theta);

/// Position interpolation: the default, divided by `factor`. Chen et al., arXiv 2306.15595.
std::vector<float> ropeLinear(int64_t dim, double theta, double factor);

struct Llama3Rope {
  double factor, lowFrequencyFactor, highFrequencyFactor, originalContext;
};
/// Llama 3.1: wavelengths beyond originalContext / lowFrequencyFactor are stretched by `factor`,
/// those below originalContext / highFrequencyFactor are kept, between them it blends.
std::vector<float> ropeLlama3(int64_t dim, double theta, const Llama3Rope &rule);

struct YarnRope {
  double factor, originalContext, betaFast, betaSlow;
  bool truncate; ///< round the blended range outward to whole frequencies
};
/// NTK by parts. Peng et al., YaRN, arXiv 2309.00071.
std::vector<float> ropeYarn(int64_t dim, double theta, const YarnRope &rule);

/// A divisor for each frequency. Ding et al., LongRoPE, arXiv 2402.13753. `divisors` has dim / 2.
std::vector<float> ropeLongrope(int64_t dim, double theta, const std::vector<float> &divisors);

} // namespace quire::importer
