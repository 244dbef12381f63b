// TokenizerFuzz: loading a tokenizer from hostile files and encoding text with it. An input is
//
//   KIND json 0xFF text      KIND: f a whole tokenizer.json, m a model, n a normalizer,
//                            p a pre-tokenizer, o a post-processor, d a decoder, c a
//                            configuration, r a regular expression, v vocab.json 0xFF merges.txt
//
// so that fragments reach their stage without a whole file around them. Whatever loads has to keep
// its promises: ids below vocabSize, valid UTF-8 out of decode and out of a stream.
#include "runtime/text/StreamDecoder.h"
#include "runtime/text/Tokenizer.h"
#include "runtime/text/Utf8.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace quire;
using namespace quire::text;

namespace {

constexpr std::string_view kTinyModel =
    R"({"type":"BPE","unk_token":"?","byte_fallback":true,"vocab":{"?":0,"a":1,"b":2,"ab":3,)"
    R"("\u2581":4,"\u0120":5,"<0x41>":6,"<0xE2>":7,"\u2581a":8},"merges":["a b",["\u2581","a"]]})";

void require(bool condition, const char *promise) {
  if (condition)
    return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

std::string wholeFile(char kind, std::string_view fragment) {
  std::string member;
  switch (kind) {
  case 'm':
    return R"({"model":)" + std::string(fragment) + "}";
  case 'n':
    member = "normalizer";
    break;
  case 'p':
    member = "pre_tokenizer";
    break;
  case 'o':
    member = "post_processor";
    break;
  case 'd':
    member = "decoder";
    break;
  default:
    return std::string(fragment);
  }
  return R"({"model":)" + std::string(kTinyModel) + R"(,"added_tokens":[{"id":9,"content":"<x>",)" +
         R"("special":true},{"id":10,"content":"b a","normalized":true,"lstrip":true,)" +
         R"("rstrip":true,"single_word":true}],")" + member + "\":" + std::string(fragment) + "}";
}

std::string regexFragment(std::string_view pattern) {
  nlohmann::json split = {{"type", "Split"},
                          {"pattern", {{"Regex", std::string(pattern)}}},
                          {"behavior", "Isolated"},
                          {"invert", false}};
  return split.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void useTokenizer(const Tokenizer &tokenizer, std::string_view text) {
  for (bool special : {true, false}) {
    auto ids = tokenizer.encode(text, {.addSpecial = special, .parseSpecial = special});
    require(ids.isOk() == (ids.status().code() == ErrorCode::Ok), "a result is a value or an error");
    if (!ids.isOk())
      continue;
    require(findInvalidUtf8(text) == std::string_view::npos, "invalid UTF-8 is refused");
    StreamDecoder stream(tokenizer, special);
    for (int32_t id : *ids)
      if (auto piece = stream.push(id); piece.isOk())
        require(findInvalidUtf8(*piece) == std::string_view::npos, "a stream is valid UTF-8");
    require(findInvalidUtf8(stream.finish()) == std::string_view::npos, "so is its end");
    if (auto decoded = tokenizer.decode(*ids, special); decoded.isOk())
      require(findInvalidUtf8(*decoded) == std::string_view::npos, "decoded text is valid UTF-8");
    if (!special) // Templates may name ids that the vocabulary lacks.
      for (int32_t id : *ids)
        require(id >= 0 && id < tokenizer.vocabSize(), "ids lie below vocabSize");
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  std::string_view input(reinterpret_cast<const char *>(data), size);
  char kind = input[0];
  size_t cut = input.find('\xFF');
  std::string_view fragment = input.substr(1, cut == input.npos ? cut : cut - 1);
  if (cut == 0)
    return 0;
  std::string_view text = cut == input.npos ? "ab a  b\xE2\x96\x81 <x> 1\n" : input.substr(cut + 1);

  std::unique_ptr<Tokenizer> tokenizer;
  auto keep = [&](Result<std::unique_ptr<Tokenizer>> loaded) {
    if (loaded.isOk())
      tokenizer = loaded.takeValue();
    else
      require(!loaded.status().message().empty(), "an error has a message");
  };
  if (kind == 'v')
    keep(Tokenizer::fromVocabAndMerges(fragment, text));
  else if (kind == 'c')
    keep(Tokenizer::fromJson(wholeFile('n', "null"), fragment));
  else if (kind == 'r')
    keep(Tokenizer::fromJson(wholeFile('p', regexFragment(fragment))));
  else
    keep(Tokenizer::fromJson(wholeFile(kind, fragment)));
  if (tokenizer)
    useTokenizer(*tokenizer, text);
  return 0;
}
