// StreamDecoder: see the header. Each token is decoded behind its predecessor, and what the
// predecessor alone decodes to is taken away: any chain of decoders works, at constant cost.
#include "runtime/text/StreamDecoder.h"

#include <algorithm>

namespace quire::text {

Result<std::string> StreamDecoder::push(int32_t id) {
  auto token = tokenizer->tokenTextForDecoder(id);
  if (!token || (skipSpecial && tokenizer->isSpecial(id)))
    return std::string();

  window.emplace_back(*token);
  QUIRE_ASSIGN_OR_RETURN(std::string bytes, tokenizer->decodeToBytes(window));
  size_t shown = static_cast<size_t>(
      std::mismatch(windowBytes.begin(), windowBytes.end(), bytes.begin(), bytes.end()).second -
      bytes.begin());
  std::string text;
  repairer.push(std::string_view(bytes).substr(shown), text);

  // The new token becomes the predecessor of the next one, unless it decodes to nothing by itself
  // and so could not hide the start of the text from it.
  constexpr size_t kMaxWindow = 16;
  QUIRE_ASSIGN_OR_RETURN(std::string alone, tokenizer->decodeToBytes({window.back()}));
  if (alone.empty() && window.size() < kMaxWindow) {
    windowBytes = std::move(bytes);
  } else {
    window.erase(window.begin(), window.end() - 1);
    windowBytes = std::move(alone);
  }
  return text;
}

std::string StreamDecoder::finish() {
  std::string text;
  repairer.finish(text);
  window.clear();
  windowBytes.clear();
  return text;
}

} // namespace quire::text
