// common/base/system_error.h
// The operating system's errors as Error.
// Threads: functions of their arguments, and of errno.
#pragma once

#include <string>

#include "common/base/status.h"

namespace ebla {

// No room, too many open files, no permission and the like: nothing that is on the disk is at fault.
bool IsOfThisMoment(int error);

// "<what>: <the text of the error>". INTERNAL may mean damage, so an error of this moment gets UNAVAILABLE instead.
// Without `error`: errno. Call it before anything else can change errno.
Error SystemError(Code code, const std::string& what);
Error SystemError(Code code, const std::string& what, int error);

}  // namespace ebla
