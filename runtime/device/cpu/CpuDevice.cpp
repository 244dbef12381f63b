// Implements CpuDevice.h.
#include "runtime/device/cpu/CpuDevice.h"

#include "runtime/base/CpuInfo.h"
#include "runtime/base/Memory.h"
#include "runtime/device/cpu/NativeImage.h"
#include "runtime/device/cpu/ThreadTeam.h"
#include "runtime/plan/Names.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <unistd.h>

namespace quire {
namespace {

/// One launch as the team sees it.
struct Launch {
  plan::CpuKernel kernel;
  void *const *buffers;
  const int64_t *scalars;

#ifdef __clang__
  // UBSan looks for a function's type in the bytes before it; before a plan's code there may be no page.
  [[clang::no_sanitize("function")]]
#endif
  static void run(const void *context, int64_t begin, int64_t end) {
    const auto &launch = *static_cast<const Launch *>(context);
    for (int64_t item = begin; item < end; ++item)
      launch.kernel(launch.buffers, launch.scalars, item);
  }
};

class CpuDevice : public Device {
public:
  CpuDevice(CpuInfo info, const CpuDeviceOptions &options, const ThreadTeamOptions &team)
      : info_(std::move(info)), highestTarget_(options.highestTarget), team_(team) {}

  DeviceProperties properties() const override {
    DeviceProperties properties;
    properties.name = info_.name;
    properties.target = plan::targetName(bestTarget());
    properties.units = team_.threads();
    properties.memoryBytes = static_cast<uint64_t>(std::max(0L, ::sysconf(_SC_PHYS_PAGES))) *
                             static_cast<uint64_t>(std::max(0L, ::sysconf(_SC_PAGESIZE)));
    return properties;
  }

  bool sharesHostMemory() const override { return true; }

  Result<DeviceBuffer> allocate(uint64_t bytes, std::string_view purpose,
                                MemoryKind kind) override {
    QUIRE_ASSIGN_OR_RETURN(AnonymousMemory memory, AnonymousMemory::allocate(bytes, purpose));
    if (bytes == 0)
      return DeviceBuffer();
    void *data = memory.data();
    std::lock_guard lock(mutex_);
    memory_.emplace(data, std::move(memory));
    return DeviceBuffer(this, data, bytes, kind);
  }

  Result<std::unique_ptr<DeviceImage>> loadImage(const Plan &plan) override {
    const plan::ImageRecord *best = nullptr;
    std::string targets;
    for (const plan::ImageRecord &image : plan.images()) {
      targets += (targets.empty() ? "" : ", ") + std::string(plan::targetName(image.target));
      if (!plan::isCuda(image.target) && image.target <= bestTarget() &&
          (!best || image.target > best->target))
        best = &image;
    }
    if (!best)
      return Status::error(ErrorCode::Unsupported,
                           "the plan '" + plan.name() + "' has native code for " +
                               (targets.empty() ? "no CPU" : targets) + ", this machine's CPU (" +
                               info_.name + ") runs up to " + plan::targetName(bestTarget()) +
                               "; compile the model again for it (--target=cpu)");
    QUIRE_ASSIGN_OR_RETURN(std::unique_ptr<NativeImage> image, NativeImage::load(plan, *best));
    return std::unique_ptr<DeviceImage>(std::move(image));
  }

  Status launch(const DeviceImage &image, uint32_t kernel, std::span<void *const> buffers,
                std::span<const int64_t> scalars, int64_t items) override {
    Launch launch{static_cast<const NativeImage &>(image).kernel(kernel), buffers.data(),
                  scalars.data()};
    team_.run(items, Launch::run, &launch);
    return Status::ok();
  }

  Status copy(void *target, const void *source, uint64_t bytes, Queue) override {
    if (bytes)
      std::memmove(target, source, bytes);
    return Status::ok();
  }
  Status fill(void *target, uint8_t value, uint64_t bytes, Queue) override {
    if (bytes)
      std::memset(target, value, bytes);
    return Status::ok();
  }
  Status order(Queue, Queue) override { return Status::ok(); }
  Status synchronize(Queue) override { return Status::ok(); }
  Result<bool> isIdle(Queue) override { return true; }

private:
  plan::ImageTarget bestTarget() const {
    return std::min(highestTarget_, info_.x86_64_v4 ? plan::ImageTarget::X86_64_V4
                                                    : plan::ImageTarget::X86_64_V3);
  }

  void release(void *data, uint64_t, MemoryKind) override {
    std::lock_guard lock(mutex_);
    memory_.erase(data);
  }

  CpuInfo info_;
  plan::ImageTarget highestTarget_;
  std::mutex mutex_;
  std::map<void *, AnonymousMemory> memory_;
  ThreadTeam team_;
};

} // namespace

Result<std::unique_ptr<Device>> createCpuDevice(const CpuDeviceOptions &options) {
  CpuInfo info = queryCpuInfo();
  if (!info.x86_64_v3)
    return Status::error(ErrorCode::Unsupported,
                         "this CPU (" + info.name + ") lacks AVX2, FMA or F16C; Quire needs "
                         "x86-64-v3, which Intel has since Haswell and AMD since Zen");
  ThreadTeamOptions team;
  team.threads = options.threads ? options.threads : info.cores;
  team.pin = options.pin;
  if (team.threads > info.cores)
    team.spinMicroseconds = 0; // a spinning worker would keep the core from one with work
  return std::unique_ptr<Device>(std::make_unique<CpuDevice>(std::move(info), options, team));
}

} // namespace quire
