#include "master/procedures/merge_tablets.h"

#include <glog/logging.h>

#include <algorithm>

#include "common/rpc/idl_convert.h"
#include "master/catalog/rules.h"
#include "master/cluster/options.h"
#include "master/procedures/tablet_batch.h"

namespace ebla::master {
namespace {

// Between orders to freeze, and between looks at their answers: writes wait meanwhile.
constexpr Duration kFreezeAgain = std::chrono::milliseconds(50);
// In the old form both wait for the catalog anyway, and longer for each other.
constexpr Duration kFreezePatienceInCatalog = std::chrono::seconds(2);
// After so many looks without an answer the order may be lost, or its answer.
constexpr int kLooksPerOrder = 5;
// Two that are told to go on ahead of the catalog mostly answer within so long. Then the catalog has their epochs.
constexpr Duration kThawLooks = std::chrono::milliseconds(300);
constexpr Duration kLookAgain = std::chrono::milliseconds(20);
// A new master has the reports of all that live by then.
constexpr Duration kReportPatience = std::chrono::seconds(2);
constexpr int kFoundLooksMax = 60;  // a server reports each second
// A primary that is asked for a later epoch in vain is done without, after so long.
constexpr Duration kThawPatience = std::chrono::seconds(2);
// After a replica has come to where it was moved, for the next step.
constexpr Duration kBeginPatience = std::chrono::seconds(30);

// No repetition of the order changes it.
bool EndsMerge(Code code) {
  return code == Code::kInvalidArgument || code == Code::kStaleEpoch || code == Code::kNotFound ||
         code == Code::kConditionFailed;
}

}  // namespace

std::string MergeTabletsName(const Neighbours& two) { return "merge " + Both(two); }

MergeTablets::MergeTablets(const Context& context, TabletReconciler& reconciler, Neighbours two,
                           MergeCallbacks callbacks, MonotonicTime begin_until)
    : context_(context),
      reconciler_(reconciler),
      two_(two),
      callbacks_(std::move(callbacks)),
      begin_until_(begin_until),
      exclusion_(context),
      repeater_(context) {}

MergeTablets::~MergeTablets() { context_.executor.Cancel(timer_); }

void MergeTablets::Step(Done done) {
  if (const TabletEntry* merged = into_ ? context_.image().Tablet(into_) : nullptr)
    return AwaitLed(*merged, std::move(done));
  const TabletEntry *left = context_.image().Tablet(two_.left), *right = context_.image().Tablet(two_.right);
  const TabletEntry* any = left ? left : right;
  const bool half = any && !(left && right);  // of a merge that was given up, perhaps
  const bool intent = half && any->merging() && any->neighbour() == (left ? two_.right : two_.left);
  if (!any || !context_.image().LivingTable(*any) || (half && !intent))
    return done(Progress::Done(Error(Code::kNotFound, "one of " + Both(two_) + " is gone")));
  auto stale = context_.stale_catalog.Why();
  if (half) {
    if (stale) return done(Progress::Later(Error(Code::kUnavailable, *std::move(stale))));
    into_ = any->into();
    return Thaw(std::move(done));
  }
  const bool of_left = MergeOf(*left, *right), of_right = MergeOf(*right, *left);
  if (!of_left && !of_right) {
    if (!into_) return Prepare(*left, *right, std::move(done));
    return done(
        Progress::Done(Error(Code::kUnavailable, "the merge failed, and both go on as before: " + why_.message())));
  }
  if (!into_) {
    into_ = of_left ? left->into() : right->into();
    patience_.Begin(context_.executor.Now());
  }
  const bool given_up = !of_left || !of_right || left->node.merge.givenUp || right->node.merge.givenUp;
  // The catalog answers again: the orders ahead of the catalog end.
  if (given_up) repeater_.Stop();
  // In a catalog restored from an older state it may have been completed long ago.
  if (stale) return done(Progress::Later(Error(Code::kUnavailable, *std::move(stale))));
  switch (NextMergeStep(LookAround(*left, *right, given_up))) {
    case MergeStep::kEnd:
      if (IsOpen(*left) || IsOpen(*right)) return GiveUp(std::move(done));  // of one side alone so far
      return Thaw(std::move(done));
    case MergeStep::kFreeze: return Freeze(*left, *right, std::move(done));
    case MergeStep::kForward: return Forward(*left, *right, std::move(done));
    case MergeStep::kThaw: return ThawAhead(*left, *right, std::move(done));
    case MergeStep::kExclude: return Exclude(*left, *right, std::move(done));
    case MergeStep::kAwaitReport: return AwaitReport(std::move(done));
    case MergeStep::kGiveUp: return GiveUp(std::move(done));
  }
}

// It carries this merge's intent, and not that of a later merge.
bool MergeTablets::IsOpen(const TabletEntry& tablet) const { return tablet.merge_open() && tablet.into() == into_; }

MergeFacts MergeTablets::LookAround(const TabletEntry& left, const TabletEntry& right, bool given_up) {
  MergeFacts facts;
  facts.given_up = given_up;
  if (given_up) return facts;
  facts.ahead = left.merges_ahead() && right.merges_ahead();
  facts.mine = left.node.merge.term == static_cast<int64_t>(context_.catalog.term()) || !rules::OnlyTheWriterThaws();
  earlier_may_have_told_ = facts.ahead && !facts.mine;
  facts.told = told_;
  facts.thawed = thawed_since_.has_value();
  facts.frozen = frozen_.size() == 2;
  facts.excluded = excluded_ || !rules::GivingUpNeedsFence();
  facts.found = found_;
  const auto because = [this](bool holds, std::string why) {
    if (holds) why_ = Error(Code::kUnavailable, std::move(why));
    return holds;
  };
  const std::string changed = Changed(left, right);
  facts.changed = because(!changed.empty(), changed);
  facts.cancelled = because(callbacks_.cancelled(), "cancelled by an operator");
  if (facts.ahead) {
    const MergeReports reports = LookAtMerge(context_, left, right);
    facts.reported = reports.found && reports.merged && (found_ || reports.agree > left.node.info.voters.size() / 2);
    if (facts.reported && !facts.frozen && !told_) merged_ = reports.merged;
    for (const TabletEntry* tablet : {&left, &right}) {
      const bool gone = reconciler_.WantsFailover(*tablet) && !reports.found;
      if (gone) gone_.insert(tablet->id());
      facts.failing = because(gone, "the primary of tablet " + IdText(tablet->id()) + " is gone") || facts.failing;
    }
  }
  const bool late = patience_.waited() >= (facts.ahead ? kFreezePatience : kFreezePatienceInCatalog);
  if (late && why_.ok()) why_ = Error(Code::kUnavailable, "they were not frozen in time");
  facts.failing = facts.failing || refused_ || late;
  return facts;
}

// ---- before the intents ---------------------------------------------------------------------------------------------

void MergeTablets::Prepare(const TabletEntry& left, const TabletEntry& right, Done done) {
  if (callbacks_.cancelled()) return EndAlignment(std::move(done));
  if (moving_) {
    const TabletEntry& moved = moving_->tablet == two_.left ? left : right;
    const idl::TabletInfo& info = moved.node.info;
    if (moved.node.__isset.move) {
      return done(Progress::Later(Error(Code::kUnavailable, "first the replica of tablet " + IdText(moved.id()) +
                                                                " on " + moving_->from + " is moved to " + moving_->to +
                                                                ", where the other tablet lies")));
    }
    if (IsIn(moving_->from, info.voters) || !IsIn(moving_->to, info.voters)) {
      return done(Progress::Done(
          Error(Code::kUnavailable, "the move that was to bring both to the same servers was ended: tablet " +
                                        IdText(moved.id()) + " from " + moving_->from + " to " + moving_->to)));
    }
    moving_.reset();
    begin_until_ = std::max(begin_until_, context_.executor.Now() + kBeginPatience);
  }
  if (context_.executor.Now() >= begin_until_) {
    return done(Progress::Done(why_.ok() ? Error(Code::kUnavailable, "the merge could not be begun in time") : why_));
  }
  if (SameServers(left.node.info.voters, right.node.info.voters)) return Begin(std::move(done));
  Align(left, right, std::move(done));
}

// Cancels the move that the alignment has begun, if it can still be cancelled.
void MergeTablets::EndAlignment(Done done) {
  auto decide = [moving = moving_](const Image& image) -> Result<Change> {
    if (!moving || !CheckCancel(image, moving->tablet).ok()) return Change();
    return CancelMoves(image, {moving->tablet});
  };
  context_.catalog.Commit(
      std::move(decide), if_alive_([done = std::move(done)](Status status) mutable {
        if (!status.ok()) return done(Progress::Later(std::move(status)));
        done(Progress::Done(Error(Code::kUnavailable, "cancelled by an operator before it was begun")));
      }));
}

int64_t MergeTablets::SizeOf(const TabletEntry& tablet) const {
  const idl::TabletLoad* load = context_.servers.LoadOf(tablet.node.info.primary, tablet.id());
  return load ? load->sizeBytes : 0;
}

// Moves a replica of the smaller tablet to a server that has a replica of the larger tablet alone. The primary is moved
// last.
std::optional<WantedMove> MergeTablets::NextMove(const TabletEntry& small, const TabletEntry& large,
                                                 Status& why) const {
  WantedMove move{small.id(), "", "", callbacks_.origin};
  for (const ServerName& voter : small.node.info.voters) {
    const bool misplaced = !IsIn(voter, large.node.info.voters);
    if (misplaced && (move.from.empty() || move.from == small.node.info.primary)) move.from = voter;
  }
  for (const ServerName& voter : large.node.info.voters) {
    if (!IsIn(voter, small.node.info.voters)) move.to = voter;
  }
  if (move.from.empty() || move.to.empty()) {
    why = Error(Code::kUnavailable,
                Both(two_) + " have different numbers of replicas at present: they are merged once the numbers agree");
    return std::nullopt;
  }
  why = CheckMove(context_.image(), context_.servers, move);
  return why.ok() ? std::optional(std::move(move)) : std::nullopt;
}

void MergeTablets::Align(const TabletEntry& left, const TabletEntry& right, Done done) {
  for (const TabletEntry* tablet : {&left, &right}) {
    const bool copying = tablet->node.__isset.move || !tablet->node.info.learners.empty();
    if (!copying && !tablet->failovers_only() && reconciler_.SettledLoad(*tablet)) continue;
    why_ =
        Error(Code::kUnavailable, "tablet " + IdText(tablet->id()) +
                                      (copying ? "'s replicas are being moved or made" : " is not settled at present") +
                                      ": it is merged after that");
    return done(Progress::Later(why_));
  }
  const bool left_small = SizeOf(left) < SizeOf(right);
  const TabletEntry &small = left_small ? left : right, &large = left_small ? right : left;
  std::optional<WantedMove> move = NextMove(small, large, why_);
  if (Status other; !move) move = NextMove(large, small, other);
  if (!move) return done(Progress::Later(why_));
  auto decide = [this, move = *move](const Image& image) -> Result<Change> {
    EBLA_TRY(CheckMove(image, context_.servers, move));
    return PutMoves(image, {move});
  };
  context_.catalog.Commit(std::move(decide),
                          if_alive_([this, move = *move, done = std::move(done)](Status status) mutable {
                            if (status.ok()) moving_ = std::move(move);
                            if (!status.ok()) why_ = status;
                            done(status.ok() ? Progress::Again() : Progress::Later(std::move(status)));
                          }));
}

void MergeTablets::Begin(Done done) {
  auto decide = [this](const Image&) -> Result<Change> {
    EBLA_TRY(callbacks_.may_draw());
    return BeginMerge(context_, reconciler_, two_, callbacks_.origin);
  };
  context_.catalog.Commit(std::move(decide), if_alive_([this, done = std::move(done)](Status status) mutable {
                            if (status.ok()) return done(Progress::Again());
                            why_ = status;
                            done(Progress::Later(std::move(status)));
                          }));
}

// ---- freezing -------------------------------------------------------------------------------------------------------

void MergeTablets::Freeze(const TabletEntry& left, const TabletEntry& right, Done done) {
  const uint64_t round = ++round_;
  done_ = std::move(done);
  waiting_ = 0;
  AwaitAnswers(round, kLooksPerOrder);
  for (const TabletEntry* tablet : {&left, &right}) {
    if (frozen_.contains(tablet->id())) continue;
    ++waiting_;
    idl::FreezeTablet order;
    order.tabletId = tablet->node.info.tabletId;
    order.epoch = tablet->node.merge.epoch;
    order.intoId = tablet->node.merge.intoId;
    context_.tablet_server_client.Freeze(
        tablet->node.info.primary, {order},
        if_alive_([this, id = tablet->id(), round](auto results) { OnFrozen(id, round, std::move(results)); }));
  }
}

// Looks again and again while answers are awaited, because a primary may be gone. After some looks it orders again.
void MergeTablets::AwaitAnswers(uint64_t round, int looks) {
  context_.executor.Cancel(timer_);
  timer_ = context_.executor.After(kFreezeAgain, if_alive_([this, round, looks] {
                                     if (round != round_ || !done_) return;
                                     patience_.Look(context_.executor.Now());
                                     const bool waits = looks > 1 && FreezesOn();
                                     waits ? AwaitAnswers(round, looks - 1) : EndRound(round, Duration{0});
                                   }));
}

bool MergeTablets::FreezesOn() {
  const TabletEntry *left = context_.image().Tablet(two_.left), *right = context_.image().Tablet(two_.right);
  if (!left || !right || !left->merging() || !right->merging()) return false;
  return NextMergeStep(LookAround(*left, *right, false)) == MergeStep::kFreeze;
}

void MergeTablets::OnFrozen(TabletId tablet, uint64_t round, Result<std::map<TabletId, idl::FreezeResult>> results) {
  const auto result = results ? results->find(tablet) : decltype(results->find({}))();
  const bool answered = results && result != results->end();
  const Status status = answered  ? rpc::FromIdl(result->second.status)
                        : results ? Error(Code::kUnknownOutcome, "no answer to the freeze")
                                  : results.error();
  if (status.ok() && result->second.__isset.freeze) {
    frozen_[tablet] = result->second;
  } else {
    why_ = Error(Code::kUnavailable, "tablet " + IdText(tablet) + " is not frozen: " + status.message());
    refused_ = refused_ || (answered && EndsMerge(status.code()));
  }
  if (round != round_ || !done_ || --waiting_ > 0) return;
  EndRound(round, frozen_.size() == 2 || refused_ ? Duration{0} : kFreezeAgain);
}

// The next step, after a pause that is not the runner's: that one grows.
void MergeTablets::EndRound(uint64_t round, Duration pause) {
  if (round != round_ || !done_) return;
  context_.executor.Cancel(timer_);
  auto done = std::exchange(done_, nullptr);
  if (pause == Duration{0}) return done(Progress::Again());
  timer_ = context_.executor.After(pause, if_alive_([this, done = std::move(done)]() mutable {
                                     patience_.Look(context_.executor.Now());
                                     done(Progress::Again());
                                   }));
}

// ---- the decision ---------------------------------------------------------------------------------------------------

idl::TabletNode MergeTablets::Whole(const TabletEntry& left, const TabletEntry& right) const {
  idl::TabletNode node = MergedNode(left.node, right.node, *merged_);
  const bool chooses = !left.merges_ahead();  // the catalog decides, so that no other master means another primary
  if (chooses && !context_.servers.IsLive(node.info.primary)) node.info.primary = right.node.info.primary;
  return node;
}

Result<Change> MergeTablets::Replace(const Image& image) const {
  Change change;
  const TabletEntry *left = image.Tablet(two_.left), *right = image.Tablet(two_.right);
  if (!left || !right || !image.LivingTable(*left) || !Changed(*left, *right).empty()) return change;
  if (left->into() != into_ || left->node.merge.givenUp || right->node.merge.givenUp) return change;
  for (const auto& [tablet, part] : {std::pair(left, &merged_->left), std::pair(right, &merged_->right)}) {
    if (part->freeze.epoch != tablet->node.info.epoch && rules::MergeNeedsItsEpochs()) return change;
  }
  change.EraseTablet(two_.left);
  change.EraseTablet(two_.right);
  change.PutTablet(Whole(*left, *right));
  return change;
}

void MergeTablets::Forward(const TabletEntry& left, const TabletEntry& right, Done done) {
  if (frozen_.size() == 2) merged_ = MergedOf(left.node, right.node, frozen_.at(two_.left), frozen_.at(two_.right));
  if (left.merges_ahead() && !told_) TellVoters(left, right);
  auto decide = [this](const Image& image) { return Replace(image); };
  context_.catalog.Commit(std::move(decide), if_alive_([this, done = std::move(done)](Status status) mutable {
                            if (!status.ok()) return done(Progress::Later(std::move(status)));
                            if (context_.image().Tablet(into_)) {
                              LOG(INFO) << Both(two_) << " are merged: tablet " << into_ << " is in the catalog";
                              repeater_.Stop();
                              reconciler_.NoteMerged(into_);
                              reconciler_.Consider(into_);
                              callbacks_.on_decided(into_);
                              return done(Progress::Again());
                            }
                            if (told_) return done(Progress::Later(Error(Code::kUnavailable, "the catalog changed")));
                            frozen_.clear();  // something has changed: the next step sees what
                            done(Progress::Again());
                          }));
}

// Ahead of the catalog: each master that finds the intents means the same tablet.
void MergeTablets::TellVoters(const TabletEntry& left, const TabletEntry& right) {
  told_ = true;
  const TabletEntry whole{.node = Whole(left, right), .version = 0};
  idl::ConfigureTablet order = ConfigureOrder(context_, whole, *context_.image().LivingTable(left));
  order.fenced = true;
  order.__set_presumed(whole.node.merged.position);
  if (whole.node.merged.tabletTimeMs > 0) order.__set_tabletTimeMs(whole.node.merged.tabletTimeMs);
  repeater_.Stop();
  repeater_.Add(order);
  repeater_.Send();
}

void MergeTablets::AwaitLed(const TabletEntry& merged, Done done) {
  if (!context_.image().LivingTable(merged)) return done(Progress::Done(Error(Code::kNotFound, "the table is gone")));
  if (context_.servers.Leads(merged.node.info.primary, merged.id(), merged.epoch())) return done(Progress::Done());
  done(Progress::Later(
      Error(Code::kUnavailable, "tablet " + IdText(into_) + ", which they have become, has no primary yet")));
}

// ---- giving up ------------------------------------------------------------------------------------------------------

// No server was told of the merged tablet, and none will be: both go on in the next epoch, under the same primaries.
void MergeTablets::ThawAhead(const TabletEntry& left, const TabletEntry& right, Done done) {
  if (!rules::GivingUpThaws()) return GiveUp(std::move(done));
  const MonotonicTime now = context_.executor.Now();
  if (!thawed_since_) {
    thawed_since_ = now;
    LOG(WARNING) << Both(two_) << " are not merged: " << why_.message();
    for (const TabletEntry* tablet : {&left, &right}) {
      if (gone_.contains(tablet->id())) continue;  // a failover is what it needs
      TabletEntry next = *tablet;
      next.node.info.epoch = static_cast<int64_t>(tablet->thaw_epoch().value);
      repeater_.Add(ConfigureOrder(context_, next, *context_.image().LivingTable(*tablet)));
    }
    repeater_.Send();
  }
  const auto waits = [this](const TabletEntry& tablet) {
    return !repeater_.Obeyed(tablet.id(), tablet.node.info.primary) && !gone_.contains(tablet.id());
  };
  if ((waits(left) || waits(right)) && now - *thawed_since_ < kThawLooks)
    return done(Progress::Soon(kLookAgain, Error(Code::kUnavailable, "the merge is given up: " + why_.message())));
  GiveUp(std::move(done));
}

// Whether servers have the merged tablet: a new master's first reports may not be there yet.
void MergeTablets::Exclude(const TabletEntry& left, const TabletEntry& right, Done done) {
  const bool loss_accepted = reconciler_.losses_accepted().contains(into_);
  if (!TabletNeeds(context_).MajorityLives(left) && !loss_accepted)
    return done(Progress::Later(Error(Code::kUnavailable, "most voters of " + Both(two_) + " do not live")));
  const auto reported = [this](const ServerName& voter) {
    return !context_.servers.IsLive(voter) || context_.servers.ReportOf(voter);
  };
  patience_.Look(context_.executor.Now());
  if (!std::ranges::all_of(left.node.info.voters, reported) && patience_.waited() < kReportPatience) {
    return done(Progress::Soon(kFreezeAgain, Error(Code::kUnavailable, "not every voter has reported yet whether " +
                                                                           Both(two_) + " are merged there")));
  }
  exclusion_.Fence(left, right, loss_accepted,
                   if_alive_([this, done = std::move(done)](std::pair<MergeExclusion::Outcome, Status> end) mutable {
                     excluded_ = end.first == MergeExclusion::Outcome::kExcluded;
                     found_ = end.first == MergeExclusion::Outcome::kFound;
                     found_looks_ = 0;
                     if (excluded_ || found_) return done(Progress::Again());
                     done(Progress::Soon(kFreezeAgain, std::move(end.second)));
                   }));
}

void MergeTablets::AwaitReport(Done done) {
  if (++found_looks_ > kFoundLooksMax) found_ = false;  // it has gone since
  done(Progress::Soon(kFreezeAgain, Error(Code::kUnavailable, "a server has tablet " + IdText(into_) +
                                                                  " already, and has not reported how it begins")));
}

void MergeTablets::GiveUp(Done done) {
  auto decide = [this](const Image& image) -> Result<Change> {
    Change change;
    for (const TabletId id : {two_.left, two_.right}) {
      const TabletEntry* tablet = image.Tablet(id);
      if (!tablet || !tablet->merging() || tablet->into() != into_ || tablet->node.merge.givenUp) continue;
      idl::TabletNode node = tablet->node;
      node.merge.givenUp = true;
      const bool thawed = thawed_since_ && repeater_.Obeyed(id, tablet->node.info.primary);
      if (thawed) node.info.epoch = std::max(node.info.epoch, static_cast<int64_t>(tablet->thaw_epoch().value));
      change.PutTablet(std::move(node));
    }
    return change;
  };
  context_.catalog.Commit(std::move(decide), if_alive_([this, done = std::move(done)](Status status) mutable {
                            if (status.ok()) LOG(WARNING) << Both(two_) << " are not merged: " << why_.message();
                            done(status.ok() ? Progress::Again() : Progress::Later(std::move(status)));
                          }));
}

// The catalog has not the epoch in which a master has thawed it (PROTOCOL 14): its primary leads it there.
bool MergeTablets::ThawedAhead(const TabletEntry& tablet) const {
  return tablet.merges_ahead() && tablet.epoch() < tablet.thaw_epoch() &&
         context_.servers.Leads(tablet.node.info.primary, tablet.id(), tablet.thaw_epoch());
}

std::vector<const TabletEntry*> MergeTablets::StillGivenUp(const Image& image) const {
  std::vector<const TabletEntry*> sides;
  for (const TabletId id : {two_.left, two_.right}) {
    const TabletEntry* tablet = image.Tablet(id);
    if (tablet && tablet->merging() && tablet->into() == into_) sides.push_back(tablet);
  }
  return sides;
}

void MergeTablets::Thaw(Done done) {
  // Not before it is led in that epoch: till then its primary may be frozen still.
  const auto over = [this](const TabletEntry& tablet) {
    const bool later = tablet.node.info.epoch > tablet.node.merge.epoch && reconciler_.IsLed(tablet);
    return later || !rules::GivingUpThaws();
  };
  if (!thawing_since_) thawing_since_ = context_.executor.Now();
  const bool late = context_.executor.Now() - *thawing_since_ >= kThawPatience;
  bool some = false;
  std::string waits;
  for (const TabletEntry* tablet : StillGivenUp(context_.image())) {
    const bool moves = over(*tablet) || ThawedAhead(*tablet);
    some = some || moves;
    if (moves) continue;
    waits =
        "the merge is given up, and tablet " + IdText(tablet->id()) + " is taken to a later epoch: " + why_.message();
    const bool at_first = tablet->node.info.epoch <= tablet->node.merge.epoch;
    if (late || (at_first && gone_.contains(tablet->id()))) {
      reconciler_.FenceFrom(tablet->id());
    } else if (at_first) {
      reconciler_.NextEpochOf(tablet->id());
    }
  }
  if (!some) return done(Progress::Later(Error(Code::kUnavailable, std::move(waits))));
  auto decide = [this, over](const Image& image) -> Result<Change> {
    Change change;
    for (const TabletEntry* tablet : StillGivenUp(image)) {
      idl::TabletNode node = tablet->node;
      if (over(*tablet)) {
        node.__isset.merge = false;
      } else if (ThawedAhead(*tablet)) {
        node.info.epoch = static_cast<int64_t>(tablet->thaw_epoch().value);
      } else {
        continue;
      }
      change.PutTablet(std::move(node));
    }
    return change;
  };
  context_.catalog.Commit(std::move(decide), if_alive_([done = std::move(done)](Status status) mutable {
                            done(status.ok() ? Progress::Again() : Progress::Later(std::move(status)));
                          }));
}

}  // namespace ebla::master
