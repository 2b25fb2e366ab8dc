// common/base/system_error.h
// The operating system's errors as Error.
#pragma once

#include <string>

#include "common/base/status.h"

namespace ebla {

// "<what>: <the text of errno>". Call it before anything else can change errno.
Error SystemError(Code code, const std::string& what);

}  // namespace ebla
