// Implements Outcome.h.
#include "tools/quire-tune/Outcome.h"

#include "compiler/schedule/EnumerateSchedules.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>

namespace quire::tune {
namespace {

using nlohmann::json;
using schedule::Choice;

/// A schedule must be faster by so much to be worth a line in a file.
constexpr double kLeastGain = 0.02;

double quantile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  double place = part * static_cast<double>(values.size() - 1);
  auto low = static_cast<size_t>(place);
  size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (place - static_cast<double>(low)) * (values[high] - values[low]);
}

Result<json> readJson(const std::string &path) {
  std::ifstream file(path);
  if (!file)
    return Status::error(ErrorCode::NotFound, "there is no " + path);
  json value = json::parse(file, nullptr, false);
  if (value.is_discarded())
    return Status::error(ErrorCode::Corrupt, path + " is not JSON");
  return value;
}

std::vector<double> ranksOf(const std::vector<double> &values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t i = 0; i < order.size();) {
    size_t end = i;
    while (end < order.size() && values[order[end]] == values[order[i]])
      ++end;
    for (size_t k = i; k < end; ++k)
      ranks[order[k]] = static_cast<double>(i + end - 1) / 2;
    i = end;
  }
  return ranks;
}

/// Pearson's correlation of ranks; nothing for fewer than three, or if one side is all the same.
std::optional<double> spearman(const std::vector<double> &a, const std::vector<double> &b) {
  if (a.size() < 3)
    return std::nullopt;
  std::vector<double> x = ranksOf(a), y = ranksOf(b);
  double mean = static_cast<double>(a.size() - 1) / 2, xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
  }
  if (xx == 0 || yy == 0)
    return std::nullopt;
  return xy / std::sqrt(xx * yy);
}

/// Whether `a` beats `b` by more than the noise, in the middle and in the best of the rounds: on a
/// machine with other work the middle alone may be any number.
bool beats(const Timing &a, const Timing &b) {
  double gain = 1 - a.median() / b.median(), best = 1 - a.least() / b.least();
  return std::min(gain, best) > kLeastGain && gain > a.noise() + b.noise();
}

const Timing *timingOf(const Tried &tried, uint32_t use) {
  auto found = tried.timings.find(use);
  bool counts = tried.reason.empty() && found != tried.timings.end() && !found->second.seconds.empty();
  return counts ? &found->second : nullptr;
}

Verdict judge(const Outcome &outcome, uint32_t use) {
  Verdict verdict;
  std::string usual = schedule::describe(defaultChoice(outcome.subject, outcome.subject.uses[use]));
  for (const Tried &tried : outcome.tried) {
    const Timing *timing = timingOf(tried, use);
    if (!timing)
      continue;
    if (tried.name == usual)
      verdict.usual = &tried;
    if (!verdict.best || timing->median() < timingOf(*verdict.best, use)->median())
      verdict.best = &tried;
  }
  verdict.chosen = verdict.usual ? verdict.usual : verdict.best;
  if (verdict.usual && verdict.best != verdict.usual &&
      beats(*timingOf(*verdict.best, use), *timingOf(*verdict.usual, use)))
    verdict.chosen = verdict.best;
  return verdict;
}

/// Each step's winner serves all steps of more rows than the one before. A kernel less is worth more
/// than the noise: a winner that does not beat the one before leaves the step to it.
std::vector<Choice> linearVariants(const Outcome &outcome) {
  std::vector<Choice> variants;
  const Tried *last = nullptr;
  for (uint32_t use = 0; use < outcome.verdicts.size(); ++use) {
    const Tried *chosen = outcome.verdicts[use].chosen;
    const Timing *before = last ? timingOf(*last, use) : nullptr;
    if (last != chosen && !(before && !beats(*timingOf(*chosen, use), *before))) {
      variants.push_back(chosen->choice);
      last = chosen;
    }
    variants.back().limit = outcome.subject.uses[use].tokens();
  }
  variants.back().limit = 0;
  return variants;
}

