// Implementation of RunFigures.
#include "tools/quire/RunFigures.h"

#include "tools/quire/Console.h"

#include "runtime/simulate/Figures.h"

#include <algorithm>

namespace quire::cli {

bool Generated::isDone() const {
  return std::all_of(texts.begin(), texts.end(),
                     [](const auto &text) { return text.finish != FinishReason::None; });
}

void RunFigures::add(const Generated &generated) {
  ++count;
  bool first = true;
  for (const GeneratedText &text : generated.texts) {
    const RequestStatistics &statistics = text.statistics;
    if (first) { // the texts of a request share their prompt
      promptTokens += statistics.promptTokens;
      cachedTokens += statistics.cachedTokens;
      failures += text.finish == FinishReason::Failed;
      cancelled += text.finish == FinishReason::Cancelled;
      expired += text.finish == FinishReason::Expired;
    }
    first = false;
    newTokens += statistics.newTokens;
    preemptions += statistics.preemptions;
    if (statistics.newTokens > 0) {
      firstToken.push_back(float(statistics.secondsToFirstToken * 1e6));
      whole.push_back(float(statistics.secondsTotal * 1e6));
    }
    if (statistics.newTokens > 1) {
      perToken.push_back(float(statistics.secondsPerToken() * 1e6));
      longestPause.push_back(float(statistics.longestPause * 1e6));
    }
  }
  last = generated;
}

std::string RunFigures::progressText() const {
  return format("%zu done, %lld new tokens", count, static_cast<long long>(newTokens));
}

static std::string row(const char *name, std::vector<float> samples) {
  if (samples.empty())
    return {};
  Distribution all = summarise(samples);
  auto cell = [](double micros) { return formatSeconds(micros / 1e6); };
  return format("%-20s %10s %10s %10s %10s\n", name, cell(all.p50).c_str(), cell(all.p90).c_str(),
                cell(all.p99).c_str(), cell(all.max).c_str());
}

std::string RunFigures::summary() const {
  if (count == 0)
    return {};
  if (count == 1 && last.texts.size() == 1) {
    const GeneratedText &only = last.texts.front();
    const RequestStatistics &statistics = only.statistics;
    double computing = statistics.secondsToFirstToken - statistics.secondsToStart;
    return format("prompt %d tokens, %.0f tok/s, first token after %s; wrote %d tokens, %.1f "
                  "tok/s (%s)\n",
                  statistics.promptTokens, computing > 0 ? statistics.promptTokens / computing : 0,
                  formatSeconds(statistics.secondsToFirstToken).c_str(), statistics.newTokens,
                  statistics.tokensPerSecond(), finishReasonName(only.finish));
  }
  auto number = [](int64_t value) { return static_cast<long long>(value); };
  std::string text =
      format("%zu prompts in %s: %lld prompt tokens (%lld from the prefix cache) and %lld new "
             "ones, %.1f new tok/s; %lld preemptions",
             count, formatSeconds(seconds).c_str(), number(promptTokens), number(cachedTokens),
             number(newTokens), static_cast<double>(newTokens) / std::max(seconds, 1e-9),
             number(preemptions));
  auto add = [&](size_t many, const char *what) {
    if (many > 0)
      text += format("; %zu %s", many, what);
  };
  add(failures, "failed");
  add(cancelled, "cancelled");
  add(expired, "past their deadline");
  text += format("\n%-20s %10s %10s %10s %10s\n", "", "p50", "p90", "p99", "slowest");
  return text + row("first token after", firstToken) + row("time per token", perToken) +
         row("longest pause", longestPause) + row("whole text after", whole);
}

} // namespace quire::cli
