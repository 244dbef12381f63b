// The frame of a kernel's text: what it was made from, includes, signature, thread indices; the
// body comes from one of the walks.
#include "compiler/cuda/CudaKernel.h"

#include "compiler/cuda/KernelContext.h"

#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

namespace {

/// Attribute or string on one line of a comment.
std::string commentText(StringRef text) {
  std::string line = text.str();
  for (char &letter : line)
    if (letter == '\n' || letter == '\\')
      letter = ' ';
  return line;
}

std::string printed(Attribute attribute) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  attribute.print(stream);
  return commentText(text);
}

FailureOr<std::string> parameters(const KernelContext &context) {
  tile::KernelOp kernel = context.kernel;
  llvm::SmallPtrSet<Value, 8> written;
  kernel.walk([&](tile::StoreOp store) { written.insert(store.getBuffer()); });
  std::string buffers, scalars;
  for (BlockArgument argument : kernel.entry().getArguments()) {
    std::string name = context.names.lookup(argument);
    if (auto type = dyn_cast<MemRefType>(argument.getType())) {
      std::string element = storageType(type.getElementType());
      if (element.empty())
        return kernel.emitOpError()
               << "has a buffer of " << type.getElementType() << ", which CUDA kernels cannot read";
      // A kernel may start before its predecessor has ended, and reads through a pointer to
      // constants are not coherent: only what no kernel writes is one.
      bool isWritten = written.contains(argument), isConstant = type.hasStaticShape();
      buffers += (isWritten ? "" : "const ") + element +
                 (isWritten || isConstant ? " *__restrict__ " : " *") + name + ", ";
    } else {
      scalars += "long long " + name + ", ";
    }
  }
  return buffers + scalars + "long long items";
}

} // namespace

FailureOr<CudaKernel> cuda::printCudaKernel(tile::KernelOp kernel) {
  auto walk = kernel->getAttrOfType<StringAttr>(kWalk);
  if (!walk)
    return kernel.emitOpError() << "has no '" << kWalk << "'; run quire-cuda-choose-walk first";
  KernelContext context(kernel);
  FailureOr<std::string> list = parameters(context);
  if (failed(list))
    return failure();
  auto print = walk == "rows"        ? printRows
               : walk == "slices"    ? printSlices
               : walk == "fragments" ? printFragments
                                     : printWarpgroups;
  if (failed(print(context)))
    return failure();
  for (size_t map = 0; map < context.tensorMaps.size(); ++map)
    *list += ", const __grid_constant__ TensorMap map" + std::to_string(map);

  int64_t most = context.registerLimit ? context.registerLimit
                                       : std::min<int64_t>(255, 65536 / context.threads());
  if (context.neededRegisters() > most)
    return kernel.emitOpError()
           << "needs " << context.neededRegisters() << " registers for each of "
           << context.threads() << " threads; a GPU has " << most
           << ": lower the schedule's queries, keys, rows or columns, or raise "
              "its warps";

  CudaKernel result;
  result.name = kernel.getSymName().str();
  result.symbol = "quire_" + result.name;
  result.threads = static_cast<uint32_t>(context.threads());
  result.sharedBytes = static_cast<uint32_t>(context.sharedBytes);
  result.isPersistent = context.isPersistent;
  result.tensorMaps = context.tensorMaps;
  result.plannedRegisters = static_cast<uint32_t>(context.plannedRegisters());
  llvm::raw_string_ostream out(result.text);
  out << "// " << result.name;
  if (kernel.getSource())
    out << ": " << commentText(*kernel.getSource());
  out << "\n";
  if (kernel.getGrid())
    out << "// grid " << printed(kernel.getGridAttr()) << "\n";
  if (kernel.getSchedule())
    out << "// schedule " << printed(kernel.getScheduleAttr()) << "\n";
  out << "// walk " << walk.getValue() << ", " << context.warpsM << " x " << context.warpsN
      << " warps\n";
  for (StringRef header : {"types", "launch", "copy", "mma", "reduce", "math"})
    out << "#include \"quire/" << header << ".h\"\n";
  for (const std::string &header : context.headers)
    out << "#include \"quire/" << header << ".h\"\n";
  out << "using namespace quire;\n\n" << context.preamble.text();
  out << "extern \"C\" __global__ void __launch_bounds__(" << result.threads << ", 1) "
      << result.symbol << "(" << *list << ") {\n";
  if (context.sharedBytes > 0)
    out << "  extern __shared__ __align__(128) unsigned char shared[];\n";
  out << "  const int thread = threadIdx.x, lane = thread % 32, warp = thread / 32;\n";
  out << "  (void)lane, (void)warp, (void)items;\n";
  out << context.early.text() << "  awaitPredecessors();\n  startSuccessors();\n";
  out << context.text.text() << "}\n";
  return result;
}
