// Implementation of Process.
#include "tests/e2e/Process.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace quire::test {

ProcessResult runProcess(const std::vector<std::string> &argv, const std::string &input,
                         bool interruptAfterOutput) {
  ProcessResult result;
  // A file and not a pipe: the program may end without having read its input.
  std::FILE *in = std::tmpfile();
  int out[2], err[2];
  if (!in || std::fwrite(input.data(), 1, input.size(), in) != input.size() ||
      std::fflush(in) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
    return result;
  lseek(fileno(in), 0, SEEK_SET);

  std::vector<char *> arguments;
  for (const std::string &argument : argv)
    arguments.push_back(const_cast<char *>(argument.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fileno(in), 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err[1], 2);
  pid_t child = 0;
  int started = posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  std::fclose(in);
  close(out[1]);
  close(err[1]);

  pollfd streams[2] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
  std::string *texts[2] = {&result.output, &result.error};
  while (started == 0 && (streams[0].fd >= 0 || streams[1].fd >= 0)) {
    if (poll(streams, 2, -1) < 0 && errno != EINTR)
      break;
    for (int i = 0; i < 2; ++i) {
      if (streams[i].fd < 0 || !(streams[i].revents & (POLLIN | POLLHUP)))
        continue;
      char buffer[4096];
      ssize_t count = read(streams[i].fd, buffer, sizeof buffer);
      if (count > 0)
        texts[i]->append(buffer, static_cast<size_t>(count));
      else
        streams[i].fd = -1;
      if (i == 0 && count > 0 && interruptAfterOutput) {
        kill(child, SIGINT);
        interruptAfterOutput = false;
      }
    }
  }
  close(out[0]);
  close(err[0]);
  int state = 0;
  if (started == 0 && waitpid(child, &state, 0) == child)
    result.code = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
  return result;
}

} // namespace quire::test
