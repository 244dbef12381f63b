// Implements PassSwitch.h with an action handler: the context asks it before it runs a pass.
#include "compiler/PassSwitch.h"

#include "mlir/Pass/Pass.h"

using namespace mlir;

namespace quire::compiler {

PassSwitch::PassSwitch(MLIRContext &context, const std::vector<std::string> &names)
    : context(context), disabled(names.begin(), names.end()) {
  if (disabled.empty())
    return;
  context.registerActionHandler(
      [this](llvm::function_ref<void()> run, const tracing::Action &action) {
        if (auto *execution = llvm::dyn_cast<PassExecutionAction>(&action)) {
          std::string name = execution->getPass().getArgument().str();
          if (!name.empty()) {
            std::lock_guard lock(mutex);
            seen.insert(name);
            if (disabled.count(name))
              return;
          }
        }
        run();
      });
}

PassSwitch::~PassSwitch() {
  if (!disabled.empty())
    context.registerActionHandler({});
}

std::vector<std::string> PassSwitch::neverSeen() const {
  std::lock_guard lock(mutex);
  std::vector<std::string> names;
  for (const std::string &name : disabled)
    if (!seen.count(name))
      names.push_back(name);
  return names;
}

std::string PassSwitch::seenNames() const {
  std::lock_guard lock(mutex);
  std::string names;
  for (const std::string &name : seen)
    names += (names.empty() ? "" : ", ") + name;
  return names;
}

} // namespace quire::compiler
