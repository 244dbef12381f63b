// Implements Subprocess.h.
#include "runtime/base/Subprocess.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace quire {

Result<ProgramOutput> runAndRead(const std::string &program,
                                 const std::vector<std::string> &arguments) {
  auto refuse = [&](int error) {
    return Status::error(ErrorCode::Io, "cannot run " + program + ": " + std::strerror(error));
  };
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return refuse(errno);
  std::vector<char *> argv = {const_cast<char *>(program.c_str())};
  for (const std::string &argument : arguments)
    argv.push_back(const_cast<char *>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  pid_t child = 0;
  int error = posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  ProgramOutput output;
  int readError = 0;
  char buffer[4096];
  while (error == 0) {
    ssize_t count = ::read(ends[0], buffer, sizeof buffer);
    if (count > 0) {
      output.text.append(buffer, static_cast<size_t>(count));
    } else if (count == 0 || errno != EINTR) {
      readError = count == 0 ? 0 : errno;
      break;
    }
  }
  ::close(ends[0]);
  if (error != 0)
    return refuse(error);
  int state = 0;
  while (::waitpid(child, &state, 0) < 0)
    if (errno != EINTR)
      return refuse(errno);
  if (readError != 0)
    return refuse(readError);
  output.code = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
  return output;
}

} // namespace quire
