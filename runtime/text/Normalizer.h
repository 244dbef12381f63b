// Normalizer: the stage that rewrites a text before it is split: Unicode forms, lower case, strip,
// prepend, replace, SentencePiece's table, and sequences of these.
#pragma once

#include "runtime/text/Json.h"

#include <memory>
#include <string>

namespace quire::text {

/// A text on its way through the normalizers. Always valid UTF-8.
struct NormalizedText {
  std::string text;
  /// The first character still stands for the first one of the input; Metaspace with the scheme
  /// "first" asks for it.
  bool keepsStart = true;
  /// Bytes that no stage may exceed; bounds what a hostile chain of replacements can do.
  size_t sizeLimit = 0;
};

/// Room for every honest normalisation of `bytes` input bytes.
inline size_t normalizedSizeLimit(size_t bytes) { return bytes * 32 + 65536; }

class Normalizer {
public:
  virtual ~Normalizer() = default;
  /// Thread-safe. Error: ResourceExhausted beyond the size limit or a regex's match limit.
  virtual Status apply(NormalizedText &text) const = 0;
};

/// Errors: Unsupported naming a stage that is not known; InvalidArgument for a malformed member.
Result<std::unique_ptr<Normalizer>> parseNormalizer(const JsonValue &json);

} // namespace quire::text
