#include "master/leader/tablet_admin.h"

#include <memory>

#include "master/cluster/options.h"
#include "master/leader/readiness.h"
#include "master/procedures/finish_merge.h"
#include "master/procedures/merge_tablets.h"
#include "master/procedures/move_tablet.h"
#include "master/procedures/split_tablet.h"
#include "master/procedures/transfer_tablet.h"

namespace ebla::master {

void TabletAdmin::Resume() {
  const Image& image = parts_.image();
  for (const auto& [child, tablet] : image.splits()) StartSplit(tablet);
  for (const auto& [into, tablets] : image.merges()) {
    if (const auto two = NeighboursOf(image, tablets)) StartMerge(*two, {}, Duration{0});
  }
  for (const TabletId tablet : image.unfinished_merges()) StartFinishMerge(tablet);
}

// For a while, load does not move a tablet that an operator has placed.
void TabletAdmin::Hold(TabletId tablet, const RequestOrigin& origin) {
  if (origin.by != idl::AskedBy::OPERATOR) return;
  parts_.balance_driver.Hold(tablet, parts_.Now() + parts_.context.options.transfer_hold);
}

void TabletAdmin::Transfer(TabletId tablet, const ServerName& to, RequestOrigin origin, Duration patience, Done done) {
  if (Status status = CheckTransfer(parts_.image(), tablet, to); !status.ok()) return done(std::move(status));
  Hold(tablet, origin);
  const std::string name = TransferTabletName(tablet, to);
  parts_.runner.Start(
      name, std::make_unique<TransferTablet>(parts_.context, parts_.reconciler, tablet, to, parts_.Now() + patience));
  parts_.runner.Await(name, patience, std::move(done));
}

void TabletAdmin::Split(TabletId tablet, std::string key, RequestOrigin origin, Duration patience, Done done) {
  if (!parts_.context.options.splits) {
    return done(Error(Code::kConditionFailed, "tablets are not split here: the masters run with --splits=false"));
  }
  const Image& image = parts_.image();
  const TabletEntry* entry = image.Tablet(tablet);
  const bool was = entry && image.LivingTable(*entry) && SplitOffAt(image, entry->table(), key) == tablet;
  if (was) return done({});
  if (Status status = CheckSplit(image, tablet, key); !status.ok()) return done(std::move(status));
  RequestQueue::Request request;
  request.done = std::move(done);
  request.subject = {.kind = "split", .tablet = tablet, .table = {}, .server = {}};
  origin.since_ms = parts_.context.executor.TimeOfDayMs();
  request.decide = [this, tablet, key = std::move(key),
                    origin = std::move(origin)](const Image& image) -> Result<Change> {
    EBLA_TRY(MayDraw(parts_.context));
    return BeginSplit(image, parts_.reconciler, tablet, key, origin);
  };
  request.procedure = SplitTabletName(tablet);
  request.start = [this, tablet] { StartSplit(tablet); };
  parts_.requests.Submit(std::move(request), patience);
}

void TabletAdmin::StartSplit(TabletId tablet) {
  parts_.runner.Start(SplitTabletName(tablet),
                      std::make_unique<SplitTablet>(parts_.context, parts_.reconciler, tablet));
}

void TabletAdmin::Merge(const Neighbours& two, RequestOrigin origin, Duration patience, Done done) {
  if (Status status = CheckMerge(parts_.image(), two); !status.ok()) return done(std::move(status));
  for (const TabletId tablet : {two.left, two.right}) Hold(tablet, origin);
  if (!parts_.context.options.merges) {
    return done(Error(Code::kConditionFailed, "tablets are not merged here: the masters run with --merges=false"));
  }
  origin.since_ms = parts_.context.executor.TimeOfDayMs();
  const Duration begin_within = patience * 3 / 4;
  StartMerge(two, std::move(origin), begin_within);
  // A request that could not begin is refused at its deadline, not at the next try after that.
  parts_.context.executor.After(begin_within, if_alive_([this, two] { parts_.runner.Wake(MergeTabletsName(two)); }));
  parts_.runner.Await(MergeTabletsName(two), patience, std::move(done));
}

void TabletAdmin::StartMerge(const Neighbours& two, RequestOrigin origin, Duration begin_within) {
  if (!parts_.runner.Running(MergeTabletsName(two))) cancelled_merges_.erase(two.left);
  const auto on_decided = [this](TabletId tablet) {
    parts_.balance_driver.NoteMerged(tablet);
    StartFinishMerge(tablet);
  };
  const MergeCallbacks callbacks = {.may_draw = [this] { return MayDraw(parts_.context); },
                                    .on_decided = on_decided,
                                    .cancelled = [this, left = two.left] { return cancelled_merges_.contains(left); },
                                    .origin = std::move(origin)};
  parts_.runner.Start(MergeTabletsName(two), std::make_unique<MergeTablets>(parts_.context, parts_.reconciler, two,
                                                                            callbacks, parts_.Now() + begin_within));
}

void TabletAdmin::StartFinishMerge(TabletId tablet) {
  parts_.reconciler.ForgetGone();
  auto outgrow = [&reconciler = parts_.reconciler](TabletId merged, Epoch promised) {
    reconciler.Outgrow(merged, promised);
  };
  parts_.runner.Start(FinishMergeName(tablet),
                      std::make_unique<FinishMerge>(parts_.context, tablet, std::move(outgrow)));
}

void TabletAdmin::CancelMerge(TabletId left) {
  cancelled_merges_.insert(left);
  const TabletEntry* tablet = parts_.image().Tablet(left);
  if (!tablet) return;
  const Image::StartKeys& starts = parts_.image().TabletsOf(tablet->table());
  const auto right = starts.upper_bound(tablet->node.info.range.startKey);
  if (right != starts.end()) parts_.runner.Wake(MergeTabletsName({left, right->second}));
}

void TabletAdmin::Move(WantedMove move, Duration patience, Done done) {
  move.origin = {idl::AskedBy::OPERATOR, "", parts_.context.executor.TimeOfDayMs()};
  if (Status status = CheckMove(parts_.image(), parts_.servers(), move); !status.ok()) return done(std::move(status));
  Hold(move.tablet, move.origin);
  RequestQueue::Request request;
  request.done = std::move(done);
  request.decide = [this, move](const Image& image) -> Result<Change> {
    EBLA_TRY(CheckMove(image, parts_.servers(), move));
    return PutMoves(image, {move});
  };
  request.procedure = MoveTabletName(move);
  request.start = [this, move] { StartMove(move); };
  parts_.requests.Submit(std::move(request), patience);
}

void TabletAdmin::MoveByPlan(WantedMove move, Duration patience, Done done) {
  move.origin.by = idl::AskedBy::PLANNER;
  move.origin.since_ms = parts_.context.executor.TimeOfDayMs();
  parts_.context.catalog.Commit(
      [this, move](const Image& image) -> Result<Change> {
        EBLA_TRY(CheckMove(image, parts_.servers(), move));
        return PutMoves(image, {move});
      },
      if_alive_([this, move, patience, done = std::move(done)](Status status) mutable {
        if (!status.ok()) return done(std::move(status));
        StartMove(move);
        parts_.runner.Await(MoveTabletName(move), patience, std::move(done));
      }));
}

void TabletAdmin::StartMove(const WantedMove& move) {
  parts_.runner.Start(MoveTabletName(move), std::make_unique<MoveTablet>(parts_.context, move));
  parts_.replication_manager.Wake();
}

void TabletAdmin::CancelMove(TabletId tablet, Duration patience, Done done) {
  if (Status status = CheckCancel(parts_.image(), tablet); !status.ok()) return done(std::move(status));
  RequestQueue::Request request;
  request.done = std::move(done);
  request.decide = [tablet](const Image& image) -> Result<Change> {
    EBLA_TRY(CheckCancel(image, tablet));
    return CancelMoves(image, {tablet});
  };
  request.start = [this, tablet] { parts_.runner.WakeAll(MovesOfTablet(tablet)); };
  parts_.requests.Submit(std::move(request), patience);
}

void TabletAdmin::Recover(TabletId tablet, const ServerName& server, Duration patience, Done done) {
  const std::string name = RecoverTabletName(tablet);
  if (parts_.runner.Running(name) && recovering_[tablet] != server) {
    const ServerName& other = recovering_[tablet];
    return done(Error(Code::kConditionFailed, "the tablet is being recovered already, from " +
                                                  (other.empty() ? "the longest log" : other) + ": wait for that"));
  }
  recovering_[tablet] = server;
  parts_.runner.Start(name, std::make_unique<RecoverTablet>(parts_.context, parts_.reconciler, tablet, server,
                                                            parts_.Now() + patience));
  parts_.runner.Await(name, patience, std::move(done));
}

}  // namespace ebla::master
