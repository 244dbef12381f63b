// Implements KernelHeaders.h.
#include "compiler/cuda/KernelHeaders.h"

#include <algorithm>
#include <string>

namespace quire::cuda {
namespace {

constexpr KernelHeader kHeaders[] = {
#include "compiler/cuda/KernelHeaders.inc"
};

/// Names in #include "…" lines.
std::vector<std::string_view> includesOf(std::string_view text) {
  std::vector<std::string_view> names;
  constexpr std::string_view kInclude = "#include \"";
  for (size_t at = text.find(kInclude); at != std::string_view::npos; at = text.find(kInclude, at)) {
    at += kInclude.size();
    names.push_back(text.substr(at, text.find('"', at) - at));
  }
  return names;
}

} // namespace

std::span<const KernelHeader> kernelHeaders() { return kHeaders; }

std::vector<NvrtcHeader> headersOf(std::string_view text) {
  std::vector<NvrtcHeader> found;
  std::vector<std::string_view> wanted = includesOf(text);
  while (!wanted.empty()) {
    std::string_view name = wanted.back();
    wanted.pop_back();
    auto known = std::ranges::find(kHeaders, name, &KernelHeader::name);
    bool taken = std::ranges::find(found, name, &NvrtcHeader::name) != found.end();
    if (known == std::end(kHeaders) || taken)
      continue;
    found.push_back({std::string(known->name), std::string(known->text)});
    std::vector<std::string_view> more = includesOf(known->text);
    wanted.insert(wanted.end(), more.begin(), more.end());
  }
  std::ranges::sort(found, {}, &NvrtcHeader::name);
  return found;
}

} // namespace quire::cuda
