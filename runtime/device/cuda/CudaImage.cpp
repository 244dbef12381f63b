// Implements CudaImage.h.
#include "runtime/device/cuda/CudaImage.h"

#include "runtime/device/cuda/JitCode.h"
#include "runtime/plan/Names.h"

#include <algorithm>
#include <cstring>
#include <elf.h>

namespace quire::gpu {
namespace {

constexpr uint16_t kElfMachineCuda = 190; ///< EM_CUDA

std::string capability(const Gpu &gpu) {
  return std::to_string(gpu.major) + "." + std::to_string(gpu.minor);
}

Status noImage(const Plan &plan, const Gpu &gpu, const std::string &why) {
  std::string targets;
  for (const plan::ImageRecord &image : plan.images())
    targets += (targets.empty() ? "" : ", ") + std::string(plan::targetName(image.target));
  return Status::error(ErrorCode::Unsupported,
                       "the plan '" + plan.name() + "' has code for " +
                           (targets.empty() ? "nothing" : targets) + ", but the GPU (" + gpu.name +
                           ") has compute capability " + capability(gpu) + ", and " + why +
                           "; compile the model again with --target=cuda, or take a GPU of compute "
                           "capability 8.x or 9.0");
}

} // namespace

bool runsOn(plan::ImageTarget target, int major, int minor) {
  switch (target) {
  case plan::ImageTarget::Sm80:
    return major == 8;
  case plan::ImageTarget::Sm90a:
    return major == 9 && minor == 0;
  default:
    return false;
  }
}

bool isCubin(std::span<const uint8_t> bytes) {
  Elf64_Ehdr header;
  if (bytes.size() < sizeof(header))
    return false;
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != kElfMachineCuda)
    return false;
  auto inside = [&](uint64_t offset, uint64_t count, uint64_t size) {
    return offset <= bytes.size() && count * size <= bytes.size() - offset;
  };
  return inside(header.e_shoff, header.e_shnum, header.e_shentsize) &&
         inside(header.e_phoff, header.e_phnum, header.e_phentsize);
}

Result<std::unique_ptr<CudaImage>> CudaImage::load(const Plan &plan,
                                                   std::shared_ptr<const Driver> driver,
                                                   const Gpu &gpu,
                                                   const CudaDeviceOptions &options) {
  std::unique_ptr<CudaImage> image(new CudaImage(std::move(driver)));
  if (plan.kernels().empty())
    return image;
  const plan::ImageRecord *best = nullptr;
  for (const plan::ImageRecord &each : plan.images())
    if (runsOn(each.target, gpu.major, gpu.minor) && (!best || each.target > best->target))
      best = &each;
  JitCode compiled;
  if (!best) {
    Result<JitCode> result = compileTexts(plan, gpu, options);
    if (!result.isOk())
      return result.status().code() == ErrorCode::Unsupported
                 ? noImage(plan, gpu, result.status().message())
                 : result.status();
    compiled = result.takeValue();
    best = compiled.image;
  }
  auto code = plan.code(*best);
  for (uint32_t k = 0; k < best->entryCount; ++k) {
    const plan::EntryRecord &entry = plan.entries()[best->firstEntry + k];
    std::string name = plan::printable(plan.string(plan.kernels()[k].name));
    std::span<const uint8_t> cubin = compiled.cubins.empty()
                                         ? code.subspan(entry.codeOffset, entry.codeBytes)
                                         : std::span<const uint8_t>(compiled.cubins[k]);
    QUIRE_RETURN_IF_ERROR(
        image->add(plan, entry, std::move(name), cubin, gpu));
  }
  return image;
}

Status CudaImage::add(const Plan &plan, const plan::EntryRecord &entry, std::string name,
                      std::span<const uint8_t> cubin, const Gpu &gpu) {
  const Functions &api = driver_->api();
  std::string symbol(plan.string(entry.symbol));
  std::string what = "kernel '" + name + "' cannot be loaded on " + gpu.name;
  if (!isCubin(cubin))
    return Status::error(ErrorCode::Corrupt, "kernel '" + name +
                                                 "': its code in the plan is no cubin; compile the "
                                                 "model again");
  if (entry.sharedBytes > gpu.maxSharedBytes)
    return Status::error(ErrorCode::Unsupported,
                         what + ": it needs " + std::to_string(entry.sharedBytes) +
                             " bytes of shared memory, a block has " +
                             std::to_string(gpu.maxSharedBytes) +
                             "; choose smaller tiles in the schedule and compile again");
  CUmodule module = nullptr;
  CUresult result = api.moduleLoadData(&module, cubin.data());
  if (result == CUDA_ERROR_NO_BINARY_FOR_GPU || result == CUDA_ERROR_UNSUPPORTED_PTX_VERSION)
    what += " (driver for CUDA " + driver_->versionText() +
            "; a newer driver may be needed for code of a newer compiler)";
  QUIRE_RETURN_IF_ERROR(driver_->check(result, "cuModuleLoadData", what));
  modules_.push_back(module);

  Kernel kernel;
  kernel.name = std::move(name);
  kernel.threads = entry.threads;
  kernel.sharedBytes = entry.sharedBytes;
  kernel.cluster = (entry.flags & plan::kEntryClusterMask) >> plan::kEntryClusterShift;
  kernel.startsEarly = entry.flags & plan::kEntryProgrammaticLaunch;
  kernel.tensorMaps = TensorMaps(plan.tensorMaps(entry));
  QUIRE_RETURN_IF_ERROR(
      driver_->check(api.moduleGetFunction(&kernel.function, module, symbol.c_str()),
                     "cuModuleGetFunction", what + ": symbol '" + plan::printable(symbol) + "'"));
  // Also makes the driver load the code now, not at the first launch.
  int registers = 0;
  QUIRE_RETURN_IF_ERROR(driver_->check(
      api.funcGetAttribute(&registers, CU_FUNC_ATTRIBUTE_NUM_REGS, kernel.function),
      "cuFuncGetAttribute", what));
  if (entry.sharedBytes > (48u << 10))
    QUIRE_RETURN_IF_ERROR(driver_->check(
        api.funcSetAttribute(kernel.function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                             static_cast<int>(entry.sharedBytes)),
        "cuFuncSetAttribute", what));
  if (entry.flags & plan::kEntryPersistent) {
    int blocks = 0;
    QUIRE_RETURN_IF_ERROR(
        driver_->check(api.occupancy(&blocks, kernel.function, static_cast<int>(entry.threads),
                                     entry.sharedBytes),
                       "cuOccupancyMaxActiveBlocksPerMultiprocessor", what));
    if (blocks <= 0)
      return Status::error(ErrorCode::Unsupported,
                           what + ": not one block of " + std::to_string(entry.threads) +
                               " threads and " + std::to_string(entry.sharedBytes) +
                               " bytes of shared memory fits a multiprocessor");
    uint32_t cluster = std::max(1u, kernel.cluster);
    kernel.residentBlocks =
        std::max(cluster, static_cast<uint32_t>(blocks) * gpu.multiprocessors / cluster * cluster);
  }
  kernels_.push_back(std::move(kernel));
  return Status::ok();
}

CudaImage::~CudaImage() {
  for (CUmodule module : modules_)
    driver_->api().moduleUnload(module);
}

} // namespace quire::gpu
