#include "master/balancer/planner/merge.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "common/base/count.h"

namespace ebla::master {
namespace {

struct Sums {
  double operations = 0;
  double cpu = 0;
  double bytes = 0;
};

struct Limit {
  Sums of;
  // True where every threshold that is set leaves room for the sums.
  bool Holds(const Sums& sums) const {
    return (of.operations <= 0 || sums.operations < of.operations) && (of.cpu <= 0 || sums.cpu < of.cpu) &&
           (of.bytes <= 0 || sums.bytes < of.bytes);
  }
};

Limit LimitOf(const TableView& table, const MergeOptions& options) {
  const double part = std::min(2 * table.merge_part, options.part_max);
  return {{part * table.split_operations, part * table.split_cores, part * static_cast<double>(table.split_bytes)}};
}

Sums SumOf(const TabletView& left, const TabletView& right) {
  return {left.led.operations() + right.led.operations(),
          static_cast<double>(left.led.cpu) + static_cast<double>(right.led.cpu),
          static_cast<double>(left.size_bytes + right.size_bytes)};
}

Sums PeaksOf(const TabletView& left, const TabletView& right) {
  const auto peak = [](const TabletView& tablet) {
    return Sums{std::max<double>(tablet.peaks.operations, tablet.led.operations()),
                std::max<double>(tablet.peaks.cpu, tablet.led.cpu), static_cast<double>(tablet.size_bytes)};
  };
  const Sums l = peak(left), r = peak(right);
  return {l.operations + r.operations, l.cpu + r.cpu, l.bytes + r.bytes};
}

std::string ToString(const Sums& sums) {
  return Amount(Dimension::kOperations, sums.operations) + ", " + Amount(Dimension::kCpu, sums.cpu) + ", " +
         Amount(Dimension::kDisk, sums.bytes);
}

std::string PairText(const TabletView& left, const TabletView& right) {
  return "with tablet " + std::to_string(right.id.value) + " beside tablet " + std::to_string(left.id.value);
}

class Merger {
 public:
  explicit Merger(Pass& pass) : pass_(pass), options_(pass.options.merge), tablets_(pass.view.tablets) {
    busy_before_.reserve(tablets_.size() + 1);
    busy_before_.push_back(0);
    for (const TabletView& tablet : tablets_) {
      const bool merging = tablet.state == TabletState::kIntentOpen;
      under_way_ += merging ? 1 : 0;
      busy_before_.push_back(busy_before_.back() + (merging || tablet.state == TabletState::kCopying ? 1 : 0));
    }
  }

  void Run() {
    for (TabletIndex left = 0; left + 1 < tablets_.size(); ++left) {
      if (Candidates(left) && Consider(left)) {
        ++under_way_;
        free_from_ = left + options_.region;
      }
    }
  }

 private:
  const TabletView& At(TabletIndex index) const { return tablets_[index]; }

  // Neighbours that are quiet at this moment: what is said of any others would be noise.
  bool Candidates(TabletIndex left) const {
    const TabletView &l = At(left), &r = At(left + 1);
    if (l.table != r.table || l.range.end.empty() || l.range.end != r.range.start) return false;
    const TableView& table = pass_.view.tables[l.table];
    return table.merge_part > 0 && LimitOf(table, options_).Holds(SumOf(l, r));
  }

  template <class Detail>
  bool Refuse(Cause cause, TabletIndex left, Detail&& detail) {
    pass_.Reject(Rule::kMerge, cause, At(left).id, "",
                 [&] { return PairText(At(left), At(left + 1)) + ": " + detail(); });
    return false;
  }

