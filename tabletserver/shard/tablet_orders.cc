#include "tabletserver/shard/tablet_orders.h"

#include <glog/logging.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "common/base/lineage.h"
#include "tabletserver/reads/tablet_directory.h"
#include "tabletserver/shard/client_requests.h"
#include "tabletserver/shard/copy_target.h"
#include "tabletserver/shard/merger.h"
#include "tabletserver/shard/remover.h"
#include "tabletserver/shard/shard_tablets.h"

namespace ebla::tabletserver {
namespace {

// PROTOCOL 28: a later master may have given orders while this one's waited.
Status CheckTerm(const ConfigureTablet& input) { return input.check_term ? input.check_term() : Status(); }

ControlReply BeingMerged() {
  ControlReply reply;
  reply.status = Error(Code::kComeAgain, "the tablet is being merged");
  return reply;
}

}  // namespace

template <class Input>
void TabletOrders::PostStep(TabletId id, ControlDone done, Input input) {
  shard_.executor().Post([this, id, done = std::move(done), input = std::move(input)]() mutable {
    if (RefuseMerging(id, done)) return;
    const auto tablet = shard_.tablets.FindOrMake(id);
    shard_.tablets.Step(tablet, input(Expect(std::move(done))));
  });
}

void TabletOrders::Configure(TabletId tablet, ConfigureTablet input, ControlDone done) {
  shard_.executor().Post([this, tablet, input = std::move(input), done = std::move(done)]() mutable {
    ConfigureNow(tablet, std::move(input), std::move(done));
  });
}

void TabletOrders::ConfigureNow(TabletId id, ConfigureTablet input, ControlDone done) {
  if (RefuseMerging(id, done)) return;
  const auto tablet = shard_.tablets.FindOrMake(id);
  if (Status status = CheckTerm(input); !status.ok()) return Refuse(*tablet, std::move(status), done);
  if (Merger::Makes(*tablet, input)) {
    if (Status status = Merger::CheckPromise(*tablet, input); !status.ok())
      return Refuse(*tablet, std::move(status), done);
    return parts_.merger.Merge(id, std::move(input), [this, id, done = std::move(done)](auto merged) mutable {
      if (!merged) return done(BeingMerged());  // the master asks again
      ConfigureNow(id, *std::move(merged), std::move(done));
    });
  }
  if (tablet->handle == nullptr) {
    Status placed = shard_.tablets.Place(*tablet, input.schema.table, input.replica.range);
    if (!placed.ok()) return Refuse(*tablet, std::move(placed), done);
    tablet->place_is_new = true;
  }
  if (tablet->core->replica().RestartsEmpty(input.replica))
    return EmptyFirst(tablet, std::move(input), std::move(done));
  Obey(tablet, std::move(input), std::move(done));
}

void TabletOrders::Obey(const ShardTabletPtr& tablet, ConfigureTablet input, ControlDone done) {
  input.replica.token = Expect(std::move(done));
  input.now = shard_.Now();
  DayClock& clock = shard_.ports.day_clock;
  if (input.time_of_day_ms <= 0) input.time_of_day_ms = clock.DayMs();
  const ReplicaCore& replica = tablet->core->replica();
  const bool was_here = replica.role() != RoleKind::kAbsent;
  const bool led = replica.Leads();
  shard_.tablets.Step(tablet, input);
  if (replica.role() != RoleKind::kAbsent) tablet->place_is_new = false;
  // A tablet that is new has no records of before the doubt.
  const bool in_doubt = was_here && !led && replica.Leads() && !input.learnt && clock.trust() == ClockTrust::kDoubted;
  if (in_doubt && begun_in_doubt_.emplace(tablet->id, tablet->table).second) clock.AddWaiting(1);
}

// A doubt that ends by itself leaves these tablets late: what clients have put meanwhile, to live for a while, counts
// from the late time. An operator who accepts the clock has been told.
void TabletOrders::RaiseTimes() {
  if (begun_in_doubt_.empty()) return;
  DayClock& clock = shard_.ports.day_clock;
  const auto ended = std::erase_if(begun_in_doubt_, [this](const auto& one) {
    const ShardTabletPtr tablet = shard_.tablets.Find(one.first);
    return tablet == nullptr || !tablet->core->replica().Leads();
  });
  clock.AddWaiting(-static_cast<int64_t>(ended));
  const ClockTrust trust = clock.trust();
  if (trust == ClockTrust::kDoubted) return;
  const TabletTime day{static_cast<uint64_t>(std::max<int64_t>(clock.DayMs(), 1))};
  // A child has its parent's time.
  const auto began = [this](const ShardTablet& tablet) {
    return std::ranges::any_of(begun_in_doubt_, [&tablet](const auto& one) {
      return tablet.id >= one.first && tablet.table == one.second && SameLineage(tablet.id, one.first);
    });
  };
  for (const auto& [id, tablet] : shard_.tablets.all()) {
    if (trust == ClockTrust::kAccepted && !tablet->data.leaving() && began(*tablet))
      shard_.tablets.Step(tablet, RaiseTime{day, shard_.Now()});
  }
  clock.AddWaiting(-std::ssize(begun_in_doubt_));
  begun_in_doubt_.clear();
}

// A memory tablet that no voter has any more. A copy may have brought records before its source lost them too. They are
// discarded in the background, because they may be many, and orders that arrive meanwhile are refused. The tablet then
// takes the range that the catalog gives it, because its replicas' knowledge of splits is lost with them. It does so
// only once all records are gone, so that no other tablet is placed among them.
void TabletOrders::EmptyFirst(const ShardTabletPtr& tablet, ConfigureTablet input, ControlDone done) {
  if (!tablet->data.quiet())
    return Refuse(*tablet, Error(Code::kComeAgain, "what is here is being stored or removed"), done);
  parts_.copy_target.Abandon(*tablet);
  shard_.tablets.Pass(*tablet, DataState::Event::kEmpty);
  auto emptied = [this, tablet, input = std::move(input), done = std::move(done)](Status status) mutable {
    shard_.tablets.Pass(*tablet, DataState::Event::kFinish);
    if (status.ok()) status = CheckTerm(input);
    if (tablet->data.leaving()) return Refuse(*tablet, Error(Code::kComeAgain, "the tablet is being removed"), done);
    const KeyRange& range = input.replica.range;
    if (status.ok() && tablet->placed_range != range) {
      status = shard_.ports.directory.ChangeRange(*tablet->handle, range);
      if (status.ok()) tablet->placed_range = range;
    }
    if (!status.ok()) return Refuse(*tablet, std::move(status), done);
    Obey(tablet, std::move(input), std::move(done));
  };
  shard_.ports.background.Post([this, tablet, before = tablet->placed_range, emptied = std::move(emptied)]() mutable {
    Status status = shard_.store().TruncateRange(tablet->table, before);
    if (status.ok()) status = shard_.store().ForgetReplica(tablet->id);
    shard_.executor().Post(
        [emptied = std::move(emptied), status = std::move(status)]() mutable { emptied(std::move(status)); });
  });
}

void TabletOrders::Refuse(const ShardTablet& tablet, Status why, ControlDone& done) {
  ControlReply reply;
  reply.status = std::move(why);
  reply.promised = tablet.core->replica().state().promised;
  done(std::move(reply));
}

void TabletOrders::Fence(TabletId id, FenceReplica input, ControlDone done) {
  auto fence = [this, id, input, done = std::move(done)]() mutable {
    if (RefuseMerging(id, done)) return;
    const auto tablet = shard_.tablets.FindOrMake(id);
    input.token = Expect(std::move(done));
    input.now = shard_.Now();
    shard_.tablets.Step(tablet, input);
  };
  shard_.executor().Post([this, id, fence = std::move(fence)]() mutable {
    // The fence reports the log, so all input before the fence counts, and the end of this turn stores it. A tablet
    // that is not here yet may be split off any tablet in this turn.
    const auto tablet = shard_.tablets.Find(id);
    const bool waits = tablet == nullptr ? shard_.tablets.AnyTouched() : tablet->touched;
    if (!waits) return fence();
    shard_.executor().Post(std::move(fence));
  });
}

void TabletOrders::Drop(TabletId id, Epoch epoch, std::vector<TabletId> splits, ControlDone done) {
  PostStep(id, std::move(done), [epoch, splits = std::move(splits)](RequestToken token) mutable {
    return DropReplica{.token = token, .epoch = epoch, .splits = std::move(splits)};
  });
}

void TabletOrders::Split(TabletId id, Epoch epoch, std::string key, TabletId child, ControlDone done) {
  PostStep(id, std::move(done), [this, epoch, key = std::move(key), child](RequestToken token) mutable {
    return SplitTablet{token, epoch, std::move(key), child, shard_.Now()};
  });
}

void TabletOrders::Freeze(TabletId id, Epoch epoch, TabletId into, ControlDone done) {
  PostStep(id, std::move(done),
           [this, epoch, into](RequestToken token) { return FreezeTablet{token, epoch, into, shard_.Now()}; });
}

void TabletOrders::Transfer(TabletId id, Epoch epoch, ServerName target, Duration patience, ControlDone done) {
  PostStep(id, std::move(done), [this, epoch, target = std::move(target), patience](RequestToken token) mutable {
    return TransferReplica{token, epoch, std::move(target), shard_.Now() + patience};
  });
}

void TabletOrders::Alter(TabletSchema schema, std::move_only_function<void(Status)> done) {
  shard_.executor().Post([this, schema = std::move(schema), done = std::move(done)]() mutable {
    // Answers with the first failure, once the last tablet has answered.
    struct Gather {
      explicit Gather(std::move_only_function<void(Status)> then) : done(std::move(then)) {}
      ~Gather() { done(std::move(status)); }
      std::move_only_function<void(Status)> done;
      Status status;
    };
    auto gather = std::make_shared<Gather>(std::move(done));
    if (shard_.tablets.AnyLent()) gather->status = Error(Code::kComeAgain, "a tablet is being merged");
    for (const auto& [id, tablet] : shard_.tablets.all()) {
      if (tablet->table != schema.table || tablet->handle == nullptr || tablet->data.leaving()) continue;
      const RequestToken token = Expect([gather](ControlReply reply) {
        if (!reply.status.ok() && gather->status.ok()) gather->status = reply.status;
      });
      shard_.tablets.Step(tablet, AlterTablet{token, schema});
    }
  });
}

// ---- answers --------------------------------------------------------------------------------------------------------

RequestToken TabletOrders::Expect(ControlDone done) {
  const RequestToken token = shard_.requests.NextToken();
  waiting_.emplace(token, std::move(done));
  return token;
}

void TabletOrders::Reply(const ShardTabletPtr& tablet, ControlReply reply) {
  if (reply.known) tablet->place_is_new = false;
  if (!tablet->data.leaving() && tablet->handle != nullptr && !reply.known) {
    if (reply.dropped && reply.status.ok()) {
      // Unless it has been made anew while the answer waited for its flush.
      if (tablet->core->replica().state().tombstone) parts_.remover.Begin(tablet);
    } else if (tablet->core->replica().role() == RoleKind::kAbsent && std::exchange(tablet->place_is_new, false)) {
      // The configuration that was to make it was refused. A replica that was here before keeps its place, because the
      // answer of a drop has it removed.
      shard_.tablets.Unplace(*tablet);
    }
  }
  if (!reply.token) return;  // a copy brought the schema
  auto waiting = waiting_.extract(reply.token);
  CHECK(!waiting.empty()) << "an order of the master was answered twice";
  waiting.mapped()(std::move(reply));
}

bool TabletOrders::RefuseMerging(TabletId id, ControlDone& done) const {
  if (!shard_.tablets.BeingMerged(id)) return false;
  done(BeingMerged());
  return true;
}

}  // namespace ebla::tabletserver
