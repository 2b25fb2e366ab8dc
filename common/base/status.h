// common/base/status.h
// The outcome of an operation: Status (a code and a message), and Result<T> = a value or such a Status.
// Place:   every layer. Codes are those of thrift/types.thrift, number for number (checked in
//          common/rpc/idl_convert.cc).
// Errors:  the world's faults are returned as a Status; a broken invariant crashes (CHECK). No exception leaves a file.
// Threads: values; no shared state.
#pragma once

#include <expected>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace ebla {

enum class Code : int {
  kOk = 0,
  kNotFound = 1,
  kConditionFailed = 2,
  kInvalidArgument = 3,
  kNoSuchTable = 4,
  kOverloaded = 5,
  kUnavailable = 6,
  kLostWrite = 7,
  kDeadlineExceeded = 8,
  kTableExists = 9,
  kUnknownOutcome = 10,  // it cannot be known whether the write took effect
  // a server's own fault (a bug, a damaged disk); the message says which. The outcome of a write is unknown
  kInternal = 11,
  kPermissionDenied = 12,  // who asks may not; the message says what it takes. Not executed
  // Between the client's core and the servers only; never seen by a caller of the SDK.
  kWrongTablet = 100,  // the key is not served here; the hint names its server, if known
  kNotPrimary = 101,   // a replica is here, but another leads; the hint names it, if known
  kStaleEpoch = 102,   // the sender believes in an older epoch than the receiver
  kComeAgain = 103,    // not now, but soon: retry here after retry_after
};

// The code's name as written in docs and shown to users, for example "CONDITION_FAILED".
std::string_view CodeName(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}
  static Status Ok() { return {}; }

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  std::string ToString() const;  // "OK", or "NOT_FOUND: no table \"carts\""

  friend bool operator==(const Status&, const Status&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Status& status) { return out << status.ToString(); }

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

template <class T>
using Result = std::expected<T, Status>;

// An error to return from a function that returns Result<T> or Status: return Error(Code::kNotFound, "...").
class [[nodiscard]] Error {
 public:
  Error(Code code, std::string message) : status_(code, std::move(message)) {}
  explicit Error(Status status) : status_(std::move(status)) {}
  operator Status() && { return std::move(status_); }
  template <class T>
  operator Result<T>() && {
    return std::unexpected(std::move(status_));
  }

 private:
  Status status_;
};

// Returns the error of a Status expression from the enclosing function, which returns Status or Result<T>.
#define EBLA_TRY(expression)                                                                                           \
  do {                                                                                                                 \
    if (::ebla::Status ebla_status_ = (expression); !ebla_status_.ok()) return ::ebla::Error(std::move(ebla_status_)); \
  } while (false)

// Declares `variable` from a Result expression, or returns its error.
#define EBLA_ASSIGN(variable, expression) EBLA_ASSIGN_(variable, expression, EBLA_JOIN_(ebla_result_, __LINE__))
#define EBLA_JOIN_(a, b) EBLA_JOIN2_(a, b)
#define EBLA_JOIN2_(a, b) a##b
#define EBLA_ASSIGN_(variable, expression, result)                          \
  auto result = (expression);                                               \
  if (!result.has_value()) return ::ebla::Error(std::move(result.error())); \
  variable = *std::move(result)

}  // namespace ebla
