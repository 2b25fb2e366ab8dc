#include "common/base/system_error.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

namespace ebla {

bool IsOfThisMoment(int error) {
  constexpr int kThese[] = {ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM, EACCES, EPERM, EROFS};
  return std::ranges::find(kThese, error) != std::end(kThese);
}

Error SystemError(Code code, const std::string& what) { return SystemError(code, what, errno); }

Error SystemError(Code code, const std::string& what, int error) {
  if (code == Code::kInternal && IsOfThisMoment(error)) code = Code::kUnavailable;
  return {code, what + ": " + std::strerror(error)};
}

}  // namespace ebla
