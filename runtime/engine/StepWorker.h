// StepWorker: runs the steps of a runner on a thread of its own, one at a time, so that the next
// step can be planned meanwhile.
#pragma once

#include "runtime/engine/StepRunner.h"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace quire {

class StepWorker {
public:
  explicit StepWorker(StepRunner &runner);
  ~StepWorker(); ///< waits for the step under way

  /// Starts a step; none is under way. The arrays of `batch` stay as they are until wait().
  void start(const StepBatch &batch);
  /// Returns when the step is over, with its status.
  Status wait();
  bool busy() const { return started; }

private:
  void work();

  StepRunner &runner;
  std::mutex mutex;
  std::condition_variable change;
  StepBatch batch;
  Status status;
  bool pending = false, stop = false;
  bool started = false; ///< of the caller alone
  std::thread thread;
};

} // namespace quire
