// common/security/private_file.h
// Files that only their owner and, where an administrator wants so, one group may read: keys and secrets.
// Threads: a free function.
#pragma once

#include <string>

#include "common/base/status.h"

namespace ebla::security {

// INVALID_ARGUMENT, with what to do, where others can read or write the file. OK if the file does not exist; opening it
// will fail.
Status CheckPrivate(const std::string& file);

}  // namespace ebla::security
