// Each rule follows modeling_rope_utils.py of transformers step by step: where it computes with
// float32 tensors this computes with float, where it computes with Python numbers, with double.
#include "compiler/import/Rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

using namespace quire::importer;

/// theta^(2i/dim), the wavelengths over 2 pi.
static std::vector<float> periods(int64_t dim, double theta) {
  std::vector<float> result;
  for (int64_t i = 0; i < dim; i += 2)
    result.push_back(
        std::pow(static_cast<float>(theta), static_cast<float>(i) / static_cast<float>(dim)));
  return result;
}

std::vector<float> quire::importer::ropeDefault(int64_t dim, double theta) {
  std::vector<float> frequencies = periods(dim, theta);
  for (float &frequency : frequencies)
    frequency = 1.0f / frequency;
  return frequencies;
}

std::vector<float> quire::importer::ropeLinear(int64_t dim, double theta, double factor) {
  std::vector<float> frequencies = ropeDefault(dim, theta);
  for (float &frequency : frequencies)
    frequency /= static_cast<float>(factor);
  return frequencies;
}

std::vector<float> quire::importer::ropeLlama3(int64_t dim, double theta, const Llama3Rope &rule) {
  auto original = static_cast<float>(rule.originalContext);
  auto factor = static_cast<float>(rule.factor);
  auto low = static_cast<float>(rule.lowFrequencyFactor);
  auto spread = static_cast<float>(rule.highFrequencyFactor - rule.lowFrequencyFactor);
  auto longest = static_cast<float>(rule.originalContext / rule.lowFrequencyFactor);
  auto shortest = static_cast<float>(rule.originalContext / rule.highFrequencyFactor);
  std::vector<float> frequencies = ropeDefault(dim, theta);
  for (float &frequency : frequencies) {
    float wavelength = static_cast<float>(2 * std::numbers::pi) / frequency;
    if (wavelength > longest) {
      frequency /= factor;
    } else if (!(wavelength < shortest)) {
      float smooth = (original / wavelength - low) / spread;
      frequency = (1 - smooth) * frequency / factor + smooth * frequency;
    }
  }
  return frequencies;
}

std::vector<float> quire::importer::ropeYarn(int64_t dim, double theta, const YarnRope &rule) {
  // The frequency that turns `rotations` times within the original context.
  auto correction = [&](double rotations) {
    return dim * std::log(rule.originalContext / (rotations * 2 * std::numbers::pi)) /
           (2 * std::log(theta));
  };
  double low = correction(rule.betaFast), high = correction(rule.betaSlow);
  if (rule.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(dim - 1));
  if (low == high)
    high += 0.001;
  std::vector<float> result = periods(dim, theta);
  for (size_t i = 0; i < result.size(); ++i) {
    float ramp = (static_cast<float>(i) - static_cast<float>(low)) / static_cast<float>(high - low);
    float keep = 1 - std::clamp(ramp, 0.0f, 1.0f);
    float kept = 1.0f / result[i], stretched = 1.0f / (static_cast<float>(rule.factor) * result[i]);
    result[i] = stretched * (1 - keep) + kept * keep;
  }
  return result;
}

std::vector<float> quire::importer::ropeLongrope(int64_t dim, double theta,
                                                 const std::vector<float> &divisors) {
  std::vector<float> result = periods(dim, theta);
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = 1.0f / (divisors[i] * result[i]);
  return result;
}
