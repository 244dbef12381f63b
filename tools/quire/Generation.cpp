// Implementation of Generation.
#include "tools/quire/Generation.h"

#include <chrono>

namespace quire::cli {

/// Encodes and submits everything before the first step, so that a prompt that cannot be served is
/// refused before any text appears.
static int submitAll(Session &session, const std::vector<Prompt> &prompts,
                     const GenerationDefaults &settings, const RunOptions &options,
                     std::vector<Generated> &generated,
                     const std::function<void(size_t, const RequestUpdate &)> &onUpdate) {
  for (size_t i = 0; i < prompts.size(); ++i) {
    const Prompt &prompt = prompts[i];
    auto refuse = [&](const Status &status) {
      session.engine().cancelAll();
      return fail(kUsage, Status::error(status.code(), prompt.place + ": " + status.message()));
    };
    Result<std::vector<int32_t>> ids = session.tokenizer().encode(prompt.text);
    if (!ids.isOk())
      return refuse(ids.status());
    Request request;
    request.prompt = *ids;
    request.sampling = settings.sampling;
    if (prompt.seed)
      request.sampling.seed = *prompt.seed;
    request.maxNewTokens = prompt.maxNewTokens.value_or(*settings.maxNewTokens);
    request.stopStrings = options.stop;
    request.ignoreStopTokens = options.ignoreStopTokens;
    request.onUpdate = [i, &onUpdate](const RequestUpdate &update) { onUpdate(i, update); };
    generated[i].promptIds = std::move(*ids);
    generated[i].seed = request.sampling.seed;
    Result<RequestHandle> handle = session.engine().submit(std::move(request));
    if (!handle.isOk())
      return refuse(handle.status());
  }
  return kOk;
}

GenerationResult generate(Session &session, const std::vector<Prompt> &prompts,
                          const GenerationDefaults &settings, const RunOptions &options,
                          GenerationOutput &output) {
  GenerationResult result;
  std::vector<Generated> &generated = result.generated;
  generated.resize(prompts.size());
  bool stream = prompts.size() == 1;
  size_t nextDone = 0;
  Status written;

  std::function<void(size_t, const RequestUpdate &)> onUpdate = [&](size_t index,
                                                                    const RequestUpdate &update) {
    Generated &own = generated[index];
    own.text += update.text;
    if (update.token >= 0)
      own.tokens.push_back(update.token);
    own.statistics = update.statistics;
    own.finish = update.finish;
    own.error = update.error;
    if (stream && written.isOk() && !update.text.empty())
      written = output.text(update.text);
    while (nextDone < generated.size() && generated[nextDone].finish != FinishReason::None) {
      if (written.isOk())
        written = output.done(nextDone, prompts[nextDone], generated[nextDone]);
      ++nextDone;
    }
  };

  auto start = std::chrono::steady_clock::now();
  result.code = submitAll(session, prompts, settings, options, generated, onUpdate);
  Progress progress("writing", !stream && !options.quiet);
  bool cancelled = result.code != kOk;
  if (cancelled)
    written = Status::error(ErrorCode::InvalidArgument, "a prompt was refused");
  for (bool more = true; more;) {
    if (!cancelled && (interrupted() || !written.isOk())) {
      session.engine().cancelAll();
      cancelled = true;
    }
    Result<bool> stepped = session.engine().step();
    if (!stepped.isOk()) {
      result.code = fail(kGeneral, stepped.status());
      break;
    }
    more = *stepped;
    progress.update(nextDone, generated.size());
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (result.code == kOk && !written.isOk())
    result.code = fail(kGeneral, written);
  for (size_t i = 0; i < generated.size(); ++i)
    if (result.code == kOk && generated[i].finish == FinishReason::Failed)
      result.code = fail(kGeneral, prompts[i].place + ": " + generated[i].error);
  if (result.code == kOk && interrupted())
    result.code = kInterrupted;
  return result;
}

} // namespace quire::cli
