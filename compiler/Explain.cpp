// Implements Explain.h.
#include "compiler/Explain.h"

#include "compiler/plan/Estimate.h"
#include "dialect/Graph/Graph.h"
#include "dialect/Plan/Plan.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace quire::compiler {

std::map<std::string, unsigned> countDispatches(ModuleOp module) {
  std::map<std::string, unsigned> counts;
  module.walk([&](graph::DispatchOp dispatch) {
    auto name = dispatch->getAttrOfType<StringAttr>("quire.kernel_name");
    ++counts[name ? name.str() : "unnamed"];
  });
  return counts;
}

static std::string orBatch(uint64_t number) {
  return number ? std::to_string(number) : std::string("by batch");
}

std::string explain(ModuleOp module, const std::map<std::string, unsigned> &dispatches,
                    const std::vector<std::string> &remarks) {
  std::string text;
  llvm::raw_string_ostream out(text);
  out << "Fusion: ops that became one kernel, and how often\n";
  for (const auto &[name, count] : dispatches)
    out << llvm::formatv("  {0,-48} {1,4}\n", name, count);
  out << "\nRemarks: what was not fused or not specialised, and why\n";
  for (const std::string &remark : remarks)
    out << "  " << remark << "\n";
  if (remarks.empty())
    out << "  none\n";

  llvm::StringMap<unsigned> launches;
  module.walk([&](planir::LaunchOp launch) { ++launches[launch.getKernel()]; });
  out << "\nKernels: launches in the program, predicted work of one item (weight and cache bytes)\n";
  out << llvm::formatv("  {0,-44} {1,8} {2,14} {3,12}  {4}\n", "kernel", "launches", "FLOP/item",
                       "bytes/item", "schedule");
  for (auto kernel : module.getOps<tile::KernelOp>()) {
    ItemWork work = estimateItem(kernel);
    std::string schedule;
    llvm::raw_string_ostream stream(schedule);
    if (Attribute attribute = kernel.getScheduleAttr())
      attribute.print(stream);
    out << llvm::formatv("  {0,-44} {1,8} {2,14} {3,12}  {4}\n", kernel.getSymName(),
                         launches.lookup(kernel.getSymName()), orBatch(work.flops),
                         orBatch(work.bytes), schedule);
  }
  return text;
}

} // namespace quire::compiler
