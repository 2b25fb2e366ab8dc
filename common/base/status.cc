#include "common/base/status.h"

namespace ebla {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kOk: return "OK";
    case Code::kNotFound: return "NOT_FOUND";
    case Code::kConditionFailed: return "CONDITION_FAILED";
    case Code::kInvalidArgument: return "INVALID_ARGUMENT";
    case Code::kNoSuchTable: return "NO_SUCH_TABLE";
    case Code::kOverloaded: return "OVERLOADED";
    case Code::kUnavailable: return "UNAVAILABLE";
    case Code::kLostWrite: return "LOST_WRITE";
    case Code::kDeadlineExceeded: return "DEADLINE_EXCEEDED";
    case Code::kTableExists: return "TABLE_EXISTS";
    case Code::kUnknownOutcome: return "UNKNOWN_OUTCOME";
    case Code::kInternal: return "INTERNAL";
    case Code::kPermissionDenied: return "PERMISSION_DENIED";
    case Code::kWrongTablet: return "WRONG_TABLET";
    case Code::kNotPrimary: return "NOT_PRIMARY";
    case Code::kStaleEpoch: return "STALE_EPOCH";
    case Code::kComeAgain: return "COME_AGAIN";
  }
  return "UNKNOWN_CODE";
}

std::string Status::ToString() const {
  if (ok()) return "OK";
  std::string text(CodeName(code_));
  if (!message_.empty()) text.append(": ").append(message_);
  return text;
}

}  // namespace ebla
