// client/core/calls/retry_policy.h
// Decides after each attempt of a client: give the answer to the caller, follow the hint, look the place up again, or
// wait and retry. Pure.
//
// clang-format off
//   the attempt ended with                        read                       write (same client id and sequence)
//   OK, NOT_FOUND, CONDITION_FAILED,              answer                     answer
//     INVALID_ARGUMENT, LOST_WRITE, TABLE_EXISTS,
//     PERMISSION_DENIED
//   INTERNAL                                      answer                     UNKNOWN_OUTCOME if an attempt was sent:
//                                                                            the server may have failed after the log
//   NO_SUCH_TABLE                                 open by name again, once; then answer
//   WRONG_TABLET, NOT_PRIMARY, STALE_EPOCH        follow the hint at once, else look up; from the fourth in a row: wait
//   COME_AGAIN, OVERLOADED                        wait (at least retry-after; just that for the first COME_AGAINs),
//                                                 the same place; every fourth time look up
//   OVERLOADED, as a table is full                the same for a second, then answer
//   UNAVAILABLE                                   wait, look up
//   UNKNOWN_OUTCOME: connection broke             wait, look up              the same, noting that it may have happened
//   UNKNOWN_OUTCOME: said, with retry-after       answer                     the same, noting that it may have happened
//   UNKNOWN_OUTCOME: said, without                answer                     answer, if an earlier attempt may have
//                                                                            happened; else again with the time it told
//   DEADLINE_EXCEEDED: no reply to this attempt   look up                    the same, noting that it may have happened
//   the deadline is spent                         the last cause             UNKNOWN_OUTCOME if it may have happened
// clang-format on
//
// Whatever may pass or may be one server's own trouble, from NO_SUCH_TABLE and INTERNAL on: a read below STRONG or a
// write at ANY that has another replica to ask asks it at once. The above holds for the last of them.
//
// Place:   operation.h asks it after each attempt.
// Threads: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/executor.h"
#include "common/base/status.h"

namespace ebla::client {

inline constexpr Duration kBackoffFirst = std::chrono::milliseconds(4);
inline constexpr Duration kBackoffMax = std::chrono::milliseconds(500);
inline constexpr int kBackoffPlateauAt = 5;  // that many doublings lead to 128 ms,
inline constexpr int kBackoffPlateau = 8;    // which so many more waits are long: about a second, as a failover takes
inline constexpr int kRedirectsAtOnce = 3;
inline constexpr int kWaitsPerLookUp = 4;
inline constexpr int kBelieved = 10;  // so many waits of a server's own choice
inline constexpr Duration kAttemptMin = std::chrono::seconds(1);
inline constexpr Duration kReplicaAttemptMin = std::chrono::milliseconds(500);
inline constexpr Duration kFullFor = std::chrono::seconds(1);  // so long what is full is asked whether it still is
inline constexpr Duration kAttemptLast = std::chrono::milliseconds(1);  // with less than this left, none is made again

// How one attempt ended.
struct Attempt {
  Status status;
  bool from_server = false;      // the reply's own code; else the channel's
  bool sent = false;             // to the tablet's server; else no place was found for it
  bool hint_usable = false;      // a redirect with a usable hint
  bool another_replica = false;  // one that may answer, and was not asked yet
  Duration retry_after{0};       // as the server asked; 0: it did not
  bool full = false;             // OVERLOADED, for want of room that does not come by itself
};

// The server sends elsewhere: to another tablet, primary or epoch.
inline bool IsRedirect(Code code) {
  return code == Code::kWrongTablet || code == Code::kNotPrimary || code == Code::kStaleEpoch;
}

struct Verdict {
  enum class Kind {
    kAnswer,  // `status` is final
    kRetry,   // after `delay`, at the place known
    kLookUp,  // after `delay`, forgetting the place tried
    kReopen,  // find the table's id by its name again
  };
  Kind kind = Kind::kAnswer;
  Duration delay{0};
  Status status;
};

// The memory of one operation over its attempts.
class RetryPolicy {
 public:
  // `allowed`: the deadline that it began with.
  RetryPolicy(bool write, Duration allowed) : write_(write), allowed_(allowed) {}

  // Decides; `remaining` is what is left of the deadline, `random` any bits.
  Verdict Decide(const Attempt& attempt, Duration remaining, uint64_t random);
  // How long the next attempt may take: a second, so that a silent server delays a caller no longer than its
  // replacement takes; twice as long after every second attempt without an answer in time, because more requests do not
  // help a busy server; never more than a third of the whole. A tenth while other replicas are left to ask.
  Duration AttemptTimeout(Duration remaining, bool others_left = false) const;
  // The end when the deadline is spent outside an attempt (no place found, window full).
  Status OutOfTime() const;
  // Remembers why it waits, for the message at the end.
  void Note(const Status& cause) { last_ = cause; }

  // An attempt may have taken effect, and no server has said which.
  bool maybe_happened() const { return maybe_happened_; }
  void Reopened() { reopened_ = true; }
  int attempts() const { return attempts_; }

 private:
  Verdict Later(Verdict::Kind kind, Duration at_least, Duration remaining, uint64_t random);
  Verdict After(Verdict::Kind kind, Duration delay, Duration remaining) const;
  Verdict DecideUnknown(const Attempt& attempt, Duration remaining, uint64_t random);

  const bool write_;
  const Duration allowed_;
  int attempts_ = 0;
  int waits_ = 0;
  int believed_ = 0;
  int redirects_ = 0;
  int new_times_ = 0;
  int silences_ = 0;  // attempts without an answer in their time
  bool reopened_ = false;
  bool maybe_happened_ = false;
  // The time left at the first of the present row of "table is full" answers.
  std::optional<Duration> full_from_;
  Status last_;
  Status said_;  // the last that a server said of why it could not: it may name what was missing
};

// Doubles from kBackoffFirst to kBackoffMax with `waits`, with a plateau on the way, so that a client that waits for a
// failover retries soon after it. A random half is subtracted, so that clients that failed together do not retry
// together.
Duration Backoff(int waits, uint64_t random);

}  // namespace ebla::client
