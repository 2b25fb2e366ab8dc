// tools/backup/pace.h
// Limits how fast a backup reads. With a rate it reads at that rate. Without one it is a guest: it reads a tablet as
// fast as it can, and then rests kRests times as long. So clients have the servers to themselves most of the time, and
// on busy servers, which take longer to read, the backup rests longer. It does not rest within a tablet, because the
// server retains every replaced version while the tablet is read.
// Threads: one.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace ebla::backup {

class Pace {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr int kRests = 4;
  // With a rate: what was not used in a pause is not made up for beyond this.
  static constexpr std::chrono::seconds kCredit{1};

  explicit Pace(std::optional<uint64_t> bytes_per_second) : bytes_per_second_(bytes_per_second) {}

  // When to ask for the next page, after one of so many bytes.
  Clock::time_point AfterPage(Clock::time_point now, uint64_t bytes) {
    if (!bytes_per_second_) return now;
    const std::chrono::microseconds cost(1'000'000 * bytes / std::max<uint64_t>(*bytes_per_second_, 1));
    next_ = std::max(next_, now - kCredit) + cost;
    return next_;
  }
  // When to begin the next tablet, after one that was begun at `since`.
  Clock::time_point AfterTablet(Clock::time_point now, Clock::time_point since) const {
    return bytes_per_second_ ? now : now + kRests * (now - since);
  }

 private:
  const std::optional<uint64_t> bytes_per_second_;
  Clock::time_point next_{};
};

}  // namespace ebla::backup
