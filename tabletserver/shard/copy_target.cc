#include "tabletserver/shard/copy_target.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "tabletserver/shard/client_requests.h"
#include "tabletserver/shard/lineage_checkpoints.h"
#include "tabletserver/shard/shard_tablets.h"
#include "tabletserver/storage/in_memory/in_memory_store.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/tablet/rules.h"

namespace ebla::tabletserver {
namespace {

constexpr Duration kCheckpointRetry = std::chrono::seconds(1);

// Discards what the replica had, and has the store hold the copy's start. A crash in between leaves it incomplete, and
// the next copy begins by doing this again.
Status InstallStart(TabletStore& store, TabletId tablet, TableId table, const KeyRange& range, const CopyBase& base) {
  EBLA_TRY(store.TruncateRange(table, range));
  EBLA_TRY(store.ForgetReplica(tablet));
  ApplyBatch batch;
  batch.tablet = tablet;
  batch.table = table;
  batch.dedup_window.put = base.dedup_window;
  batch.state = base.applied;
  return store.Apply({&batch, 1});
}

// A copy would eat up what recovery needs (PROTOCOL 25); of a table in memory, more memory than there is for it.
Status CheckRoom(const TabletStore& store, TableId table) {
  if (store.InMemory(table)) return store.memory_tables()->RoomForCopy(table);
  const DiskRoom room = store.health().room;
  return room == DiskRoom::kAll ? Status::Ok() : NoDiskRoom(room);
}

Status NoSuchCopy() { return Error(Code::kNotFound, "no such copy is under way"); }

}  // namespace

// ---- what the source says -------------------------------------------------------------------------------------------

RequestToken CopyTarget::Expect(CopyDone done, std::shared_ptr<const CopyBase> base) {
  const RequestToken token = shard_.requests.NextToken();
  pending_.emplace(token, Pending{std::move(done), std::move(base)});
  return token;
}

void CopyTarget::Begin(CopyBegin begin, CopyDone done) {
  shard_.executor().Post([this, begin = std::move(begin), done = std::move(done)]() mutable {
    const auto tablet = shard_.tablets.FindStaying(begin.tablet);
    if (tablet == nullptr) return done(Error(Code::kNotFound, "no replica is here"));
    Status room = CheckRoom(shard_.store(), tablet->table);
    if (room.ok()) return Begin(tablet, std::move(begin), std::move(done));
    if (!shard_.store().InMemory(tablet->table)) return done(std::move(room));
    FindRoom(tablet, std::move(begin), std::move(done));
  });
}

// A copy replaces the records of the replica, which may be most of the excess. Counting them takes time.
void CopyTarget::FindRoom(const ShardTabletPtr& tablet, CopyBegin begin, CopyDone done) {
  shard_.ports.background.Post(
      [this, tablet, range = tablet->placed_range, begin = std::move(begin), done = std::move(done)]() mutable {
        Status room = shard_.store().memory_tables()->RoomForCopy(tablet->table, &range);
        shard_.executor().Post(
            [this, tablet, room = std::move(room), begin = std::move(begin), done = std::move(done)]() mutable {
              if (tablet->data.leaving()) return done(Error(Code::kNotFound, "no replica is here"));
              if (!room.ok()) return done(std::move(room));
              Begin(tablet, std::move(begin), std::move(done));
            });
      });
}

void CopyTarget::Begin(const ShardTabletPtr& tablet, CopyBegin begin, CopyDone done) {
  if (!tablet->placed_range.Contains(begin.base.applied.range)) {
    return done(Error(Code::kUnavailable, "the replica here is of another range than the copy"));
  }
  if (tablet->core->replica().receiving() != begin.order.id) {
    if (!GatherDedupRows(begin))
      return done(Error(Code::kNotFound, "the dedup window's rows before these are missing"));
    if (begin.rows_follow) return done(Status::Ok());
  }
  if (tablet->schema == nullptr || begin.schema.version > tablet->schema->version) {
    tablet->core->Step(AlterTablet{{}, std::move(begin.schema)});
  }
  begin.order.now = shard_.Now();
  begin.order.token = Expect(std::move(done), std::make_shared<const CopyBase>(std::move(begin.base)));
  shard_.tablets.Step(tablet, begin.order);
}

// A large window arrives in pieces. With the last piece `begin` holds all of it. A piece that is sent again replaces
// the pieces after it.
bool CopyTarget::GatherDedupRows(CopyBegin& begin) {
  const auto before = gathered_.find(begin.tablet);
  // it is late, because a newer copy is beginning
  if (before != gathered_.end() && begin.order.id < before->second.copy) return false;
  if (begin.rows_before == 0) gathered_.erase(begin.tablet);
  if (begin.rows_before == 0 && !begin.rows_follow) return true;
  GatheredDedupRows& gathered =
      gathered_.try_emplace(begin.tablet, GatheredDedupRows{begin.order.id, {}}).first->second;
  std::vector<DedupRow>& rows = gathered.rows;
  if (gathered.copy != begin.order.id || rows.size() < begin.rows_before) return false;
  rows.resize(begin.rows_before);
  rows.insert(rows.end(), std::make_move_iterator(begin.base.dedup_window.begin()),
              std::make_move_iterator(begin.base.dedup_window.end()));
  if (!begin.rows_follow) begin.base.dedup_window = rows;
  return true;
}

void CopyTarget::Chunk(CopyChunk chunk, CopyDone done) {
  shard_.executor().Post([this, chunk = std::move(chunk), done = std::move(done)]() mutable {
    const auto tablet = shard_.tablets.FindStaying(chunk.tablet);
    if (tablet == nullptr || tablet->core->replica().receiving() != chunk.copy) return done(NoSuchCopy());
    if (Status room = CheckRoom(shard_.store(), tablet->table); !room.ok()) return done(std::move(room));
    if (!tablet->core->applied_state().range.Contains(chunk.interval)) {
      return done(Error(Code::kInvalidArgument, "the chunk lies outside the copy's range"));
    }
    if (!tablet->data.quiet()) return done(Error(Code::kComeAgain, "another chunk is being stored"));
    shard_.tablets.Pass(*tablet, DataState::Event::kStoreChunk);
    shard_.ports.background.Post([this, tablet, chunk = std::move(chunk), done = std::move(done)]() mutable {
      Status status = shard_.store().ReplaceInterval(tablet->table, chunk.interval, chunk.records);
      shard_.executor().Post([this, tablet, status = std::move(status), done = std::move(done)]() mutable {
        shard_.tablets.Pass(*tablet, DataState::Event::kFinish);
        done(std::move(status));
      });
    });
  });
}

void CopyTarget::End(TabletId id, uint64_t copy, Lsn upto, CopyDone done) {
  shard_.executor().Post([this, id, copy, upto, done = std::move(done)]() mutable {
    const auto tablet = shard_.tablets.FindStaying(id);
    if (tablet == nullptr) return done(NoSuchCopy());
    // The chunk was sent twice. No entry may be applied before it is stored.
    if (!tablet->data.quiet()) return done(Error(Code::kComeAgain, "a chunk is being stored"));
    shard_.tablets.Step(tablet, CopyArrived{Expect(std::move(done), nullptr), copy, upto});
  });
}

// ---- what the core asks for -----------------------------------------------------------------------------------------

void CopyTarget::Execute(TakenOutput& taken) {
  if (taken.output.replica.prepare) Prepare(taken.tablet, *taken.output.replica.prepare);
  if (taken.output.replica.checkpoint_for_copy != 0) Checkpoint(taken.tablet, taken.output.replica.checkpoint_for_copy);
  for (CopyReply& reply : taken.output.replica.copy_replies) {
    auto waiting = pending_.extract(reply.token);
    CHECK(!waiting.empty()) << "a copy's order was answered twice";
    waiting.mapped().done(std::move(reply.status));
  }
}

void CopyTarget::Prepare(const ShardTabletPtr& tablet, const ReceiveCopy& order) {
  const auto waiting = pending_.find(order.token);
  CHECK(waiting != pending_.end() && waiting->second.base != nullptr);
  LOG(INFO) << "tablet " << tablet->id << ": the replica here is discarded for a copy from " << order.peer
            << ", which begins at " << order.start;
  // The latest view shows an incomplete replica, but a reader with an older view may still read.
  if (tablet->view != nullptr) tablet->handle->RetireViews(tablet->view);
  gathered_.erase(tablet->id);
  const auto before = std::ranges::find(preparations_, tablet, &Preparation::tablet);
  Preparation& preparation = before == preparations_.end() ? preparations_.emplace_back() : *before;
  preparation = {tablet, order.id, waiting->second.base};
  shard_.executor().Post([this] { Continue(); });
}

void CopyTarget::Continue() {
  for (const Preparation& preparation : preparations_) {
    if (MayDiscard(preparation.tablet)) Install(preparation);
  }
}

bool CopyTarget::MayDiscard(const ShardTabletPtr& tablet) {
  return tablet->data.quiet() && tablet->handle->RetiredViewsGone() && checkpoints_.Cover(*tablet) &&
         KeepsPlace(tablet);
}

// Once its applied state is discarded, a start gives the replica the place that its state names: that must not be the
// range that it had before it was split, where others are by now. False: it is on its way to the disk; the next tick
// looks again.
bool CopyTarget::KeepsPlace(const ShardTabletPtr& tablet) {
  if (tablet->core->replica().KeepsPlace(tablet->placed_range) || !rules::CopyNamesItsPlace()) return true;
  shard_.tablets.Step(tablet, KeepPlace{tablet->placed_range});
  return false;
}

void CopyTarget::Install(const Preparation& preparation) {
  const ShardTabletPtr& tablet = preparation.tablet;
  shard_.tablets.Pass(*tablet, DataState::Event::kInstall);
  tablet->handle->RaiseAppliedBound(preparation.base->applied.applied);
  tablet->handle->may_expire.store(true, std::memory_order_relaxed);
  shard_.ports.background.Post([this, begun = preparation, range = tablet->placed_range] {
    Status status = InstallStart(shard_.store(), begun.tablet->id, begun.tablet->table, range, *begun.base);
    shard_.executor().Post([this, begun, status = std::move(status)] { OnInstalled(begun, status); });
  });
}

void CopyTarget::OnInstalled(const Preparation& begun, const Status& status) {
  const ShardTabletPtr& tablet = begun.tablet;
  shard_.tablets.Pass(*tablet, status.ok() ? DataState::Event::kFinish : DataState::Event::kFail);
  if (tablet->data.leaving()) return;
  if (!status.ok()) {
    LOG_EVERY_N(WARNING, 100) << "cannot begin a copy of tablet " << tablet->id << ", trying again: " << status;
    return;  // the next tick
  }
  const auto now = std::ranges::find(preparations_, tablet, &Preparation::tablet);
  CHECK(now != preparations_.end());
  if (now->copy != begun.copy) return;  // another has begun meanwhile, and looks again
  preparations_.erase(now);
  // Given up meanwhile: the replica stays incomplete until another copy begins.
  if (tablet->core->replica().preparing() != begun.copy) return;
  shard_.tablets.Step(tablet, InstallCopy{begun.copy, begun.base->applied, begun.base->dedup_window});
}

void CopyTarget::Checkpoint(const ShardTabletPtr& tablet, uint64_t copy) {
  if (shard_.store().InMemory(tablet->table)) {  // what no crash brings back needs no checkpoint
    return shard_.executor().Post([this, tablet, copy] { Complete(tablet, copy); });
  }
  shard_.store().Checkpoint(shard_.executor(), [this, tablet, copy](const auto& result) {
    if (!result && !tablet->data.leaving()) {
      LOG(WARNING) << "no checkpoint at the end of a copy of tablet " << tablet->id
                   << ", trying again: " << result.error();
      shard_.executor().After(kCheckpointRetry, [this, tablet, copy] { Checkpoint(tablet, copy); });
      return;
    }
    Complete(tablet, copy);
  });
}

void CopyTarget::Complete(const ShardTabletPtr& tablet, uint64_t copy) {
  if (tablet->data.leaving()) return;
  shard_.tablets.Step(tablet, CopyCheckpointed{copy});
  LOG(INFO) << "tablet " << tablet->id << " is complete here";
}

void CopyTarget::Abandon(const ShardTablet& tablet) {
  gathered_.erase(tablet.id);
  std::erase_if(preparations_, [&](const Preparation& one) { return one.tablet.get() == &tablet; });
}

}  // namespace ebla::tabletserver
