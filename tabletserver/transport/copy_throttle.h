// tabletserver/transport/copy_throttle.h
// How fast this server sends copies, all together: so many bytes a second, evenly.
// Place:   tabletserver_host.h owns it, every copy_source.h asks it before it sends.
// Threads: any.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>

#include "common/base/executor.h"
#include "common/base/mutex.h"

namespace ebla::tabletserver {

class CopyThrottle {
 public:
  static constexpr int64_t kDefaultBytesPerSecond = 64 << 20;

  // Asked each time, as it may be set while the server runs.
  explicit CopyThrottle(std::function<int64_t()> bytes_per_second = [] { return kDefaultBytesPerSecond; })
      : bytes_per_second_(std::move(bytes_per_second)) {}

  // How long to wait before so many bytes are sent; the turn is taken.
  Duration Take(size_t bytes, MonotonicTime now) {
    const int64_t rate = std::max<int64_t>(bytes_per_second_(), 1);
    const auto cost = std::chrono::duration<double>(static_cast<double>(bytes) / static_cast<double>(rate));
    MutexLock lock(mutex_);
    const MonotonicTime turn = std::max(next_, now);
    next_ = turn + std::chrono::duration_cast<Duration>(cost);
    return turn - now;
  }

 private:
  const std::function<int64_t()> bytes_per_second_;
  Mutex mutex_;
  MonotonicTime next_ EBLA_GUARDED_BY(mutex_);  // when the line is free
};

}  // namespace ebla::tabletserver
