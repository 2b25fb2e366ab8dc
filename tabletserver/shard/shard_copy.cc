// Copies of tablets (PROTOCOL 9), as a shard has its part in them: at the source it begins what the core asks for and
// tells it the news; at the target it discards what the replica had, once nobody reads it (8), installs the copy's
// start, stores chunks, and takes the checkpoint that ends the copy (5). One piece of work on a tablet's records is
// under way at a time (Tablet::background_work), a removal's too.
#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "tabletserver/shard/shard.h"
#include "tabletserver/shard/shard_tablet.h"

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

// A copy would eat up what recovery needs (PROTOCOL 25).
Status CheckRoom(const TabletStore& store) {
  if (!store.health().writes_refused) return Status::Ok();
  return Error(Code::kOverloaded, "the disk is full but for its reserve: free or add space on this server");
}

Status NoSuchCopy() { return Error(Code::kNotFound, "no such copy is under way"); }

}  // namespace

// ---- the source -----------------------------------------------------------------------------------------------------

// Right after the output was taken: a round's Apply moves on from the start that the core has named.
void Shard::BeginCopies(const std::shared_ptr<Tablet>& tablet, const std::vector<StartCopy>& copies) {
  CancelOutdatedCopies(*tablet);
  for (const StartCopy& start : copies) {
    const TabletCore& core = *tablet->core;
    CHECK(core.applied_state().applied == start.start) << "the copy begins at " << start.start;
    const auto told = [this, id = tablet->id, peer = start.peer, copy = start.id](CopyNews::Kind kind) {
      ports_.executor.Post([this, id, peer, copy, kind] { OnCopyNews(id, peer, copy, kind); });
    };
    if (const auto before = tablet->copies.extract(start.peer); !before.empty()) before.mapped().source->Cancel();
    idl::PeerHeader header;
    auto peer = peer_client_.Stub(start.peer, header);
    if (peer == nullptr) {
      told(CopyNews::Kind::kFailed);  // nobody knows where it is
      continue;
    }
    CopyOrder order{tablet->id,           tablet->table,    start,
                    core.applied_state(), core.DedupRows(), core.replica().state().schema};
    auto source =
        CopySource::Begin({ports_.background, ports_.store, ports_.copy_throttle, std::move(peer), std::move(header)},
                          std::move(order), told, options_.copy);
    tablet->copies.emplace(start.peer, OutgoingCopy{start.epoch, start.id, std::move(source)});
  }
}

// Of an epoch that this replica does not lead any more.
void Shard::CancelOutdatedCopies(Tablet& tablet) {
  const ReplicaCore& replica = tablet.core->replica();
  std::erase_if(tablet.copies, [&](const auto& copy) {
    if (replica.Leads() && copy.second.epoch == replica.epoch()) return false;
    copy.second.source->Cancel();
    return true;
  });
}

void Shard::OnCopyNews(TabletId id, const ServerName& peer, uint64_t copy, CopyNews::Kind kind) {
  const auto tablet = Find(id);
  if (tablet == nullptr) return;
  const auto mine = tablet->copies.find(peer);
  const bool over = kind != CopyNews::Kind::kAccepted;
  if (over && mine != tablet->copies.end() && mine->second.id == copy) tablet->copies.erase(mine);
  tablet->core->Step(CopyNews{peer, copy, kind, ports_.executor.Now()});
  Touch(tablet);
  Pump();
}

// ---- the target: what the source says -------------------------------------------------------------------------------

RequestToken Shard::ExpectCopy(CopyDone done, std::shared_ptr<const CopyBase> base) {
  next_token_ = next_token_.Next();
  copy_orders_.emplace(next_token_, PendingCopy{std::move(done), std::move(base)});
  return next_token_;
}

