// Metaspace: see the header. Files of two generations exist: with "add_prefix_space" and with
// "prepend_scheme"; where both are present they have to agree.
#include "runtime/text/Metaspace.h"

#include "runtime/text/JsonFields.h"
#include "runtime/text/Utf8.h"

namespace quire::text {

Result<MetaspaceOptions> parseMetaspace(const JsonValue &json, std::string_view stage) {
  MetaspaceOptions options;
  QUIRE_ASSIGN_OR_RETURN(char32_t replacement, requiredChar(json, stage, "replacement"));
  appendChar(options.replacement, replacement);
  QUIRE_ASSIGN_OR_RETURN(options.split, boolField(json, stage, "split", true));
  QUIRE_ASSIGN_OR_RETURN(bool addPrefixSpace, boolField(json, stage, "add_prefix_space", true));
  QUIRE_ASSIGN_OR_RETURN(
      std::string scheme,
      stringField(json, stage, "prepend_scheme", addPrefixSpace ? "always" : "never"));
  if (scheme == "first")
    options.prepend = MetaspaceOptions::Prepend::First;
  else if (scheme == "never")
    options.prepend = MetaspaceOptions::Prepend::Never;
  else if (scheme == "always")
    options.prepend = MetaspaceOptions::Prepend::Always;
  else
    return missingField(stage, "prepend_scheme", "first, never or always");
  if (!addPrefixSpace && scheme != "never")
    return missingField(stage, "prepend_scheme", "never, because add_prefix_space is false");
  return options;
}

} // namespace quire::text
