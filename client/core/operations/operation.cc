#include "client/core/operations/operation.h"

#include <algorithm>
#include <utility>

#include "common/rpc/idl_convert.h"
#include "common/security/access_list.h"

namespace ebla::client {

namespace {

// A server's answer to the caller, not about serving.
bool IsAnswer(Code code) {
  return code == Code::kNotFound || code == Code::kConditionFailed || code == Code::kInvalidArgument;
}

// The refusal of a tablet server, whose advice can be pasted once it names the table.
std::string WithTableName(std::string text, const std::string& table) {
  const std::string placeholder = "--table " + std::string(security::kTableNamePlaceholder) + "`";
  const size_t at = text.find(placeholder);
  return at == std::string::npos ? text : text.replace(at, placeholder.size(), "--table " + table + "`");
}

Place PlaceOf(int64_t tablet, int64_t epoch, const idl::KeyRange& range) {
  Place place;
  place.tablet = TabletId{static_cast<uint64_t>(tablet)};
  place.range = rpc::FromIdl(range);
  place.epoch = Epoch{static_cast<uint64_t>(epoch)};
  return place;
}

}  // namespace

Operation::Operation(ClientCore& core, TablePtr table, Kind kind, Duration allowed)
    : core_(core),
      kind_(kind),
      table_(std::move(table)),
      router_(table_->router()),
      end_(core.network().Now() + allowed),
      policy_(kind == Kind::kWrite, allowed),
      round_(core.network()) {}

EligibleReplicas Operation::Eligible() const {
  if (kind_ == Kind::kWrite) return any_ ? EligibleReplicas::kAny : EligibleReplicas::kPrimary;
  if (tokens_.coarse() || Level() == Read::Level::kStrong) return EligibleReplicas::kPrimary;
  return Level() == Read::Level::kEventual ? EligibleReplicas::kAny : EligibleReplicas::kReplicas;
}

void Operation::Run() {
  const Duration remaining = Remaining();
  if (remaining <= Duration(0)) return Finish(OutOfTime());
  last_known_ = false;
  place_ = router_->Find(RoutingKey());
  if (place_) return Try();
  const PlacePtr known = router_->LastKnown(RoutingKey());
  if (known && Eligible() != EligibleReplicas::kPrimary && !round_.to_primary()) {
    last_known_ = true;
    place_ = known;
    router_->Refresh(RoutingKey());
    return Try();
  }
  router_->Resolve(RoutingKey(), known && known->Usable() ? std::min(remaining, kLookUpPatience) : remaining,
                   [self = shared_from_this()](Result<PlacePtr> place) { self->Found(std::move(place)); });
}

void Operation::Found(Result<PlacePtr> place) {
  if (place) {
    place_ = *std::move(place);
    return Try();
  }
  if (Remaining() <= Duration(0)) {
    // The cause of a failed attempt tells more than a look-up cut short by the deadline.
    if (policy_.attempts() == 0) policy_.Note(place.error());
    return Finish(OutOfTime());
  }
  if (place.error().code() == Code::kUnavailable || place.error().code() == Code::kDeadlineExceeded) {
    // Without masters, the last known primary most likely still leads; otherwise it answers NOT_PRIMARY.
    place_ = router_->LastKnown(RoutingKey());
    last_known_ = true;
    if (place_ && place_->Usable()) return Try();
  }
  Decide({.status = place.error(), .from_server = true});
}

void Operation::Try() {
  if (Status ready = Prepare(*place_); !ready.ok()) {
    // A last known place may be stale, so its refusal is not final.
    if (last_known_) return Decide({.status = Status(Code::kUnavailable, ready.message())});
    if (ready.code() != Code::kComeAgain) return Finish(std::move(ready));
    router_->Forget(place_);
    return RetryAfter({});
  }
  tokens_.Take(router_->table(), MayBeShown());
  const EligibleReplicas eligible = Eligible();
  const bool any_replica = eligible != EligibleReplicas::kPrimary && !round_.to_primary();
  const Replica* chosen = round_.Choose(*place_, eligible);
  if (any_replica && place_->replicas.empty()) router_->Refresh(RoutingKey());  // a hint named the primary alone
  if (chosen == nullptr) {
    return Decide({.status = Status(Code::kUnavailable,
                                    "tablet " + std::to_string(place_->tablet.value) + " has no primary at present")});
  }
  const Duration remaining = Remaining();
  if (remaining <= Duration(0)) return Finish(OutOfTime());
  timeout_ = policy_.AttemptTimeout(remaining, round_.HasUntriedReplica(*place_, eligible));
  if (Gauged()) round_.Began();
  Send(*core_.network().To(round_.asked().endpoint));
}

// ---- what is sent

void Operation::FillHeader(idl::RequestHeader& header) {
  header.tableId = static_cast<int64_t>(router_->table().value);
  header.tabletId = static_cast<int64_t>(place_->tablet.value);
  header.epoch = static_cast<int64_t>(place_->epoch.value);
  // A little less than this side waits, so that the server's own answer arrives first.
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout_).count();
  header.deadlineMs = static_cast<int32_t>(std::clamp<int64_t>(ms - std::min<int64_t>(50, ms / 20), 1, INT32_MAX));
  tokens_.Fill(header);
}

