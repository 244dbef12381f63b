// CandidateCheck: whether a candidate computes what its bundle says it must, before anyone times it.
#pragma once

#include "tools/quire/CandidateBundle.h"

#include "runtime/device/Device.h"
#include "runtime/weights/WeightStore.h"

namespace quire::cli {

/// ||got - expected|| / ||expected|| over all that is checked; infinity if a result is no number.
/// Runs the bundle's steps on an executor of its own. Errors are the device's, or say that the bundle
/// is not for this plan.
Result<double> checkCandidate(const CandidateBundle &bundle, const Plan &plan, Device &device,
                              const WeightStore &weights);

} // namespace quire::cli
