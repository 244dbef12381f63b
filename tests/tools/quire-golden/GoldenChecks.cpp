// Implements GoldenChecks.h.
#include "tests/tools/quire-golden/GoldenChecks.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace quire::test {
namespace {

Status wrong(const std::string &message) { return Status::error(ErrorCode::Internal, message); }

std::string text(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.3g", value);
  return buffer;
}

/// The largest magnitude of values.
double largest(const std::vector<float> &values) {
  double most = 0;
  for (float value : values)
    most = std::max(most, std::abs(static_cast<double>(value)));
  return most;
}

double norm(const std::vector<float> &values) {
  double sum = 0;
  for (float value : values)
    sum += static_cast<double>(value) * value;
  return std::sqrt(sum);
}

std::vector<float> difference(const std::vector<float> &a, const std::vector<float> &b) {
  std::vector<float> result(a.size());
  for (size_t i = 0; i < a.size(); ++i)
    result[i] = a[i] - b[i];
  return result;
}

/// One sequence of a language model under test.
class Text {
public:
  Text(PagedSession &session, int64_t sequence) : session(session), sequence(sequence) {}

  /// Appends tokens and adds the logits of all their rows to `logits`.
  Status append(const std::vector<int32_t> &tokens, std::vector<float> &logits) {
    SequenceRows rows{sequence, tokens, {}};
    for (size_t row = 0; row < tokens.size(); ++row)
      rows.samples.push_back(static_cast<int64_t>(row));
    QUIRE_RETURN_IF_ERROR(session.step({rows}));
    QUIRE_ASSIGN_OR_RETURN(TensorView view, session.executor().output("logits"));
    for (uint64_t row = 0; row < view.rows; ++row)
      logits.insert(logits.end(), view.row(row), view.row(row) + view.columns);
    last.assign(logits.end() - static_cast<ptrdiff_t>(view.columns), logits.end());
    return Status::ok();
  }

  /// The likeliest token that does not end the text.
  int32_t greedy() const {
    auto stops = session.plan().stops();
    int32_t best = -1;
    for (size_t token = 0; token < last.size(); ++token)
      if (std::find(stops.begin(), stops.end(), static_cast<int32_t>(token)) == stops.end() &&
          (best < 0 || last[token] > last[static_cast<size_t>(best)]))
        best = static_cast<int32_t>(token);
    return best;
  }

private:
  PagedSession &session;
  int64_t sequence;
  std::vector<float> last;
};

struct Logits {
  std::vector<float> prefill, steps;
};

/// Prefill in pieces of `chunks` rows, then one token at a time. `forced` are the tokens to feed;
/// empty: greedy ones, which are appended to `tokens`.
Result<Logits> generate(PagedSession &session, int64_t sequence, const std::vector<int32_t> &prompt,
                        const std::vector<size_t> &chunks, const std::vector<int32_t> &forced,
                        size_t count, std::vector<int32_t> &tokens) {
  Text text(session, sequence);
  Logits logits;
  size_t begin = 0;
  for (size_t chunk : chunks) {
    size_t end = std::min(prompt.size(), begin + chunk);
    QUIRE_RETURN_IF_ERROR(
        text.append({prompt.begin() + static_cast<ptrdiff_t>(begin),
                     prompt.begin() + static_cast<ptrdiff_t>(end)}, logits.prefill));
    begin = end;
  }
  size_t columns = logits.prefill.size() / prompt.size();
  logits.steps.assign(logits.prefill.end() - static_cast<ptrdiff_t>(columns), logits.prefill.end());
  for (size_t number = 0; number < count; ++number) {
    tokens.push_back(forced.empty() ? text.greedy() : forced[number]);
    if (number + 1 < count)
      QUIRE_RETURN_IF_ERROR(text.append({tokens.back()}, logits.steps));
  }
  session.forget(sequence);
  return logits;
}

std::vector<int32_t> integers(const std::vector<float> &values) {
  return {values.begin(), values.end()};
}

Status sameTokens(const std::vector<int32_t> &got, const std::vector<int32_t> &want) {
  for (size_t i = 0; i < want.size(); ++i)
    if (got[i] != want[i])
      return wrong("token " + std::to_string(i) + " is " + std::to_string(got[i]) +
                   ", the golden one " + std::to_string(want[i]));
  return Status::ok();
}

Status closeTo(const std::string &name, const std::vector<float> &got,
               const std::vector<float> &want, double relative) {
  if (got.size() != want.size())
    return wrong(name + " has " + std::to_string(got.size()) + " values, the golden has " +
                 std::to_string(want.size()));
  double most = largest(want);
  for (size_t i = 0; i < want.size(); ++i)
    if (!(std::abs(static_cast<double>(got[i]) - want[i]) <= relative * most))
      return wrong(name + "[" + std::to_string(i) + "] is " + std::to_string(got[i]) +
                   ", the golden value " + std::to_string(want[i]) + " (largest " +
                   std::to_string(most) + ")");
  std::printf("  %-28s largest error %s of the largest value\n", name.c_str(),
              text(largest(difference(got, want)) / most).c_str());
  return Status::ok();
}

/// Odd sizes that sum to at least `total`.
std::vector<size_t> oddChunks(size_t total, std::mt19937_64 &random) {
  std::vector<size_t> chunks;
  for (size_t sum = 0; sum < total; sum += chunks.back())
    chunks.push_back(1 + 2 * (random() % 12));
  return chunks;
}

/// Errors of `got` and of `reference` against `truth`.
Status withinRule(const std::string &name, const std::vector<float> &got,
                  const std::vector<float> &reference, const std::vector<float> &truth) {
  constexpr double rounding = 1.0 / 512; // half a unit in the last place of bf16
  if (got.size() != truth.size())
    return wrong(name + " has " + std::to_string(got.size()) + " values, the golden has " +
                 std::to_string(truth.size()));
  std::vector<float> ours = difference(got, truth), theirs = difference(reference, truth);
  for (float value : ours)
    if (std::isnan(value))
      return wrong(name + " holds NaN");
  double limitMost = 2 * largest(theirs) + rounding * largest(truth);
  double limitNorm = 2 * norm(theirs) + rounding * norm(truth);
  std::printf("  %-28s error %s (reference %s), norm %s (reference %s)\n", name.c_str(),
              text(largest(ours)).c_str(), text(largest(theirs)).c_str(), text(norm(ours)).c_str(),
              text(norm(theirs)).c_str());
  if (largest(ours) > limitMost)
    return wrong(name + " is off by " + text(largest(ours)) + ", allowed " + text(limitMost));
  if (norm(ours) > limitNorm)
    return wrong(name + " is off by " + text(norm(ours)) + " in the norm, allowed " + text(limitNorm));
  return Status::ok();
}

} // namespace

