// NVRTC, the compiler from CUDA C++ to a cubin, loaded at run time: it needs neither a GPU nor a driver
// nor headers. This program declares the few functions it calls itself (source: nvrtc.h of CUDA 12
// and 13, whose ABI for them is the same).
#pragma once

#include "runtime/base/Status.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace quire {

/// Where to look for the library.
struct NvrtcSearch {
  std::string file;                 ///< this one and no other, unless empty
  std::vector<std::string> folders; ///< after the loader's own path, in this order
  /// QUIRE_NVRTC names the file; folders are those of CUDA_HOME and CUDA_PATH, /usr/local/cuda, and
  /// of Python's nvidia-cuda-nvrtc package in the active and the user's environments.
  static NvrtcSearch fromEnvironment();
};

/// A header as kernels name it in their #include.
struct NvrtcHeader {
  std::string name; ///< "quire/types.h"
  std::string text;
};

struct NvrtcRequest {
  std::string name; ///< of the kernel, for messages
  std::string text;
  std::vector<NvrtcHeader> headers;
  std::string target;             ///< "sm_90a"
  std::vector<std::string> flags; ///< beyond the language, the target and a verbose ptxas
};

/// A compiled text, and what the compiler said about it. A text with several kernels reports the most
/// that one of them needs.
struct NvrtcResult {
  std::vector<uint8_t> cubin;
  std::string log;            ///< warnings and ptxas notes; may be empty
  uint32_t registers = 0;     ///< of a thread; the largest budget where warpgroups change theirs
  uint32_t spillBytes = 0;    ///< stored by a thread; the stack's size when the log does not say
  uint32_t stackBytes = 0;    ///< of a thread
  uint32_t sharedBytes = 0;   ///< static
  double seconds = 0;         ///< of this compilation, also when it came from a cache
  bool cached = false;
};

/// The loaded library; lives as long as the program. Thread safe: texts are compiled side by side.
class Nvrtc {
public:
  /// NotFound says where it looked and how to get the library.
  static Result<std::shared_ptr<const Nvrtc>> load(const NvrtcSearch &search);
  ~Nvrtc();

  const std::string &path() const { return path_; }
  /// "13.0"
  std::string version() const;
  /// Version and size of the library: two builds that may compile differently differ in it.
  const std::string &identity() const { return identity_; }
  /// Whether it can make cubins for a target such as sm_90a.
  bool supports(const std::string &target) const;

  /// InvalidArgument with the kernel's name and the compiler's messages when the text does not compile.
  Result<NvrtcResult> compile(const NvrtcRequest &request) const;

private:
  struct Functions;
  Nvrtc(std::string path, std::unique_ptr<Functions> functions);
  std::string path_, identity_;
  std::unique_ptr<Functions> functions_;
  int major_ = 0, minor_ = 0;
  std::vector<int> targets_;
};

/// ptxas notes in a log that mean that a kernel does not run as it was planned: C75xx (wgmma was
/// serialised, setmaxnreg was ignored). Whole lines.
std::vector<std::string> performanceNotes(const std::string &log);

} // namespace quire
