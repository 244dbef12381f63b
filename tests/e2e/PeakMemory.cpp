// peak-memory PROGRAM [ARGUMENT…]: runs a program, ends with its exit code, and prints the most memory that it
// had resident, in bytes, as the last line on standard error.
#include <cstdio>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: peak-memory PROGRAM [ARGUMENT...]\n");
    return 2;
  }
  pid_t child = fork();
  if (child == 0) {
    execv(argv[1], argv + 1);
    _exit(127);
  }
  int state = 0;
  rusage usage = {};
  if (child < 0 || wait4(child, &state, 0, &usage) != child)
    return 126;
  std::fprintf(stderr, "%lld\n", static_cast<long long>(usage.ru_maxrss) * 1024);
  return WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
}