Status Operation::CheckRead() const {
  using std::chrono::milliseconds;
  if (read_.level() == Read::Level::kSession && !tokens_.session()) {
    return Error(Code::kInvalidArgument, "a read at SESSION needs a session: set .session in its options");
  }
  if (read_.level() == Read::Level::kBounded &&
      (read_.bound() < milliseconds(1) || read_.bound() > std::chrono::hours(1))) {
    return Error(Code::kInvalidArgument,
                 "BOUNDED takes 1 ms to 1 h, not " + std::to_string(read_.bound().count()) + " ms");
  }
  return {};
}

idl::ReadOptions Operation::ReadOptionsOf() {
  const Read::Level level = tokens_.LevelToAsk(read_.level());
  idl::ReadOptions options;
  options.level = static_cast<idl::ReadLevel::type>(level);
  options.__isset.boundedMs = level == Read::Level::kBounded;
  options.boundedMs = read_.bound().count();
  return options;
}

// ---- what comes back

void Operation::OnReply(Result<const idl::ReplyHeader*> reply) {
  Attempt attempt{.sent = true};
  // A call with little time does not show whether its server is alive.
  const bool hurried = !reply && reply.error().code() == Code::kDeadlineExceeded && timeout_ < kAwayFirst;
  const bool answered = reply.has_value() || reply.error().code() == Code::kInternal;  // by an exception
  if (Gauged()) round_.Ended(answered || hurried);
  if (!reply) {
    attempt.status = reply.error();
  } else {
    const idl::ReplyHeader& header = **reply;
    attempt.from_server = true;
    OnReplyHeader(header);
    const auto code = rpc::FromIdl(header.code);
    LearnFrom(header, attempt);
    const auto note = [&] {
      if (!tokens_.session() || !header.__isset.applied) return;
      tokens_.Observe(router_->table(), AnsweredRange(header), rpc::FromIdl(header.applied));
    };
    if (code == Code::kOk) {
      note();
      attempt.status = Complete();
      if (attempt.status.ok()) return Finish({});
    } else {
      std::string text = header.message;
      if (IsAnswer(code)) note();
      if (code == Code::kLostWrite && header.__isset.applied) {
        text += tokens_.Lost(router_->table(), AnsweredRange(header), rpc::FromIdl(header.applied));
      }
      if (code == Code::kPermissionDenied) text = WithTableName(std::move(text), table_->name());
      attempt.status = Status(code, std::move(text));
    }
    if (header.__isset.retryAfterMs) attempt.retry_after = std::chrono::milliseconds(header.retryAfterMs);
    attempt.full = header.full;
  }
  if (!IsAnswer(attempt.status.code())) {
    std::string text =
        round_.asked().server + " (" + round_.asked().endpoint.ToString() + "): " + attempt.status.message();
    attempt.another_replica = round_.TryNextReplica(*place_, Eligible(), attempt);
    attempt.status = Status(attempt.status.code(), std::move(text));
  }
  Decide(std::move(attempt));
}

