// common/base/read_at.h
// Bytes of a file from an offset on, in one call.
// Threads: a function of its arguments.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>

namespace ebla {

// Fills `into`: `bytes` is less only at the end of the file, or after `error`, an errno.
struct ReadAtResult {
  size_t bytes = 0;
  int error = 0;
};
inline ReadAtResult ReadAt(int fd, int64_t offset, std::span<char> into) {
  ReadAtResult result;
  while (result.bytes < into.size()) {
    const ssize_t read = ::pread(fd, into.data() + result.bytes, into.size() - result.bytes,
                                 static_cast<off_t>(offset + static_cast<int64_t>(result.bytes)));
    if (read < 0 && errno == EINTR) continue;
    if (read < 0) result.error = errno;
    if (read <= 0) break;
    result.bytes += static_cast<size_t>(read);
  }
  return result;
}

}  // namespace ebla
