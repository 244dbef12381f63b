// Implementation of Generation.
#include "tools/quire/Generation.h"

#include <chrono>
#include <unordered_map>

namespace quire::cli {

namespace {

/// Waiting requests, at most: a long file is read on as the queue gets shorter.
constexpr int32_t kMostWaiting = 4096;

class Run {
public:
  Run(Session &session, const std::vector<Prompt> &prompts, const GenerationDefaults &settings,
      const RunOptions &options, GenerationOutput &output)
      : session(session), prompts(prompts), settings(settings), options(options), output(output) {}

  GenerationResult toEnd();

private:
  void feed();
  Result<Request> requestOf(const Prompt &prompt) const;
  Status submit(size_t index);
  void hear(size_t index, const RequestUpdate &update);
  void end(size_t index, Generated generated);
  void failed(size_t index, const std::string &error, ExitCode code);
  void stop();

  Session &session;
  const std::vector<Prompt> &prompts;
  const GenerationDefaults &settings;
  const RunOptions &options;
  GenerationOutput &output;
  GenerationResult result;
  std::unordered_map<size_t, Generated> open; ///< by index of the prompt
  size_t next = 0, done = 0;
  bool stopped = false;
  bool refused = false; ///< the run ended on a prompt: what the others have so far is not wanted
  Status written;
};

Result<Request> Run::requestOf(const Prompt &prompt) const {
  Request request;
  request.prompt = prompt.tokens;
  if (request.prompt.empty()) {
    QUIRE_ASSIGN_OR_RETURN(request.prompt, session.tokenizer().encode(prompt.text));
  }
  request.sampling = settings.sampling;
  request.maxNewTokens = *settings.maxNewTokens;
  request.stopStrings = options.stop;
  request.ignoreStopTokens = options.ignoreStopTokens;
  request.n = options.n;
  request.bestOf = options.bestOf;
  request.beamWidth = options.beamWidth;
  request.lengthPenalty = options.lengthPenalty;
  request.priority = options.priority;
  request.deadlineSeconds = options.deadlineSeconds;
  prompt.fields.applyTo(request);
  return request;
}

Status Run::submit(size_t index) {
  QUIRE_ASSIGN_OR_RETURN(Request request, requestOf(prompts[index]));
  Generated &own = open[index];
  own.promptIds = request.prompt;
  own.seed = request.sampling.seed;
  own.texts.resize(static_cast<size_t>(std::max(request.n, 1)));
  request.onUpdate = [this, index](const RequestUpdate &update) { hear(index, update); };
  Status status = session.engine().submit(std::move(request)).status();
  if (!status.isOk())
    open.erase(index);
  return status;
}

void Run::feed() {
  while (next < prompts.size() && !stopped &&
         session.engine().scheduling().waitingCount() < kMostWaiting) {
    size_t index = next++;
    Status status = submit(index);
    if (status.isOk())
      continue;
    if (options.keepGoing) {
      Generated none;
      none.texts.resize(1);
      none.texts[0].finish = FinishReason::Failed;
      none.texts[0].error = status.message();
      end(index, std::move(none));
      continue;
    }
    refused = true;
    failed(index, status.message(), kUsage);
  }
}

void Run::hear(size_t index, const RequestUpdate &update) {
  auto found = open.find(index);
  Generated &own = found->second;
  GeneratedText &text = own.texts[update.index];
  text.text += update.text;
  if (update.token >= 0)
    text.tokens.push_back(update.token);
  if (prompts.size() == 1 && own.texts.size() == 1 && written.isOk() && !update.text.empty())
    written = output.text(update.text);
  if (update.finish == FinishReason::None)
    return;
  text.statistics = update.statistics;
  text.finish = update.finish;
  text.error = update.error;
  if (own.isDone()) {
    Generated whole = std::move(own);
    open.erase(found);
    end(index, std::move(whole));
  }
}

void Run::end(size_t index, Generated generated) {
  ++done;
  result.figures.add(generated);
  if (written.isOk() && !refused)
    written = output.done(index, prompts[index], generated);
  for (const GeneratedText &text : generated.texts)
    if (text.finish == FinishReason::Failed)
      return failed(index, text.error, kGeneral);
}

void Run::failed(size_t index, const std::string &error, ExitCode code) {
  int told = fail(code, prompts[index].place + ": " + error);
  if (result.code == kOk)
    result.code = options.keepGoing ? static_cast<int>(kGeneral) : told;
  if (!options.keepGoing)
    stop();
}

void Run::stop() {
  if (!stopped)
    session.engine().cancelAll();
  stopped = true;
}

GenerationResult Run::toEnd() {
  auto start = std::chrono::steady_clock::now();
  Progress progress("writing", prompts.size() > 1 && !options.quiet);
  for (bool more = true; more;) {
    if (interrupted() || !written.isOk())
      stop();
    feed();
    Result<bool> stepped = session.engine().step();
    // The requests of the step have been told, and so has the user.
    if (!stepped.isOk() && result.code == kOk)
      result.code = fail(kGeneral, stepped.status());
    if (!stepped.isOk() && !options.keepGoing)
      stop();
    more = (stepped.isOk() ? *stepped : session.engine().liveCount() > 0) ||
           (!stopped && next < prompts.size());
    progress.update(done, prompts.size(), result.figures.progressText());
  }
  result.figures.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (result.code == kOk && !written.isOk())
    result.code = fail(kGeneral, written);
  if (result.code == kOk && interrupted())
    result.code = kInterrupted;
  return std::move(result);
}

} // namespace

Status InOrder::done(size_t index, const Prompt &prompt, const Generated &generated) {
  early[index] = {&prompt, generated};
  for (auto first = early.find(next); first != early.end(); first = early.find(++next)) {
    Status status = inner->done(next, *first->second.first, first->second.second);
    early.erase(first);
    QUIRE_RETURN_IF_ERROR(status);
  }
  return Status::ok();
}

GenerationResult generate(Session &session, const std::vector<Prompt> &prompts,
                          const GenerationDefaults &settings, const RunOptions &options,
                          GenerationOutput &output) {
  return Run(session, prompts, settings, options, output).toEnd();
}

} // namespace quire::cli