void Operation::LearnFrom(const idl::ReplyHeader& header, Attempt& attempt) {
  if (header.__isset.tabletTimeMs) place_->RaiseTabletTime(TabletTime{static_cast<uint64_t>(header.tabletTimeMs)});
  const Code code = rpc::FromIdl(header.code);
  if (header.__isset.hint) {
    TakeHint(header.hint);
  } else if (Eligible() != EligibleReplicas::kPrimary) {
    TakeReplicaAnswer(header);
  } else {
    TakePrimaryAnswer(header, code);
  }
  if (IsRedirect(code)) {
    const PlacePtr now = router_->Find(RoutingKey());
    attempt.hint_usable = now && now != place_ && now->Usable();
  }
}

void Operation::TakeHint(const idl::Hint& hint) {
  Place place = PlaceOf(hint.tabletId, hint.epoch, hint.range);
  place.primary = hint.primary;
  if (hint.__isset.endpoint) {
    if (const auto endpoint = rpc::FromIdl(hint.endpoint)) place.endpoint = *endpoint;
  } else {
    place.endpoint = router_->EndpointOf(hint.primary);
  }
  if (place.tablet && place.Usable()) router_->Learn(place);
}

// The answer may be a follower's, so the client learns only that the place has changed.
void Operation::TakeReplicaAnswer(const idl::ReplyHeader& header) {
  if (!header.__isset.tabletId || !header.__isset.epoch) return;
  const std::pair answered{TabletId{static_cast<uint64_t>(header.tabletId)},
                           Epoch{static_cast<uint64_t>(header.epoch)}};
  if (answered <= std::pair{place_->tablet, place_->epoch}) return;
  const PlacePtr now = router_->Find(RoutingKey());
  if (!now || answered > std::pair{now->tablet, now->epoch}) router_->Refresh(RoutingKey());
}

// A server that answers with a newer epoch than the believed one is its primary.
void Operation::TakePrimaryAnswer(const idl::ReplyHeader& header, Code code) {
  const bool told = header.__isset.range && header.__isset.tabletId && header.__isset.epoch &&
                    (code == Code::kOk || code == Code::kNotFound || code == Code::kStaleEpoch);
  if (told) {
    Place place = PlaceOf(header.tabletId, header.epoch, header.range);
    place.primary = place_->primary;
    place.endpoint = place_->endpoint;
    const bool news = place.tablet != place_->tablet || place.epoch != place_->epoch || place.range != place_->range;
    if (news) return router_->Learn(place);
  }
  if (last_known_ && (told || code == Code::kOk || IsAnswer(code))) router_->Learn(*place_);  // doubted without cause
}

// The range in the answer, else the believed one. For another tablet, or without a position, only the operation's own
// keys, because the answer may be older than an earlier split.
KeyRange Operation::AnsweredRange(const idl::ReplyHeader& header) const {
  if (!header.__isset.applied) return Touched();
  if (header.__isset.range) return rpc::FromIdl(header.range);
  if (header.__isset.tabletId && TabletId{static_cast<uint64_t>(header.tabletId)} != place_->tablet) return Touched();
  return place_->range;
}

void Operation::Decide(Attempt attempt) {
  Executor& executor = core_.network().executor();
  Verdict verdict = policy_.Decide(attempt, Remaining(), executor.Random());
  switch (verdict.kind) {
    case Verdict::Kind::kAnswer:
      return Finish(Remaining() < kAttemptLast ? round_.WithAllAsked(std::move(verdict.status))
                                               : std::move(verdict.status));
    case Verdict::Kind::kRetry: return RetryAfter(verdict.delay);
    case Verdict::Kind::kLookUp:
      if (place_) router_->Forget(place_);
      return RetryAfter(verdict.delay);
    case Verdict::Kind::kReopen: return OpenAgain();
  }
}

void Operation::RetryAfter(Duration delay) {
  Executor& executor = core_.network().executor();
  if (delay > Duration(0)) {
    executor.After(delay, [self = shared_from_this()] { self->Run(); });
  } else {
    executor.Post([self = shared_from_this()] { self->Run(); });
  }
}

void Operation::OpenAgain() {
  policy_.Reopened();
  core_.Reopen(table_, router_->table(), Remaining(),
               OnceCallback<Result<std::shared_ptr<Router>>>(
                   [self = shared_from_this()](Result<std::shared_ptr<Router>> router) {
                     if (!router) return self->Finish(std::move(router.error()));
                     self->router_ = *std::move(router);
                     self->Run();
                   }));
}

}  // namespace ebla::client
