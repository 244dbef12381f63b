// Implements CudaCode.h.
#include "compiler/CudaCode.h"

#include "compiler/IrFiles.h"
#include "compiler/cuda/KernelHeaders.h"

#include <map>
#include <optional>
#include <thread>

using namespace mlir;

namespace quire::compiler {
namespace {

plan::TensorMapRecord tensorMap(const cuda::TensorMap &map) {
  plan::TensorMapRecord record{};
  record.buffer = map.buffer;
  record.element = map.isBfloat ? plan::ElementType::BF16 : plan::ElementType::F16;
  record.rank = static_cast<uint32_t>(map.box.size());
  record.swizzle = map.swizzle;
  record.scalar = plan::kNone;
  for (size_t i = 0; i < map.box.size(); ++i) {
    record.box[i] = map.box[i];
    record.extents[i] = static_cast<uint64_t>(map.extents[i]);
    record.strides[i] = static_cast<uint64_t>(map.strides[i]);
  }
  return record;
}

NativeCode nativeCode(const cuda::CudaImage &image) {
  NativeCode code{image.target.image, image.bytes, {}};
  // Every kernel waits for its predecessors itself where the GPU knows how.
  uint32_t flags = 0;
  if (image.target.image == plan::ImageTarget::Sm90a)
    flags |= plan::kEntryProgrammaticLaunch;
  for (const cuda::CudaKernelCode &kernel : image.kernels) {
    code.entries.push_back({kernel.offset, kernel.bytes, kernel.kernel.symbol, kernel.kernel.threads,
                            kernel.kernel.sharedBytes, kernel.registers,
                            kernel.kernel.isPersistent ? flags | plan::kEntryPersistent : flags, {}});
    for (const cuda::TensorMap &map : kernel.kernel.tensorMaps)
      code.entries.back().tensorMaps.push_back(tensorMap(map));
  }
  return code;
}

std::vector<PlanText> planTexts(const cuda::CudaImage &oldest) {
  std::vector<PlanText> texts;
  std::map<std::string, std::string> headers;
  for (const cuda::CudaKernelCode &kernel : oldest.kernels) {
    texts.push_back({"cuda." + kernel.kernel.name, kernel.kernel.text});
    for (NvrtcHeader &header : cuda::headersOf(kernel.kernel.text))
      headers.emplace(std::move(header.name), std::move(header.text));
  }
  for (auto &[name, text] : headers)
    texts.push_back({"cuda.header." + name, text});
  return texts;
}

/// NAME.cu once where all targets have the same text, NAME.TARGET.cu otherwise. Returns the error.
std::string dumpTexts(const std::vector<cuda::PrintedKernels> &printed, const std::string &folder) {
  for (const cuda::PrintedKernels &part : printed)
    for (size_t i = 0; i < part.kernels.size(); ++i) {
      const cuda::CudaKernel &kernel = part.kernels[i].kernel;
      bool shared = llvm::all_of(printed, [&](const cuda::PrintedKernels &other) {
        return other.kernels[i].kernel.text == kernel.text;
      });
      std::string target = shared ? "" : std::string(".") + part.target.name;
      std::string error = writeIrFile(folder, kernel.name + target + ".cu", kernel.text);
      if (!error.empty())
        return error;
    }
  return {};
}

std::string dumpCubins(const std::vector<cuda::CudaImage> &images, const std::string &folder) {
  for (const cuda::CudaImage &image : images)
    for (const cuda::CudaKernelCode &code : image.kernels) {
      const char *bytes = reinterpret_cast<const char *>(image.bytes.data()) + code.offset;
      std::string error = writeIrFile(
          folder, code.kernel.name + "." + image.target.name + ".cubin", {bytes, code.bytes});
      if (!error.empty())
        return error;
    }
  return {};
}

} // namespace

FailureOr<CudaCode> compileCudaCode(ModuleOp module, const CudaCodeOptions &options) {
  auto nvrtc = Nvrtc::load(options.nvrtc);
  if (!nvrtc.isOk())
    return module.emitError() << nvrtc.status().message();
  CudaCode code;
  std::optional<KernelCache> cache;
  if (!options.kernelCache.empty()) {
    auto opened = KernelCache::open(options.kernelCache);
    if (opened.isOk())
      cache = opened.takeValue();
    else
      code.warnings.push_back("compiling without a cache: " + opened.status().message());
  }
  cuda::CudaImageOptions imageOptions;
  imageOptions.nvrtc = *nvrtc;
  imageOptions.cache = cache ? &*cache : nullptr;
  imageOptions.threads = std::max(1u, std::thread::hardware_concurrency());
  imageOptions.onProgress = options.onProgress;
  FailureOr<std::vector<cuda::PrintedKernels>> printed =
      cuda::printCudaKernels(module, options.targets);
  if (failed(printed))
    return failure();
  bool dumps = !options.dumpFolder.empty();
  // Texts first: they are most wanted when they do not compile.
  if (std::string error = dumps ? dumpTexts(*printed, options.dumpFolder) : ""; !error.empty())
    return module.emitError() << error;
  auto images = cuda::compileCudaKernels(std::move(*printed), imageOptions);
  if (!images.isOk())
    return module.emitError() << images.status().message();
  code.images = images.takeValue();
  if (std::string error = dumps ? dumpCubins(code.images, options.dumpFolder) : ""; !error.empty())
    return module.emitError() << error;
  for (const cuda::CudaImage &image : code.images)
    code.native.push_back(nativeCode(image));
  if (!code.images.empty())
    code.texts = planTexts(code.images.front());
  return code;
}

} // namespace quire::compiler
