// Bpe: see the header.
#include "runtime/text/Bpe.h"

#include "runtime/text/ByteAlphabet.h"
#include "runtime/text/Utf8.h"

#include <algorithm>
#include <functional>
#include <queue>

namespace quire::text {

namespace {

std::string fallbackSpelling(uint8_t byte) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  return {'<', '0', 'x', kDigits[byte >> 4], kDigits[byte & 15], '>'};
}

uint64_t pairKey(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

size_t hashPair(uint64_t pair) {
  uint64_t hash = pair * 0x9E3779B97F4A7C15ull;
  return static_cast<size_t>(hash ^ hash >> 32);
}

} // namespace

Result<std::unique_ptr<BpeModel>> BpeModel::create(Vocabulary vocabulary,
                                                   const std::vector<Merge> &merges,
                                                   BpeOptions options) {
  std::unique_ptr<BpeModel> model(new BpeModel());
  model->vocab = std::move(vocabulary);
  model->options = std::move(options);
  const std::string &prefix = model->options.continuingSubwordPrefix;

  size_t capacity = 16;
  while (capacity < merges.size() * 2)
    capacity *= 2;
  model->merges.resize(capacity);
  std::string merged;
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    auto [left, right] = merges[rank];
    merged.assign(left);
    merged.append(right.substr(std::min(prefix.size(), right.size())));
    auto leftId = model->vocab.find(left), rightId = model->vocab.find(right);
    auto mergedId = model->vocab.find(merged);
    if (!leftId || !rightId || !mergedId)
      return Status::error(ErrorCode::InvalidArgument,
                           "merge " + std::to_string(rank) + " ('" + std::string(left) + "' + '" +
                               std::string(right) + "') needs the token '" +
                               std::string(!leftId ? left : !rightId ? right : merged) +
                               "', which is not in the vocabulary");
    model->addMerge(*leftId, *rightId, static_cast<uint32_t>(rank), *mergedId);
  }

  if (model->options.unknownToken)
    model->unknownId = model->vocab.find(*model->options.unknownToken).value_or(kDropped);
  bool allBytes = true;
  for (int byte = 0; byte < 256; ++byte) {
    std::string spelling;
    appendChar(spelling, charOfByte(static_cast<uint8_t>(byte)));
    model->byteSymbols[byte] = model->vocab.find(spelling).value_or(kDropped);
    allBytes &= model->byteSymbols[byte] != kDropped;
    model->fallbackTokens[byte] =
        model->vocab.find(fallbackSpelling(static_cast<uint8_t>(byte))).value_or(kDropped);
  }
  model->plainByteSymbols =
      allBytes && prefix.empty() && model->options.endOfWordSuffix.empty();
  return model;
}

void BpeModel::addMerge(int32_t left, int32_t right, uint32_t rank, int32_t merged) {
  uint64_t pair = pairKey(left, right);
  size_t mask = merges.size() - 1, slot = hashPair(pair) & mask;
  while (merges[slot].pair != kNoPair && merges[slot].pair != pair)
    slot = (slot + 1) & mask;
  merges[slot] = {pair, rank, merged};
}

const BpeModel::PairMerge *BpeModel::findMerge(int32_t left, int32_t right) const {
  uint64_t pair = pairKey(left, right);
  size_t mask = merges.size() - 1, slot = hashPair(pair) & mask;
  while (merges[slot].pair != kNoPair) {
    if (merges[slot].pair == pair)
      return &merges[slot];
    slot = (slot + 1) & mask;
  }
  return nullptr;
}

Status BpeModel::encodeWord(std::string_view word, bool byteLevel,
                            std::vector<int32_t> &ids) const {
  if (word.empty())
    return Status::ok();
  std::string spelled;
  if (byteLevel && (!plainByteSymbols || options.ignoreMerges)) {
    spelled.reserve(word.size() * 2);
    appendByteLevel(word, spelled);
  }
  if (options.ignoreMerges)
    if (auto id = vocab.find(byteLevel ? std::string_view(spelled) : word)) {
      ids.push_back(*id);
      return Status::ok();
    }

  std::vector<int32_t> symbols;
  if (byteLevel && plainByteSymbols) {
    symbols.reserve(word.size());
    for (char byte : word)
      symbols.push_back(byteSymbols[static_cast<uint8_t>(byte)]);
  } else {
    QUIRE_RETURN_IF_ERROR(splitIntoSymbols(byteLevel ? std::string_view(spelled) : word, symbols));
  }
  constexpr size_t kShortWord = 24;
  if (symbols.size() <= kShortWord)
    mergeShort(symbols);
  else
    mergeLong(symbols);
  ids.insert(ids.end(), symbols.begin(), symbols.end());
  return Status::ok();
}

