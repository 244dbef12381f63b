// SHA-256 (FIPS 180-4): names things by their whole content.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace quire {

class Sha256 {
public:
  void update(const void *data, size_t bytes);
  void update(std::string_view text) { update(text.data(), text.size()); }
  /// A part of a list: its length, then its bytes, so that moving a border changes the digest.
  void updatePart(std::string_view part);
  /// Ends the message; the object cannot be used afterwards.
  std::array<uint8_t, 32> finish();
  /// finish() as 64 lower-case hexadecimal digits.
  std::string finishText();

private:
  void block(const uint8_t *data);
  std::array<uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<uint8_t, 64> buffer_{};
  uint64_t bytes_ = 0;
};

} // namespace quire
