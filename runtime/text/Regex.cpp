// Regex: see the header. Match data and the JIT stack are scratch memory of the calling thread, so
// that a compiled pattern can be shared by all threads and a match allocates nothing.
#include "runtime/text/Regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace quire::text {

namespace {

constexpr uint32_t kHeapLimitKib = 64 * 1024;
constexpr uint32_t kMatchLimitBase = 1'000'000;
constexpr uint32_t kMatchLimitPerByte = 32;

struct MatchScratch {
  pcre2_match_data *data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context *context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack *stack = pcre2_jit_stack_create(32 * 1024, 4 * 1024 * 1024, nullptr);

  MatchScratch() {
    if (context) {
      pcre2_set_heap_limit(context, kHeapLimitKib);
      pcre2_jit_stack_assign(context, nullptr, stack);
    }
  }
  MatchScratch(const MatchScratch &) = delete;
  MatchScratch &operator=(const MatchScratch &) = delete;
  ~MatchScratch() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
};

std::string describeError(int error) {
  PCRE2_UCHAR buffer[256];
  if (pcre2_get_error_message(error, buffer, sizeof buffer) < 0)
    return "PCRE2 error " + std::to_string(error);
  return reinterpret_cast<const char *>(buffer);
}

struct ContextDeleter {
  void operator()(pcre2_compile_context *context) const { pcre2_compile_context_free(context); }
};

} // namespace

Result<Regex> Regex::compile(std::string_view pattern, bool mayBeInvalid) {
  QUIRE_ASSIGN_OR_RETURN(std::string translated, translateOnigurumaPattern(pattern));
  std::unique_ptr<pcre2_compile_context, ContextDeleter> context(
      pcre2_compile_context_create(nullptr));
  if (!context)
    return Status::error(ErrorCode::ResourceExhausted, "out of memory for a regular expression");
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_max_pattern_length(context.get(), 1 << 16);
  pcre2_set_parens_nest_limit(context.get(), 100);
  uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
  if (mayBeInvalid)
    options |= PCRE2_MATCH_INVALID_UTF;
  int error = 0;
  PCRE2_SIZE errorOffset = 0;
  pcre2_code *code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(), options,
                    &error, &errorOffset, context.get());
  if (!code)
    return Status::error(ErrorCode::InvalidArgument, "the regular expression '" +
                                                         std::string(pattern) + "' is not valid: " +
                                                         describeError(error));
  // Where the system forbids executable memory the interpreter takes over, with equal results.
  (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
  return Regex(code, mayBeInvalid ? 0 : PCRE2_NO_UTF_CHECK);
}

Regex::Regex(Regex &&other) noexcept
    : code(std::exchange(other.code, nullptr)), matchOptions(other.matchOptions) {}

Regex &Regex::operator=(Regex &&other) noexcept {
  std::swap(code, other.code);
  std::swap(matchOptions, other.matchOptions);
  return *this;
}

Regex::~Regex() { pcre2_code_free(static_cast<pcre2_code *>(code)); }

Status Regex::findAll(std::string_view subject, std::vector<MatchRange> &matches) const {
  thread_local MatchScratch scratch;
  if (!scratch.data || !scratch.context)
    return Status::error(ErrorCode::ResourceExhausted, "out of memory for a regular expression");
  uint64_t matchLimit = kMatchLimitBase + uint64_t(kMatchLimitPerByte) * subject.size();
  pcre2_set_match_limit(scratch.context,
                        static_cast<uint32_t>(std::min<uint64_t>(matchLimit, UINT32_MAX)));

  auto *compiled = static_cast<const pcre2_code *>(code);
  auto *text = reinterpret_cast<PCRE2_SPTR>(subject.data());
  const PCRE2_SIZE *range = pcre2_get_ovector_pointer(scratch.data);
  PCRE2_SIZE from = 0;
  PCRE2_SIZE lastEnd = PCRE2_UNSET;
  while (from <= subject.size()) {
    int found = pcre2_match(compiled, text, subject.size(), from, matchOptions, scratch.data,
                            scratch.context);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT)
      found = pcre2_match(compiled, text, subject.size(), from, matchOptions | PCRE2_NO_JIT,
                          scratch.data, scratch.context);
    if (found == PCRE2_ERROR_NOMATCH)
      break;
    if (found < 0)
      return Status::error(ErrorCode::ResourceExhausted,
                           "a regular expression of the tokenizer gave up at byte " +
                               std::to_string(from) + " of a text of " +
                               std::to_string(subject.size()) + " bytes: " + describeError(found));
    PCRE2_SIZE begin = range[0], end = range[1];
    // \K in a look-ahead can report a start behind the end or before the last match.
    if (begin > end || (lastEnd != PCRE2_UNSET && begin < lastEnd))
      return Status::error(ErrorCode::Unsupported,
                           "a regular expression of the tokenizer matches backwards (\\K)");
    if (begin == end && begin == lastEnd) {
      if (from >= subject.size())
        break;
      ++from;
      while (from < subject.size() && (static_cast<unsigned char>(subject[from]) & 0xC0) == 0x80)
        ++from;
      continue;
    }
    matches.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end)});
    from = lastEnd = end;
  }
  return Status::ok();
}

} // namespace quire::text
