// PlanCosts: what steps of a plan cost on a machine, kept in the plan itself. `quire bench
// --keep-costs` measures and writes them, one text for each device; `quire run` finds them by its
// device, `quire simulate --costs PLAN` takes those of the one device there are some for.
#pragma once

#include "runtime/device/Device.h"
#include "runtime/plan/Plan.h"
#include "runtime/sched/CostModel.h"

#include <string>

namespace quire::cli {

/// Name of the text: "costs on AMD EPYC, 2 units".
std::string costsName(const DeviceProperties &device);

/// The costs that the plan keeps for the device; where there are none `cost` stays as it is.
Status readKeptCosts(const Plan &plan, const DeviceProperties &device, CostModel &cost);

/// The costs of a file: text that `quire bench --costs` wrote, or a plan that keeps costs of one
/// device. NotFound or InvalidArgument for a plan with none, or those of several devices.
Status readCostsFile(const std::string &path, CostModel &cost);

} // namespace quire::cli
