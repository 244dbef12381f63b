// Compiling and calling kernels: see KernelRunner.h.
#include "tests/unit/compiler/cpu/KernelRunner.h"

#include "compiler/cpu/CodeGen.h"
#include "compiler/cpu/Passes.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Parser/Parser.h"

#include <cstring>
#include <sstream>
#include <sys/mman.h>

using namespace quire;
using namespace quire::test;

KernelRunner::KernelRunner(const std::string &text, compiler::CpuLevel level) {
  mlir::DialectRegistry registry;
  compiler::registerCpuDialects(registry);
  compiler::registerCodeGenTranslations(registry);
  mlir::MLIRContext context(registry);
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    messages += diagnostic.str() + "\n";
    return mlir::success();
  });
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module)
    return;
  mlir::FailureOr<compiler::CpuImage> image = compiler::compileCpuImage(*module, level);
  if (mlir::failed(image))
    return;
  compiled = std::move(*image);
  void *memory = mmap(nullptr, compiled.bytes.size(), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return;
  std::memcpy(memory, compiled.bytes.data(), compiled.bytes.size());
  if (mprotect(memory, compiled.bytes.size(), PROT_READ | PROT_EXEC) == 0)
    code = memory;
}

KernelRunner::~KernelRunner() {
  if (code)
    munmap(code, compiled.bytes.size());
}

plan::CpuKernel KernelRunner::kernel(size_t index) const {
  return reinterpret_cast<plan::CpuKernel>(static_cast<char *>(code) +
                                           compiled.kernels[index].offset);
}

bool quire::test::cpuHas(compiler::CpuLevel level) {
  __builtin_cpu_init();
  return level == compiler::CpuLevel::X86_64_V3
             ? __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
             : __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                   __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}

uint16_t quire::test::toBf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float quire::test::fromBf16(uint16_t half) {
  uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

uint16_t quire::test::toF16(float value) {
  _Float16 half = static_cast<_Float16>(value);
  uint16_t bits;
  std::memcpy(&bits, &half, 2);
  return bits;
}

float quire::test::fromF16(uint16_t bits) {
  _Float16 half;
  std::memcpy(&half, &bits, 2);
  return static_cast<float>(half);
}

namespace {

/// One product of the input tile with weight argument `weight`.
void writeProduct(std::ostream &out, const LinearShape &s, const std::string &tile,
                  const std::string &weight, const std::string &result) {
  std::string wt = "tensor<" + std::to_string(s.panels) + "x" + std::to_string(s.inputs) + "x32x" +
                   s.element + ">";
  out << "  " << result << "_w = tile.load " << weight << "[%p, %c0, %c0] : memref<"
      << s.panelCount() << "x" << s.inputs << "x32x" << s.element << "> -> " << wt << "\n"
      << "  " << result << " = linalg.generic {indexing_maps = [affine_map<(m, p, j, k) -> (m, k)>, "
      << "affine_map<(m, p, j, k) -> (p, k, j)>, affine_map<(m, p, j, k) -> (m, p, j)>], "
      << "iterator_types = [\"parallel\", \"parallel\", \"parallel\", \"reduction\"]} ins(%xt, "
      << result << "_w : tensor<" << s.rows << "x" << s.inputs << "xf32>, " << wt << ") outs(%f : "
      << tile << ") {\n  ^bb0(%a: f32, %b: " << s.element << ", %acc: f32):\n";
  std::string factor = "%b";
  if (s.element != "f32") {
    out << "    %b32 = arith.extf %b : " << s.element << " to f32\n";
    factor = "%b32";
  }
  out << "    %m = arith.mulf %a, " << factor << " : f32\n    %s = arith.addf %acc, %m : f32\n"
      << "    linalg.yield %s : f32\n  } -> " << tile << "\n";
}

} // namespace

std::string quire::test::linearKernel(const LinearShape &s, const std::string &name) {
  std::ostringstream out;
  std::string tile = "tensor<" + std::to_string(s.rows) + "x" + std::to_string(s.panels) + "x32xf32>";
  std::string buffer = "memref<?x" + std::to_string(s.panelCount()) + "x32xf32>";
  std::string input = "memref<?x" + std::to_string(s.inputs) + "xf32, strided<[" +
                      std::to_string(s.rowStride()) + ", 1]>>";
  std::string weight = "memref<" + std::to_string(s.panelCount()) + "x" + std::to_string(s.inputs) +
                       "x32x" + s.element + ">";
  out << "tile.kernel @" << name << "(%x: " << input << ", %w: " << weight;
  if (s.epilogue == LinearShape::Residual)
    out << ", %r: " << buffer;
  if (s.epilogue == LinearShape::SiluGate)
    out << ", %u: " << weight;
  out << ", %y: " << buffer << ")\n    binds [<operand>, <operand, 1>, "
      << (s.epilogue == LinearShape::None ? "" : "<operand, 2>, ") << "<result>] grid [<tokens, "
      << s.rows << ">, <constant, " << s.panelCount() / s.panels << ">]\n    schedule <rows = "
      << s.rows << ", panels = " << s.panels << ", registers = [" << s.registers[0] << ", "
      << s.registers[1] << ", " << s.registers[2] << "]> {\n"
      << "  %c0 = arith.constant 0 : index\n  %rows = arith.constant " << s.rows
      << " : index\n  %panels = arith.constant " << s.panels << " : index\n"
      << "  %i = tile.work_item 0\n  %j = tile.work_item 1\n"
      << "  %row = arith.muli %i, %rows : index\n  %p = arith.muli %j, %panels : index\n"
      << "  %xt = tile.load %x[%row, %c0] : " << input << " -> tensor<" << s.rows << "x" << s.inputs
      << "xf32>\n  %z = arith.constant 0.0 : f32\n  %e = tensor.empty() : " << tile
      << "\n  %f = linalg.fill ins(%z : f32) outs(%e : " << tile << ") -> " << tile << "\n";
  writeProduct(out, s, tile, "%w", "%mm");
  std::string result = "%mm";
  if (s.epilogue != LinearShape::None) {
    if (s.epilogue == LinearShape::Residual)
      out << "  %other = tile.load %r[%row, %p, %c0] : " << buffer << " -> " << tile << "\n";
    else
      writeProduct(out, s, tile, "%u", "%other");
    out << "  %o = linalg.generic {indexing_maps = [affine_map<(m, p, j) -> (m, p, j)>, "
        << "affine_map<(m, p, j) -> (m, p, j)>, affine_map<(m, p, j) -> (m, p, j)>], "
        << "iterator_types = [\"parallel\", \"parallel\", \"parallel\"]} ins(%mm, %other : " << tile
        << ", " << tile << ") outs(%e : " << tile << ") {\n  ^bb0(%a: f32, %b: f32, %c: f32):\n";
    if (s.epilogue == LinearShape::Residual)
      out << "    %v = arith.addf %a, %b : f32\n";
    else
      out << "    %n = arith.negf %a : f32\n    %x1 = math.exp %n : f32\n"
          << "    %one = arith.constant 1.0 : f32\n    %d = arith.addf %x1, %one : f32\n"
          << "    %si = arith.divf %a, %d : f32\n    %v = arith.mulf %si, %b : f32\n";
    out << "    linalg.yield %v : f32\n  } -> " << tile << "\n";
    result = "%o";
  }
  out << "  tile.store " << result << ", %y[%row, %p, %c0] : " << tile << ", " << buffer
      << "\n  tile.return\n}\n";
  return out.str();
}
