#include "client/core/routing/router.h"

#include <algorithm>
#include <utility>

#include "common/base/mutex.h"
#include "common/rpc/idl_convert.h"

namespace ebla::client {

namespace {

// A look-up that outlasts its first waiter serves the later ones.
constexpr Duration kLookUpTimeout = std::chrono::seconds(10);

Place FromIdl(idl::TabletLocation&& location, const idl::LocateReply& reply, Network& network) {
  Place place;
  place.tablet = TabletId{static_cast<uint64_t>(location.tabletId)};
  place.range = rpc::FromIdl(std::move(location.range));
  place.epoch = Epoch{static_cast<uint64_t>(location.epoch)};
  place.primary = location.primary;
  for (idl::Replica& replica : location.replicas) {
    const auto endpoint = rpc::FromIdl(replica.endpoint);
    if (!endpoint) continue;
    if (replica.server == place.primary) place.endpoint = *endpoint;
    const uint8_t distance = DistanceOf(network.location(), replica.rack, endpoint->host);
    place.replicas.push_back(
        {std::move(replica.server), *endpoint, replica.voter, distance, network.GaugeOf(*endpoint)});
  }
  // If the master does not know the tablet's own time, or is older than that field, the least time of all is enough.
  // Clocks mostly agree, and otherwise the tablet's refusal has its time (retry_policy.h).
  if (location.__isset.tabletTimeMs) {
    place.RaiseTabletTime(TabletTime{static_cast<uint64_t>(location.tabletTimeMs)});
  } else if (reply.__isset.tabletTimeMs) {
    place.RaiseTabletTime(TabletTime{static_cast<uint64_t>(reply.tabletTimeMs)});
  }
  return place;
}

}  // namespace

void Router::Resolve(std::string_view key, Duration timeout, Done done) {
  const MonotonicTime end = network_.Now() + timeout;
  PlacePtr known;
  uint64_t start = 0;
  KeyRange range;
  {
    WriterLock lock(mutex_);
    known = cache_.Find(key);
    if (!known) {
      Waiter waiter{std::string(key), end, std::move(done), {}, next_id_++};
      auto joined = std::ranges::find_if(in_flight_, [&](const LookUp& look_up) { return look_up.gap.Contains(key); });
      if (joined == in_flight_.end()) {
        KeyRange gap = cache_.Gap(key);
        for (const LookUp& other : in_flight_) {  // none contains the key: take what lies on its side of each
          if (other.gap.start > key) {
            if (gap.end.empty() || other.gap.start < gap.end) gap.end = other.gap.start;
          } else if (other.gap.end > gap.start) {
            gap.start = other.gap.end;
          }
        }
        range = {std::string(key), gap.end};
        start = next_id_++;
        ++look_ups_;
        joined = in_flight_.insert(in_flight_.end(), {start, std::move(gap), std::string(key), {}, {}});
      }
      waiter.timer =
          network_.executor().After(timeout, [self = weak_from_this(), look_up = joined->id, id = waiter.id] {
            if (auto router = self.lock()) router->Expired(look_up, id);
          });
      joined->waiters.push_back(std::move(waiter));
    }
  }
  if (known) return done(std::move(known));  // NOLINT(bugprone-use-after-move): it waits only where nothing is known
  if (start != 0) Start(start, std::move(range), std::max(timeout, kLookUpTimeout));
}

void Router::Refresh(std::string_view key) {
  uint64_t id = 0;
  KeyRange range;
  {
    WriterLock lock(mutex_);
    if (std::ranges::any_of(in_flight_, [&](const LookUp& look_up) { return look_up.gap.Contains(key); })) return;
    PlacePtr place = cache_.Find(key);
    if (!place) place = last_known_.Find(key);
    if (!place) return;
    range = {std::string(key), place->range.end};
    id = next_id_++;
    ++look_ups_;
    in_flight_.push_back({id, place->range, std::string(key), {}, {}});
  }
  Start(id, std::move(range), kLookUpTimeout);
}

void Router::Start(uint64_t id, KeyRange range, Duration timeout) {
  idl::LocateRequest request;
  request.tableId = static_cast<int64_t>(table_.value);
  request.range = rpc::ToIdl(range);
  request.limit = kLookUpTablets;
  MasterClient::CallOptions options;
  options.deadline = timeout;
  options.note = [self = shared_from_this(), id](const Status& cause) {
    WriterLock lock(self->mutex_);
    for (LookUp& look_up : self->in_flight_) {
      if (look_up.id == id) look_up.cause = cause;
    }
  };
  masters_.Call(std::move(request), std::move(options),
                [self = shared_from_this(), id](Result<MasterClient::Answer<idl::LocateReply>> answer) {
                  self->Finished(id, std::move(answer));
                });
}

void Router::Finished(uint64_t id, Result<MasterClient::Answer<idl::LocateReply>> answer) {
  struct Outcome {
    Waiter waiter;
    Result<PlacePtr> place;
    bool again = false;
  };
  std::list<Outcome> outcomes;
  {
    WriterLock lock(mutex_);
    const auto found = std::ranges::find_if(in_flight_, [&](const LookUp& look_up) { return look_up.id == id; });
    if (found == in_flight_.end()) return;
    LookUp look_up = std::move(*found);
    in_flight_.erase(found);
    if (answer) {
      for (idl::TabletLocation& location : answer->reply.tablets) {
        cache_.Learn(FromIdl(std::move(location), answer->reply, network_));
      }
    }
    for (Waiter& waiter : look_up.waiters) {
      Outcome outcome{std::move(waiter), PlacePtr(), false};
      if (!answer) {
        outcome.place = Error(answer.error());
      } else if (PlacePtr place = cache_.Find(outcome.waiter.key)) {
        outcome.place = std::move(place);
      } else if (outcome.waiter.key != look_up.from) {
        outcome.again = true;
      } else {
        outcome.place = Error(Code::kUnavailable,
                              "the master names no tablet for \"" + EscapeBytes(outcome.waiter.key) + "\" at present");
      }
      outcomes.push_back(std::move(outcome));
    }
  }
  for (Outcome& outcome : outcomes) {
    network_.executor().Cancel(outcome.waiter.timer);
    if (outcome.again) {
      Resolve(outcome.waiter.key, outcome.waiter.end - network_.Now(), std::move(outcome.waiter.done));
    } else {
      outcome.waiter.done(std::move(outcome.place));
    }
  }
}

void Router::Expired(uint64_t look_up_id, uint64_t waiter_id) {
  Done done;
  Status status(Code::kDeadlineExceeded, "looking up its tablet took too long");
  {
    WriterLock lock(mutex_);
    for (LookUp& look_up : in_flight_) {
      if (look_up.id != look_up_id) continue;
      for (auto it = look_up.waiters.begin(); it != look_up.waiters.end(); ++it) {
        if (it->id != waiter_id) continue;
        done = std::move(it->done);
        look_up.waiters.erase(it);
        if (!look_up.cause.ok())
          status = Status(Code::kUnavailable, "looking up its tablet: " + look_up.cause.message());
        break;
      }
    }
  }
  if (done) done(Error(std::move(status)));
}

}  // namespace ebla::client
