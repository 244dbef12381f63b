// Implementation of CostModel.
#include "runtime/sched/CostModel.h"

#include <algorithm>
#include <cmath>

namespace quire {

static double pairs(double context, double count) {
  return count * context + count * (count + 1) / 2;
}

void StepWork::add(int32_t context, int32_t count, bool sample) {
  tokens += count;
  ++sequences;
  samples += sample;
  if (count == 1)
    decodeKeys += int64_t(context) + 1;
  if (count == 1)
    return;
  prefillPairs += int64_t(count) * context + int64_t(count) * (count + 1) / 2;
  prefillKeys += int64_t(context) + count;
}

double CostModel::stairMicros(int64_t rows) const {
  double sum = 0;
  for (size_t i = 0; i < kFewRows.size(); ++i)
    sum += rows > kFewRows[i] ? aboveRows[i] : 0;
  return sum;
}

double CostModel::stepMicros(const StepWork &shape) const {
  double tiles = shape.tokens > 0 ? double((shape.tokens - 1) / tileRows) : 0;
  return perStep + stairMicros(shape.tokens) + perTile * tiles + perToken * double(shape.tokens) +
         perSequence * double(shape.sequences) + perSample * double(shape.samples) +
         perDecodeKey * double(shape.decodeKeys) + perPrefillPair * double(shape.prefillPairs) +
         perPrefillKey * double(shape.prefillKeys);
}

double CostModel::chunkMicros(int32_t context, int32_t count) const {
  if (count == 1)
    return perSequence + rowMicros() + perDecodeKey * (double(context) + 1);
  return perSequence + rowMicros() * count + perPrefillPair * pairs(context, count) +
         perPrefillKey * (double(context) + count);
}

int32_t CostModel::tokensWithin(int32_t context, double micros) const {
  // perPrefillPair / 2 * n^2 + (rowMicros + perPrefillPair * (context + 1/2) + perPrefillKey) * n
  // <= left
  double left = micros - perSequence - perPrefillKey * context;
  if (left <= 0)
    return 0;
  double square = perPrefillPair / 2;
  double linear = rowMicros() + perPrefillPair * (context + 0.5) + perPrefillKey;
  double count;
  if (square > 0)
    count = 2 * left / (linear + std::sqrt(linear * linear + 4 * square * left));
  else if (linear > 0)
    count = left / linear;
  else
    return INT32_MAX;
  return static_cast<int32_t>(std::min(count, double(INT32_MAX)));
}

int32_t CostModel::finestChunk(int32_t context) const {
  double rows = rowMicros() + perPrefillPair * context;
  double keys = perSequence + perPrefillKey * context;
  return rows > 0 ? static_cast<int32_t>(std::clamp(keys / rows, 1.0, double(INT32_MAX))) : 1;
}

double CostModel::recomputeMicros(int32_t tokens, int32_t stepTokens) const {
  // The steps run anyway for others, so only what the tokens add to them is counted.
  double steps = std::ceil(double(tokens) / std::max(stepTokens, 1));
  double keys = double(tokens) * (steps + 1) / 2;
  return perSequence * steps + rowMicros() * tokens + perPrefillPair * pairs(0, tokens) +
         perPrefillKey * keys;
}

} // namespace quire
