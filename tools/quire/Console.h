// Console: how `quire` talks to people. Results go to standard output, everything else to standard
// error. Colour only on a terminal and without NO_COLOR; a progress bar only on a terminal and only
// for work longer than half a second, else one line per ten per cent.
#pragma once

#include "runtime/base/Status.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace quire::cli {

/// Exit codes, part of the interface that scripts rely on.
enum ExitCode : int {
  kOk = 0,
  kGeneral = 1, ///< anything without a code of its own, such as unwritable output
  kUsage = 2,   ///< wrong options, or an input that can never work
  kModel = 3,   ///< model directory, plan or tokenizer missing or damaged
  kDevice = 4,  ///< the machine: processor level, memory
  kCompile = 6, ///< the compiler failed or is not there
  kInterrupted = 130,
};

/// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string format(const char *pattern, ...);

/// True when the stream is a terminal that may be coloured.
bool colorOnStdout();
bool colorOnStderr();
/// Wraps `text` in an SGR sequence such as "1" (bold) or "2" (dim) if `enabled`.
std::string paint(bool enabled, const char *sgr, std::string_view text);

/// Prints "quire: error: message" as one line to standard error; returns `code` for the caller to
/// return.
int fail(ExitCode code, std::string_view message);
/// The same for a failed Status; running out of memory is a matter of the machine whatever `code`.
int fail(ExitCode code, const Status &status);
/// Prints "quire: warning: message".
void warn(std::string_view message);

/// "12.3 MB", decimal units.
std::string formatBytes(uint64_t bytes);
/// "850 ms", "3.2 s".
std::string formatSeconds(double seconds);
/// Parses "512", "64k", "2g" (powers of 1024). InvalidArgument otherwise.
Result<uint64_t> parseSize(const std::string &text);

/// Writes all of `text` to standard output and flushes. Io with the system's reason when the other
/// end cannot take it.
Status writeOutput(std::string_view text);

/// Progress of one piece of work; finished by its destructor.
class Progress {
public:
  /// `enabled` false makes it silent.
  Progress(std::string title, bool enabled);
  ~Progress();
  /// `note` stands behind the bar.
  void update(uint64_t done, uint64_t total, std::string_view note = {});

private:
  void clearBar();

  std::string title;
  bool enabled;
  bool terminal;
  bool drawn = false;
  int lastTenth = 0;
  std::chrono::steady_clock::time_point start, lastDraw;
};

/// Ctrl-C and SIGTERM set a flag that long work polls; a second one ends the program at once.
void installInterruptHandler();
bool interrupted();
/// Forgets an interrupt that has been dealt with.
void clearInterrupt();

} // namespace quire::cli
