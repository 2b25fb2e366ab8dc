#include "master/balancer/balance_driver.h"

#include <glog/logging.h>

#include <algorithm>
#include <sstream>

#include "master/balancer/planner/view_json.h"
#include "master/cluster/options.h"

namespace ebla::master {
namespace {

constexpr size_t kDoneMax = 100;
constexpr int kPassesWithinGap = 3;

// Conditions that lasted before still last, even if the plan counted them as settled by an action.
Streak Continued(Streak before, const Streak& after, MonotonicTime now, Duration gap_max) {
  if (after.samples > 0 || before.samples == 0) return after;
  before.Count(now, gap_max);
  return before;
}

}  // namespace

PlannerMemory WithoutActions(const PlannerMemory& before, const Plan& plan, MonotonicTime now, Duration gap_max) {
  PlannerMemory memory = plan.memory;
  for (const Action& action : plan.actions) {
    if (!action.tablet) continue;
    const auto had = before.tablets.find(action.tablet);
    TabletMemory kept = had == before.tablets.end() ? TabletMemory() : had->second;
    if (action.kind == ActionKind::kSplit) {
      kept.over.Count(now, gap_max);
    } else if (const auto found = memory.tablets.find(action.tablet); found != memory.tablets.end()) {
      kept.over = found->second.over;
    }
    memory.tablets[action.tablet] = std::move(kept);
  }
  memory.scale.grown = before.scale.grown;
  memory.scale.released = before.scale.released;
  const bool scaled = std::ranges::any_of(plan.actions, [](const Action& action) { return !action.tablet; });
  if (scaled) {
    memory.scale.over = Continued(before.scale.over, memory.scale.over, now, gap_max);
    memory.scale.under = Continued(before.scale.under, memory.scale.under, now, gap_max);
  }
  return memory;
}

BalanceDriver::BalanceDriver(const Context& context, TabletReconciler& reconciler,
                             coordination::Coordinator& coordinator, coordination::Leading term,
                             ActionExecutor action_executor)
    : context_(context),
      reconciler_(reconciler),
      action_executor_(std::move(action_executor)),
      switch_(coordinator, context.executor, term),
      autoscaler_(context.executor, context.servers,
                  {context.options.scale_out_command, context.options.scale_in_command}, action_executor_.servers) {}

BalanceDriver::~BalanceDriver() { context_.executor.Cancel(timer_); }

void BalanceDriver::Start() {
  switch_.Start();
  Later();
}

void BalanceDriver::Later() {
  timer_ = context_.executor.After(context_.options.plan_every, if_alive_([this] {
                                     if (const Status status = RunPass(); !status.ok())
                                       VLOG(1) << "nothing is planned: " << status;
                                     Later();
                                   }));
}

PlannerOptions BalanceDriver::Options() const {
  const MasterOptions& given = context_.options;
  PlannerOptions options = given.planner;
  options.gap_max = std::max<Duration>(options.gap_max, given.plan_every * kPassesWithinGap);
  options.splits = given.splits;
  options.merges = given.merges;
  options.balances = given.balance;
  return options;
}

ClusterView BalanceDriver::View() const {
  const std::set<ServerName> surplus = autoscaler_.Surplus();
  return MakeClusterView(
      {.image = context_.image(),
       .servers = context_.servers.all(),
       .settled = [this](const TabletEntry& tablet) { return reconciler_.SettledLoad(tablet) != nullptr; },
       .primary = [this](const TabletEntry& tablet) { return reconciler_.PrimaryOf(tablet); },
       .pasts = pasts_,
       .surplus = surplus,
       .now = context_.executor.Now(),
       .lost_after = context_.options.replace_after});
}

Status BalanceDriver::RunPass() {
  waits_for_ = action_executor_.ready();
  if (waits_for_.ok()) waits_for_ = context_.catalog.Answers();
  if (waits_for_.ok() && !switch_.on())
    waits_for_ = Error(Code::kUnavailable, "this master has not read yet whether the planner is on");
  if (!waits_for_.ok()) {
    ++counts_.put_off;
    return waits_for_;
  }
  const MonotonicTime now = context_.executor.Now();
  pasts_.Observe(context_.image(), now);
  autoscaler_.Tick();
  const ClusterView view = View();
  waits_for_ = CheckView(view);
  if (!waits_for_.ok()) {
    LOG_EVERY_N(ERROR, 60) << "nothing is planned, as the catalog contradicts itself: " << waits_for_;
    return waits_for_;
  }
  const PlannerOptions options = Options();
  const bool acts = *switch_.on();
  passed_ = now;
  if (acts) {
    plan_ = MakePlan(view, std::move(memory_), options);
    memory_ = std::move(plan_.memory);
    Count(now);
    for (const Action& action : plan_.actions) Begin(action);
  } else {
    plan_ = MakePlan(view, memory_, options);
    memory_ = WithoutActions(memory_, plan_, now, options.gap_max);
    Count(now);
  }
  plan_.memory = {};
  return {};
}

// A pass that began then, and whose plan is still valid.
void BalanceDriver::Count(MonotonicTime began) {
  ++counts_.passes;
  counts_.last_pass_seconds = std::chrono::duration<double>(context_.executor.Now() - began).count();
  counts_.pass_seconds += counts_.last_pass_seconds;
  for (const auto& [what, times] : plan_.rejections) counts_.refused[what] += times;
}

bool BalanceDriver::IsUnderWay(const Action& action) const {
  if (!action.tablet && autoscaler_.Busy(action)) return true;
  return std::ranges::any_of(under_way_, [&](const auto& item) {
    const Action& other = item.second.action;
    return action.tablet ? other.tablet == action.tablet : other.kind == action.kind && other.from == action.from;
  });
}

void BalanceDriver::Begin(const Action& action) {
  if (IsUnderWay(action)) return;
  LOG(INFO) << Name(action.rule) << ": " << ToString(action) << ": " << action.reason;
  ++counts_.actions[action.kind].begun;
  const uint64_t id = next_action_++;
  under_way_[id] = {.action = action, .began = context_.executor.Now()};
  CarryOut(action, if_alive_([this, id](Status status) { End(id, std::move(status)); }));
}

void BalanceDriver::CarryOut(const Action& action, Done done) {
  switch (action.kind) {
    case ActionKind::kSplit: return action_executor_.split(action.tablet, action.key, action.reason, std::move(done));
    case ActionKind::kTransfer: return action_executor_.transfer(action.tablet, action.to, std::move(done));
    case ActionKind::kMove:
      return action_executor_.move({action.tablet, action.from, action.to, {idl::AskedBy::PLANNER, action.reason}},
                                   std::move(done));
    case ActionKind::kMerge:
      return action_executor_.merge({action.tablet, action.neighbour}, action.reason, std::move(done));
    default: return autoscaler_.Begin(action, std::move(done));
  }
}

void BalanceDriver::End(uint64_t id, Status status) {
  auto record = under_way_.extract(id);
  if (record.empty()) return;
  ActionRecord& over = record.mapped();
  over.ended = context_.executor.Now();
  over.status = std::move(status);
  PlannerCounts::Actions& counts = counts_.actions[over.action.kind];
  ++(over.status.ok() ? counts.done : counts.failed);
  if (!over.status.ok()) {
    LOG(WARNING) << ToString(over.action) << " failed: " << over.status;
    if (over.action.tablet && over.status.code() != Code::kNotFound) pasts_.NoteFailed(over.action.tablet, over.ended);
  }
  done_.push_front(std::move(over));
  if (done_.size() > kDoneMax) done_.pop_back();
}

Result<ViewPages::Page> BalanceDriver::ViewPage(int64_t id, int64_t offset) {
  const MonotonicTime now = context_.executor.Now();
  if (id != 0) return views_.Next(id, offset, now);
  std::ostringstream text;
  master::SaveView(View(), memory_, Options(), text);
  const auto fresh = static_cast<int64_t>(context_.executor.Random() >> 1 | 1);
  return views_.Begin(fresh, std::move(text).str(), now);
}

}  // namespace ebla::master
