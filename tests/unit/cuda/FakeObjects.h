// What the handles of the fake driver stand for. A stream runs what was submitted when it is asked
// whether it is done, one operation at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace quire::test {

using Operation = std::function<int()>; ///< a CUresult

struct Stream {
  std::deque<Operation> queue;
  uint64_t submitted = 0, done = 0;
  struct Graph *capture = nullptr;
};
struct Graph {
  std::vector<Operation> operations;
};
struct Event {
  Stream *stream = nullptr;
  uint64_t position = 0;
};
struct Module {
  std::string kernel;
};
struct Function {
  std::string kernel;
  uint32_t index;
  int sharedLimit = 48 << 10;
};

} // namespace quire::test