Status BpeModel::splitIntoSymbols(std::string_view word, std::vector<int32_t> &symbols) const {
  symbols.reserve(word.size());
  bool pendingUnknown = false;
  auto flushUnknown = [&] {
    if (pendingUnknown)
      symbols.push_back(unknownId);
    pendingUnknown = false;
  };
  std::string decorated;
  for (size_t offset = 0; offset < word.size();) {
    uint32_t length = decodeChar(word, offset).length;
    std::string_view symbol = word.substr(offset, length);
    bool first = offset == 0, last = offset + length == word.size();
    offset += length;
    if ((!first && !options.continuingSubwordPrefix.empty()) ||
        (last && !options.endOfWordSuffix.empty())) {
      decorated.clear();
      if (!first)
        decorated += options.continuingSubwordPrefix;
      decorated += symbol;
      if (last)
        decorated += options.endOfWordSuffix;
      symbol = decorated;
    }
    if (auto id = vocab.find(symbol)) {
      flushUnknown();
      symbols.push_back(*id);
      continue;
    }
    // A pending unknown token is not flushed here: Hugging Face tokenizers writes it behind the
    // bytes, and ids have to agree.
    if (options.byteFallback && std::all_of(symbol.begin(), symbol.end(), [&](char byte) {
          return fallbackTokens[static_cast<uint8_t>(byte)] != kDropped;
        })) {
      for (char byte : symbol)
        symbols.push_back(fallbackTokens[static_cast<uint8_t>(byte)]);
      continue;
    }
    if (!options.unknownToken)
      continue;
    if (unknownId == kDropped)
      return Status::error(ErrorCode::InvalidArgument,
                           "the tokenizer has no token for '" + std::string(symbol) +
                               "', and its unknown token '" + *options.unknownToken +
                               "' is not in the vocabulary");
    if (!options.fuseUnknown)
      flushUnknown();
    pendingUnknown = true;
  }
  flushUnknown();
  return Status::ok();
}

void BpeModel::mergeShort(std::vector<int32_t> &symbols) const {
  constexpr uint32_t kNoRank = UINT32_MAX;
  struct Candidate {
    uint32_t rank;
    int32_t merged;
  };
  auto candidateAt = [&](size_t i) -> Candidate {
    if (i + 1 >= symbols.size())
      return {kNoRank, 0};
    const PairMerge *merge = findMerge(symbols[i], symbols[i + 1]);
    return merge ? Candidate{merge->rank, merge->merged} : Candidate{kNoRank, 0};
  };
  std::array<Candidate, 32> candidates;
  for (size_t i = 0; i < symbols.size(); ++i)
    candidates[i] = candidateAt(i);
  while (symbols.size() > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < symbols.size(); ++i)
      if (candidates[i].rank < candidates[best].rank)
        best = i;
    if (candidates[best].rank == kNoRank)
      break;
    symbols[best] = candidates[best].merged;
    symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(best) + 1);
    std::copy(candidates.begin() + best + 2, candidates.begin() + symbols.size() + 1,
              candidates.begin() + best + 1);
    candidates[best] = candidateAt(best);
    if (best > 0)
      candidates[best - 1] = candidateAt(best - 1);
  }
}

void BpeModel::mergeLong(std::vector<int32_t> &symbols) const {
  // Positions link to their neighbours; a merge keeps the left position and removes the right one.
  // A heap entry is rank << 32 | position and is stale when that pair's rank has changed since.
  constexpr uint32_t kNone = UINT32_MAX;
  uint32_t count = static_cast<uint32_t>(symbols.size());
  struct Link {
    uint32_t previous, next;
    uint32_t rank; ///< Of the pair (this, next), kNone if it does not merge.
  };
  std::vector<Link> links(count);
  std::vector<uint64_t> entries;
  entries.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    const PairMerge *merge = i + 1 < count ? findMerge(symbols[i], symbols[i + 1]) : nullptr;
    links[i] = {i > 0 ? i - 1 : kNone, i + 1 < count ? i + 1 : kNone, merge ? merge->rank : kNone};
    if (merge)
      entries.push_back(static_cast<uint64_t>(merge->rank) << 32 | i);
  }
  std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> heap(std::greater<>(),
                                                                            std::move(entries));
  auto updatePair = [&](uint32_t left) {
    uint32_t right = links[left].next;
    const PairMerge *merge = right != kNone ? findMerge(symbols[left], symbols[right]) : nullptr;
    links[left].rank = merge ? merge->rank : kNone;
    if (merge)
      heap.push(static_cast<uint64_t>(merge->rank) << 32 | left);
  };
  while (!heap.empty()) {
    uint64_t entry = heap.top();
    heap.pop();
    uint32_t left = static_cast<uint32_t>(entry), rank = static_cast<uint32_t>(entry >> 32);
    if (links[left].rank != rank)
      continue;
    uint32_t right = links[left].next;
    symbols[left] = findMerge(symbols[left], symbols[right])->merged;
    symbols[right] = kDropped;
    links[right].rank = kNone;
    links[left].next = links[right].next;
    if (links[left].next != kNone)
      links[links[left].next].previous = left;
    updatePair(left);
    if (links[left].previous != kNone)
      updatePair(links[left].previous);
  }
  std::erase(symbols, kDropped);
}

} // namespace quire::text