void Shard::TakeCopyBegin(CopyBegin begin, CopyDone done) {
  ports_.executor.Post([this, begin = std::move(begin), done = std::move(done)]() mutable {
    const auto tablet = Find(begin.tablet);
    if (tablet == nullptr || tablet->removing) return done(Error(Code::kNotFound, "no replica is here"));
    if (Status room = CheckRoom(ports_.store); !room.ok()) return done(std::move(room));
    if (!tablet->placed_range.Contains(begin.base.applied.range)) {
      return done(Error(Code::kUnavailable, "the replica here is of another range than the copy"));
    }
    if (tablet->core->replica().receiving() != begin.order.id) {
      if (!GatherDedupRows(*tablet, begin))
        return done(Error(Code::kNotFound, "the dedup window's rows before these are missing"));
      if (begin.rows_follow) return done(Status::Ok());
    }
    if (tablet->schema == nullptr || begin.schema.version > tablet->schema->version) {
      tablet->core->Step(AlterTablet{Expect([](const ControlReply&) {}), std::move(begin.schema)});
    }
    begin.order.now = ports_.executor.Now();
    begin.order.token = ExpectCopy(std::move(done), std::make_shared<const CopyBase>(std::move(begin.base)));
    tablet->core->Step(begin.order);
    Touch(tablet);
    Pump();
  });
}

// A large window comes in pieces: all of it is in `begin` with the last. What was sent again replaces what came before.
bool Shard::GatherDedupRows(Tablet& tablet, CopyBegin& begin) {
  // it comes late: a newer one is beginning
  if (tablet.gathered && begin.order.id < tablet.gathered->copy) return false;
  if (begin.rows_before == 0) tablet.gathered.reset();
  if (begin.rows_before == 0 && !begin.rows_follow) return true;
  if (!tablet.gathered) tablet.gathered = GatheredDedupRows{begin.order.id, {}};
  std::vector<DedupRow>& rows = tablet.gathered->rows;
  if (tablet.gathered->copy != begin.order.id || rows.size() < begin.rows_before) return false;
  rows.resize(begin.rows_before);
  rows.insert(rows.end(), std::make_move_iterator(begin.base.dedup_window.begin()),
              std::make_move_iterator(begin.base.dedup_window.end()));
  if (!begin.rows_follow) begin.base.dedup_window = rows;
  return true;
}

void Shard::TakeCopyChunk(CopyChunk chunk, CopyDone done) {
  ports_.executor.Post([this, chunk = std::move(chunk), done = std::move(done)]() mutable {
    const auto tablet = Find(chunk.tablet);
    if (tablet == nullptr || tablet->removing || tablet->core->replica().receiving() != chunk.copy)
      return done(NoSuchCopy());
    if (Status room = CheckRoom(ports_.store); !room.ok()) return done(std::move(room));
    if (!tablet->core->range().Contains(chunk.interval)) {
      return done(Error(Code::kInvalidArgument, "the chunk lies outside the copy's range"));
    }
    if (tablet->background_work) return done(Error(Code::kComeAgain, "another chunk is being stored"));
    tablet->background_work = true;
    ports_.background.Post([this, tablet, chunk = std::move(chunk), done = std::move(done)]() mutable {
      Status status = ports_.store.ReplaceInterval(tablet->table, chunk.interval, chunk.records);
      ports_.executor.Post([this, tablet, status = std::move(status), done = std::move(done)]() mutable {
        tablet->background_work = false;
        done(std::move(status));
        GoOnAfterWork(tablet);
      });
    });
  });
}

void Shard::TakeCopyEnd(TabletId id, uint64_t copy, Lsn upto, CopyDone done) {
  ports_.executor.Post([this, id, copy, upto, done = std::move(done)]() mutable {
    const auto tablet = Find(id);
    if (tablet == nullptr || tablet->removing) return done(NoSuchCopy());
    // One that was sent twice: entries must not be applied before it is stored.
    if (tablet->background_work) return done(Error(Code::kComeAgain, "a chunk is being stored"));
    tablet->core->Step(CopyArrived{ExpectCopy(std::move(done), nullptr), copy, upto});
    Touch(tablet);
    Pump();
  });
}

// ---- the target: what the core asks for -----------------------------------------------------------------------------

void Shard::CarryCopies(Taken& taken) {
  const std::shared_ptr<Tablet>& tablet = taken.tablet;
  CancelOutdatedCopies(*tablet);
  if (taken.output.prepare) Prepare(tablet, *taken.output.prepare);
  if (taken.output.checkpoint_for_copy != 0) CheckpointCopy(tablet, taken.output.checkpoint_for_copy);
  for (CopyReply& reply : taken.output.copy_replies) {
    auto waiting = copy_orders_.extract(reply.token);
    CHECK(!waiting.empty()) << "a copy's order was answered twice";
    waiting.mapped().done(std::move(reply.status));
  }
}

