// Status: how the runtime reports errors. Every runtime function that can fail returns a Status or
// a Result<T>; no exception crosses a module's edge. A message names the thing, the value, the
// limit and the way out, and is meant to be shown to a person as it is. Header-only, so that it can
// be included everywhere.
#pragma once

#include <cassert>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace quire {

enum class ErrorCode {
  Ok,
  InvalidArgument,   ///< The caller or the user handed in something that can never work.
  NotFound,          ///< A named file, tensor, token ... does not exist.
  OutOfRange,        ///< A value lies outside the limits that the message names.
  Unsupported,       ///< Valid input that asks for something this program does not do.
  Io,                ///< The operating system refused.
  Corrupt,           ///< A file does not keep its own format's promises.
  ResourceExhausted, ///< Memory, pages, time: trying again later may work.
  Internal,          ///< A defect of this program.
};

/// Success, or an error code with a message. One pointer wide; success allocates nothing.
class [[nodiscard]] Status {
public:
  Status() = default;
  static Status ok() { return Status(); }
  static Status error(ErrorCode code, std::string message) {
    assert(code != ErrorCode::Ok && "an error needs an error code");
    Status status;
    status.state = std::make_unique<State>(State{code, std::move(message)});
    return status;
  }

  Status(Status &&) = default;
  Status &operator=(Status &&) = default;
  Status(const Status &other)
      : state(other.state ? std::make_unique<State>(*other.state) : nullptr) {}
  Status &operator=(const Status &other) {
    if (this != &other)
      state = other.state ? std::make_unique<State>(*other.state) : nullptr;
    return *this;
  }

  bool isOk() const { return !state; }
  ErrorCode code() const { return state ? state->code : ErrorCode::Ok; }
  /// Empty for success. The reference lives as long as this Status.
  const std::string &message() const {
    static const std::string none;
    return state ? state->message : none;
  }

  /// The same error with `context` and ": " before its message; success stays success.
  Status withContext(const std::string &context) && {
    if (state)
      state->message.insert(0, context + ": ");
    return std::move(*this);
  }

private:
  struct State {
    ErrorCode code;
    std::string message;
  };
  std::unique_ptr<State> state;
};

/// A value of type T, or the error that prevented it.
template <class T> class [[nodiscard]] Result {
public:
  Result(T value) : held(std::move(value)) {}
  Result(Status status) : failure(std::move(status)) {
    assert(!failure.isOk() && "a Result without a value needs an error");
  }

  bool isOk() const { return held.has_value(); }
  const Status &status() const { return failure; }

  T &operator*() & { return *held; }
  const T &operator*() const & { return *held; }
  T &&operator*() && { return std::move(*held); }
  T *operator->() { return &*held; }
  const T *operator->() const { return &*held; }
  /// Moves the value out. Only for an ok result.
  T takeValue() { return std::move(*held); }

private:
  std::optional<T> held;
  Status failure;
};

} // namespace quire

#define QUIRE_STATUS_CONCAT_IMPL(a, b) a##b
#define QUIRE_STATUS_CONCAT(a, b) QUIRE_STATUS_CONCAT_IMPL(a, b)

/// Returns from the enclosing function when the Status expression is an error.
#define QUIRE_RETURN_IF_ERROR(expr)                                                                \
  do {                                                                                             \
    if (::quire::Status quireStatus = (expr); !quireStatus.isOk())                                 \
      return quireStatus;                                                                          \
  } while (false)

/// `QUIRE_ASSIGN_OR_RETURN(auto x, makeX());` unwraps a Result or returns its error.
#define QUIRE_ASSIGN_OR_RETURN(lhs, expr)                                                          \
  QUIRE_ASSIGN_OR_RETURN_IMPL(QUIRE_STATUS_CONCAT(quireResult, __LINE__), lhs, expr)
#define QUIRE_ASSIGN_OR_RETURN_IMPL(result, lhs, expr)                                             \
  auto result = (expr);                                                                            \
  if (!result.isOk())                                                                              \
    return result.status();                                                                        \
  lhs = result.takeValue()