Status checkF32(PagedSession &session, const GoldenFile &golden, std::mt19937_64 &random) {
  QUIRE_ASSIGN_OR_RETURN(auto prompt, golden.floats("prompt_ids"));
  QUIRE_ASSIGN_OR_RETURN(auto tokens, golden.floats("f32.tokens"));
  QUIRE_ASSIGN_OR_RETURN(auto prefill, golden.floats("f32.prefill_logits"));
  QUIRE_ASSIGN_OR_RETURN(auto steps, golden.floats("f32.step_logits"));
  std::vector<std::vector<size_t>> ways{{prompt.size()}, oddChunks(prompt.size(), random),
                                        std::vector<size_t>(prompt.size(), 1)};
  const char *names[] = {"whole", "in chunks", "by token"};
  for (size_t way = 0; way < ways.size(); ++way) {
    std::vector<int32_t> got;
    QUIRE_ASSIGN_OR_RETURN(Logits logits, generate(session, static_cast<int64_t>(way),
                                                   integers(prompt), ways[way], {}, tokens.size(), got));
    std::string name = std::string("f32 ") + names[way];
    QUIRE_RETURN_IF_ERROR(closeTo(name + ", prefill", logits.prefill, prefill, 1e-4));
    QUIRE_RETURN_IF_ERROR(sameTokens(got, integers(tokens)).withContext(name));
    QUIRE_RETURN_IF_ERROR(closeTo(name + ", steps", logits.steps, steps, 1e-4));
  }
  return Status::ok();
}

Status checkBf16(PagedSession &session, const GoldenFile &golden) {
  QUIRE_ASSIGN_OR_RETURN(auto prompt, golden.floats("prompt_ids"));
  QUIRE_ASSIGN_OR_RETURN(auto tokens, golden.floats("bf16.tokens"));
  std::vector<int32_t> fed;
  QUIRE_ASSIGN_OR_RETURN(Logits logits, generate(session, 0, integers(prompt), {prompt.size()},
                                                 integers(tokens), tokens.size(), fed));
  for (auto [part, got] : {std::pair("prefill_logits", &logits.prefill),
                           std::pair("step_logits", &logits.steps)}) {
    QUIRE_ASSIGN_OR_RETURN(auto truth, golden.floats(std::string("bf16.truth.") + part));
    QUIRE_ASSIGN_OR_RETURN(auto reference, golden.floats(std::string("bf16.reference.") + part));
    QUIRE_RETURN_IF_ERROR(withinRule(std::string("bf16 ") + part, *got, reference, truth));
  }
  return Status::ok();
}

Status checkPerceptron(PagedSession &session, const GoldenFile &golden,
                       const std::string &activation) {
  QUIRE_ASSIGN_OR_RETURN(auto input, golden.floats("input"));
  std::string name = "output." + activation;
  QUIRE_ASSIGN_OR_RETURN(auto want, golden.floats(name));
  QUIRE_RETURN_IF_ERROR(session.step(StepInput{"x", input.data(), golden.shape("input")[0], 0}));
  QUIRE_ASSIGN_OR_RETURN(TensorView view, session.executor().output("y"));
  std::vector<float> got;
  for (uint64_t row = 0; row < view.rows; ++row)
    got.insert(got.end(), view.row(row), view.row(row) + view.columns);
  return closeTo(name, got, want, 1e-5);
}

Status checkDemo(PagedSession &session, const nlohmann::json &record) {
  int64_t sequence = 0;
  for (const nlohmann::json &one : record["cases"]) {
    auto prompt = one["prompt_ids"].get<std::vector<int32_t>>();
    auto want = one["tokens"].get<std::vector<int32_t>>();
    std::vector<int32_t> got;
    QUIRE_ASSIGN_OR_RETURN(Logits logits, generate(session, sequence++, prompt, {prompt.size()}, {},
                                                   want.size(), got));
    std::string name = "\"" + one["prompt"].get<std::string>() + "\"";
    QUIRE_RETURN_IF_ERROR(sameTokens(got, want).withContext(name));
    size_t columns = logits.steps.size() / want.size();
    std::vector<float> picked, expected;
    for (size_t step = 0; step < want.size(); ++step)
      for (size_t i = 0; i < one["top_ids"][step].size(); ++i) {
        picked.push_back(logits.steps[step * columns + one["top_ids"][step][i].get<size_t>()]);
        expected.push_back(one["top_logits"][step][i].get<float>());
      }
    QUIRE_RETURN_IF_ERROR(closeTo(name, picked, expected, 1e-4));
  }
  return Status::ok();
}

} // namespace quire::test
