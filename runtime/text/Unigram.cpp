// Unigram: see the header. Scores are doubles and ties keep the first path found, so that results
// agree with SentencePiece's and Hugging Face's optimised encoders.
#include "runtime/text/Unigram.h"

#include "runtime/text/ByteAlphabet.h"
#include "runtime/text/Utf8.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace quire::text {

namespace {
/// What an unknown character costs beyond the least probable piece (SentencePiece's kUnkPenalty).
constexpr double kUnknownPenalty = 10.0;
} // namespace

Result<std::unique_ptr<UnigramModel>>
UnigramModel::create(const std::vector<std::pair<std::string_view, double>> &pieces,
                     std::optional<int64_t> unknownId, bool byteFallback) {
  if (unknownId && (*unknownId < 0 || *unknownId >= static_cast<int64_t>(pieces.size())))
    return Status::error(ErrorCode::OutOfRange, "unk_id is " + std::to_string(*unknownId) +
                                                    ", but the vocabulary has " +
                                                    std::to_string(pieces.size()) + " pieces");
  std::unique_ptr<UnigramModel> model(new UnigramModel());
  std::vector<std::pair<std::string_view, int32_t>> keys;
  keys.reserve(pieces.size());
  double lowest = pieces.empty() ? 0 : pieces.front().second;
  for (const auto &[text, score] : pieces) {
    if (!std::isfinite(score))
      return Status::error(ErrorCode::OutOfRange,
                           "the piece '" + std::string(text) + "' has a score that is not finite");
    int32_t id = static_cast<int32_t>(model->scores.size());
    QUIRE_RETURN_IF_ERROR(model->vocab.add(text, id));
    keys.emplace_back(text, id);
    model->scores.push_back(score);
    lowest = std::min(lowest, score);
  }
  model->trie = ByteTrie(keys);
  model->unknownScore = lowest - kUnknownPenalty;
  model->byteFallback = byteFallback;
  if (unknownId)
    model->unknownId = static_cast<int32_t>(*unknownId);
  for (int byte = 0; byte < 256; ++byte) {
    char spelling[8];
    std::snprintf(spelling, sizeof spelling, "<0x%02X>", static_cast<unsigned>(byte));
    model->fallbackTokens[byte] = model->vocab.find(spelling).value_or(-1);
  }
  return model;
}

Status UnigramModel::encodeWord(std::string_view word, bool byteLevel,
                                std::vector<int32_t> &ids) const {
  std::string spelled;
  if (byteLevel) {
    appendByteLevel(word, spelled);
    word = spelled;
  }
  constexpr uint32_t kUnreached = UINT32_MAX;
  struct PathEnd {
    double score = 0;
    uint32_t begin = kUnreached;
    int32_t id = 0;
  };
  std::vector<PathEnd> ends(word.size() + 1);
  auto relax = [&](size_t begin, size_t end, double score, int32_t id) {
    if (ends[end].begin == kUnreached || score > ends[end].score)
      ends[end] = {score, static_cast<uint32_t>(begin), id};
  };
  for (size_t begin = 0; begin < word.size();) {
    size_t charLength = decodeChar(word, begin).length;
    double score = ends[begin].score;
    bool hasSingleChar = false;
    trie.forEachPrefix(word, begin, [&](size_t length, int32_t id) {
      relax(begin, begin + length, score + scores[id], id);
      hasSingleChar |= length == charLength;
    });
    if (!hasSingleChar) {
      if (!unknownId)
        return Status::error(ErrorCode::InvalidArgument,
                             "the tokenizer has no piece for '" +
                                 std::string(word.substr(begin, charLength)) +
                                 "' and no unknown token");
      relax(begin, begin + charLength, score + unknownScore, *unknownId);
    }
    begin += charLength;
  }

  std::vector<uint32_t> cuts;
  for (uint32_t end = static_cast<uint32_t>(word.size()); end > 0; end = ends[end].begin)
    cuts.push_back(end);
  size_t begin = 0, runBegin = 0;
  bool inUnknownRun = false;
  for (auto cut = cuts.rbegin(); cut != cuts.rend(); begin = *cut++) {
    bool unknown = unknownId && ends[*cut].id == *unknownId;
    if (unknown && !inUnknownRun)
      runBegin = begin;
    if (!unknown && inUnknownRun)
      QUIRE_RETURN_IF_ERROR(appendUnknownRun(word.substr(runBegin, begin - runBegin), ids));
    if (!unknown)
      ids.push_back(ends[*cut].id);
    inUnknownRun = unknown;
  }
  if (inUnknownRun)
    QUIRE_RETURN_IF_ERROR(appendUnknownRun(word.substr(runBegin), ids));
  return Status::ok();
}

Status UnigramModel::appendUnknownRun(std::string_view run, std::vector<int32_t> &ids) const {
  // Characters that are unknown one by one may be a piece together, or spell the unknown token.
  if (auto id = vocab.find(run)) {
    ids.push_back(*id);
    return Status::ok();
  }
  bool expressible = byteFallback && std::all_of(run.begin(), run.end(), [&](char byte) {
                       return fallbackTokens[static_cast<uint8_t>(byte)] >= 0;
                     });
  if (!expressible) {
    ids.push_back(*unknownId);
    return Status::ok();
  }
  for (char byte : run)
    ids.push_back(fallbackTokens[static_cast<uint8_t>(byte)]);
  return Status::ok();
}

} // namespace quire::text
