// A model template: one `models/<family>.json` with everything it includes, parsed and ready to be
// evaluated. The language is described in models/README.md.
#pragma once

#include "compiler/import/Expression.h"

#include "llvm/ADT/ArrayRef.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace quire::importer {

/// Where a piece of a template was written, for messages: `parts/decoder.json: define "norm"`.
using Origin = std::shared_ptr<const std::string>;

/// One line of a graph or of a definition's body.
struct Step {
  enum class Kind {
    Assign, ///< name = value
    Value,  ///< value: the last step of a definition
    For,    ///< body, once for each name in 0 … value - 1
    When,   ///< body if value, else otherwise
    Case    ///< value picks one step of body by its name, such as "silu | swish"
  };
  Kind kind;
  std::string name;
  ExpressionPtr value;
  std::vector<Step> body, otherwise;
  Origin origin;
};

/// "score(s)": "…", […] or {"case": …, "of": {…}}. A definition without parameters stands for its value.
struct Definition {
  std::vector<std::string> parameters;
  bool isFunction;
  std::vector<Step> body;
  Origin origin;
};

/// A field of config.json: "integer 1..1024 = num_attention_heads".
struct Field {
  enum class Kind { Integer, Number, Text, Flag, List, Record };
  std::string name;
  std::vector<std::string> aliases; ///< other spellings in config.json
  Kind kind;
  bool nullable = false; ///< null is a value of its own, not the default
  std::optional<double> low, high;
  ExpressionPtr fallback; ///< null when the field must be there
  Origin origin;
};

/// "model.layers.{layer}.mlp.up_proj.weight [intermediate_size, hidden_size]".
struct WeightRule {
  ExpressionPtr tensor;
  ExpressionPtr shape; ///< a list: [out, in] or [n]
  bool transposed;     ///< stored as [in, out]
  Origin origin;
};

/// "f32 [in_features]": a tensor that each step is given, one row for each token.
struct InputRule {
  std::string name;
  bool isInteger;
  ExpressionPtr shape; ///< of one row; may be null
  Origin origin;
};

struct OutputRule {
  std::string name;
  ExpressionPtr value;
  Origin origin;
};

struct Template {
  std::string name; ///< the file's, without ".json"
  std::vector<std::string> architectures, modelTypes;
  std::vector<std::string> prefixes; ///< tried before every tensor's name
  std::vector<Field> fields;
  std::vector<std::string> ignoredFields;
  std::vector<std::string> ignoredWeights; ///< patterns with "*"
  std::vector<OutputRule> requirements;    ///< name is the text of the condition
  std::map<std::string, Definition, std::less<>> definitions;
  std::map<std::string, WeightRule, std::less<>> weights;
  std::vector<InputRule> inputs;
  std::vector<Step> graph;
  std::vector<OutputRule> outputs;
};

/// Gives the text of a template file by its name relative to the template folder.
using TemplateReader = std::function<Result<std::string>(const std::string &)>;

/// Reads `file` and what it includes. Errors name the file, the place in it and the rule.
Result<Template> loadTemplate(const std::string &file, const TemplateReader &read);

/// A reader over a folder.
TemplateReader folderReader(std::string folder);

/// The template of `folder` that serves a config.json: by `architectures` if it has any, else by
/// `model_type`. Error: Unsupported, with all that is supported and how to add more.
Result<Template> chooseTemplate(const std::string &folder, const nlohmann::json &config);

} // namespace quire::importer
