#include "tabletserver/maintenance/replica_comparer.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/base/key_range.h"

namespace ebla::tabletserver {
namespace {

using Holder = ReplicaAsker::Holder;
using Side = PageComparison::Side;

std::string Listed(const std::vector<ServerName>& servers) {
  std::string text;
  for (size_t i = 0; i < servers.size(); ++i)
    text += (i == 0 ? "" : i + 1 == servers.size() ? " and " : ", ") + servers[i];
  return text;
}

// Whether the cause may vanish by itself in a moment.
bool Passes(const Status& status) { return status.code() == Code::kComeAgain || status.code() == Code::kOverloaded; }

}  // namespace

Status ReplicaComparer::CompareAll(const TabletStore::ScrubPace& pace) {
  ForgetGone();
  for (const std::shared_ptr<TabletHandle>& handle : ports_.directory.snapshot()->All()) {
    if (!Compare(handle, pace)) break;
  }
  return {};
}

ReplicaComparer::Verdict ReplicaComparer::Of(const std::shared_ptr<TabletHandle>& handle, const TabletView& view) {
  MutexLock lock(mutex_);
  const auto found = found_.find(handle->tablet);
  if (found == found_.end()) return {};
  if (!view.incomplete && found->second.handle.lock() == handle) return found->second.verdict;
  found_.erase(found);
  return {};
}

ReplicaComparer::State ReplicaComparer::state() const {
  MutexLock lock(mutex_);
  State state = state_;
  for (const auto& [tablet, found] : found_) {
    if (!found.handle.expired()) ++(found.verdict.odd ? state.odd : state.undecided);
  }
  return state;
}

void ReplicaComparer::ForgetGone() {
  MutexLock lock(mutex_);
  std::erase_if(found_, [](const auto& item) { return item.second.handle.expired(); });
}

void ReplicaComparer::Miss(const TabletHandle& handle, const std::string& why) {
  VLOG(1) << "tablet " << handle.tablet << " is not wholly compared with its other replicas in this pass: " << why;
  MutexLock lock(mutex_);
  ++state_.missed;
}

// In the order in which they are asked: from the one after this server in the order of names.
std::vector<Holder> ReplicaComparer::Others(const TabletHandle& handle, const KeyRange& range) {
  Result<std::vector<Holder>> voters = ports_.voters(handle.table, handle.tablet, range);
  if (!voters) {
    Miss(handle, voters.error().message());
    return {};
  }
  std::ranges::sort(*voters, {}, &Holder::server);
  const auto self = std::ranges::find(*voters, ports_.self, &Holder::server);
  if (self == voters->end()) return {};  // it is being made, or to go
  std::ranges::rotate(*voters, self);
  voters->erase(voters->begin());
  return *std::move(voters);
}

// False: to be stopped.
bool ReplicaComparer::Compare(const std::shared_ptr<TabletHandle>& handle, const TabletStore::ScrubPace& pace) {
  KeyRange range;
  {
    // Let go of at once: nothing of the replica is removed while it is held (PROTOCOL 8).
    const std::shared_ptr<const TabletView> view = handle->view();
    if (view == nullptr || view->role == RoleKind::kAbsent || view->incomplete || !view->failure.empty()) return true;
    range = view->range;
  }
  const std::vector<Holder> others = Others(*handle, range);
  if (others.empty()) return ports_.pause({});
  Page page{.handle = handle, .others = others, .from = range.start, .mine = {}};
  size_t partner = 0;
  bool whole = true;
  Step step = Step::kNext;
  while (step == Step::kNext) step = ComparePage(page, partner, whole, pace);
  if (step == Step::kStopped) return false;
  if (!whole) return true;
  MutexLock lock(mutex_);
  found_.erase(handle->tablet);
  return true;
}

ReplicaComparer::Step ReplicaComparer::ComparePage(Page& page, size_t& partner, bool& whole,
                                                   const TabletStore::ScrubPace& pace) {
  const auto seen = LookAt(page, page.others[partner], pace);
  if (!seen) return Step::kStopped;
  if (!seen->answered && partner + 1 < page.others.size()) {
    ++partner;  // it is away
    return Step::kNext;
  }
  if (seen->verdict == PageVerdict::kDifferent) {
    whole = false;
    const auto first = AskAll(page, pace);
    if (!first || !ports_.pause(options_.second_look)) return Step::kStopped;
    const auto second = AskAll(page, pace);
    if (!second) return Step::kStopped;
    if (first->difference != Difference::kNone && first->difference == second->difference) {
      Note(page, *second);
      return Step::kTabletDone;
    }
    Miss(*page.handle, "a page differs, and does not when it is looked at again");
  } else if (seen->verdict == PageVerdict::kOpen) {
    whole = false;
    Miss(*page.handle, "server " + seen->server + " is away, or the page is written all the time");
    if (!seen->answered) return Step::kTabletDone;
  } else {
    MutexLock lock(mutex_);
    ++state_.pages;
  }
  // If only one replica has more records, both are compared there.
  const RecordPage &mine = page.mine, &other = seen->page;
  if (mine.done && other.done) return Step::kTabletDone;
  page.from = mine.done ? other.next : other.done ? mine.next : std::min(mine.next, other.next);
  return Step::kNext;
}

std::optional<ComparedReplica> ReplicaComparer::LookAt(Page& page, const Holder& other,
                                                       const TabletStore::ScrubPace& pace) {
  const TabletHandle& handle = *page.handle;
  ComparedReplica seen{.server = other.server};
  PageComparison comparison;
  for (int look = 0; look < options_.looks; ++look) {
    if (!ports_.pause(look == 0 ? Duration{} : options_.rest)) return std::nullopt;
    Result<RecordPage> mine = ReadRecordPage(ports_.store, handle, page.from);
    if (!mine && Passes(mine.error())) continue;
    if (!mine) return seen;  // it is removed, or its file is damaged
    page.mine = *std::move(mine);
    seen.verdict = comparison.Look(Side::kOne, page.mine);
    if (seen.verdict != PageVerdict::kOpen) return seen;
    if (look > 0 && !ports_.pause(options_.rest)) return std::nullopt;
    Result<RecordPage> theirs = ports_.ask(other, handle.table, handle.tablet, page.from);
    if (!theirs && Passes(theirs.error())) continue;
    if (!theirs) return seen;
    seen.page = *std::move(theirs);
    seen.answered = true;
    seen.verdict = comparison.Look(Side::kOther, seen.page);
    if (!pace(page.mine.bytes + seen.page.bytes)) return std::nullopt;
    if (seen.verdict != PageVerdict::kOpen) return seen;
  }
  return seen;
}

std::optional<Judgement> ReplicaComparer::AskAll(Page& page, const TabletStore::ScrubPace& pace) {
  std::vector<ComparedReplica> all;
  for (const Holder& other : page.others) {
    auto seen = LookAt(page, other, pace);
    if (!seen) return std::nullopt;
    all.push_back(*std::move(seen));
  }
  return Judge(page.others.size() + 1, all);
}

void ReplicaComparer::Note(const Page& page, const Judgement& judgement) {
  const std::string where = "tablet " + std::to_string(page.handle->tablet.value) + ", within the " +
                            std::to_string(page.mine.records) + " records from key \"" + EscapeBytes(page.from) +
                            "\": ";
  const std::string others = Listed(judgement.others);
  MutexLock lock(mutex_);
  ++state_.differences;
  switch (judgement.difference) {
    case Difference::kNone: return;
    case Difference::kThisIsOdd:
      LOG(ERROR) << where << "the replica here differs from those of " << others
                 << ", which agree. It is made anew from them";
      found_[page.handle->tablet] = {page.handle, {.odd = true, .others = {}}};
      return;
    case Difference::kOthersAre:
      LOG(WARNING) << where << "the replica of " << others << " differs from the one here and most others. Its server "
                   << "finds that, too, and has it made anew";
      return;
    case Difference::kUndecided:
      LOG(ERROR) << where << "the replica here and the one on " << others
                 << " have different records, and no majority shows which are right: `ebla health` advises what to do";
      found_[page.handle->tablet] = {page.handle, {.odd = false, .others = judgement.others}};
      return;
  }
}

}  // namespace ebla::tabletserver
