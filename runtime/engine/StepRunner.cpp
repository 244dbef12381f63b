// What a runner without page copies and without a swap store answers.
#include "runtime/engine/StepRunner.h"

namespace quire {

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
