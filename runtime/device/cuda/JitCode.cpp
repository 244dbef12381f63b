// Implements JitCode.h.
#include "runtime/device/cuda/JitCode.h"

#include "runtime/nvrtc/KernelCache.h"
#include "runtime/plan/Names.h"

#include <algorithm>
#include <map>
#include <optional>
#include <thread>

namespace quire::gpu {
namespace {

constexpr std::string_view kText = "cuda.", kHeader = "cuda.header.";

/// Texts by kernel name, and all headers.
struct Texts {
  explicit Texts(const Plan &plan) {
    for (const plan::TextRecord &record : plan.texts()) {
      std::string_view name = plan.string(record.name), text = plan.string(record.text);
      if (name.starts_with(kHeader))
        headers.push_back({std::string(name.substr(kHeader.size())), std::string(text)});
      else if (name.starts_with(kText))
        kernels[name.substr(kText.size())] = text;
    }
  }
  std::map<std::string_view, std::string_view> kernels;
  std::vector<NvrtcHeader> headers;
};

/// "sm_90a": what only this architecture has is allowed, because the code stays on this machine.
std::string target(const Gpu &gpu, const Nvrtc &nvrtc) {
  std::string name = "sm_" + std::to_string(gpu.major) + std::to_string(gpu.minor);
  return gpu.major >= 9 && nvrtc.supports(name + "a") ? name + "a" : name;
}

} // namespace

Result<JitCode> compileTexts(const Plan &plan, const Gpu &gpu, const CudaDeviceOptions &options) {
  JitCode code;
  for (const plan::ImageRecord &image : plan.images())
    if (plan::isCuda(image.target) && (!code.image || image.target < code.image->target))
      code.image = &image; // the texts are those of the oldest target
  Texts texts(plan);
  if (!code.image || texts.kernels.empty())
    return Status::error(ErrorCode::Unsupported, "the plan carries no CUDA texts to compile");
  auto nvrtc = Nvrtc::load(options.nvrtc);
  if (!nvrtc.isOk())
    return Status::error(ErrorCode::Unsupported,
                         "its texts cannot be compiled here: " + nvrtc.status().message());
  std::string architecture = target(gpu, **nvrtc);
  if (!(*nvrtc)->supports(architecture))
    return Status::error(ErrorCode::Unsupported,
                         "NVRTC " + (*nvrtc)->version() + " (" + (*nvrtc)->path() +
                             ") makes no code for " + architecture + "; install a newer one");
  std::vector<NvrtcRequest> requests;
  for (const plan::KernelRecord &kernel : plan.kernels()) {
    auto text = texts.kernels.find(plan.string(kernel.name));
    std::string name = plan::printable(plan.string(kernel.name));
    if (text == texts.kernels.end())
      return Status::error(ErrorCode::Unsupported,
                           "the plan carries no CUDA text of kernel '" + name + "'");
    requests.push_back({name, std::string(text->second), texts.headers, architecture, {}});
  }
  std::optional<KernelCache> cache;
  if (!options.kernelCache.empty())
    if (auto opened = KernelCache::open(options.kernelCache); opened.isOk())
      cache.emplace(opened.takeValue()); // without one the same is compiled each time
  unsigned threads = std::max(1u, std::thread::hardware_concurrency());
  for (Result<NvrtcResult> &result :
       compileAll(**nvrtc, cache ? &*cache : nullptr, requests, threads)) {
    if (!result.isOk())
      return result.status();
    code.cubins.push_back(std::move(result->cubin));
  }
  return code;
}

} // namespace quire::gpu
