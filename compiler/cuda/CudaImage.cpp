// Implements CudaImage.h: cubins and their image. Lowering and printing: LowerKernels.cpp.
#include "compiler/cuda/CudaImage.h"

#include "compiler/cuda/KernelHeaders.h"

#include <algorithm>

namespace quire::cuda {
namespace {

constexpr uint64_t kAlignment = 64;
/// Registers of a multiprocessor, and of a thread at most.
constexpr uint32_t kRegisterFile = 65536, kMostRegisters = 255;

std::string count(uint64_t value, const char *unit) { return std::to_string(value) + " " + unit; }

void append(CudaImage &image, PrintedKernel printed, const NvrtcResult &compiled) {
  CudaKernelCode code;
  code.kernel = std::move(printed.kernel);
  code.lowerSeconds = printed.seconds;
  image.bytes.resize((image.bytes.size() + kAlignment - 1) / kAlignment * kAlignment);
  code.offset = image.bytes.size();
  code.bytes = compiled.cubin.size();
  code.registers = compiled.registers;
  code.stackBytes = compiled.stackBytes;
  code.compileSeconds = compiled.seconds;
  code.cached = compiled.cached;
  image.bytes.insert(image.bytes.end(), compiled.cubin.begin(), compiled.cubin.end());
  image.kernels.push_back(std::move(code));
}

} // namespace

std::vector<std::string> kernelFaults(const CudaKernel &kernel, const NvrtcResult &result,
                                      const CudaTarget &target) {
  std::vector<std::string> faults;
  for (const std::string &note : performanceNotes(result.log))
    faults.push_back("ptxas says: " + note);
  if (result.spillBytes > 0)
    faults.push_back("it spills " + count(result.spillBytes, "bytes of registers a thread") +
                     " at " + count(result.registers, "registers"));
  if (kernel.plannedRegisters > 0 && result.registers > kernel.plannedRegisters)
    faults.push_back("it takes " + count(result.registers, "registers a thread") + ", " +
                     std::to_string(kernel.plannedRegisters) + " were planned");
  // A warp's registers are given out in units of 256.
  uint32_t limit = kernel.threads ? std::min(kMostRegisters, kRegisterFile / kernel.threads / 8 * 8)
                                  : kMostRegisters;
  bool budgets = kernel.text.find("setmaxnreg") != std::string::npos ||
                 kernel.text.find("takeRegisters") != std::string::npos;
  if (!budgets && result.registers > limit)
    faults.push_back("it takes " + count(result.registers, "registers a thread") + ", a block of " +
                     count(kernel.threads, "threads") + " has " + std::to_string(limit));
  uint64_t shared =
      uint64_t(kernel.sharedBytes) +
      (result.sharedBytes > target.reservedBytes ? result.sharedBytes - target.reservedBytes : 0);
  if (shared > target.sharedBytes)
    faults.push_back("it takes " + count(shared, "bytes of shared memory") + ", a block on " +
                     target.name + " has " + std::to_string(target.sharedBytes));
  return faults;
}

Result<std::vector<CudaImage>> compileCudaKernels(std::vector<PrintedKernels> printed,
                                                  const CudaImageOptions &options) {
  std::vector<NvrtcRequest> requests;
  for (const PrintedKernels &part : printed)
    for (const auto &[kernel, seconds] : part.kernels)
      requests.push_back({kernel.name, kernel.text, headersOf(kernel.text), part.target.name, {}});
  size_t done = 0;
  auto results = compileAll(*options.nvrtc, options.cache, requests, options.threads, [&](size_t) {
    if (options.onProgress)
      options.onProgress(++done, requests.size());
  });

  std::vector<CudaImage> images;
  std::string errors;
  auto fault = [&](const std::string &text) { errors += (errors.empty() ? "" : "\n") + text; };
  auto result = results.begin();
  for (PrintedKernels &part : printed) {
    CudaImage image{part.target, {}, {}};
    for (PrintedKernel &printedKernel : part.kernels) {
      const CudaKernel &kernel = printedKernel.kernel;
      const Result<NvrtcResult> &compiled = *result++;
      if (!compiled.isOk()) {
        fault(compiled.status().message());
        continue;
      }
      for (const std::string &text : kernelFaults(kernel, *compiled, part.target))
        fault("kernel " + kernel.name + " for " + part.target.name +
              " is not what its schedule planned: " + text);
      append(image, std::move(printedKernel), *compiled);
    }
    images.push_back(std::move(image));
  }
  if (!errors.empty())
    return Status::error(ErrorCode::Internal, errors);
  return images;
}

} // namespace quire::cuda
