#include "client/core/calls/retry_policy.h"

#include <algorithm>

namespace ebla::client {

namespace {

// Another replica may answer what this one could not.
bool MayBeItsOwn(Code code) {
  switch (code) {
    case Code::kOk:
    case Code::kNotFound:
    case Code::kConditionFailed:
    case Code::kInvalidArgument:
    case Code::kLostWrite:
    case Code::kTableExists:
    case Code::kPermissionDenied: return false;
    default: return true;
  }
}

// Whether a write may have happened whose replica did not report its outcome.
bool MayHaveHappened(Code code, bool from_server) {
  return code == Code::kInternal || code == Code::kUnknownOutcome || (code == Code::kDeadlineExceeded && !from_server);
}

bool Explains(Code code) { return MayBeItsOwn(code) && !IsRedirect(code); }

}  // namespace

Duration Backoff(int waits, uint64_t random) {
  const int doublings = waits <= kBackoffPlateauAt ? waits : std::max(kBackoffPlateauAt, waits - kBackoffPlateau);
  const Duration full = std::min(kBackoffMax, kBackoffFirst * (int64_t{1} << std::min(doublings, 20)));
  return full / 2 + Duration(static_cast<int64_t>(random % static_cast<uint64_t>(full.count() / 2 + 1)));
}

Verdict RetryPolicy::Later(Verdict::Kind kind, Duration at_least, Duration remaining, uint64_t random) {
  return After(kind, std::max(at_least, Backoff(waits_++, random)), remaining);
}

Verdict RetryPolicy::After(Verdict::Kind kind, Duration delay, Duration remaining) const {
  // The last attempts come ever closer to the end; one that leaves a server no time is not worth making.
  if (remaining < kAttemptLast) return {Verdict::Kind::kAnswer, {}, OutOfTime()};
  // The last attempt is made just before the end: better than giving up with time left.
  return {kind, std::min(delay, remaining * 9 / 10), {}};
}

Verdict RetryPolicy::DecideUnknown(const Attempt& attempt, Duration remaining, uint64_t random) {
  if (!attempt.from_server) {
    maybe_happened_ = true;
    return Later(Verdict::Kind::kLookUp, {}, remaining, random);
  }
  // Cut off while it was being committed: a retry of the same sequence learns what became of it.
  if (write_ && attempt.retry_after > Duration(0)) {
    maybe_happened_ = true;
    return Later(Verdict::Kind::kLookUp, attempt.retry_after, remaining, random);
  }
  // The server cannot know the outcome, but the client can. No earlier attempt reached a server, so only its tablet
  // time was too old, and the reply has the present one. A second such answer is a fault, not a matter of clocks.
  if (write_ && !maybe_happened_ && new_times_++ == 0) return Later(Verdict::Kind::kRetry, {}, remaining, random);
  return {Verdict::Kind::kAnswer, {}, attempt.status};
}

Verdict RetryPolicy::Decide(const Attempt& attempt, Duration remaining, uint64_t random) {
  ++attempts_;
  const Code code = attempt.status.code();
  if (code != Code::kOk) last_ = attempt.status;
  if (attempt.sent && attempt.from_server && Explains(code)) said_ = attempt.status;
  if (attempt.another_replica && MayBeItsOwn(code)) {
    if (write_ && attempt.sent && MayHaveHappened(code, attempt.from_server)) maybe_happened_ = true;
    if (remaining < kAttemptLast) return {Verdict::Kind::kAnswer, {}, OutOfTime()};
    return {Verdict::Kind::kRetry, {}, {}};
  }
  if (!IsRedirect(code)) redirects_ = 0;
  const bool cut_off = code == Code::kUnknownOutcome && attempt.from_server && attempt.retry_after > Duration(0);
  if (code == Code::kDeadlineExceeded || cut_off) ++silences_;
  switch (code) {
    case Code::kOk:
    case Code::kNotFound:
    case Code::kConditionFailed:
    case Code::kInvalidArgument:
    case Code::kLostWrite:
    case Code::kTableExists:
    case Code::kPermissionDenied: return {Verdict::Kind::kAnswer, {}, attempt.status};
    case Code::kInternal:
      if (attempt.sent) maybe_happened_ = true;
      if (!write_ || !maybe_happened_) return {Verdict::Kind::kAnswer, {}, attempt.status};
      return {Verdict::Kind::kAnswer,
              {},
              Status(Code::kUnknownOutcome, "the operation may have taken effect: " + attempt.status.ToString())};
    case Code::kNoSuchTable:
      if (reopened_) return {Verdict::Kind::kAnswer, {}, attempt.status};
      return {Verdict::Kind::kReopen, {}, {}};
    case Code::kWrongTablet:
    case Code::kNotPrimary:
    case Code::kStaleEpoch: {
      const auto kind = attempt.hint_usable ? Verdict::Kind::kRetry : Verdict::Kind::kLookUp;
      if (remaining <= Duration(0)) return {Verdict::Kind::kAnswer, {}, OutOfTime()};
      if (redirects_++ < kRedirectsAtOnce) return {kind, {}, {}};
      // Two servers name each other as primary, so no hint is worth following now.
      return Later(Verdict::Kind::kLookUp, attempt.retry_after, remaining, random);
    }
    case Code::kComeAgain:
    case Code::kOverloaded: {
      // A tablet changes its primary in milliseconds; doubling waits would take twice as long.
      if (code == Code::kComeAgain && attempt.retry_after > Duration(0) && believed_ < kBelieved) {
        const auto kind = ++believed_ % kWaitsPerLookUp == 0 ? Verdict::Kind::kLookUp : Verdict::Kind::kRetry;
        return After(kind, std::max(attempt.retry_after, Backoff(0, random)), remaining);
      }
      if (!attempt.full) full_from_.reset();
      if (attempt.full && full_from_.value_or(remaining) - remaining >= kFullFor)
        return {Verdict::Kind::kAnswer, {}, maybe_happened_ ? OutOfTime() : attempt.status};
      if (attempt.full && !full_from_) full_from_ = remaining;
      // A server that asks for a retry may have lost the tablet since, so the client asks the master now and then.
      const bool ask = waits_ % kWaitsPerLookUp == kWaitsPerLookUp - 1;
      return Later(ask ? Verdict::Kind::kLookUp : Verdict::Kind::kRetry, attempt.retry_after, remaining, random);
    }
    case Code::kUnavailable: return Later(Verdict::Kind::kLookUp, attempt.retry_after, remaining, random);
    case Code::kUnknownOutcome: return DecideUnknown(attempt, remaining, random);
    case Code::kDeadlineExceeded:
      if (!attempt.from_server) maybe_happened_ = true;
      return Later(Verdict::Kind::kLookUp, {}, remaining, random);
  }
  return {Verdict::Kind::kAnswer, {}, Status(Code::kInternal, "a reply with an unknown code")};
}

Duration RetryPolicy::AttemptTimeout(Duration remaining, bool others_left) const {
  if (others_left) return std::min(remaining, std::max(kReplicaAttemptMin, allowed_ / 10));
  const Duration patience = kAttemptMin * (int64_t{1} << std::min(silences_ / 2, 10));
  return std::min(remaining, std::max(kAttemptMin, std::min(allowed_ / 3, patience)));
}

// A write is said not to have been executed only when each of its attempts was refused in an answer, or was never
// wholly sent. This suffices because a server is done with an attempt once it has answered, and a channel sends it
// once, so no refused attempt can still be executed.
Status RetryPolicy::OutOfTime() const {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(allowed_).count();
  std::string text = "no final answer within " + std::to_string(ms) + " ms";
  if (attempts_ > 0) text += " and " + std::to_string(attempts_) + (attempts_ == 1 ? " attempt" : " attempts");
  if (!last_.ok()) text += "; last: " + last_.ToString();
  if (!said_.ok() && said_ != last_) text += "; before: " + said_.ToString();
  Code code = Code::kDeadlineExceeded;
  if (write_ && maybe_happened_) {
    code = Code::kUnknownOutcome;
  } else if (last_.code() == Code::kOverloaded) {
    code = Code::kOverloaded;
  } else if (last_.code() != Code::kOk && last_.code() != Code::kDeadlineExceeded) {
    code = Code::kUnavailable;
  }
  return {code, std::move(text)};
}

}  // namespace ebla::client
