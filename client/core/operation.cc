#include "client/core/operation.h"

#include <algorithm>
#include <utility>

#include "common/rpc/idl_convert.h"

namespace ebla::client {

namespace {

idl::TokenRange ToIdl(const TokenRange& range) {
  idl::TokenRange out;
  out.range = rpc::ToIdl(range.range);
  out.applied = rpc::ToIdl(range.applied);
  if (!range.pending_primary.empty()) {
    out.__isset.pendingPrimary = true;
    for (const Version& own : range.pending_primary) out.pendingPrimary.push_back(rpc::ToIdl(own));
  }
  return out;
}

bool IsRedirect(Code code) {
  return code == Code::kWrongTablet || code == Code::kNotPrimary || code == Code::kStaleEpoch;
}

// A server's answer to the caller, not about serving.
bool IsAnswer(Code code) {
  return code == Code::kNotFound || code == Code::kConditionFailed || code == Code::kInvalidArgument;
}

}  // namespace

Operation::Operation(ClientCore& core, TablePtr table, Kind kind, Duration allowed)
    : core_(core),
      table_(std::move(table)),
      router_(table_->router()),
      end_(core.network().Now() + allowed),
      policy_(kind == Kind::kWrite, allowed) {}

void Operation::Run() {
  const Duration remaining = Remaining();
  if (remaining <= Duration(0)) return Finish(policy_.OutOfTime());
  place_ = router_->Find(RoutingKey());
  if (place_) return Try();
  router_->Resolve(RoutingKey(), remaining,
                   [self = shared_from_this()](Result<PlacePtr> place) { self->Found(std::move(place)); });
}

void Operation::Found(Result<PlacePtr> place) {
  if (place) {
    place_ = *std::move(place);
    return Try();
  }
  if (Remaining() <= Duration(0)) {
    // What stopped an attempt says more than a look-up that its end has cut short.
    if (policy_.attempts() == 0) policy_.Note(place.error());
    return Finish(policy_.OutOfTime());
  }
  Decide({.status = place.error(), .from_server = true});
}

void Operation::Try() {
  if (!place_->Usable()) {
    return Decide({.status = Status(Code::kUnavailable,
                                    "tablet " + std::to_string(place_->tablet.value) + " has no primary at present")});
  }
  if (Status ready = Prepare(*place_); !ready.ok()) {
    if (ready.code() != Code::kComeAgain) return Finish(std::move(ready));
    router_->Forget(place_);
    return Again({});
  }
  const Duration remaining = Remaining();
  if (remaining <= Duration(0)) return Finish(policy_.OutOfTime());
  timeout_ = policy_.AttemptTimeout(remaining);
  core_.network()
      .To(place_->endpoint)
      ->Call(Encode(), timeout_,
             [self = shared_from_this()](Result<std::string> message) { self->OnReply(std::move(message)); });
}

void Operation::FillHeader(idl::RequestHeader& header) {
  header.tableId = static_cast<int64_t>(router_->table().value);
  header.tabletId = static_cast<int64_t>(place_->tablet.value);
  header.epoch = static_cast<int64_t>(place_->epoch.value);
  // A little less than this side waits, so that the server's own word comes first.
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout_).count();
  header.deadlineMs = static_cast<int32_t>(std::clamp<int64_t>(ms - std::min<int64_t>(50, ms / 20), 1, INT32_MAX));
  if (!session_) return;
  const auto ranges = session_->For(router_->table(), Touched());
  token_coarse_ = !ranges;
  header.token.tableId = header.tableId;
  header.token.ranges.clear();
  header.__isset.token = ranges && !ranges->empty();
  if (!header.__isset.token) return;
  for (const TokenRange& range : *ranges) header.token.ranges.push_back(ToIdl(range));
}

Status Operation::CheckRead(const Read& read) const {
  using std::chrono::milliseconds;
  if (read.level() == Read::Level::kSession && !session_) {
    return Error(Code::kInvalidArgument, "a read at SESSION needs a session: set .session in its options");
  }
  if (read.level() == Read::Level::kBounded &&
      (read.bound() < milliseconds(1) || read.bound() > std::chrono::hours(1))) {
    return Error(Code::kInvalidArgument,
                 "BOUNDED takes 1 ms to 1 h, not " + std::to_string(read.bound().count()) + " ms");
  }
  return {};
}

idl::ReadOptions Operation::ReadOptionsOf(const Read& read) {
  const bool in_session = read.level() == Read::Level::kSession;
  token_judged_ = in_session && !token_coarse_;
  idl::ReadOptions options;
  options.level =
      in_session && token_coarse_ ? idl::ReadLevel::STRONG : static_cast<idl::ReadLevel::type>(read.level());
  options.__isset.boundedMs = read.level() == Read::Level::kBounded;
  options.boundedMs = read.bound().count();
  return options;
}

