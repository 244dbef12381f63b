// SHA-256 against the examples of FIPS 180-4 and its test vectors.
#include "runtime/base/Sha256.h"

#include <gtest/gtest.h>

using quire::Sha256;

static std::string digest(std::string_view text) {
  Sha256 hash;
  hash.update(text);
  return hash.finishText();
}

TEST(Sha256, MatchesThePublishedVectors) {
  EXPECT_EQ(digest(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(digest(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, DoesNotDependOnHowTheMessageIsCut) {
  std::string text;
  for (int i = 0; i < 300; ++i)
    text += static_cast<char>(i * 7);
  for (size_t length : {1u, 55u, 56u, 63u, 64u, 65u, 119u, 120u, 128u, 300u})
    for (size_t piece : {1u, 7u, 63u, 64u, 65u}) {
      Sha256 hash;
      for (size_t at = 0; at < length; at += piece)
        hash.update(text.substr(at, std::min(piece, length - at)));
      EXPECT_EQ(hash.finishText(), digest(text.substr(0, length))) << length << " by " << piece;
    }
}

TEST(Sha256, PartsKeepTheirBorders) {
  Sha256 first, second;
  first.updatePart("ab");
  first.updatePart("c");
  second.updatePart("a");
  second.updatePart("bc");
  EXPECT_NE(first.finishText(), second.finishText());
}
