// The device primitives of kernels/cuda as they travel in the compiler: printed kernels name them as
// #include "quire/types.h", NVRTC is handed their text.
#pragma once

#include "runtime/nvrtc/Nvrtc.h"

#include <span>
#include <string_view>
#include <vector>

namespace quire::cuda {

struct KernelHeader {
  std::string_view name; ///< "quire/types.h"
  std::string_view text;
};

/// All of them, by name.
std::span<const KernelHeader> kernelHeaders();

/// The ones that `text` includes, directly or through others, each once, by name. A name that is none
/// of ours is left out: NVRTC will say so.
std::vector<NvrtcHeader> headersOf(std::string_view text);

} // namespace quire::cuda
