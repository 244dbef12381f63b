// Implementation of Timeline.
#include "runtime/simulate/Timeline.h"

namespace quire {

static void mapPages(const PagePool &pool, TimelineSample &sample) {
  std::array<int32_t, TimelineSample::kBands> used{}, cached{}, all{};
  for (PageId page = 0; page < pool.size(); ++page) {
    auto band = static_cast<size_t>(int64_t(page) * TimelineSample::kBands / pool.size());
    ++all[band];
    used[band] += pool.referenceCount(page) > 0;
    cached[band] += pool.isCached(page);
  }
  for (size_t band = 0; band < all.size(); ++band) {
    int32_t pages = all[band] > 0 ? all[band] : 1;
    sample.used[band] = static_cast<uint8_t>(int64_t(used[band]) * 255 / pages);
    sample.cached[band] = static_cast<uint8_t>(int64_t(cached[band]) * 255 / pages);
  }
}

void Timeline::step(const Scheduler &scheduler, const StepPlan &plan, Micros begin, Micros end) {
  if (steps++ % stride != 0)
    return;
  if (kept.size() == most) {
    // Sample i was taken at step i * stride; the even ones stay.
    for (size_t i = 0; 2 * i < kept.size(); ++i)
      kept[i] = kept[2 * i];
    kept.resize((kept.size() + 1) / 2);
    stride *= 2;
    if ((steps - 1) % stride != 0)
      return;
  }
  const PagePool &pool = scheduler.cache().pages();
  TimelineSample sample;
  sample.begin = begin;
  sample.end = end;
  sample.tokens = plan.tokenCount;
  sample.waiting = scheduler.waitingCount();
  sample.running = scheduler.runningCount();
  sample.preempted = scheduler.preemptedCount();
  sample.usedPages = pool.usedCount();
  sample.cachedPages = pool.cachedCount();
  mapPages(pool, sample);
  kept.push_back(sample);
}

} // namespace quire
