// CostFit: the coefficients of a CostModel from steps that were timed.
//
// Least squares on relative errors, so that short steps count as much as long ones, with
// coefficients that are not negative; samples far off (another program had the machine) are left
// out of a second fit.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/sched/CostModel.h"

#include <span>

namespace quire {

struct MeasuredStep {
  StepWork shape;
  double micros;
};

struct CostFit {
  CostModel cost;
  double medianError = 0; ///< |predicted - measured| / measured over all steps
  double meanError = 0;   ///< the same
  double sumError = 0;    ///< of the time of all steps together, signed: above 0 is too slow
};

/// InvalidArgument for fewer than 16 steps, or times that are not above 0.
Result<CostFit> fitCostModel(std::span<const MeasuredStep> steps);

} // namespace quire
