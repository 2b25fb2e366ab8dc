#include "master/procedures/merge_tablets.h"

#include <glog/logging.h>

#include <algorithm>

#include "common/base/lineage.h"
#include "common/rpc/idl_convert.h"
#include "master/catalog/rules.h"
#include "master/procedures/caught_up.h"
#include "master/procedures/tablet_batch.h"

namespace ebla::master {
namespace {

// Between orders that came to nothing yet: writes wait meanwhile.
constexpr Duration kFreezeAgain = std::chrono::milliseconds(50);
// A primary that is asked for a later epoch in vain is done without, after so long.
constexpr Duration kThawPatience = std::chrono::seconds(2);
// One that lives and cannot merge them is copied to, after so long.
constexpr Duration kVotersMergePatience = std::chrono::seconds(30);
// After a replica has come to where it was moved, for the next step.
constexpr Duration kBeginPatience = std::chrono::seconds(30);

std::string Id(TabletId tablet) { return std::to_string(tablet.value); }

std::string Both(const Neighbours& two) { return "tablets " + Id(two.left) + " and " + Id(two.right); }

bool SameServers(std::vector<ServerName> one, std::vector<ServerName> other) {
  std::ranges::sort(one);
  std::ranges::sort(other);
  return one == other;
}

bool MergeOf(const TabletEntry& one, const TabletEntry& other) {
  return one.merging() && one.neighbour() == other.id();
}

bool Led(const Context& context, const TabletEntry& tablet) {
  const idl::TabletLoad* load = context.servers.LoadOf(tablet.node.info.primary, tablet.id());
  return load && load->leading && load->epoch == tablet.node.info.epoch && load->barrierCommitted;
}

// No repetition of the order changes it.
bool EndsMerge(Code code) {
  return code == Code::kInvalidArgument || code == Code::kStaleEpoch || code == Code::kNotFound ||
         code == Code::kConditionFailed;
}

// Why two that carry intents cannot be replaced; empty: they can, once frozen.
std::string Changed(const TabletEntry& left, const TabletEntry& right) {
  if (!MergeOf(left, right) || !MergeOf(right, left) || left.into() != right.into())
    return "one of them is not being merged any more";
  for (const TabletEntry* tablet : {&left, &right}) {
    const bool later = tablet->node.info.epoch != tablet->node.merge.epoch;
    if (later && rules::MergeNeedsItsEpochs()) return "tablet " + Id(tablet->id()) + " was failed over";
    if (!tablet->node.info.learners.empty()) return "tablet " + Id(tablet->id()) + " has got a learner";
  }
  if (!SameServers(left.node.info.voters, right.node.info.voters))
    return "they do not lie on the same servers any more";
  return "";
}

// Why the tablet is not to be merged at present; OK: it is led, and all of its voters live and are caught up.
Status CheckSide(const Context& context, const TabletReconciler& reconciler, const TabletEntry& tablet) {
  const std::string which = "tablet " + Id(tablet.id());
  // Its creation would miss the two, and make them again.
  const TableEntry* table = context.image().LivingTable(tablet);
  if (!table || !table->serving()) return Error(Code::kUnavailable, "the table of " + which + " is still being made");
  if (tablet.splitting()) return Error(Code::kUnavailable, which + " is being split: it is merged after that");
  if (tablet.failovers_only()) return Error(Code::kUnavailable, which + " is being merged already");
  const idl::TabletLoad* load = reconciler.SettledLoad(tablet);
  if (!load)
    return Error(Code::kUnavailable,
                 which + " is not settled at present: it needs a primary, and a majority of its voters live");
  if (tablet.node.__isset.move)
    return Error(Code::kUnavailable, "a replica of " + which + " is being moved: it is merged after that");
  if (!tablet.node.info.learners.empty()) {
    return Error(Code::kUnavailable, "a replica of " + which + " is being made: it is merged after that");
  }
  for (const ServerName& voter : tablet.node.info.voters) {
    if (!context.servers.IsLive(voter))
      return Error(Code::kUnavailable, which + " has a replica on " + voter + ", which is not live");
    const idl::TabletLoad* its = context.servers.LoadOf(voter, tablet.id());
    const bool whole = its && !its->failed && !its->incomplete && !its->forgetful;
    if (!whole || (voter != tablet.node.info.primary && !CaughtUp(*load, voter))) {
      return Error(Code::kUnavailable, which + "'s replica on " + voter + " is not caught up with its primary");
    }
  }
  return {};
}

void PutIntent(const TabletEntry& tablet, TabletId neighbour, TabletId into, const RequestOrigin& origin,
               Change& change) {
  idl::TabletNode node = tablet.node;
  idl::MergeIntent intent;
  intent.neighbourId = static_cast<int64_t>(neighbour.value);
  intent.intoId = static_cast<int64_t>(into.value);
  intent.epoch = node.info.epoch;
  intent.givenUp = false;
  Put(origin, intent);
  node.__set_merge(intent);
  change.PutTablet(std::move(node));
}

}  // namespace

std::string MergeTabletsName(const Neighbours& two) { return "merge " + Both(two); }

std::string FinishMergeName(TabletId tablet) { return "merge what tablet " + Id(tablet) + " is made of"; }

Result<Neighbours> FindNeighbours(const Image& image, const std::string& name, const std::string& key) {
  const TableEntry* table = image.Table(name);
  if (!table || table->node.state == idl::TableState::DROPPING) return NoTable(name);
  const Image::StartKeys& starts = image.TabletsOf(table->id());
  const auto right = starts.find(key);
  if (right != starts.end() && right != starts.begin()) return Neighbours{std::prev(right)->second, right->second};
  if (key.empty() || right != starts.end()) {
    return Error(
        Code::kInvalidArgument,
        "table " + name + "'s first tablet has none before it: name the key where the second of the two begins");
  }
  const auto after = starts.upper_bound(key);
  const std::string holder = after == starts.begin() ? "" : std::prev(after)->first;
  return Error(Code::kInvalidArgument, "no tablet of table " + name + " begins at \"" + EscapeBytes(key) +
                                           "\"; the one that holds it begins at \"" + EscapeBytes(holder) + "\"");
}

std::optional<Neighbours> NeighboursOf(const Image& image, const std::set<TabletId>& merging) {
  const TabletEntry* one = merging.empty() ? nullptr : image.Tablet(*merging.begin());
  const TabletEntry* other = one && one->merging() ? image.Tablet(one->neighbour()) : nullptr;
  if (!other) return std::nullopt;
  const bool ordered = one->node.info.range.startKey < other->node.info.range.startKey;
  return ordered ? Neighbours{one->id(), other->id()} : Neighbours{other->id(), one->id()};
}

Status CheckMerge(const Image& image, const Neighbours& two) {
  const TabletEntry *left = image.Tablet(two.left), *right = image.Tablet(two.right);
  if (!left || !right || !image.LivingTable(*left)) return Error(Code::kNotFound, "one of " + Both(two) + " is gone");
  const bool meet = left->table() == right->table() && !left->node.info.range.endKey.empty() &&
                    left->node.info.range.endKey == right->node.info.range.startKey;
  return meet ? Status() : Error(Code::kConditionFailed, Both(two) + " are no neighbours");
}

Result<Change> BeginMerge(const Context& context, const TabletReconciler& reconciler, const Neighbours& two,
                          const RequestOrigin& origin) {
  const Image& image = context.image();
  EBLA_TRY(CheckMerge(image, two));
  const TabletEntry &left = *image.Tablet(two.left), &right = *image.Tablet(two.right);
  Change change;
  if (MergeOf(left, right) && MergeOf(right, left)) return change;
  EBLA_TRY(CheckSide(context, reconciler, left));
  EBLA_TRY(CheckSide(context, reconciler, right));
  if (!SameServers(left.node.info.voters, right.node.info.voters)) {
    return Error(Code::kUnavailable, Both(two) + " do not lie on the same servers");
  }
  const TabletId into = LineageId(two.left, image.next_id());
  PutIntent(left, two.right, into, origin, change);
  PutIntent(right, two.left, into, origin, change);
  change.SetNextId(into.value + 1);
  return change;
}

MergeTablets::MergeTablets(const Context& context, TabletReconciler& reconciler, Neighbours two,
                           MergeCallbacks callbacks, MonotonicTime begin_until)
    : context_(context),
      reconciler_(reconciler),
      two_(two),
      callbacks_(std::move(callbacks)),
      begin_until_(begin_until) {}

MergeTablets::~MergeTablets() { context_.executor.Cancel(timer_); }

void MergeTablets::Step(Done done) {
  if (const TabletEntry* merged = into_ ? context_.image().Tablet(into_) : nullptr)
    return AwaitLed(*merged, std::move(done));
  const TabletEntry *left = context_.image().Tablet(two_.left), *right = context_.image().Tablet(two_.right);
  if (!left || !right || !context_.image().LivingTable(*left)) {
    return done(Progress::Done(Error(Code::kNotFound, "one of " + Both(two_) + " is gone")));
  }
  const bool of_left = MergeOf(*left, *right), of_right = MergeOf(*right, *left);
  if (!of_left && !of_right) {
    if (!into_) return Prepare(*left, *right, std::move(done));
    return done(
        Progress::Done(Error(Code::kUnavailable, "the merge failed, and both go on as before: " + why_.message())));
  }
  if (!into_) {
    into_ = of_left ? left->into() : right->into();
    began_ = context_.executor.Now();
  }
  // In a catalog restored from an older state it may have been completed long ago.
  if (auto stale = context_.stale_catalog.Why())
    return done(Progress::Later(Error(Code::kUnavailable, *std::move(stale))));
  const bool given_up = !of_left || !of_right || left->node.merge.givenUp || right->node.merge.givenUp;
  if (given_up) return Thaw(*left, *right, std::move(done));
  if (std::string why = Changed(*left, *right); !why.empty()) return GiveUp(std::move(why), std::move(done));
  if (callbacks_.cancelled()) return GiveUp("cancelled by an operator", std::move(done));
  if (frozen_.size() == 2) return Decide(std::move(done));
  if (refused_ || context_.executor.Now() - began_ >= kFreezePatience) {
    return GiveUp(why_.ok() ? "they were not frozen in time" : why_.message(), std::move(done));
  }
  Freeze(*left, *right, std::move(done));
}

// ---- before the intents ---------------------------------------------------------------------------------------------

void MergeTablets::Prepare(const TabletEntry& left, const TabletEntry& right, Done done) {
  if (callbacks_.cancelled()) return EndAlignment(std::move(done));
  if (moving_) {
    const TabletEntry& moved = moving_->tablet == two_.left ? left : right;
    const idl::TabletInfo& info = moved.node.info;
    if (moved.node.__isset.move) {
      return done(Progress::Later(Error(Code::kUnavailable, "first the replica of tablet " + Id(moved.id()) + " on " +
                                                                moving_->from + " is moved to " + moving_->to +
                                                                ", where the other tablet lies")));
    }
    if (IsIn(moving_->from, info.voters) || !IsIn(moving_->to, info.voters)) {
      return done(Progress::Done(
          Error(Code::kUnavailable, "the move that was to bring both to the same servers was ended: tablet " +
                                        Id(moved.id()) + " from " + moving_->from + " to " + moving_->to)));
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

// With the move that it has begun, as far as that can be ended.
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

// Of the smaller one a replica that lies beside none of the other's goes to where the other has one alone: its
// primary's last.
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
        Error(Code::kUnavailable, "tablet " + Id(tablet->id()) +
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
  context_.executor.Cancel(timer_);
  timer_ = context_.executor.After(std::max(Duration{0}, began_ + kFreezePatience - context_.executor.Now()),
                                   if_alive_([this, round] { EndRound(round, Duration{0}); }));
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

void MergeTablets::OnFrozen(TabletId tablet, uint64_t round, Result<std::map<TabletId, idl::FreezeResult>> results) {
  const auto result = results ? results->find(tablet) : decltype(results->find({}))();
  const bool answered = results && result != results->end();
  const Status status = answered  ? rpc::FromIdl(result->second.status)
                        : results ? Error(Code::kUnknownOutcome, "no answer to the freeze")
                                  : results.error();
  if (status.ok() && result->second.__isset.freeze) {
    frozen_[tablet] = result->second;
  } else {
    why_ = Error(Code::kUnavailable, "tablet " + Id(tablet) + " is not frozen: " + status.message());
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
  timer_ = context_.executor.After(pause, if_alive_([done = std::move(done)]() mutable { done(Progress::Again()); }));
}

// ---- the decision ---------------------------------------------------------------------------------------------------

Result<Change> MergeTablets::Replace(const Image& image) const {
  Change change;
  const TabletEntry *left = image.Tablet(two_.left), *right = image.Tablet(two_.right);
  if (!left || !right || !image.LivingTable(*left) || !Changed(*left, *right).empty()) return change;
  if (left->into() != into_ || left->node.merge.givenUp || right->node.merge.givenUp) return change;
  idl::TabletNode node;
  int64_t lsn = 0;
  for (const auto& [tablet, part] : {std::pair(left, &node.merged.left), std::pair(right, &node.merged.right)}) {
    const idl::FreezeResult& frozen = frozen_.at(tablet->id());
    const idl::LogPosition& freeze = frozen.freeze;
    if (freeze.epoch != tablet->node.info.epoch && rules::MergeNeedsItsEpochs()) return change;
    part->tabletId = tablet->node.info.tabletId;
    part->range = tablet->node.info.range;
    part->freeze = freeze;
    lsn = std::max(lsn, freeze.lsn);
    node.merged.tabletTimeMs = std::max(node.merged.tabletTimeMs, frozen.tabletTimeMs);
  }
  node.info = left->node.info;
  node.info.tabletId = static_cast<int64_t>(into_.value);
  node.info.range.endKey = right->node.info.range.endKey;
  node.info.epoch = std::max(left->node.info.epoch, right->node.info.epoch) + 1;
  if (!context_.servers.IsLive(node.info.primary)) node.info.primary = right->node.info.primary;
  node.merged.position.epoch = node.info.epoch;
  node.merged.position.lsn = lsn + 1;
  node.__isset.merged = true;
  change.EraseTablet(two_.left);
  change.EraseTablet(two_.right);
  change.PutTablet(std::move(node));
  return change;
}

void MergeTablets::Decide(Done done) {
  auto decide = [this](const Image& image) { return Replace(image); };
  context_.catalog.Commit(std::move(decide), if_alive_([this, done = std::move(done)](Status status) mutable {
                            if (!status.ok()) return done(Progress::Later(std::move(status)));
                            if (context_.image().Tablet(into_)) {
                              LOG(INFO) << Both(two_) << " are merged: tablet " << into_ << " is in the catalog";
                              reconciler_.NoteMerged(into_);
                              reconciler_.Consider(into_);
                              callbacks_.on_decided(into_);
                            } else {
                              frozen_.clear();  // something has changed: the next step sees what
                            }
                            done(Progress::Again());
                          }));
}

void MergeTablets::AwaitLed(const TabletEntry& merged, Done done) {
  if (!context_.image().LivingTable(merged)) return done(Progress::Done(Error(Code::kNotFound, "the table is gone")));
  if (Led(context_, merged)) return done(Progress::Done());
  done(Progress::Later(
      Error(Code::kUnavailable, "tablet " + Id(into_) + ", which they have become, has no primary yet")));
}

// ---- giving up ------------------------------------------------------------------------------------------------------

void MergeTablets::GiveUp(std::string why, Done done) {
  why_ = Error(Code::kUnavailable, std::move(why));
  auto decide = [two = two_, into = into_](const Image& image) -> Result<Change> {
    Change change;
    for (const TabletId id : {two.left, two.right}) {
      const TabletEntry* tablet = image.Tablet(id);
      if (!tablet || !tablet->merging() || tablet->into() != into || tablet->node.merge.givenUp) continue;
      idl::TabletNode node = tablet->node;
      node.merge.givenUp = true;
      change.PutTablet(std::move(node));
    }
    return change;
  };
  context_.catalog.Commit(std::move(decide), if_alive_([this, done = std::move(done)](Status status) mutable {
                            if (status.ok()) LOG(WARNING) << Both(two_) << " are not merged: " << why_.message();
                            done(status.ok() ? Progress::Again() : Progress::Later(std::move(status)));
                          }));
}

void MergeTablets::Thaw(const TabletEntry& left, const TabletEntry& right, Done done) {
  // Not before it is led in that epoch: till then its primary may be frozen still.
  const auto over = [this](const TabletEntry& tablet) {
    const bool later = tablet.node.info.epoch > tablet.node.merge.epoch && reconciler_.IsLed(tablet);
    return later || !rules::GivingUpThaws();
  };
  if (!thawing_since_) thawing_since_ = context_.executor.Now();
  const bool late = context_.executor.Now() - *thawing_since_ >= kThawPatience;
  bool some = false;
  std::string waits;
  for (const TabletEntry* tablet : {&left, &right}) {
    if (!tablet->merging() || tablet->into() != into_) continue;  // of another merge since
    some = some || over(*tablet);
    if (over(*tablet)) continue;
    waits = "the merge is given up, and tablet " + Id(tablet->id()) + " is taken to a later epoch: " + why_.message();
    if (late) reconciler_.FenceFrom(tablet->id());
    if (!late && tablet->node.info.epoch <= tablet->node.merge.epoch) reconciler_.NextEpochOf(tablet->id());
  }
  if (!some) return done(Progress::Later(Error(Code::kUnavailable, std::move(waits))));
  auto decide = [two = two_, into = into_, over](const Image& image) -> Result<Change> {
    Change change;
    for (const TabletId id : {two.left, two.right}) {
      const TabletEntry* tablet = image.Tablet(id);
      if (!tablet || !tablet->merging() || tablet->into() != into || !over(*tablet)) continue;
      idl::TabletNode node = tablet->node;
      node.__isset.merge = false;
      change.PutTablet(std::move(node));
    }
    return change;
  };
  context_.catalog.Commit(std::move(decide), if_alive_([done = std::move(done)](Status status) mutable {
                            done(status.ok() ? Progress::Again() : Progress::Later(std::move(status)));
                          }));
}

// ---- merging --------------------------------------------------------------------------------------------------------

// It lives, and has both and not yet what they became, or has not said what it has.
bool FinishMerge::MayStillMerge(const TabletEntry& tablet, const ServerName& voter) const {
  if (!context_.servers.IsLive(voter)) return false;
  const Report* report = context_.servers.ReportOf(voter);
  if (!report) return true;
  if (report->Find(tablet_)) return false;
  return HasBoth(*report, tablet.node.merged);
}

bool FinishMerge::HasMajority(const TabletEntry& tablet) const {
  const std::vector<ServerName>& voters = tablet.node.info.voters;
  const auto whole = std::ranges::count_if(voters, [&](const ServerName& voter) {
    const idl::TabletLoad* load = context_.servers.LoadOf(voter, tablet_);
    return load && !load->incomplete && !load->failed;
  });
  return static_cast<size_t>(whole) > voters.size() / 2;
}

void FinishMerge::Step(coordination::Callback<Progress> done) {
  const TabletEntry* tablet = context_.image().Tablet(tablet_);
  if (!tablet || !context_.image().LivingTable(*tablet) || !tablet->merge_unfinished()) return done(Progress::Done());
  if (auto stale = context_.stale_catalog.Why())
    return done(Progress::Later(Error(Code::kUnavailable, *std::move(stale))));
  if (epoch_ != tablet->epoch()) informed_.clear();
  epoch_ = tablet->epoch();
  std::string waits;
  for (const ServerName& voter : tablet->node.info.voters) {
    if (!MayStillMerge(*tablet, voter)) continue;
    waits += (waits.empty() ? "" : ", ") + voter;
    if (voter != tablet->node.info.primary) SendConfig(*tablet, voter);  // the primary is the reconciler's
  }
  if (!Led(context_, *tablet)) return done(Progress::Later(Error(Code::kUnavailable, "it has no primary yet")));
  if (!led_since_) led_since_ = context_.executor.Now();
  const bool late = HasMajority(*tablet) && context_.executor.Now() - *led_since_ >= kVotersMergePatience;
  if (!waits.empty() && !late) return done(Progress::Later(Error(Code::kUnavailable, "not merged yet on " + waits)));
  Close(std::move(done));
}

// Sooner than the config resender, which waits until a replica lags: until a majority has it the tablet takes no write.
void FinishMerge::SendConfig(const TabletEntry& tablet, const ServerName& voter) {
  if (!informed_.insert(voter).second) return;
  context_.tablet_server_client.Configure(
      voter, {ConfigureOrder(context_, tablet, *context_.image().LivingTable(tablet))},
      if_alive_([this, voter, epoch = epoch_](Result<std::map<TabletId, idl::ConfigureResult>> results) {
        const auto result = results ? results->find(tablet_) : decltype(results->find({}))();
        const bool obeyed = results && result != results->end() && result->second.status.code == idl::Code::OK;
        if (!obeyed && epoch == epoch_) informed_.erase(voter);
      }));
}

void FinishMerge::Close(coordination::Callback<Progress> done) {
  auto decide = [id = tablet_](const Image& image) -> Result<Change> {
    Change change;
    const TabletEntry* tablet = image.Tablet(id);
    if (!tablet || !tablet->merge_unfinished()) return change;
    idl::TabletNode node = tablet->node;
    node.__isset.merged = false;
    change.PutTablet(std::move(node));
    return change;
  };
  context_.catalog.Commit(std::move(decide), if_alive_([this, done = std::move(done)](Status status) mutable {
                            if (status.ok()) LOG(INFO) << "tablet " << tablet_ << " is whole at every live voter";
                            done(status.ok() ? Progress::Again() : Progress::Later(std::move(status)));
                          }));
}

}  // namespace ebla::master
