#include "tabletserver/maintenance/page_comparison.h"

#include <algorithm>

namespace ebla::tabletserver {

PageVerdict PageComparison::Look(Side side, const RecordPage& page) {
  looks_.push_back({side, page});
  if (looks_.size() > 4) looks_.erase(looks_.begin());
  if (looks_.size() < 2) return PageVerdict::kOpen;
  const Seen& before = looks_[looks_.size() - 2];
  if (before.side == side || !(before.page.range == page.range)) return PageVerdict::kOpen;
  if (before.page.SameRecords(page)) return PageVerdict::kEqual;
  return before.page.applied == page.applied || Proven() ? PageVerdict::kDifferent : PageVerdict::kOpen;
}

bool PageComparison::Proven() const {
  if (looks_.size() < 4) return false;
  for (size_t i = 1; i < looks_.size(); ++i) {
    const Seen &before = looks_[i - 1], &now = looks_[i];
    if (before.side == now.side || before.page.applied > now.page.applied) return false;
    if (!(before.page.range == now.page.range)) return false;
    if (i >= 2 && !looks_[i - 2].page.SameRecords(now.page)) return false;
  }
  return true;
}

Judgement Judge(size_t voters, const std::vector<ComparedReplica>& others) {
  Judgement judgement;
  std::vector<ServerName> most;  // of those that differ, the most that agree with each other
  size_t equal = 1;
  for (const ComparedReplica& one : others) {
    if (one.verdict == PageVerdict::kEqual) ++equal;
    if (one.verdict != PageVerdict::kDifferent) continue;
    judgement.others.push_back(one.server);
    std::vector<ServerName> agree;
    for (const ComparedReplica& other : others) {
      if (other.verdict == PageVerdict::kDifferent && other.page.SameRecords(one.page)) agree.push_back(other.server);
    }
    if (agree.size() > most.size()) most = std::move(agree);
  }
  if (judgement.others.empty()) return judgement;
  if (most.size() > voters / 2) return {Difference::kThisIsOdd, std::move(most)};
  judgement.difference = equal > voters / 2 ? Difference::kOthersAre : Difference::kUndecided;
  return judgement;
}

}  // namespace ebla::tabletserver
