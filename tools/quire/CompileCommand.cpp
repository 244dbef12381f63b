// quire compile and other sibling programs: `quire NAME` hands over to quire-NAME, as git runs its
// subcommands, so that this program stays free of the compiler's libraries.
#include "tools/quire/Commands.h"
#include "tools/quire/Console.h"
#include "tools/quire/Paths.h"
#include "tools/quire/PlanCache.h"

#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include <unistd.h>

namespace quire::cli {

bool isSibling(const std::string &name) {
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string::npos &&
         findSibling("quire-" + name).has_value();
}

int execSibling(const std::string &name, char **arguments) {
  std::optional<std::string> path = findSibling("quire-" + name);
  if (!path)
    return fail(kCompile, compilerMissing());
  std::vector<char *> argv = {path->data()};
  while (*arguments)
    argv.push_back(*arguments++);
  argv.push_back(nullptr);
  execv(path->c_str(), argv.data());
  return fail(kCompile, "cannot start " + *path + ": " + std::strerror(errno));
}

} // namespace quire::cli
