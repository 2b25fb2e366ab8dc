#include "master/procedures/split_tablet.h"

#include <glog/logging.h>

#include <algorithm>

#include "common/base/lineage.h"
#include "common/rpc/idl_convert.h"
#include "master/catalog/rules.h"
#include "master/catalog/table_rules.h"

namespace ebla::master {
namespace {

// A SPLIT that is not applied by then may have been lost with its epoch: a later one tells.
constexpr Duration kOrderPatience = std::chrono::seconds(5);
// How long the later epoch's Barrier may stay unapplied before damage is suspected.
constexpr Duration kBarrierPatience = std::chrono::seconds(30);

std::string Id(TabletId tablet) { return std::to_string(tablet.value); }

bool Says(const idl::TabletLoad* load, TabletId child) {
  return load && load->__isset.lastSplit && load->lastSplit.childId == static_cast<int64_t>(child.value);
}

// No repetition of the order changes it.
bool EndsSplit(Code code) { return code == Code::kInvalidArgument; }

}  // namespace

std::string SplitTabletName(TabletId tablet) { return "split tablet " + Id(tablet); }

std::optional<TabletId> SplitOffAt(const Image& image, TableId table, const std::string& key) {
  const Image::StartKeys& starts = image.TabletsOf(table);
  const auto found = starts.find(key);
  const TabletEntry* child = found == starts.end() ? nullptr : image.Tablet(found->second);
  if (!child || !child->node.__isset.parentId) return std::nullopt;
  const TabletEntry* parent = image.Tablet(TabletId{static_cast<uint64_t>(child->node.parentId)});
  if (!parent || parent->table() != table || parent->node.info.range.startKey >= key) return std::nullopt;
  return parent->id();
}

Status CheckSplit(const Image& image, TabletId id, const std::string& key) {
  const TabletEntry* tablet = image.Tablet(id);
  const TableEntry* table = tablet ? image.LivingTable(*tablet) : nullptr;
  if (!table) return Error(Code::kNotFound, "the tablet is gone");
  const KeyRange range = rpc::FromIdl(tablet->node.info.range);
  if (key == range.start) {
    return Error(Code::kInvalidArgument, "tablet " + Id(id) + " begins at \"" + EscapeBytes(key) + "\" already");
  }
  if (!range.Contains(key)) {
    return Error(Code::kInvalidArgument,
                 "\"" + EscapeBytes(key) + "\" is not within tablet " + Id(id) + ", " + range.ToString());
  }
  return CheckSplitPoints({key}, table->node.schema.options);
}

Result<Change> BeginSplit(const Image& image, const TabletReconciler& reconciler, TabletId id, const std::string& key,
                          const RequestOrigin& origin) {
  const TabletEntry* tablet = image.Tablet(id);
  Change change;
  if (tablet && image.LivingTable(*tablet) && SplitOffAt(image, tablet->table(), key) == id) return change;
  EBLA_TRY(CheckSplit(image, id, key));
  CHECK(tablet) << "a tablet that is not there passed the check of its split";
  if (tablet->splitting()) {
    if (tablet->node.split.key == key) return change;
    return Error(Code::kUnavailable, "tablet " + Id(id) + " is being split at another key already");
  }
  if (!reconciler.SettledLoad(*tablet)) {
    return Error(
        Code::kUnavailable,
        "tablet " + Id(id) + " is not settled at present: it needs a primary, and a majority of its voters live");
  }
  if (tablet->node.__isset.move) {
    return Error(Code::kUnavailable, "a replica of tablet " + Id(id) + " is being moved: it is split after that");
  }
  if (!tablet->node.info.learners.empty()) {
    return Error(Code::kUnavailable, "a replica of tablet " + Id(id) + " is being made: it is split after that");
  }
  const TabletId child = LineageId(id, image.next_id());
  idl::TabletNode node = tablet->node;
  idl::SplitIntent intent;
  intent.key = key;
  intent.childId = static_cast<int64_t>(child.value);
  intent.epoch = node.info.epoch;
  Put(origin, intent);
  node.__set_split(intent);
  change.SetNextId(child.value + 1);
  change.PutTablet(std::move(node));
  return change;
}

SplitTablet::SplitTablet(const Context& context, TabletReconciler& reconciler, TabletId tablet)
    : context_(context), reconciler_(reconciler), tablet_(tablet), began_(context.executor.Now()) {}

void SplitTablet::Step(coordination::Callback<Progress> done) {
  const TabletEntry* tablet = context_.image().Tablet(tablet_);
  if (!tablet || !context_.image().LivingTable(*tablet)) {
    return done(Progress::Done(Error(Code::kNotFound, "the tablet is gone")));
  }
  if (!tablet->splitting()) {
    if (!child_ || context_.image().Tablet(child_)) return done(Progress::Done());
    return done(
        Progress::Done(refused_ ? refusal_ : Error(Code::kUnavailable, "a failover rolled the split back: try again")));
  }
  child_ = tablet->child();
  // In a catalog restored from an older state it may have been completed long ago, and another followed. The primary's
  // report shows that, so it is waited for.
  if (auto stale = context_.stale_catalog.Why())
    return done(Progress::Later(Error(Code::kUnavailable, *std::move(stale))));
  const Server* primary = context_.servers.Find(tablet->node.info.primary);
  if (primary && primary->live && !primary->CurrentReport()) {
    return done(
        Progress::Later(Error(Code::kUnavailable, "server " + tablet->node.info.primary + " has not reported yet")));
  }
  const Proof proof = Look(*tablet);
  if (proof.applied) return Complete(proof.split, std::move(done));
  if (proof.never) return GiveUp(std::move(done));
  const bool of_intent = tablet->node.info.epoch == tablet->node.split.epoch;
  if (of_intent && !refused_ && context_.executor.Now() - began_ < kOrderPatience)
    return Order(*tablet, std::move(done));
  if (of_intent) {
    reconciler_.NextEpochOf(tablet_);
  } else if (context_.executor.Now() - began_ >= kBarrierPatience && CannotTell(*tablet)) {
    reconciler_.FenceFrom(tablet_);
  }
  done(Progress::Later(Error(Code::kUnavailable, "whether the split happened shows in a later epoch")));
}

// The proof in the reports. Any replica's report will do, because a replica that has applied SPLIT knows it to be
// committed.
SplitTablet::Proof SplitTablet::Look(const TabletEntry& tablet) const {
  Proof proof;
  for (const ServerName& voter : tablet.node.info.voters) {
    const idl::TabletLoad* load = context_.servers.LoadOf(voter, tablet.id());
    if (!Says(load, tablet.child()) || !rules::ReportsCompleteSplit()) continue;
    proof.applied = true;
    proof.split = load->lastSplit;
    return proof;
  }
  const idl::TabletLoad* load = context_.servers.LoadOf(tablet.node.info.primary, tablet.id());
  const bool early = !rules::SplitSettlesAfterBarrier() && context_.executor.Now() - began_ >= kOrderPatience / 10;
  proof.never = early || (load && load->leading && load->barrierApplied && load->epoch == tablet.node.info.epoch &&
                          load->epoch > tablet.node.split.epoch);
  return proof;
}

// Its primary's files are damaged, so that it may apply nothing more, and another's are whole. Nothing but a failover
// is allowed while the intent is open.
bool SplitTablet::CannotTell(const TabletEntry& tablet) const {
  const idl::TabletInfo& info = tablet.node.info;
  const idl::TabletLoad* primary = context_.servers.LoadOf(info.primary, tablet.id());
  return primary && primary->damaged && !primary->barrierApplied &&
         std::ranges::any_of(info.voters, [&](const ServerName& voter) {
           const idl::TabletLoad* load = context_.servers.LoadOf(voter, tablet.id());
           return load && !load->damaged && !load->failed && !load->incomplete;
         });
}

void SplitTablet::Order(const TabletEntry& tablet, coordination::Callback<Progress> done) {
  idl::SplitTablet order;
  order.tabletId = tablet.node.info.tabletId;
  order.epoch = tablet.node.split.epoch;
  order.key = tablet.node.split.key;
  order.childId = tablet.node.split.childId;
  ordered_ = std::move(done);
  context_.tablet_server_client.Split(tablet.node.info.primary, {std::move(order)},
                                      if_alive_([this, number = ++orders_](auto results) {
                                        if (number == orders_ && ordered_)
                                          OnOrdered(std::move(results), std::exchange(ordered_, nullptr));
                                      }));
}

// A report has come, while the answer may be lost and is waited for.
void SplitTablet::OnWake() {
  const TabletEntry* tablet = ordered_ ? context_.image().Tablet(tablet_) : nullptr;
  if (!tablet || !tablet->splitting() || tablet->child() != child_ || context_.stale_catalog.Why()) return;
  const Proof proof = Look(*tablet);
  if (proof.applied) Complete(proof.split, std::exchange(ordered_, nullptr));
}

void SplitTablet::OnOrdered(Result<std::map<TabletId, idl::SplitResult>> results,
                            coordination::Callback<Progress> done) {
  if (!results) return done(Progress::Later(results.error()));
  const auto result = results->find(tablet_);
  if (result == results->end()) return done(Progress::Later(Error(Code::kUnknownOutcome, "no answer to the split")));
  const Status status = rpc::FromIdl(result->second.status);
  const TabletEntry* tablet = context_.image().Tablet(tablet_);
  const bool mine = tablet && tablet->splitting() && tablet->child() == child_;
  if (status.ok() && mine && result->second.__isset.split &&
      result->second.split.childId == tablet->node.split.childId) {
    return Complete(result->second.split, std::move(done));
  }
  if (EndsSplit(status.code())) {
    refused_ = true;
    refusal_ = status;
  }
  done(Progress::Later(status.ok() ? Error(Code::kUnavailable, "the split is not applied yet") : status));
}

void SplitTablet::Complete(const idl::AppliedSplit& split, coordination::Callback<Progress> done) {
  auto decide = [id = tablet_, split](const Image& image) -> Result<Change> {
    Change change;
    const TabletEntry* tablet = image.Tablet(id);
    if (!tablet || !image.LivingTable(*tablet) || !tablet->splitting() || tablet->node.split.childId != split.childId)
      return change;
    idl::TabletNode parent = tablet->node;
    idl::TabletNode child;
    child.info = parent.info;
    child.info.tabletId = split.childId;
    child.info.range.startKey = split.key;
    // The members in SPLIT count, not those in the catalog by now, because the parent's present primary may not lead
    // the child.
    if (rules::ChildIsAsSplitSays()) {
      child.info.epoch = split.position.epoch;
      child.info.primary = split.primary;
      child.info.voters = split.voters;
    }
    child.info.learners.clear();
    child.__set_parentId(parent.info.tabletId);
    parent.info.range.endKey = split.key;
    parent.__isset.split = false;
    change.PutTablet(std::move(parent));
    change.PutTablet(std::move(child));
    return change;
  };
  context_.catalog.Commit(std::move(decide), if_alive_([this, done = std::move(done)](Status status) mutable {
                            if (!status.ok()) return done(Progress::Later(std::move(status)));
                            LOG(INFO) << "tablet " << tablet_ << " is split: tablet " << child_ << " is in the catalog";
                            reconciler_.NoteChildCreated(child_);
                            reconciler_.Consider(child_);
                            done(Progress::Again());
                          }));
}

void SplitTablet::GiveUp(coordination::Callback<Progress> done) {
  auto decide = [id = tablet_, child = child_](const Image& image) -> Result<Change> {
    Change change;
    const TabletEntry* tablet = image.Tablet(id);
    if (!tablet || !tablet->splitting() || tablet->child() != child) return change;
    idl::TabletNode node = tablet->node;
    node.__isset.split = false;
    change.PutTablet(std::move(node));
    return change;
  };
  context_.catalog.Commit(std::move(decide), if_alive_([this, done = std::move(done)](Status status) mutable {
                            if (status.ok()) LOG(INFO) << "the split of tablet " << tablet_ << " did not happen";
                            done(status.ok() ? Progress::Again() : Progress::Later(std::move(status)));
                          }));
}

}  // namespace ebla::master
