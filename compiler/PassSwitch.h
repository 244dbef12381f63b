// Skips passes by name, so that a test can show that a stage's verifier notices when one is missing.
#pragma once

#include "mlir/IR/MLIRContext.h"

#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace quire::compiler {

class PassSwitch {
public:
  /// From now on passes of `context` whose argument is in `disabled` do nothing. With an empty list
  /// the context stays as it is.
  PassSwitch(mlir::MLIRContext &context, const std::vector<std::string> &disabled);
  ~PassSwitch();
  PassSwitch(const PassSwitch &) = delete;
  PassSwitch &operator=(const PassSwitch &) = delete;

  /// Disabled names that no pass had so far.
  std::vector<std::string> neverSeen() const;
  /// Names of all passes that came up, with commas.
  std::string seenNames() const;

private:
  mlir::MLIRContext &context;
  const std::set<std::string> disabled;
  mutable std::mutex mutex; ///< passes of different kernels run side by side
  std::set<std::string> seen;
};

} // namespace quire::compiler
