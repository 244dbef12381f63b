// Implementation of BeamSearch.
#include "runtime/engine/BeamSearch.h"

#include "runtime/engine/LogProbability.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace quire {

BeamSearch::BeamSearch(int32_t width, int32_t maxNewTokens, double lengthPenalty,
                       std::vector<int32_t> stopTokens)
    : width(width), maxNewTokens(maxNewTokens), lengthPenalty(lengthPenalty),
      stopTokens(std::move(stopTokens)), beams(1) {}

double BeamSearch::score(double sum, size_t tokens) const {
  return tokens == 0 ? 0 : sum / std::pow(double(tokens), lengthPenalty);
}

bool BeamSearch::isStop(int32_t token) const {
  return std::find(stopTokens.begin(), stopTokens.end(), token) != stopTokens.end();
}

Status BeamSearch::offer(int32_t index, std::span<const float> logits) {
  Beam &beam = beams[index];
  if (beam.isOffered)
    return Status::ok();
  QUIRE_ASSIGN_OR_RETURN(double all, logSumExp(logits));
  // So many that even if every stop token is among them `width` others are left.
  size_t keep = std::min(logits.size(), size_t(width) * (1 + stopTokens.size()));
  size_t first = continuations.size();
  for (size_t token = 0; token < logits.size(); ++token)
    if (logits[token] > -std::numeric_limits<float>::infinity())
      continuations.push_back(
          {beam.sum + double(logits[token]) - all, index, static_cast<int32_t>(token)});
  keep = std::min(keep, continuations.size() - first);
  auto begin = continuations.begin() + static_cast<ptrdiff_t>(first);
  std::partial_sort(begin, begin + static_cast<ptrdiff_t>(keep), continuations.end(),
                    [](const Continuation &a, const Continuation &b) {
                      return a.sum != b.sum ? a.sum > b.sum : a.token < b.token;
                    });
  continuations.resize(first + keep);
  beam.isOffered = true;
  ++offered;
  return Status::ok();
}

/// A text is over: the tokens of a beam and a last one.
void BeamSearch::end(const Continuation &last, bool stopped) {
  Text text{beams[last.beam].tokens, 0, stopped};
  text.tokens.push_back(last.token);
  text.score = score(last.sum, text.tokens.size());
  auto place = std::upper_bound(ended.begin(), ended.end(), text,
                                [](const Text &a, const Text &b) { return a.score > b.score; });
  ended.insert(place, std::move(text));
  if (int32_t(ended.size()) > width)
    ended.pop_back();
}

/// Whether a beam may still end with a better score than the worst of `width` ended texts. Sums
/// only fall, so with a penalty above 0 the longest text has the best that can be hoped for.
bool BeamSearch::canImprove() const {
  if (int32_t(ended.size()) < width)
    return true;
  double most = -std::numeric_limits<double>::infinity();
  for (const Beam &beam : beams)
    most = std::max(most, beam.sum);
  size_t tokens = lengthPenalty > 0 ? size_t(maxNewTokens) : beams.front().tokens.size();
  return score(most, tokens) > ended.back().score;
}

std::span<const BeamSearch::Move> BeamSearch::advance() {
  std::sort(continuations.begin(), continuations.end(),
            [](const Continuation &a, const Continuation &b) {
              if (a.sum != b.sum)
                return a.sum > b.sum;
              return a.beam != b.beam ? a.beam < b.beam : a.token < b.token;
            });
  moves.clear();
  std::vector<Beam> next;
  bool last = length() + 1 == maxNewTokens;
  int32_t rank = 0;
  for (const Continuation &one : continuations) {
    if (int32_t(next.size()) == width)
      break;
    if (isStop(one.token)) {
      if (rank < width)
        end(one, true);
    } else {
      moves.push_back({one.beam, one.token});
      next.push_back({beams[one.beam].tokens, one.sum, false});
      next.back().tokens.push_back(one.token);
      if (last)
        end(one, false);
    }
    ++rank;
  }
  continuations.clear();
  offered = 0;
  over = next.empty() || last;
  if (!next.empty())
    beams = std::move(next);
  over = over || !canImprove();
  if (over)
    moves.clear();
  return moves;
}

std::vector<BeamSearch::Text> BeamSearch::best(int32_t count) const {
  std::vector<Text> texts = ended;
  if (!over)
    for (const Beam &beam : beams)
      texts.push_back({beam.tokens, score(beam.sum, beam.tokens.size()), false});
  std::sort(texts.begin(), texts.end(), [](const Text &a, const Text &b) {
    return a.score != b.score ? a.score > b.score : a.tokens < b.tokens;
  });
  if (int32_t(texts.size()) > count)
    texts.resize(count);
  return texts;
}

} // namespace quire
