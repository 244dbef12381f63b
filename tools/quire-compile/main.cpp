// quire-compile: a model directory in, a plan out. Progress and messages go to standard error, the
// result to standard output.
#include "tools/quire-compile/Options.h"
#include "tools/quire-compile/Result.h"

#include "runtime/base/File.h"

#include "mlir/IR/MLIRContext.h"

#include <chrono>
#include <cstdio>
#include <unistd.h>

using namespace quire;
using compiler::CompileFailure;

static int exitCodeOf(CompileFailure failure) {
  switch (failure) {
  case CompileFailure::None:
    return kOk;
  case CompileFailure::Usage:
    return kUsage;
  case CompileFailure::Model:
    return kModel;
  case CompileFailure::Compile:
    return kCompile;
  case CompileFailure::Output:
    return kGeneral;
  }
  return kGeneral;
}

static int fail(int code, const std::string &message) {
  std::fprintf(stderr, "quire-compile: error: %s\n", message.c_str());
  return code;
}

/// Times of passes and of every kernel's native code; kernels are compiled side by side.
static void printTimes(const compiler::CompileReport &report) {
  std::fputs(report.passTimes.c_str(), stderr);
  std::fprintf(stderr, "\n%-44s %-10s %8s %9s %9s\n", "kernel", "target", "bytes", "lower s", "emit s");
  for (const compiler::KernelTime &time : report.kernels)
    std::fprintf(stderr, "%-44s %-10s %8llu %9.4f %9.4f\n", time.kernel.c_str(), time.level.c_str(),
                 static_cast<unsigned long long>(time.bytes), time.lowerSeconds, time.emitSeconds);
}

/// Writes the IR of the stage that was asked for.
static int writeStage(const CommandLine &line, const compiler::CompileReport &report) {
  if (line.compile.output.empty() || line.compile.output == "-") {
    bool written = std::fwrite(report.text.data(), 1, report.text.size(), stdout) == report.text.size();
    return written && std::fflush(stdout) == 0 ? kOk : fail(kGeneral, "cannot write the IR");
  }
  std::span<const uint8_t> bytes{reinterpret_cast<const uint8_t *>(report.text.data()),
                                 report.text.size()};
  Status status = writeFileAtomically(line.compile.output, {&bytes, 1});
  return status.isOk() ? static_cast<int>(kOk) : fail(kGeneral, status.message());
}

int main(int argc, char **argv) {
  CommandLine line;
  int exitCode = kOk;
  if (!parseCommandLine(argc, argv, line, exitCode))
    return exitCode;
  auto start = std::chrono::steady_clock::now();
  if (!line.quiet)
    line.compile.onStage = [](llvm::StringRef stage, double seconds) {
      std::fprintf(stderr, "%-10s %8.3f s\n", stage.str().c_str(), seconds);
    };
  if (!line.quiet && ::isatty(STDERR_FILENO))
    line.compile.onProgress = [](llvm::StringRef stage, size_t done, size_t total) {
      std::fprintf(stderr, "%-10s %zu of %zu kernels%s", stage.str().c_str(), done, total,
                   done == total ? "\r\033[K" : "\r");
    };
  mlir::MLIRContext context;
  compiler::prepareContext(context);
  compiler::CompileReport report = compiler::compileModel(context, line.compile);

  for (const std::string &warning : report.warnings)
    std::fprintf(stderr, "quire-compile: warning: %s\n", warning.c_str());
  if (line.timing)
    printTimes(report);
  if (report.failure != CompileFailure::None) {
    for (const std::string &error : report.errors)
      fail(kCompile, error);
    return exitCodeOf(report.failure);
  }
  if (line.compile.stopAfter)
    return writeStage(line, report);
  if (!line.quiet)
    std::fprintf(stderr, "%-10s %8.3f s\n", "total",
                 std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  Result<std::string> text = describeResult(line, report);
  if (!text.isOk())
    return fail(kCompile, text.status().message());
  std::fputs(text->c_str(), stdout);
  return std::fflush(stdout) == 0 ? kOk : fail(kGeneral, "cannot write to standard output");
}