/// Of the candidates that ran in all steps of a kind and lose in none, the one whose times are the best
/// on the whole: the least geometric mean of their ratios to the compiler's choice.
Choice attentionVariant(const Outcome &outcome, const Choice &usual) {
  const Tried *best = nullptr;
  double bestMean = 1 - kLeastGain;
  for (const Tried &tried : outcome.tried) {
    double logarithms = 0, noise = 0;
    unsigned count = 0;
    for (uint32_t use = 0; use < outcome.verdicts.size(); ++use) {
      if ((outcome.subject.uses[use].queries == 1) != (usual.maximum == 1))
        continue;
      const Tried *own = outcome.verdicts[use].usual;
      const Timing *timing = timingOf(tried, use);
      if (!own || !timing || beats(*timingOf(*own, use), *timing)) {
        count = 0;
        break;
      }
      const Timing *reference = timingOf(*own, use);
      logarithms += std::log(timing->median() / reference->median());
      noise = std::max(noise, timing->noise() + reference->noise());
      ++count;
    }
    double mean = count ? std::exp(logarithms / count) : 1;
    if (mean < bestMean && mean < 1 - noise) {
      best = &tried;
      bestMean = mean;
    }
  }
  return best ? best->choice : usual;
}

std::vector<Choice> variantsOf(const Outcome &outcome) {
  const schedule::KernelShape &shape = outcome.subject.shape;
  auto same = [](const Choice &a, const Choice &b) {
    return schedule::describe(a) == schedule::describe(b);
  };
  if (outcome.subject.isLinear()) {
    bool any = false;
    for (const Verdict &verdict : outcome.verdicts) {
      if (!verdict.chosen)
        return {};
      any |= verdict.chosen != verdict.usual;
    }
    return any ? linearVariants(outcome) : std::vector<Choice>();
  }
  std::vector<Choice> variants = defaultChoices(shape);
  bool any = false;
  for (Choice &variant : variants) {
    Choice choice = attentionVariant(outcome, variant);
    any |= !same(choice, variant);
    variant = choice;
  }
  return any ? variants : std::vector<Choice>();
}

void fill(const json &bundle, const json &results, Outcome &outcome) {
  outcome.device = results.at("device");
  outcome.date = results.at("date").get<std::string>();
  outcome.compiler = bundle.at("compiler").get<std::string>();
  outcome.rounds = results.at("rounds").get<unsigned>();
  outcome.copyRate = results.at("copyBytesPerSecond").get<double>();
  schedule::Machine machine =
      *schedule::machineFor(outcome.subject.target, outcome.device.at("units").get<double>());
  std::map<std::string, Choice> choices;
  for (const Choice &choice : schedule::enumerate(outcome.subject.shape))
    choices.emplace(schedule::describe(choice), choice);
  const json &entries = bundle.at("candidates"), &rows = results.at("candidates");
  for (size_t i = 0; i < entries.size(); ++i) {
    Tried tried;
    tried.name = entries[i].at("name").get<std::string>();
    auto choice = choices.find(tried.name);
    if (choice == choices.end())
      throw std::invalid_argument("this compiler has no schedule '" + tried.name + "'");
    tried.choice = choice->second;
    tried.reason = rows.at(i).at("reason").get<std::string>();
    if (rows[i].at("error").is_number())
      tried.error = rows[i]["error"].get<double>();
    for (uint32_t use : entries[i].at("uses").get<std::vector<uint32_t>>())
      tried.timings[use].predicted =
          schedule::predictSeconds(machine, outcome.subject.shape, tried.choice,
                                   outcome.subject.stepUse(outcome.subject.uses.at(use)));
    for (const auto &[use, seconds] : rows[i].at("seconds").items())
      tried.timings.at(static_cast<uint32_t>(std::stoul(use))).seconds =
          seconds.get<std::vector<double>>();
    outcome.wrong += tried.reason.rfind("wrong results", 0) == 0;
    outcome.tried.push_back(std::move(tried));
  }
}

bool isOf(const json &bundle, const Subject &subject) {
  const json &uses = bundle.at("uses");
  if (bundle.at("operator") != subject.signature || bundle.at("target") != subject.target ||
      uses.size() != subject.uses.size())
    return false;
  for (size_t i = 0; i < uses.size(); ++i)
    if (Use{uses[i].at("sequences").get<int64_t>(), uses[i].at("queries").get<int64_t>(),
            uses[i].at("context").get<int64_t>()} != subject.uses[i])
      return false;
  return true;
}

} // namespace

double Timing::median() const { return quantile(seconds, 0.5); }
double Timing::least() const { return quantile(seconds, 0); }

