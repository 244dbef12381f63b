// Lifetimes of a step program's temporaries.
#include "compiler/plan/Lifetimes.h"

#include "llvm/ADT/DenseMap.h"

using namespace mlir;

namespace quire {

std::vector<Lifetime> arenaLifetimes(planir::EntryOp entry) {
  llvm::DenseMap<Operation *, unsigned> positions;
  for (auto [position, op] : llvm::enumerate(entry.getBody().front()))
    positions[&op] = position;
  std::vector<Lifetime> lifetimes;
  entry.walk([&](planir::ArenaOp buffer) {
    Lifetime lifetime{buffer, ~0u, 0};
    for (Operation *user : buffer->getUsers()) {
      unsigned position = positions.lookup(entry.getBody().front().findAncestorOpInBlock(*user));
      lifetime.first = std::min(lifetime.first, position);
      lifetime.last = std::max(lifetime.last, position);
    }
    if (!buffer->use_empty())
      lifetimes.push_back(lifetime);
    else // A result nobody reads is still written: it lives where it is made.
      lifetimes.push_back({buffer, positions.lookup(buffer), positions.lookup(buffer)});
  });
  return lifetimes;
}

} // namespace quire
