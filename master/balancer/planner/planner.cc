#include "master/balancer/planner/planner.h"

#include <algorithm>
#include <utility>

#include "common/base/count.h"
#include "master/balancer/planner/autoscale.h"
#include "master/balancer/planner/balance.h"
#include "master/balancer/planner/full_disk.h"
#include "master/balancer/planner/merge.h"
#include "master/balancer/planner/pass.h"
#include "master/balancer/planner/server_loads.h"
#include "master/balancer/planner/split.h"

namespace ebla::master {
namespace {

constexpr Duration kQuietDay = std::chrono::hours(24);

Duration CoolDown(size_t actions, const BalanceOptions& options) {
  Duration rest = options.cool_down;
  for (size_t i = 1; i < actions && rest < options.cool_down_max; ++i) rest *= 2;
  return std::min(rest, options.cool_down_max);
}

// Entries that say nothing any more.
void Forget(PlannerMemory& memory, MonotonicTime now, const PlannerOptions& options) {
  std::erase_if(memory.tablets, [&](const auto& item) {
    const TabletMemory& tablet = item.second;
    const bool over = tablet.over.samples > 0 && now - tablet.over.seen <= options.gap_max;
    return !over && now >= tablet.left_alone_until && now - tablet.acted > kQuietDay;
  });
}

}  // namespace

Pass::Pass(const ClusterView& view, PlannerMemory memory, const PlannerOptions& options)
    : view(view),
      options(options),
      memory(std::move(memory)),
      copies_at_(view.servers.size()),
      taken_(view.tablets.size()) {
  if (this->memory.began == MonotonicTime{}) this->memory.began = view.now;
  for (const TabletView& tablet : view.tablets) {
    for (const ServerIndex learner : tablet.learners) NoteCopy(tablet.primary(), learner);
  }
}

TabletMemory* Pass::Recall(TabletId tablet) {
  if (memory.tablets.empty()) return nullptr;
  const auto found = memory.tablets.find(tablet);
  return found == memory.tablets.end() ? nullptr : &found->second;
}

void Pass::Move(Rule rule, TabletIndex tablet, ServerIndex from, ServerIndex to, std::string reason) {
  NoteCopy(from, to);
  Relocate(ActionKind::kMove, rule, tablet, from, to, std::move(reason));
}

void Pass::Transfer(Rule rule, TabletIndex tablet, ServerIndex to, std::string reason) {
  Relocate(ActionKind::kTransfer, rule, tablet, view.tablets[tablet].primary(), to, std::move(reason));
}

void Pass::Relocate(ActionKind kind, Rule rule, TabletIndex index, ServerIndex from, ServerIndex to,
                    std::string reason) {
  const TabletView& tablet = view.tablets[index];
  TabletMemory& remembered = Remember(tablet.id);
  ++remembered.actions;
  remembered.acted = now();
  remembered.moving_from = view.servers[from].name;
  remembered.moving_to = view.servers[to].name;
  remembered.led = tablet.led;
  Act(index, {.kind = kind,
              .rule = rule,
              .tablet = tablet.id,
              .from = remembered.moving_from,
              .to = remembered.moving_to,
              .reason = std::move(reason)});
}

bool Pass::Rests(TabletId tablet) const {
  const TabletMemory* remembered = Recall(tablet);
  return remembered && remembered->actions > 0 &&
         now() - remembered->acted < CoolDown(remembered->actions, options.balance);
}

void Pass::RejectResting(Rule rule, TabletId tablet) {
  const TabletMemory& remembered = *Recall(tablet);
  Reject(rule, Cause::kCoolDown, tablet, "", [&] {
    return "the planner acted on it " + Amount(now() - remembered.acted) + " ago, " +
           ebla::Count(remembered.actions, "time") + " lately; it rests for " +
           Amount(CoolDown(remembered.actions, options.balance));
  });
}

bool Pass::Blocked(Rule rule, TabletIndex index) {
  const TabletView& tablet = view.tablets[index];
  if (taken_[index] || !tablet.settled() || !tablet.learners.empty()) {
    Reject(rule, Cause::kNotSettled, tablet.id, "", [&] {
      if (taken_[index]) return std::string("this plan changes it already");
      switch (tablet.state) {
        case TabletState::kIntentOpen: return std::string("a split or merge of it is under way");
        case TabletState::kUnsettled: return std::string("its primary is not certain yet");
        default: return std::string("a replica of it is being copied");
      }
    });
    return true;
  }
  const Duration since = now() - tablet.last_failed;
  if (tablet.last_failed != MonotonicTime{} && since < options.balance.after_failure) {
    Reject(rule, Cause::kCoolDown, tablet.id, "", [&] {
      return "an action on it failed " + Amount(since) + " ago; the planner tries again after " +
             Amount(options.balance.after_failure);
    });
    return true;
  }
  return false;
}

Plan MakePlan(const ClusterView& view, PlannerMemory memory, const PlannerOptions& options) {
  Pass pass(view, std::move(memory), options);
  if (options.splits) PlanSplits(pass);
  if (options.merges) PlanMerges(pass);
  if (options.balances || options.autoscale.enabled) {
    ServerLoads loads(pass);
    if (options.balances) PlanFullDisks(pass, loads);
    if (options.balances) PlanBalance(pass, loads);
    if (options.autoscale.enabled) PlanScale(pass, loads);
  }
  Forget(pass.memory, view.now, options);
  pass.plan.memory = std::move(pass.memory);
  return std::move(pass.plan);
}

const char* Name(Rule rule) {
  switch (rule) {
    case Rule::kSplit: return "split";
    case Rule::kMerge: return "merge";
    case Rule::kFullDisk: return "full disk";
    case Rule::kBalance: return "balance";
    case Rule::kAutoscale: return "autoscale";
  }
  return "";
}

const char* Name(ActionKind kind) {
  switch (kind) {
    case ActionKind::kSplit: return "split";
    case ActionKind::kMerge: return "merge";
    case ActionKind::kTransfer: return "transfer";
    case ActionKind::kMove: return "move";
    case ActionKind::kAddServer: return "add-server";
    case ActionKind::kDrainServer: return "drain-server";
    case ActionKind::kKeepServer: return "keep-server";
    case ActionKind::kReleaseServer: return "release-server";
  }
  return "";
}

const char* Name(Cause cause) {
  switch (cause) {
    case Cause::kNotSettled: return "not settled";
    case Cause::kCoolDown: return "cool-down";
    case Cause::kHeld: return "held by an operator";
    case Cause::kCap: return "cap";
    case Cause::kNotYet: return "not yet";
    case Cause::kNoKey: return "no key";
    case Cause::kPopularKey: return "popular key";
    case Cause::kOneDirection: return "one direction of access";
    case Cause::kKeyGroup: return "key group";
    case Cause::kHistory: return "short history";
    case Cause::kSplitLately: return "split lately";
    case Cause::kWouldSplit: return "would split again";
    case Cause::kNoPlace: return "no place";
    case Cause::kAlone: return "alone on its server";
    case Cause::kBounds: return "bounds";
    case Cause::kDryRun: return "dry run";
  }
  return "";
}

std::string ToString(const Action& action) {
  const std::string tablet = "tablet " + std::to_string(action.tablet.value);
  switch (action.kind) {
    case ActionKind::kSplit: return "split " + tablet + " at \"" + EscapeBytes(action.key) + "\"";
    case ActionKind::kMerge: return "merge " + tablet + " and " + std::to_string(action.neighbour.value);
    case ActionKind::kTransfer: return "transfer " + tablet + " from " + action.from + " to " + action.to;
    case ActionKind::kMove: return "move " + tablet + " from " + action.from + " to " + action.to;
    case ActionKind::kAddServer: return "ask for a server";
    case ActionKind::kDrainServer: return "drain server " + action.from;
    case ActionKind::kKeepServer: return "keep server " + action.from;
    case ActionKind::kReleaseServer: return "release server " + action.from;
  }
  return "";
}

}  // namespace ebla::master
