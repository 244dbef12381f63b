// Compiles tile kernels given as text and calls them, as a runtime maps and calls a plan's image.
#pragma once

#include "compiler/cpu/CpuImage.h"
#include "runtime/plan/Format.h"

#include <memory>
#include <string>
#include <vector>

namespace quire::test {

/// An executable copy of an image. Empty if compilation failed; the diagnostics are in `errors`.
class KernelRunner {
public:
  KernelRunner(const std::string &module, compiler::CpuLevel level);
  ~KernelRunner();
  KernelRunner(const KernelRunner &) = delete;
  KernelRunner &operator=(const KernelRunner &) = delete;

  explicit operator bool() const { return code != nullptr; }
  plan::CpuKernel kernel(size_t index) const;
  const compiler::CpuImage &image() const { return compiled; }
  const std::string &errors() const { return messages; }

private:
  compiler::CpuImage compiled;
  std::string messages;
  void *code = nullptr;
};

/// Whether this machine can run code of `level`.
bool cpuHas(compiler::CpuLevel level);

/// f32 to and from the bits of bf16 (round to nearest even) and f16.
uint16_t toBf16(float value);
float fromBf16(uint16_t bits);
uint16_t toF16(float value);
float fromF16(uint16_t bits);

/// A linear kernel as stage B leaves it: y = epilogue(x W), the weight in panels of 32 columns.
struct LinearShape {
  int64_t rows = 8;      ///< of a work item
  int64_t panels = 1;    ///< of a work item
  int64_t inputs = 64;   ///< K
  int64_t outputs = 96;  ///< N; the last panel may be partly filled
  std::string element = "bf16";
  enum Epilogue { None, Residual, SiluGate } epilogue = None;
  std::vector<int64_t> registers = {8, 32, 4};

  int64_t panelCount() const { return (outputs + 31) / 32; }
  int64_t rowStride() const { return (inputs + 31) / 32 * 32; }
};

/// Arguments: x, w, (w2 for SiluGate | residual for Residual), y.
std::string linearKernel(const LinearShape &shape, const std::string &name = "linear");

/// A causal attention kernel as stage B leaves it: KV loop over tiles that lie in one page each,
/// first without a mask, then with one; online softmax in base 2. `softCap` puts 30 tanh(s / 30) on
/// scores.
struct AttentionShape {
  int64_t queries = 8;   ///< query tokens of a work item
  int64_t heads = 4;     ///< query heads
  int64_t cacheHeads = 2;
  int64_t dim = 64;
  int64_t page = 32;
  int64_t keys = 32;     ///< of one step of the KV loop, divides the page
  std::string element = "bf16";
  bool softCap = false;
  std::vector<int64_t> registers = {8, 32, 4};

  int64_t group() const { return heads / cacheHeads; }
};

/// Buffers: q [tokens, heads, dim], k pool [pages, cacheHeads, dim, page], v pool
/// [pages, cacheHeads, page, dim], block table, work items, y as q. Scalar: max_pages.
std::string attentionKernel(const AttentionShape &shape, const std::string &name = "attention");

} // namespace quire::test
