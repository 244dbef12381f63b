// What a runner without sampling, page copies and a swap store answers.
#include "runtime/engine/StepRunner.h"

namespace quire {

DrawnToken StepRunner::drawn(int32_t) const { return {}; }

Status StepRunner::copyPages(std::span<const PageCopy>) {
  return Status::error(ErrorCode::Unsupported, "this runner cannot copy cache pages");
}

Status StepRunner::startTransfer(int32_t, std::span<const PageTransfer>, bool) {
  return Status::error(ErrorCode::Unsupported, "this runner has no swap store");
}

std::optional<StepRunner::FinishedTransfer> StepRunner::finishedTransfer(bool) {
  return std::nullopt;
}

} // namespace quire
