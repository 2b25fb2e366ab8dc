#include "tabletserver/shard/read_waiters.h"

#include <utility>

#include "tabletserver/shard/client_requests.h"
#include "tabletserver/shard/shard_tablets.h"

namespace ebla::tabletserver {

void ReadWaiters::Answer(size_t loop, Done done, Status status) {
  shard_.requests.Answer(loop,
                         [done = std::move(done), status = std::move(status)]() mutable { done(std::move(status)); });
}

// ---- for an entry to be applied -------------------------------------------------------------------------------------

void ReadWaiters::AwaitApplied(std::shared_ptr<TabletHandle> handle, Lsn upto, MonotonicTime deadline, size_t loop,
                               Done done) {
  shard_.executor().Post([this, handle = std::move(handle), upto, deadline, loop, done = std::move(done)]() mutable {
    const auto tablet = shard_.tablets.FindStaying(handle->tablet);
    if (tablet == nullptr) return Answer(loop, std::move(done), shard_.tablets.WhyGone(handle->tablet));
    if (awaiting_ >= shard_.options.awaiting_max) {
      return Answer(loop, std::move(done),
                    Error(Code::kOverloaded, "too many reads of this server wait for a write to be applied"));
    }
    ++awaiting_;
    tablet->awaiting.emplace(upto, AwaitingRead{deadline, loop, std::move(done)});
    Wake(*tablet);
  });
}

// In order of what they wait for, so that each round looks at those alone that it answers.
void ReadWaiters::Wake(ShardTablet& tablet) {
  const bool leads = tablet.core->replica().Leads();
  const auto served = tablet.awaiting.upper_bound(tablet.core->applied_state().applied.lsn);
  for (auto at = tablet.awaiting.begin(); at != served; at = tablet.awaiting.erase(at)) {
    End(std::move(at->second), Status::Ok());
  }
  if (leads || tablet.awaiting.empty()) return;
  WakeAll(tablet, Error(Code::kNotPrimary, "this replica is no longer the tablet's primary"));
}

void ReadWaiters::WakeAll(ShardTablet& tablet, const Status& status) {
  for (auto& [upto, one] : std::exchange(tablet.awaiting, {})) End(std::move(one), status);
}

void ReadWaiters::Expire(ShardTablet& tablet, MonotonicTime now) {
  for (auto at = tablet.awaiting.begin(); at != tablet.awaiting.end();) {
    if (now < at->second.deadline) {
      ++at;
      continue;
    }
    End(std::move(at->second), Error(Code::kDeadlineExceeded, "what the read waits for was not applied in time"));
    at = tablet.awaiting.erase(at);
  }
}

void ReadWaiters::End(AwaitingRead read, Status status) {
  --awaiting_;
  Answer(read.loop, std::move(read.done), std::move(status));
}

// ---- from the log, for a purge --------------------------------------------------------------------------------------

void ReadWaiters::TakeLogged(std::shared_ptr<TabletHandle> handle, KeyRange range, Lsn upto, size_t records_max,
                             size_t loop, LoggedDone done) {
  shard_.executor().Post([this, handle = std::move(handle), range = std::move(range), upto, records_max, loop,
                          done = std::move(done)]() mutable {
    const auto tablet = shard_.tablets.FindStaying(handle->tablet);
    Result<LoggedSlice> slice = tablet == nullptr
                                    ? Result<LoggedSlice>(std::unexpected(shard_.tablets.WhyGone(handle->tablet)))
                                    : tablet->core->Logged(range, upto, records_max);
    shard_.requests.Answer(loop, [done = std::move(done), slice = std::move(slice)]() mutable {
      if (!slice) return done(Error(slice.error()));
      done(std::make_shared<const LoggedSlice>(*std::move(slice)));
    });
  });
}

void ReadWaiters::PurgeExpired(std::shared_ptr<TabletHandle> handle, std::vector<ExpiredKey> keys, TabletTime reached,
                               MonotonicTime deadline, size_t loop, Done done) {
  shard_.executor().Post([this, handle = std::move(handle), keys = std::move(keys), reached, deadline, loop,
                          done = std::move(done)]() mutable {
    const auto tablet = shard_.tablets.FindStaying(handle->tablet);
    const MonotonicTime now = shard_.Now();
    Status refusal;
    if (tablet == nullptr) refusal = shard_.tablets.WhyGone(handle->tablet);
    if (now >= deadline) refusal = Error(Code::kDeadlineExceeded, "the deadline passed before an expiry was confirmed");
    if (shard_.requests.draining()) refusal = Error(Code::kComeAgain, "the server is shutting down");
    if (!refusal.ok()) {
      if (done) Answer(loop, std::move(done), std::move(refusal));
      return;
    }
    Purge purge{.token = {}, .reached = reached, .keys = std::move(keys), .now = now, .deadline = deadline};
    if (done) purge.token = shard_.requests.ExpectPurge(loop, std::move(done));
    shard_.tablets.Step(tablet, purge);
  });
}

// ---- for a majority, without a lease --------------------------------------------------------------------------------

void ReadWaiters::ConfirmLeadership(std::shared_ptr<TabletHandle> handle, MonotonicTime deadline, size_t loop,
                                    Done done) {
  shard_.executor().Post([this, handle = std::move(handle), deadline, loop, done = std::move(done)]() mutable {
    const auto tablet = shard_.tablets.FindStaying(handle->tablet);
    Status refusal;
    if (tablet == nullptr) refusal = shard_.tablets.WhyGone(handle->tablet);
    if (confirms_.size() >= shard_.options.queue_items_max)
      refusal = Error(Code::kOverloaded, "too many reads wait for a majority");
    if (!refusal.ok()) return Answer(loop, std::move(done), std::move(refusal));
    const RequestToken token = shard_.requests.NextToken();
    confirms_.emplace(token, PendingConfirm{deadline, loop, std::move(done)});
    shard_.tablets.Step(tablet, tabletserver::ConfirmLeadership{token, shard_.Now()});
  });
}

void ReadWaiters::Confirm(std::vector<ConfirmReply>& replies) {
  for (ConfirmReply& reply : replies) {
    auto waiting = confirms_.extract(reply.token);
    if (waiting.empty()) continue;  // its deadline has passed
    Answer(waiting.mapped().loop, std::move(waiting.mapped().done), std::move(reply.status));
  }
}

void ReadWaiters::ExpireConfirms(MonotonicTime now) {
  for (auto at = confirms_.begin(); at != confirms_.end();) {
    PendingConfirm& one = at->second;
    if (now < one.deadline) {
      ++at;
      continue;
    }
    Answer(
        one.loop, std::move(one.done),
        Error(Code::kDeadlineExceeded, "no majority of the replicas confirmed in time that this one is the primary"));
    at = confirms_.erase(at);
  }
}

}  // namespace ebla::tabletserver
