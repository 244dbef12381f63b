// Implements Nvrtc.h.
#include "runtime/nvrtc/Nvrtc.h"

#include "runtime/nvrtc/Cubin.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <chrono>
#include <dlfcn.h>
#include <filesystem>
#include <string_view>

namespace quire {
namespace {

/// nvrtcResult: 0 is success, 5 an invalid option, 6 a text that does not compile.
using ResultCode = int;
constexpr ResultCode kSuccess = 0, kCompilation = 6;
using Program = struct ProgramHandle *;

constexpr const char *kLibraries[] = {"libnvrtc.so.13", "libnvrtc.so.12"};
constexpr size_t kMostLogLines = 24;

/// The number that stands right before `unit` in the last line of `log` that has it, or nothing.
std::optional<uint32_t> numberBefore(std::string_view log, std::string_view unit) {
  std::optional<uint32_t> most;
  for (size_t at = log.find(unit); at != std::string_view::npos; at = log.find(unit, at + 1)) {
    size_t start = at;
    while (start > 0 && std::isdigit(static_cast<unsigned char>(log[start - 1])))
      --start;
    uint32_t value = 0;
    if (std::from_chars(log.data() + start, log.data() + at, value).ec == std::errc())
      most = std::max(most.value_or(0), value);
  }
  return most;
}

std::string firstLines(const std::string &log) {
  size_t end = 0;
  for (size_t line = 0; line < kMostLogLines && end < log.size(); ++line)
    end = std::min(log.find('\n', end), log.size() - 1) + 1;
  std::string text = log.substr(0, end);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\0'))
    text.pop_back();
  return text;
}

} // namespace

struct Nvrtc::Functions {
  void *library = nullptr;
  const char *(*errorString)(ResultCode) = nullptr;
  ResultCode (*version)(int *major, int *minor) = nullptr;
  ResultCode (*targetCount)(int *count) = nullptr;
  ResultCode (*targets)(int *values) = nullptr;
  ResultCode (*create)(Program *program, const char *text, const char *name, int headerCount,
                       const char *const *headers, const char *const *headerNames) = nullptr;
  ResultCode (*destroy)(Program *program) = nullptr;
  ResultCode (*compile)(Program program, int optionCount, const char *const *options) = nullptr;
  ResultCode (*logSize)(Program program, size_t *bytes) = nullptr;
  ResultCode (*log)(Program program, char *text) = nullptr;
  ResultCode (*cubinSize)(Program program, size_t *bytes) = nullptr;
  ResultCode (*cubin)(Program program, char *bytes) = nullptr;

  /// False, and the name of what is missing, for a library that is not NVRTC.
  bool resolve(std::string &missing) {
    auto get = [&](const char *name, auto &function) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
      if (!function)
        missing = name;
      return function != nullptr;
    };
    return get("nvrtcGetErrorString", errorString) && get("nvrtcVersion", version) &&
           get("nvrtcGetNumSupportedArchs", targetCount) &&
           get("nvrtcGetSupportedArchs", targets) && get("nvrtcCreateProgram", create) &&
           get("nvrtcDestroyProgram", destroy) && get("nvrtcCompileProgram", compile) &&
           get("nvrtcGetProgramLogSize", logSize) && get("nvrtcGetProgramLog", log) &&
           get("nvrtcGetCUBINSize", cubinSize) && get("nvrtcGetCUBIN", cubin);
  }
};

Nvrtc::Nvrtc(std::string path, std::unique_ptr<Functions> functions)
    : path_(std::move(path)), functions_(std::move(functions)) {
  functions_->version(&major_, &minor_);
  int count = 0;
  if (functions_->targetCount(&count) == kSuccess && count > 0) {
    targets_.resize(static_cast<size_t>(count));
    functions_->targets(targets_.data());
  }
  std::error_code error;
  identity_ = "nvrtc " + version() + ", " +
              std::to_string(std::filesystem::file_size(path_, error)) + " bytes";
}

// The library stays mapped: it keeps threads and caches of its own.
Nvrtc::~Nvrtc() = default;

Result<std::shared_ptr<const Nvrtc>> Nvrtc::load(const NvrtcSearch &search) {
  std::vector<std::string> candidates;
  if (!search.file.empty()) {
    candidates.push_back(search.file);
  } else {
    candidates.assign(std::begin(kLibraries), std::end(kLibraries));
    for (const std::string &folder : search.folders)
      for (const char *library : kLibraries)
        candidates.push_back(folder + "/" + library);
  }
  std::string problem;
  for (const std::string &candidate : candidates) {
    auto functions = std::make_unique<Functions>();
    functions->library = dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!functions->library) {
      if (problem.empty() || !search.file.empty())
        problem = dlerror();
      continue;
    }
    std::string missing;
    if (!functions->resolve(missing))
      return Status::error(ErrorCode::Unsupported,
                           "'" + candidate + "' is no usable NVRTC: it has no " + missing);
    Dl_info info{};
    bool known = dladdr(reinterpret_cast<void *>(functions->version), &info) && info.dli_fname;
    return std::shared_ptr<const Nvrtc>(
        new Nvrtc(known ? info.dli_fname : candidate, std::move(functions)));
  }
  return Status::error(ErrorCode::NotFound,
                       "NVRTC, the compiler of CUDA kernels, was not found (" + problem +
                           "); install CUDA 12 or 13 or the Python package nvidia-cuda-nvrtc, or "
                           "name the library libnvrtc.so.13 in QUIRE_NVRTC");
}

