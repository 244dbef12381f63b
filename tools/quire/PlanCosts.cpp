// Implementation of PlanCosts.
#include "tools/quire/PlanCosts.h"

#include "runtime/base/File.h"
#include "runtime/plan/PlanTexts.h"

#include <cstring>
#include <optional>

namespace quire::cli {

static constexpr std::string_view kPrefix = "costs on ";

std::string costsName(const DeviceProperties &device) {
  return std::string(kPrefix) + device.name + ", " + std::to_string(device.units) + " units";
}

static Status readText(const std::string &name, std::string_view text, CostModel &cost) {
  cost = {};
  return readCost(text, cost).withContext(name);
}

Status readKeptCosts(const Plan &plan, const DeviceProperties &device, CostModel &cost) {
  std::string name = costsName(device);
  std::string_view text = textOf(plan, name);
  return text.empty() ? Status::ok() : readText(plan.name() + ": " + name, text, cost);
}

static Status readCostsOfPlan(const std::string &path, CostModel &cost) {
  QUIRE_ASSIGN_OR_RETURN(Plan plan, Plan::open(path));
  std::string names;
  std::string_view found;
  for (const plan::TextRecord &text : plan.texts()) {
    std::string_view name = plan.string(text.name);
    if (!name.starts_with(kPrefix))
      continue;
    names += (names.empty() ? "" : "; ") + std::string(name);
    found = found.empty() ? name : found;
  }
  if (found.empty())
    return Status::error(ErrorCode::NotFound,
                         path + ": the plan keeps no costs; measure them on its device: quire "
                                "bench " +
                             path + " --keep-costs");
  if (names != found)
    return Status::error(ErrorCode::InvalidArgument,
                         path + ": the plan keeps costs of several devices (" + names +
                             "); write those wanted to a file: quire inspect " + path +
                             " --ir '" + std::string(found) + "' >FILE");
  return readText(path, textOf(plan, found), cost);
}

Status readCostsFile(const std::string &path, CostModel &cost) {
  constexpr uint64_t kMostBytes = 1 << 16;
  {
    QUIRE_ASSIGN_OR_RETURN(Mapping file, Mapping::open(path));
    std::span<const uint8_t> bytes = file.bytes();
    if (bytes.size() >= sizeof(plan::kMagic) &&
        std::memcmp(bytes.data(), &plan::kMagic, sizeof(plan::kMagic)) == 0)
      return readCostsOfPlan(path, cost);
  }
  QUIRE_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes, readFile(path, kMostBytes));
  return readText(path, {reinterpret_cast<const char *>(bytes.data()), bytes.size()}, cost);
}

} // namespace quire::cli