  // Plans the merge, or the next step to it; otherwise records the reason against it.
  bool Consider(TabletIndex left) {
    const TabletView &l = At(left), &r = At(left + 1);
    const Limit limit = LimitOf(pass_.view.tables[l.table], options_);
    const Sums peaks = PeaksOf(l, r);
    if (!OldEnough(left)) return false;
    if (!limit.Holds(peaks)) {
      return Refuse(Cause::kWouldSplit, left, [&] {
        return "their peaks add up to " + ToString(peaks) + "; a merge needs less than " + ToString(limit.of);
      });
    }
    if (pass_.now() < std::max(l.held_until, r.held_until)) {
      return Refuse(Cause::kHeld, left, [] { return std::string("an operator has placed one of them"); });
    }
    if (under_way_ >= options_.most || left < free_from_ || BusyAround(left)) {
      return Refuse(Cause::kCap, left, [&] {
        return ebla::Count(under_way_, "merge") + (under_way_ == 1 ? " is" : " are") +
               " under way; the planner allows " + std::to_string(options_.most) + " in all, and one among " +
               std::to_string(options_.region) + " neighbours";
      });
    }
    if (pass_.Blocked(Rule::kMerge, left) || pass_.Blocked(Rule::kMerge, left + 1)) return false;
    if (const auto [from, to] = FirstMisplaced(left); from) return Align(left, *from, *to, peaks);
    if (l.voters.size() != r.voters.size()) {
      return Refuse(Cause::kNotSettled, left, [] { return std::string("they have different numbers of replicas"); });
    }
    pass_.Take(left + 1);
    pass_.Act(left, {.kind = ActionKind::kMerge,
                     .rule = Rule::kMerge,
                     .tablet = l.id,
                     .neighbour = r.id,
                     .reason = "peaks of " + Amount(options_.history) + " add up to " + ToString(peaks) + ", below " +
                               ToString(limit.of)});
    return true;
  }

  bool OldEnough(TabletIndex left) {
    for (const TabletView* tablet : {&At(left), &At(left + 1)}) {
      if (tablet->history < options_.history) {
        return Refuse(Cause::kHistory, left, [&] {
          return "a merge needs " + Amount(options_.history) + " of load history; tablet " +
                 std::to_string(tablet->id.value) + " lacks " + Amount(options_.history - tablet->history) + " of it";
        });
      }
      // An unseen split may have happened just before this planner began.
      const bool known = tablet->last_split != MonotonicTime{};
      const Duration since = pass_.now() - (known ? tablet->last_split : pass_.memory.began);
      if (since < options_.after_split) {
        return Refuse(Cause::kSplitLately, left, [&] {
          return "tablet " + std::to_string(tablet->id.value) + (known ? " was split " : " may have been split ") +
                 Amount(since) + " ago; merges wait " + Amount(options_.after_split) + " after a split";
        });
      }
    }
    return true;
  }

  // A split, merge or copy is under way among the neighbours.
  bool BusyAround(TabletIndex left) const {
    const size_t first = left < options_.region ? 0 : left - options_.region;
    const size_t last = std::min(tablets_.size(), left + options_.region);
    return busy_before_[last] != busy_before_[first];
  }

  // The smaller one's replica that the larger one's servers lack, its primary's last, and its target server.
  std::pair<std::optional<ServerIndex>, std::optional<ServerIndex>> FirstMisplaced(TabletIndex left) const {
    const auto [small, large] = Smaller(left);
    std::optional<ServerIndex> from, to;
    for (const ServerIndex voter : At(small).voters) {
      if (!At(large).voters.Contains(voter) && (!from || *from == At(small).primary())) from = voter;
    }
    for (const ServerIndex voter : At(large).voters) {
      if (!At(small).voters.Contains(voter)) to = voter;
    }
    return from && to ? std::pair(from, to) : std::pair(std::optional<ServerIndex>(), std::optional<ServerIndex>());
  }

  std::pair<TabletIndex, TabletIndex> Smaller(TabletIndex left) const {
    return At(left).size_bytes < At(left + 1).size_bytes ? std::pair(left, left + 1) : std::pair(left + 1, left);
  }

  bool Align(TabletIndex left, ServerIndex from, ServerIndex to, const Sums& peaks) {
    if (!pass_.view.servers[to].usable()) {
      return Refuse(Cause::kNoPlace, left, [&] { return pass_.view.servers[to].name + " can take no replica"; });
    }
    if (!pass_.RoomForCopy(from) || !pass_.RoomForCopy(to)) {
      return Refuse(Cause::kCap, left, [] { return std::string("enough replicas are being copied"); });
    }
    const TabletIndex small = Smaller(left).first;
    if (pass_.Rests(At(small).id)) {
      pass_.RejectResting(Rule::kMerge, At(small).id);
      return false;
    }
    pass_.Take(small == left ? left + 1 : left);
    pass_.Move(Rule::kMerge, small, from, to,
               "to be merged " + PairText(At(left), At(left + 1)) + ", whose peaks add up to " + ToString(peaks));
    return true;
  }

  Pass& pass_;
  const MergeOptions& options_;
  const std::vector<TabletView>& tablets_;
  std::vector<uint32_t> busy_before_;  // tablets before each that a split, merge or copy is under way of
  size_t under_way_ = 0;
  size_t free_from_ = 0;  // before it lies what this plan merges
};

}  // namespace

void PlanMerges(Pass& pass) { Merger(pass).Run(); }

}  // namespace ebla::master