std::string Nvrtc::version() const {
  return std::to_string(major_) + "." + std::to_string(minor_);
}

bool Nvrtc::supports(const std::string &target) const {
  int number = 0;
  if (!target.starts_with("sm_"))
    return false;
  std::from_chars(target.data() + 3, target.data() + target.size(), number);
  return std::find(targets_.begin(), targets_.end(), number) != targets_.end();
}

Result<NvrtcResult> Nvrtc::compile(const NvrtcRequest &request) const {
  auto start = std::chrono::steady_clock::now();
  if (!supports(request.target))
    return Status::error(ErrorCode::Unsupported, "kernel " + request.name + ": NVRTC " + version() +
                                                     " makes no code for " + request.target);
  std::vector<const char *> headers, names;
  for (const NvrtcHeader &header : request.headers) {
    headers.push_back(header.text.c_str());
    names.push_back(header.name.c_str());
  }
  const Functions &api = *functions_;
  auto failed = [&](const char *step, ResultCode code) {
    return Status::error(ErrorCode::Internal, "kernel " + request.name + ": " + step +
                                                  " failed: " + api.errorString(code));
  };
  Program program = nullptr;
  std::string fileName = request.name + ".cu";
  if (ResultCode code = api.create(&program, request.text.c_str(), fileName.c_str(),
                                   static_cast<int>(headers.size()), headers.data(), names.data()))
    return failed("nvrtcCreateProgram", code);
  struct Guard {
    const Functions &api;
    Program &program;
    ~Guard() { api.destroy(&program); }
  } guard{api, program};

  std::vector<std::string> options{"--gpu-architecture=" + request.target, "--std=c++17",
                                   "--ptxas-options=-v"};
  // A text that was compiled before in this process would come back without a log.
  if (major_ >= 13)
    options.push_back("--no-cache");
  options.insert(options.end(), request.flags.begin(), request.flags.end());
  std::vector<const char *> pointers;
  for (const std::string &option : options)
    pointers.push_back(option.c_str());
  ResultCode code = api.compile(program, static_cast<int>(pointers.size()), pointers.data());

  NvrtcResult result;
  size_t bytes = 0;
  if (api.logSize(program, &bytes) == kSuccess && bytes > 1) {
    result.log.resize(bytes);
    api.log(program, result.log.data());
    while (!result.log.empty() && result.log.back() == '\0')
      result.log.pop_back();
  }
  if (code == kCompilation)
    return Status::error(ErrorCode::InvalidArgument, "kernel " + request.name +
                                                         " does not compile for " + request.target +
                                                         ":\n" + firstLines(result.log));
  if (code != kSuccess)
    return failed("nvrtcCompileProgram", code)
        .withContext(result.log.empty() ? "NVRTC " + version() : firstLines(result.log));
  code = api.cubinSize(program, &bytes);
  result.cubin.resize(code == kSuccess ? bytes : 0);
  if (code == kSuccess)
    code = api.cubin(program, reinterpret_cast<char *>(result.cubin.data()));
  if (code != kSuccess)
    return failed("nvrtcGetCUBIN", code);

  QUIRE_ASSIGN_OR_RETURN(std::vector<CubinKernel> kernels, readCubin(result.cubin));
  for (const CubinKernel &kernel : kernels) {
    result.registers = std::max(result.registers, kernel.registers);
    result.stackBytes = std::max(result.stackBytes, kernel.stackBytes);
    result.sharedBytes = std::max(result.sharedBytes, kernel.sharedBytes);
  }
  result.spillBytes = numberBefore(result.log, " bytes spill stores").value_or(result.stackBytes);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

std::vector<std::string> performanceNotes(const std::string &log) {
  std::vector<std::string> notes;
  for (size_t start = 0; start < log.size();) {
    size_t end = std::min(log.find('\n', start), log.size());
    std::string line = log.substr(start, end - start);
    for (size_t at = line.find("C75"); at != std::string::npos; at = line.find("C75", at + 1))
      if (at + 4 < line.size() && std::isdigit(static_cast<unsigned char>(line[at + 3])) &&
          std::isdigit(static_cast<unsigned char>(line[at + 4]))) {
        notes.push_back(line);
        break;
      }
    start = end + 1;
  }
  return notes;
}

} // namespace quire