void Shard::Prepare(const std::shared_ptr<Tablet>& tablet, const ReceiveCopy& order) {
  const auto waiting = copy_orders_.find(order.token);
  CHECK(waiting != copy_orders_.end() && waiting->second.base != nullptr);
  LOG(INFO) << "tablet " << tablet->id << ": what is here is discarded for a copy from " << order.peer
            << ", which begins at " << order.start;
  // The view published last says that the replica is incomplete; whoever holds an older one may still read.
  if (tablet->view != nullptr) tablet->handle->RetireViews(tablet->view);
  tablet->gathered.reset();
  if (!std::exchange(tablet->preparing, IncomingCopy{order.id, waiting->second.base})) preparing_.push_back(tablet);
  ports_.executor.Post([this] { ContinuePreparations(); });
}

void Shard::ContinuePreparations() {
  for (const std::shared_ptr<Tablet>& tablet : preparing_) {
    const bool read = !tablet->handle->RetiredViewsGone();
    if (tablet->background_work || tablet->removing || read || !SplitIsCheckpointed(*tablet) || !KeepsPlace(tablet))
      continue;
    tablet->background_work = true;
    StopTruncation(tablet->id);
    tablet->handle->RaiseAppliedBound(tablet->preparing->base->applied.applied);
    tablet->handle->may_expire.store(true, std::memory_order_relaxed);
    ports_.background.Post([this, tablet, copy = *tablet->preparing, range = tablet->placed_range] {
      Status status = InstallStart(ports_.store, tablet->id, tablet->table, range, *copy.base);
      ports_.executor.Post(
          [this, tablet, id = copy.id, status = std::move(status)] { OnInstalled(tablet, id, status); });
    });
  }
}

void Shard::OnInstalled(const std::shared_ptr<Tablet>& tablet, uint64_t copy, const Status& status) {
  tablet->background_work = false;
  if (tablet->removing) return GoOnAfterWork(tablet);
  if (!status.ok()) {
    LOG_EVERY_N(WARNING, 100) << "cannot begin a copy of tablet " << tablet->id << ", trying again: " << status;
    return;  // the next tick
  }
  CHECK(tablet->preparing);
  if (tablet->preparing->id != copy) return ContinuePreparations();  // another has begun meanwhile
  const IncomingCopy installed = *std::exchange(tablet->preparing, std::nullopt);
  std::erase(preparing_, tablet);
  // Given up meanwhile: the replica stays incomplete until another copy begins.
  if (tablet->core->replica().preparing() != copy) return;
  tablet->core->Step(InstallCopy{copy, installed.base->applied, installed.base->dedup_window});
  Touch(tablet);
  Pump();
}

// What waited for the tablet's records.
void Shard::GoOnAfterWork(const std::shared_ptr<Tablet>& tablet) {
  if (tablet->removing) {
    ContinueRemovals();
  } else if (tablet->preparing) {
    ContinuePreparations();
  }
}

void Shard::CheckpointCopy(const std::shared_ptr<Tablet>& tablet, uint64_t copy) {
  ports_.store.Checkpoint(ports_.executor, [this, tablet, copy](const auto& result) {
    if (tablet->removing) return;
    if (!result) {
      LOG(WARNING) << "no checkpoint at the end of a copy of tablet " << tablet->id
                   << ", trying again: " << result.error();
      ports_.executor.After(kCheckpointRetry, [this, tablet, copy] { CheckpointCopy(tablet, copy); });
      return;
    }
    tablet->core->Step(CopyCheckpointed{copy});
    LOG(INFO) << "tablet " << tablet->id << " is complete here";
    Touch(tablet);
    Pump();
  });
}

void Shard::AbandonCopies(const std::shared_ptr<Tablet>& tablet) {
  for (auto& [peer, copy] : std::exchange(tablet->copies, {})) copy.source->Cancel();
  tablet->gathered.reset();
  tablet->preparing.reset();
  std::erase(preparing_, tablet);
}

}  // namespace ebla::tabletserver
