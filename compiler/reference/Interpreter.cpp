// The interpreter's public face; a run is an Evaluator.
#include "compiler/reference/Interpreter.h"

#include "compiler/reference/Evaluator.h"

using namespace mlir;

namespace quire::reference {

Interpreter::Interpreter(func::FuncOp step, WeightLoader loader, Precision precision)
    : step(step), loader(std::move(loader)), precision(precision) {
  size_t count = llvm::count_if(step.getArgumentTypes(), llvm::IsaPred<graph::CacheType>);
  caches.resize(count);
}

FailureOr<std::vector<Tensor>> Interpreter::run(const Batch &batch,
                                                const llvm::StringMap<Tensor> &inputs) {
  for (const SequenceStep &each : batch)
    for (int64_t sample : each.samples)
      if (sample < 0 || sample >= static_cast<int64_t>(each.tokens.size()))
        return step.emitError() << "sequence " << each.sequence << " wants sample row " << sample
                                << " of " << each.tokens.size() << " tokens";
  auto results = Evaluator(*this, batch).run(inputs);
  if (succeeded(results))
    for (const SequenceStep &each : batch)
      computed[each.sequence] += static_cast<int64_t>(each.tokens.size());
  return results;
}

void Interpreter::forget(int64_t sequence) {
  computed.erase(sequence);
  for (CacheState &cache : caches)
    cache.sequences.erase(sequence);
}

} // namespace quire::reference
