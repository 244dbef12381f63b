// TestSupport: files, seeds and shorthands that the tests of runtime/text share.
#pragma once

#include "runtime/text/Tokenizer.h"
#include "tests/support/RandomSeed.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace quire::text::test {

using quire::test::randomSeed;

/// The contents of an .xz file, or nullopt if it is absent. A corrupt file fails the test.
std::optional<std::string> readXz(const std::string &path);
/// tests/golden/tokenizers/NAME, which has to be there.
std::string readGolden(const std::string &name);
std::vector<std::string> splitLines(const std::string &text);

/// Folder of the shared inputs beside the project (`../shared/data` of the source folder).
std::string sharedData();

/// Loads a tokenizer or fails the test.
std::unique_ptr<Tokenizer> load(const std::string &json, const std::string &config = "");
/// The error of loading; fails the test if there is none.
Status loadError(const std::string &json, const std::string &config = "");

/// A tokenizer file around a model; `stages` adds or replaces top-level members.
std::string tokenizerFile(const nlohmann::json &model,
                          const nlohmann::json &stages = nlohmann::json::object());
/// A byte-level BPE model with all 256 bytes as ids 0..255 in byte order, plus the given merges.
nlohmann::json byteLevelModel(const std::vector<std::pair<std::string, std::string>> &merges = {});

/// Encodes or fails the test.
std::vector<int32_t> encode(const Tokenizer &tokenizer, std::string_view text,
                            EncodeOptions options = {});
std::string decode(const Tokenizer &tokenizer, const std::vector<int32_t> &ids,
                   bool skipSpecial = true);

/// Valid random UTF-8 of up to `maxChars` characters from several scripts.
std::string randomText(std::mt19937_64 &random, size_t maxChars);

} // namespace quire::text::test