void Operation::OnReply(Result<std::string> message) {
  Attempt attempt{.sent = true};
  if (!message) {
    attempt.status = message.error();
  } else if (Result<idl::ReplyHeader*> decoded = Decode(std::move(*message)); !decoded) {
    attempt.status = decoded.error();
  } else {
    const idl::ReplyHeader& header = **decoded;
    attempt.from_server = true;
    const auto code = rpc::FromIdl(header.code);
    LearnFrom(header, attempt);
    if (code == Code::kOk) {
      NoteSession(header);
      attempt.status = Complete();
      if (attempt.status.ok()) return Finish({});
    } else {
      if (IsAnswer(code) || code == Code::kLostWrite) NoteSession(header);
      attempt.status = Status(code, header.message);
    }
    if (header.__isset.retryAfterMs) attempt.retry_after = std::chrono::milliseconds(header.retryAfterMs);
  }
  if (!IsAnswer(attempt.status.code())) {
    attempt.status = Status(attempt.status.code(),
                            place_->primary + " (" + place_->endpoint.ToString() + "): " + attempt.status.message());
  }
  Decide(std::move(attempt));
}

void Operation::LearnFrom(const idl::ReplyHeader& header, Attempt& attempt) {
  if (header.__isset.tabletTimeMs) place_->HearTime(TabletTime{static_cast<uint64_t>(header.tabletTimeMs)});
  const Code code = rpc::FromIdl(header.code);
  if (header.__isset.hint) {
    const idl::Hint& hint = header.hint;
    Place place;
    place.tablet = TabletId{static_cast<uint64_t>(hint.tabletId)};
    place.range = rpc::FromIdl(hint.range);
    place.epoch = Epoch{static_cast<uint64_t>(hint.epoch)};
    place.primary = hint.primary;
    if (hint.__isset.endpoint) {
      if (const auto endpoint = rpc::FromIdl(hint.endpoint)) place.endpoint = *endpoint;
    } else {
      place.endpoint = router_->EndpointOf(hint.primary);
    }
    if (place.tablet && place.Usable()) router_->Learn(place);
  } else if (header.__isset.range && header.__isset.tabletId && header.__isset.epoch &&
             (code == Code::kOk || code == Code::kNotFound || code == Code::kStaleEpoch)) {
    // Whoever answers a newer epoch than the one believed in leads there.
    Place place;
    place.tablet = TabletId{static_cast<uint64_t>(header.tabletId)};
    place.range = rpc::FromIdl(header.range);
    place.epoch = Epoch{static_cast<uint64_t>(header.epoch)};
    place.primary = place_->primary;
    place.endpoint = place_->endpoint;
    router_->Learn(place);
  }
  if (IsRedirect(code)) {
    const PlacePtr now = router_->Find(RoutingKey());
    attempt.hint_usable = now && now != place_ && now->Usable();
  }
}

void Operation::NoteSession(const idl::ReplyHeader& header) {
  if (!session_ || !header.__isset.applied) return;
  const Version applied = rpc::FromIdl(header.applied);
  // The range that the position speaks of: as the answer says, else as believed; of another tablet, only what it
  // touched.
  KeyRange range = place_->range;
  if (header.__isset.range) {
    range = rpc::FromIdl(header.range);
  } else if (header.__isset.tabletId && TabletId{static_cast<uint64_t>(header.tabletId)} != place_->tablet) {
    range = Touched();
  }
  const Code code = rpc::FromIdl(header.code);
  session_->Update(router_->table(), [&](TableToken& token) {
    if (code == Code::kLostWrite) {
      token.Lost(range, applied);
    } else if (token_judged_) {
      token.Judged(range, applied);
    } else {
      token.Saw(range, applied);
    }
  });
}

void Operation::Decide(Attempt attempt) {
  Executor& executor = core_.network().executor();
  Verdict verdict = policy_.Decide(attempt, Remaining(), executor.Random());
  switch (verdict.kind) {
    case Verdict::Kind::kAnswer: return Finish(std::move(verdict.status));
    case Verdict::Kind::kRetry: return Again(verdict.delay);
    case Verdict::Kind::kLookUp:
      if (place_) router_->Forget(place_);
      return Again(verdict.delay);
    case Verdict::Kind::kReopen: return OpenAgain();
  }
}

void Operation::Again(Duration delay) {
  Executor& executor = core_.network().executor();
  if (delay > Duration(0)) {
    executor.After(delay, [self = shared_from_this()] { self->Run(); });
  } else {
    executor.Post([self = shared_from_this()] { self->Run(); });
  }
}

void Operation::OpenAgain() {
  policy_.Reopened();
  core_.Reopen(
      table_, router_->table(), Remaining(),
      Once<Result<std::shared_ptr<Router>>>([self = shared_from_this()](Result<std::shared_ptr<Router>> router) {
        if (!router) return self->Finish(std::move(router.error()));
        self->router_ = *std::move(router);
        self->Run();
      }));
}

}  // namespace ebla::client