double Timing::noise() const {
  return (quantile(seconds, 0.75) - quantile(seconds, 0.25)) / 2 / median();
}

Result<Outcome> readOutcome(Subject subject, const std::string &folder) {
  QUIRE_ASSIGN_OR_RETURN(json bundle, readJson(folder + "/bundle.json"));
  QUIRE_ASSIGN_OR_RETURN(json results, readJson(folder + "/results.json"));
  Outcome outcome;
  outcome.subject = std::move(subject);
  try {
    if (!isOf(bundle, outcome.subject))
      return Status::error(ErrorCode::InvalidArgument,
                           folder + " was prepared for another operator, target or other steps: " +
                               bundle.at("operator").get<std::string>() + " on " +
                               bundle.at("target").get<std::string>());
    fill(bundle, results, outcome);
  } catch (const std::exception &error) {
    return Status::error(ErrorCode::Corrupt, folder + ": its bundle and its results do not go "
                                                      "together: " + error.what());
  }
  double correlations = 0;
  unsigned counted = 0;
  for (uint32_t use = 0; use < outcome.subject.uses.size(); ++use) {
    outcome.verdicts.push_back(judge(outcome, use));
    std::vector<double> predicted, measured;
    for (const Tried &tried : outcome.tried)
      if (const Timing *timing = timingOf(tried, use)) {
        predicted.push_back(timing->predicted);
        measured.push_back(timing->median());
      }
    if (std::optional<double> correlation = spearman(predicted, measured)) {
      correlations += *correlation;
      ++counted;
    }
  }
  outcome.rankCorrelation = counted ? correlations / counted : 0;
  outcome.variants = variantsOf(outcome);
  return outcome;
}

const Tried *Outcome::served(uint32_t use) const {
  const Use &step = subject.uses[use];
  for (const Choice &variant : variants) {
    bool serves = subject.isLinear() ? variant.limit == 0 || step.tokens() <= variant.limit
                                     : variant.maximum == 0 || step.queries <= variant.maximum;
    if (!serves)
      continue;
    for (const Tried &each : tried)
      if (each.name == schedule::describe(variant) && timingOf(each, use))
        return &each;
    return nullptr;
  }
  return verdicts[use].usual;
}

json Outcome::provenance(const std::string &command) const {
  json steps = json::array();
  for (uint32_t use = 0; use < verdicts.size(); ++use) {
    auto nanoseconds = [&](const Tried *tried) {
      return tried ? json(std::llround(tried->timings.at(use).median() * 1e9)) : json();
    };
    steps.push_back({{"step", subject.describe(subject.uses[use])},
                     {"nanoseconds", nanoseconds(served(use))},
                     {"before", nanoseconds(verdicts[use].usual)}});
  }
  return {{"device", device.at("name")}, {"driver", device.at("driver")}, {"date", date},
          {"compiler", compiler},        {"operator", subject.signature}, {"command", command},
          {"rounds", rounds},            {"steps", steps}};
}

json Outcome::toJson() const {
  json candidates = json::array(), uses = json::array();
  for (const Use &use : subject.uses)
    uses.push_back({{"step", subject.describe(use)}, {"sequences", use.sequences},
                    {"queries", use.queries}, {"context", use.context}});
  for (const Tried &each : tried) {
    json timings = json::object();
    for (const auto &[use, timing] : each.timings)
      timings[std::to_string(use)] = {{"predicted", timing.predicted}, {"seconds", timing.seconds}};
    candidates.push_back({{"name", each.name}, {"reason", each.reason},
                          {"error", each.error ? json(*each.error) : json()},
                          {"timings", timings}});
  }
  json winners = json::array();
  for (const Verdict &verdict : verdicts)
    winners.push_back({{"usual", verdict.usual ? json(verdict.usual->name) : json()},
                       {"best", verdict.best ? json(verdict.best->name) : json()},
                       {"chosen", verdict.chosen ? json(verdict.chosen->name) : json()}});
  return {{"operator", subject.signature}, {"target", subject.target}, {"device", device},
          {"date", date},                  {"steps", uses},            {"candidates", candidates},
          {"verdicts", winners},           {"rankCorrelation", rankCorrelation},
          {"changed", !variants.empty()}};
}

} // namespace quire::tune
