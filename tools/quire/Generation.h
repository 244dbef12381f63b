// Generation: runs prompts through the engine together and hands their texts to an output, each as
// soon as it is done. A single text streams token by token.
#pragma once

#include "tools/quire/Prompts.h"
#include "tools/quire/RunFigures.h"
#include "tools/quire/RunOptions.h"
#include "tools/quire/Session.h"

#include <map>
#include <memory>

namespace quire::cli {

class GenerationOutput {
public:
  virtual ~GenerationOutput() = default;
  /// More of the only text of the only prompt. Not called when there are several.
  virtual Status text(std::string_view piece) = 0;
  /// Prompt `index` is done, in the order of their ends.
  virtual Status done(size_t index, const Prompt &prompt, const Generated &generated) = 0;
};

/// Hands texts on in the order of the prompts: each as soon as it and all before it are done.
class InOrder : public GenerationOutput {
public:
  explicit InOrder(std::unique_ptr<GenerationOutput> inner) : inner(std::move(inner)) {}
  Status text(std::string_view piece) override { return inner->text(piece); }
  Status done(size_t index, const Prompt &prompt, const Generated &generated) override;

private:
  std::unique_ptr<GenerationOutput> inner;
  std::map<size_t, std::pair<const Prompt *, Generated>> early;
  size_t next = 0;
};

struct GenerationResult {
  int code = kOk; ///< exit code; an error has been printed
  RunFigures figures;
};

/// Runs all prompts. A prompt that is refused or fails ends the run, or with options.keepGoing is
/// handed to the output as Failed. Ctrl-C ends all after the current step with what they have.
GenerationResult generate(Session &session, const std::vector<Prompt> &prompts,
                          const GenerationDefaults &settings, const RunOptions &options,
                          GenerationOutput &output);

} // namespace quire::cli
