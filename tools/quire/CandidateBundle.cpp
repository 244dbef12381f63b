// Implements CandidateBundle.h.
#include "tools/quire/CandidateBundle.h"

#include "runtime/base/File.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace quire::cli {
namespace {

using nlohmann::json;

constexpr uint64_t kMostBytes = 1ull << 30;
constexpr uint32_t kMostTokens = 1u << 24;

Result<std::vector<uint8_t>> bytesOf(const std::string &path) {
  QUIRE_ASSIGN_OR_RETURN(File file, File::open(path));
  if (file.bytes() > kMostBytes)
    return Status::error(ErrorCode::Corrupt, path + " has " + std::to_string(file.bytes()) +
                                                 " bytes, at most " + std::to_string(kMostBytes) +
                                                 " are read");
  std::vector<uint8_t> bytes(file.bytes());
  QUIRE_RETURN_IF_ERROR(file.readAt(0, bytes.data(), bytes.size()));
  return bytes;
}

CandidateUse useOf(const json &object) {
  CandidateUse use{object.at("sequences").get<uint32_t>(), object.at("queries").get<uint32_t>(),
                   object.at("context").get<uint32_t>()};
  if (use.sequences == 0 || use.queries == 0 || use.sequences > kMostTokens ||
      use.queries > kMostTokens / use.sequences || use.context > kMostTokens)
    throw std::invalid_argument("a use of no tokens, or of too many");
  return use;
}

CheckStep stepOf(const json &object) {
  CheckStep step;
  step.tokens = object.at("tokens").get<std::vector<uint32_t>>();
  step.inputs = object.at("inputs").get<uint64_t>();
  step.rows = object.at("rows").get<std::vector<uint32_t>>();
  step.columns = object.at("columns").get<std::vector<uint32_t>>();
  step.expected = object.at("expected").get<uint64_t>();
  return step;
}

void fill(const json &object, CandidateBundle &bundle) {
  if (object.at("format").get<int>() != 1)
    throw std::invalid_argument("its format is not 1");
  bundle.name = object.at("operator").get<std::string>();
  for (const json &use : object.at("uses"))
    bundle.uses.push_back(useOf(use));
  for (const json &entry : object.at("candidates")) {
    Candidate candidate{entry.at("name").get<std::string>(),
                        bundle.folder + "/" + entry.at("plan").get<std::string>(),
                        entry.at("uses").get<std::vector<uint32_t>>()};
    for (uint32_t use : candidate.uses)
      if (use >= bundle.uses.size())
        throw std::invalid_argument("candidate " + candidate.name + " has a use that is not there");
    bundle.candidates.push_back(std::move(candidate));
  }
  const json &check = object.at("check");
  bundle.tolerance = check.at("tolerance").get<double>();
  for (const json &step : check.at("steps"))
    bundle.steps.push_back(stepOf(step));
  if (bundle.candidates.empty() || bundle.steps.empty())
    throw std::invalid_argument("it has no candidates, or nothing to check them by");
}

} // namespace

Result<CandidateBundle> CandidateBundle::read(const std::string &folder) {
  CandidateBundle bundle;
  bundle.folder = folder;
  const std::string path = folder + "/bundle.json";
  QUIRE_ASSIGN_OR_RETURN(std::vector<uint8_t> text, bytesOf(path));
  try {
    fill(json::parse(text.begin(), text.end()), bundle);
  } catch (const std::exception &error) {
    return Status::error(ErrorCode::Corrupt, path + " is no bundle of `quire tune`: " + error.what());
  }
  QUIRE_ASSIGN_OR_RETURN(bundle.checkBytes, bytesOf(folder + "/check.bin"));
  for (const CheckStep &step : bundle.steps) {
    uint64_t bytes = step.rows.size() * step.columns.size() * sizeof(float);
    if (step.expected > bundle.checkBytes.size() ||
        bytes > bundle.checkBytes.size() - step.expected)
      return Status::error(ErrorCode::Corrupt, folder + "/check.bin ends before its results do");
  }
  return bundle;
}

} // namespace quire::cli
