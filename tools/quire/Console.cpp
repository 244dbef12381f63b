// Implementation of Console.
#include "tools/quire/Console.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <unistd.h>

namespace quire::cli {

std::string format(const char *pattern, ...) {
  va_list arguments, again;
  va_start(arguments, pattern);
  va_copy(again, arguments);
  int size = std::vsnprintf(nullptr, 0, pattern, arguments);
  va_end(arguments);
  std::string text(std::max(size, 0), '\0');
  std::vsnprintf(text.data(), text.size() + 1, pattern, again);
  va_end(again);
  return text;
}

static bool colorOn(int descriptor) {
  const char *noColor = std::getenv("NO_COLOR");
  const char *terminal = std::getenv("TERM");
  return isatty(descriptor) && !(noColor && *noColor) &&
         !(terminal && std::strcmp(terminal, "dumb") == 0);
}

bool colorOnStdout() { return colorOn(STDOUT_FILENO); }
bool colorOnStderr() { return colorOn(STDERR_FILENO); }

std::string paint(bool enabled, const char *sgr, std::string_view text) {
  if (!enabled)
    return std::string(text);
  return "\033[" + std::string(sgr) + "m" + std::string(text) + "\033[0m";
}

/// One line: what a file name or a prompt brings along must not break or colour it.
static std::string oneLine(std::string_view text) {
  std::string line;
  for (char c : text)
    line += c == '\n' ? ' ' : static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return line;
}

int fail(ExitCode code, std::string_view message) {
  std::fprintf(stderr, "quire: %s %s\n", paint(colorOnStderr(), "1;31", "error:").c_str(),
               oneLine(message).c_str());
  return code;
}

int fail(ExitCode code, const Status &status) {
  if (status.code() == ErrorCode::ResourceExhausted)
    code = kDevice;
  return fail(code, status.message());
}

void warn(std::string_view message) {
  std::fprintf(stderr, "quire: %s %s\n", paint(colorOnStderr(), "1;33", "warning:").c_str(),
               oneLine(message).c_str());
}

std::string formatBytes(uint64_t bytes) {
  const char *units[] = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < std::size(units)) {
    value /= 1000;
    ++unit;
  }
  return format(unit == 0 || value >= 99.5 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

std::string formatSeconds(double seconds) {
  if (seconds < 0.9995)
    return format(seconds < 0.00995 ? "%.1f ms" : "%.0f ms", seconds * 1e3);
  return format("%.1f s", seconds);
}

Result<uint64_t> parseSize(const std::string &text) {
  char *end = nullptr;
  errno = 0;
  unsigned long long value = std::strtoull(text.c_str(), &end, 10);
  int shift = 0;
  std::string_view unit = end;
  if (unit == "k" || unit == "K")
    shift = 10;
  else if (unit == "m" || unit == "M")
    shift = 20;
  else if (unit == "g" || unit == "G")
    shift = 30;
  else if (!unit.empty())
    shift = -1;
  bool isNumber = !text.empty() && text[0] >= '0' && text[0] <= '9';
  if (!isNumber || shift < 0 || errno != 0 || value > (UINT64_MAX >> shift))
    return Status::error(ErrorCode::InvalidArgument,
                         "'" + text + "' is not a size; write bytes, or 512k, 64m, 2g");
  return static_cast<uint64_t>(value) << shift;
}

Status writeOutput(std::string_view text) {
  size_t written = std::fwrite(text.data(), 1, text.size(), stdout);
  if (written == text.size() && std::fflush(stdout) == 0)
    return Status::ok();
  return Status::error(ErrorCode::Io,
                       std::string("cannot write to standard output: ") + std::strerror(errno));
}

using Clock = std::chrono::steady_clock;

Progress::Progress(std::string title, bool enabled)
    : title(std::move(title)), enabled(enabled), terminal(isatty(STDERR_FILENO)),
      start(Clock::now()), lastDraw(start) {}

Progress::~Progress() { clearBar(); }

void Progress::clearBar() {
  if (drawn)
    std::fprintf(stderr, "\r\033[K");
  drawn = false;
}

void Progress::update(uint64_t done, uint64_t total, std::string_view note) {
  if (!enabled || total == 0)
    return;
  Clock::time_point now = Clock::now();
  if (now - start < std::chrono::milliseconds(500))
    return;
  double part = static_cast<double>(done) / static_cast<double>(total);
  if (!terminal) {
    int tenth = static_cast<int>(part * 10);
    if (tenth > lastTenth)
      std::fprintf(stderr, "%s: %d %% %.*s\n", title.c_str(), tenth * 10,
                   static_cast<int>(note.size()), note.data());
    lastTenth = std::max(lastTenth, tenth);
    return;
  }
  if (drawn && now - lastDraw < std::chrono::milliseconds(50) && done < total)
    return;
  constexpr int kWidth = 30;
  int filled = static_cast<int>(part * kWidth);
  std::fprintf(stderr, "\r\033[K%s [%s%s] %3d %% %.*s", title.c_str(),
               std::string(filled, '=').c_str(), std::string(kWidth - filled, ' ').c_str(),
               static_cast<int>(part * 100), static_cast<int>(note.size()), note.data());
  std::fflush(stderr);
  drawn = true;
  lastDraw = now;
}

static volatile std::sig_atomic_t interruptFlag = 0;

void installInterruptHandler() {
  struct sigaction action {};
  action.sa_handler = [](int) {
    if (interruptFlag)
      _exit(kInterrupted);
    interruptFlag = 1;
  };
  // No SA_RESTART: a read of the terminal must return.
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return interruptFlag; }
void clearInterrupt() { interruptFlag = 0; }

} // namespace quire::cli
