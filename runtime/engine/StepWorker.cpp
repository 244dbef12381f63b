// Implementation of StepWorker.
#include "runtime/engine/StepWorker.h"

namespace quire {

StepWorker::StepWorker(StepRunner &runner) : runner(runner), thread([this] { work(); }) {}

StepWorker::~StepWorker() {
  {
    std::lock_guard lock(mutex);
    stop = true;
  }
  change.notify_all();
  thread.join();
}

void StepWorker::start(const StepBatch &given) {
  {
    std::lock_guard lock(mutex);
    batch = given;
    pending = true;
  }
  started = true;
  change.notify_all();
}

Status StepWorker::wait() {
  std::unique_lock lock(mutex);
  change.wait(lock, [this] { return !pending; });
  started = false;
  return std::move(status);
}

void StepWorker::work() {
  std::unique_lock lock(mutex);
  for (;;) {
    change.wait(lock, [this] { return stop || pending; });
    if (!pending)
      return;
    StepBatch current = batch;
    lock.unlock();
    Status result = runner.run(current);
    lock.lock();
    status = std::move(result);
    pending = false;
    change.notify_all();
  }
}

} // namespace quire
