// How the runtime reports failure: a `Status` (a code and a message for people) or a `Result<T>` (a
// value or such a status). No exception crosses a module's edge. A message names the thing, the
// value, the limit and the way out; the code is for programs (exit codes, retries).
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace quire {

enum class ErrorCode {
  Ok,
  InvalidArgument,   ///< the caller asked for something that makes no sense
  NotFound,          ///< a file, tensor or name that does not exist
  OutOfRange,        ///< a value beyond a limit that the message names
  Unsupported,       ///< well-formed, but this build or machine cannot do it
  Io,                ///< the operating system refused; the message carries its reason
  Corrupt,           ///< a file whose content breaks its own rules
  ResourceExhausted, ///< out of memory, pages or work list capacity
  Internal,          ///< a broken promise inside Quire
};

/// Short lower-case name of a code, such as "not found".
constexpr std::string_view errorCodeName(ErrorCode code) {
  switch (code) {
  case ErrorCode::Ok:
    return "ok";
  case ErrorCode::InvalidArgument:
    return "invalid argument";
  case ErrorCode::NotFound:
    return "not found";
  case ErrorCode::OutOfRange:
    return "out of range";
  case ErrorCode::Unsupported:
    return "unsupported";
  case ErrorCode::Io:
    return "input/output";
  case ErrorCode::Corrupt:
    return "corrupt";
  case ErrorCode::ResourceExhausted:
    return "resource exhausted";
  case ErrorCode::Internal:
    return "internal";
  }
  return "unknown";
}

class [[nodiscard]] Status {
public:
  Status() = default;
  static Status ok() { return {}; }
  static Status error(ErrorCode code, std::string message) {
    assert(code != ErrorCode::Ok);
    Status status;
    status.code_ = code;
    status.message_ = std::move(message);
    return status;
  }

  bool isOk() const { return code_ == ErrorCode::Ok; }
  ErrorCode code() const { return code_; }
  const std::string &message() const { return message_; }

  /// The same error with `context` and ": " put before its message; ok stays ok.
  Status withContext(std::string_view context) && {
    if (!isOk())
      message_.insert(0, std::string(context) + ": ");
    return std::move(*this);
  }

private:
  ErrorCode code_ = ErrorCode::Ok;
  std::string message_;
};

template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : value_(std::move(value)) {}
  Result(Status status) : status_(std::move(status)) {
    assert(!status_.isOk() && "a Result without a value needs an error");
  }

  bool isOk() const { return value_.has_value(); }
  const Status &status() const { return status_; }

  T &operator*() & {
    assert(isOk());
    return *value_;
  }
  const T &operator*() const & {
    assert(isOk());
    return *value_;
  }
  T *operator->() {
    assert(isOk());
    return &*value_;
  }
  const T *operator->() const {
    assert(isOk());
    return &*value_;
  }

  /// Moves the value out; only when isOk().
  T takeValue() {
    assert(isOk());
    return std::move(*value_);
  }
  /// Moves the error out; only when not isOk().
  Status takeStatus() { return std::move(status_); }

private:
  Status status_;
  std::optional<T> value_;
};

} // namespace quire

#define QUIRE_CONCATENATE_(a, b) a##b
#define QUIRE_CONCATENATE(a, b) QUIRE_CONCATENATE_(a, b)

/// Leaves the enclosing function with the status of `expression` unless it is ok.
#define QUIRE_RETURN_IF_ERROR(expression)                                                          \
  do {                                                                                             \
    if (::quire::Status quireStatus_ = (expression); !quireStatus_.isOk())                         \
      return quireStatus_;                                                                         \
  } while (false)

/// `declaration` (such as `auto x`) takes the value of a Result, or the function returns its error.
#define QUIRE_ASSIGN_OR_RETURN(declaration, expression)                                            \
  QUIRE_ASSIGN_OR_RETURN_(QUIRE_CONCATENATE(quireResult_, __LINE__), declaration, expression)
#define QUIRE_ASSIGN_OR_RETURN_(result, declaration, expression)                                   \
  auto result = (expression);                                                                      \
  if (!result.isOk())                                                                              \
    return result.takeStatus();                                                                    \
  declaration = result.takeValue()
