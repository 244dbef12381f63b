// Implements AskProgramMemory.h.
#include "tools/common/AskProgramMemory.h"

#include "runtime/base/Subprocess.h"

#include <charconv>

namespace quire {

Result<uint64_t> askProgramMemory(const std::string &program, const std::string &plan) {
  QUIRE_ASSIGN_OR_RETURN(ProgramOutput output,
                         runAndRead(program, {"inspect", "--program-memory", plan}));
  uint64_t bytes = 0;
  const char *end = output.text.data() + output.text.size();
  if (output.code == 0) {
    auto [rest, error] = std::from_chars(output.text.data(), end, bytes);
    if (error == std::errc() && bytes > 0 && std::string_view(rest, end - rest) == "\n")
      return bytes;
  }
  // "quire: error: REASON", perhaps after warnings.
  constexpr std::string_view kMark = "error: ";
  size_t mark = output.text.find(kMark);
  std::string reason = mark == std::string::npos
                           ? program + " ended with code " + std::to_string(output.code)
                           : output.text.substr(mark + kMark.size());
  return Status::error(ErrorCode::Unsupported, reason.substr(0, reason.find('\n')));
}

} // namespace quire
