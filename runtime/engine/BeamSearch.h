// BeamSearch: keeps the `width` likeliest texts of one prompt while they grow, a token at a time.
// Pure logic: it is told the logits behind each beam and says which beams go on with which tokens;
// whoever drives it forks and ends sequences accordingly.
//
// A text's score is the sum of the log-probabilities of its tokens, a stop token among them,
// divided by their number to the power of `lengthPenalty` (0: the sum; larger values favour long
// texts). A text that ends by a stop token is kept among the `width` best ended ones; the search is
// over when no beam can reach the worst of them, or when texts have maxNewTokens tokens. A stop
// token counts only among the `width` likeliest continuations of a step, as in Hugging Face's
// generate().
#pragma once

#include "runtime/base/Status.h"

#include <cstdint>
#include <span>
#include <vector>

namespace quire {

class BeamSearch {
public:
  struct Text {
    std::vector<int32_t> tokens;
    double score;
    bool stopped; ///< by a stop token, which is its last
  };
  /// A beam of the next step: beam `parent` of this one with one more token.
  struct Move {
    int32_t parent;
    int32_t token;
  };

  /// `width` and `maxNewTokens` at least 1. Begins with one beam without tokens.
  BeamSearch(int32_t width, int32_t maxNewTokens, double lengthPenalty,
             std::vector<int32_t> stopTokens);

  int32_t beamCount() const { return int32_t(beams.size()); }
  /// Tokens of every beam.
  int32_t length() const { return int32_t(beams.front().tokens.size()); }

  /// The logits [vocabulary] behind a beam; again for the same beam has no effect. InvalidArgument
  /// as from logSumExp.
  Status offer(int32_t beam, std::span<const float> logits);
  /// Whether all beams have their logits.
  bool isReady() const { return offered == beamCount(); }

  /// One step further, when ready. Beam i of the next step is move i; at most `width` of them. None
  /// when the search is over.
  std::span<const Move> advance();
  bool isOver() const { return over; }

  /// The best `count` texts, best first; if the search is not over, with those that still grow.
  std::vector<Text> best(int32_t count) const;

private:
  struct Continuation {
    double sum; ///< of log-probabilities
    int32_t beam;
    int32_t token;
  };
  struct Beam {
    std::vector<int32_t> tokens;
    double sum = 0;
    bool isOffered = false;
  };
  double score(double sum, size_t tokens) const;
  bool isStop(int32_t token) const;
  void end(const Continuation &last, bool stopped);
  bool canImprove() const;

  int32_t width, maxNewTokens;
  double lengthPenalty;
  std::vector<int32_t> stopTokens;
  std::vector<Beam> beams;
  std::vector<Text> ended; ///< best first, at most `width`
  std::vector<Continuation> continuations;
  std::vector<Move> moves;
  int32_t offered = 0;
  bool over = false;
};

} // namespace quire
