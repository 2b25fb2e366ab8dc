#include "master/balancer/planner/split.h"

#include <optional>
#include <vector>

#include "common/base/count.h"

namespace ebla::master {
namespace {

// By how much it is over, and over what; empty: over nothing.
struct Excess {
  bool size = false;
  bool load = false;
  std::string text;  // "2,730 operations/s, over 2,500 operations/s"
};

Excess ExcessOf(const TabletView& tablet, const TableView& table) {
  Excess excess;
  const auto over = [&](Dimension dimension, double amount, double threshold, bool& what) {
    if (threshold <= 0 || amount <= threshold) return;
    what = true;
    if (!excess.text.empty()) excess.text += "; ";
    excess.text += Amount(dimension, amount) + ", over " + Amount(dimension, threshold);
  };
  over(Dimension::kDisk, static_cast<double>(tablet.size_bytes), static_cast<double>(table.split_bytes), excess.size);
  over(Dimension::kOperations, tablet.led.operations(), table.split_operations, excess.load);
  over(Dimension::kCpu, tablet.led.cpu, table.split_cores, excess.load);
  return excess;
}

// The cut, or the reason why there is none.
struct Cut {
  std::string key;
  Cause cause = Cause::kNoKey;
  std::string why;
};

Cut Nowhere(Cause cause, std::string why) { return {{}, cause, std::move(why)}; }

Cut Fitted(const TabletView& tablet, const TableView& table, const std::string& wanted) {
  if (table.key_group.all)
    return Nowhere(Cause::kKeyGroup, "the table is one key group (--key-group all), which is never cut");
  const std::string key = table.key_group.Start(wanted);
  if (key.size() > kSplitKeyBytesMax) {
    return Nowhere(Cause::kNoKey, "the key would have " + std::to_string(key.size()) +
                                      " bytes; a split key has at most " + std::to_string(kSplitKeyBytesMax));
  }
  if (!key.empty() && key > tablet.range.start && tablet.range.Contains(key)) return {key};
  if (key != wanted) {
    return Nowhere(Cause::kKeyGroup, "all of it is the key group of \"" + EscapeBytes(key) + "\", which is never cut");
  }
  return Nowhere(Cause::kNoKey, "\"" + EscapeBytes(wanted) + "\" does not lie inside " + tablet.range.ToString());
}

Cut CutFor(const TabletView& tablet, const TableView& table, const Excess& excess) {
  const bool worth_leaving =
      static_cast<double>(tablet.size_bytes) >= table.merge_part * static_cast<double>(table.split_bytes);
  if (excess.size && !tablet.middle_key.empty() && tablet.finding != SplitFinding::kOneDirection) {
    return Fitted(tablet, table, tablet.middle_key);
  }
  switch (tablet.finding) {
    case SplitFinding::kKey: return Fitted(tablet, table, tablet.split_key);
    case SplitFinding::kOneDirection:
      if (!tablet.split_key.empty() && worth_leaving) return Fitted(tablet, table, tablet.split_key);
      if (excess.size && !tablet.middle_key.empty()) return Fitted(tablet, table, tablet.middle_key);
      return Nowhere(Cause::kOneDirection, "keys are written in order: a cut at the end of " +
                                               Amount(Dimension::kDisk, static_cast<double>(tablet.size_bytes)) +
                                               " would only move all the load");
    case SplitFinding::kPopularKey: return Nowhere(Cause::kPopularKey, "one popular key makes most of the load");
    case SplitFinding::kNoKey: break;
  }
  return Nowhere(Cause::kNoKey, "its primary has found no key to cut at");
}

// Splits that are under way, in all and by the server that leads them.
struct UnderWay {
  size_t all = 0;
  std::vector<size_t> by_server;
};

UnderWay CountOpen(const ClusterView& view) {
  UnderWay open{0, std::vector<size_t>(view.servers.size())};
  for (const TabletView& tablet : view.tablets) {
    if (tablet.state != TabletState::kIntentOpen) continue;
    ++open.all;
    ++open.by_server[tablet.primary()];
  }
  return open;
}

void LeaveAlone(Pass& pass, const TabletView& tablet, const Excess& excess, const Cut& cut) {
  TabletMemory& memory = pass.Remember(tablet.id);
  if (pass.now() >= memory.left_alone_until) memory.left_alone_until = pass.now() + pass.options.split.left_alone;
  pass.Reject(Rule::kSplit, cut.cause, tablet.id, pass.view.servers[tablet.primary()].name, [&] {
    return excess.text + "; " + cut.why + "; the planner looks again in " +
           Amount(memory.left_alone_until - pass.now());
  });
}

// True if the tablet may be split now; otherwise records the reason.
bool MaySplit(Pass& pass, TabletIndex index, const Excess& excess, const UnderWay& open) {
  const SplitOptions& options = pass.options.split;
  const TabletView& tablet = pass.view.tablets[index];
  if (pass.Blocked(Rule::kSplit, index)) return false;
  if (tablet.last_split != MonotonicTime{} && pass.now() - tablet.last_split < options.again) {
    pass.Reject(Rule::kSplit, Cause::kCoolDown, tablet.id, "", [&] {
      return excess.text + "; the tablet was split " + Amount(pass.now() - tablet.last_split) + " ago";
    });
    return false;
  }
  if (open.all >= options.most || open.by_server[tablet.primary()] >= options.most_per_server) {
    pass.Reject(Rule::kSplit, Cause::kCap, tablet.id, pass.view.servers[tablet.primary()].name, [&] {
      return excess.text + "; " + ebla::Count(open.all, "split") + (open.all == 1 ? " is" : " are") + " under way, " +
             std::to_string(open.by_server[tablet.primary()]) + " of them at its primary's server";
    });
    return false;
  }
  return true;
}

}  // namespace

void PlanSplits(Pass& pass) {
  const SplitOptions& options = pass.options.split;
  UnderWay open = CountOpen(pass.view);
  for (TabletIndex index = 0; index < pass.view.tablets.size(); ++index) {
    const TabletView& tablet = pass.view.tablets[index];
    const TableView& table = pass.view.tables[tablet.table];
    const Excess excess = ExcessOf(tablet, table);
    if (!excess.size && !excess.load) {
      if (TabletMemory* memory = pass.Recall(tablet.id)) memory->over = {};
      continue;
    }
    TabletMemory& memory = pass.Remember(tablet.id);
    memory.over.Count(pass.now(), pass.options.gap_max);
    if (!memory.over.Lasts(pass.now(), options.sustained, options.samples)) {
      pass.Reject(Rule::kSplit, Cause::kNotYet, tablet.id, "",
                  [&] { return excess.text + Lasting(pass.now() - memory.over.since, options.sustained); });
      continue;
    }
    if (!MaySplit(pass, index, excess, open)) continue;
    Cut cut = CutFor(tablet, table, excess);
    // Findings change from sample to sample, so a tablet that could not be split is not tried again so soon.
    if (!cut.key.empty() && pass.now() < memory.left_alone_until) {
      cut = Nowhere(Cause::kCoolDown, "it could not be cut a moment ago");
    }
    if (cut.key.empty()) {
      LeaveAlone(pass, tablet, excess, cut);
      continue;
    }
    ++open.all;
    ++open.by_server[tablet.primary()];
    pass.Act(index, {.kind = ActionKind::kSplit,
                     .rule = Rule::kSplit,
                     .tablet = tablet.id,
                     .key = std::move(cut.key),
                     .reason = excess.text + " for " + Amount(pass.now() - memory.over.since)});
    // Its rests grow as a move's do, and the whole tablet's cost no longer counts.
    memory = {.actions = memory.actions + 1, .acted = pass.now()};
  }
}

}  // namespace ebla::master
