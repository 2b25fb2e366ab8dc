#include "common/base/system_error.h"

#include <cerrno>
#include <cstring>

namespace ebla {

Error SystemError(Code code, const std::string& what) {
  const int error = errno;
  return {code, what + ": " + std::strerror(error)};
}

}  // namespace ebla
