// An operator by its signature, as people write it on a command line:
//   attention heads=32 kv_heads=8 head=128 type=bf16 page=64 context=8192 mask=causal
//   linear in_features=4096 out_features=14336 gated activation=gelu
// A name, then fields: `key=value`, or `key` alone for a flag that is set. A value with spaces is
// put into double quotes: score="30 * tanh(s * scale / 30)".
#pragma once

#include "runtime/base/Status.h"

#include <string>
#include <utility>
#include <vector>

namespace quire::compiler {

struct Signature {
  std::string name;
  std::vector<std::pair<std::string, std::string>> fields; ///< a flag's value is "true"

  /// Gives field `key` a value, whether it has one or not.
  void set(const std::string &key, const std::string &value);
};

/// Error: InvalidArgument for a missing name, an empty key or value, a quote without its end and a
/// key that comes twice.
Result<Signature> parseSignature(const std::string &text);

/// The signature as text that parses to it.
std::string textOf(const Signature &signature);

} // namespace quire::compiler
