#include "master/balancer/planner/server_loads.h"

#include <algorithm>

namespace ebla::master {
namespace {

Loads Less(const Loads& a, const Loads& b) {
  Loads difference;
  for (size_t d = 0; d < kDimensions; ++d) difference[d] = a[d] - b[d];
  return difference;
}

// At most the margin's part of what autoscaling means a server to carry: else a server that it adds stays idle.
double FloorOf(Dimension dimension, const PlannerOptions& options) {
  const Margin& margin = options.balance.margins[static_cast<size_t>(dimension)];
  const AutoscaleOptions& scale = options.autoscale;
  if (!scale.enabled || scale.dry_run) return margin.floor;
  double target = 0;
  if (dimension == Dimension::kOperations) target = scale.operations_per_server;
  if (dimension == Dimension::kCpu) target = scale.cores_per_server;
  return target > 0 ? std::min(margin.floor, margin.fraction * target) : margin.floor;
}

}  // namespace

ServerLoads::ServerLoads(const Pass& pass)
    : pass_(pass),
      stop_(pass.options.balance.stop),
      loads_(pass.view.servers.size()),
      arriving_(pass.view.servers.size()),
      member_(pass.view.servers.size()) {
  for (TabletIndex tablet = 0; tablet < pass.view.tablets.size(); ++tablet) CountTablet(tablet);
  const auto cpu = static_cast<size_t>(Dimension::kCpu);
  for (ServerIndex i = 0; i < loads_.size(); ++i) {
    const PlannedServer& server = pass.view.servers[i];
    member_[i] = server.live && !server.draining && !server.maintenance;
    members_ += member_[i] ? 1 : 0;
    loads_[i][cpu] = std::max(loads_[i][cpu], server.cpu);
    if (!member_[i] && !server.draining) continue;
    for (size_t d = 0; d < kDimensions; ++d) mean_[d] += loads_[i][d];
  }
  for (size_t d = 0; d < kDimensions; ++d) {
    mean_[d] /= static_cast<double>(std::max<size_t>(members_, 1));
    const Margin& margin = pass.options.balance.margins[d];
    margin_[d] = std::max(margin.fraction * mean_[d], FloorOf(static_cast<Dimension>(d), pass.options));
  }
}

void ServerLoads::CountTablet(TabletIndex index) {
  const TabletView& tablet = pass_.view.tablets[index];
  const Loads led = Cost(index, true), followed = Cost(index, false);
  for (size_t i = 0; i < tablet.voters.size(); ++i) Add(tablet.voters[i], i == 0 ? led : followed, 1);
  for (const ServerIndex learner : tablet.learners) {
    Add(learner, followed, 1);
    if (tablet.state == TabletState::kCopying) NoteCopy(learner, static_cast<double>(tablet.size_bytes));
  }
  // A recently planned change that has not happened yet: a replica to be removed, or a leadership to be transferred.
  const TabletMemory* memory = pass_.Recall(tablet.id);
  if (!memory || memory->moving_to.empty()) return;
  const bool young = pass_.now() - memory->acted < pass_.options.balance.rates_settle;
  const auto named = [&](const ServerName& name) {
    return [&](ServerIndex server) { return pass_.view.servers[server].name == name; };
  };
  const auto from = std::ranges::find_if(tablet.voters, named(memory->moving_from));
  if (from == tablet.voters.end()) return;
  const Loads& at_from = from == tablet.voters.begin() ? led : followed;
  if (const auto to = std::ranges::find_if(tablet.learners, named(memory->moving_to)); to != tablet.learners.end()) {
    Add(*from, at_from, -1);
    if (from == tablet.voters.begin()) Add(*to, Less(led, followed), 1);
  } else if (const auto voter = std::ranges::find_if(tablet.voters, named(memory->moving_to));
             young && voter != tablet.voters.end() && from == tablet.voters.begin()) {
    Add(*from, Less(led, followed), -1);
    Add(*voter, Less(led, followed), 1);
  }
}

void ServerLoads::Add(ServerIndex server, const Loads& cost, double sign) {
  for (size_t d = 0; d < kDimensions; ++d) loads_[server][d] += sign * cost[d];
}

Loads ServerLoads::Cost(TabletIndex index, bool leads) const {
  const TabletView& tablet = pass_.view.tablets[index];
  Loads cost = LoadsOf(tablet, leads);
  if (!leads) return cost;
  const TabletMemory* memory = pass_.Recall(tablet.id);
  if (!memory || memory->actions == 0 || pass_.now() - memory->acted >= pass_.options.balance.rates_settle) return cost;
  TabletView before;
  before.led = memory->led;
  const Loads remembered = LoadsOf(before, true);
  for (const Dimension d : {Dimension::kCpu, Dimension::kOperations, Dimension::kWriteBytes}) {
    cost[static_cast<size_t>(d)] = std::max(cost[static_cast<size_t>(d)], remembered[static_cast<size_t>(d)]);
  }
  return cost;
}

Loads ServerLoads::CostOfLeading(TabletIndex tablet) const { return Less(Cost(tablet, true), Cost(tablet, false)); }

double ServerLoads::Fullness(ServerIndex server, const Loads& more) const {
  double fullness = 0;
  for (size_t d = 0; d < kDimensions; ++d) {
    const double start = mean_[d] + margin_[d];
    if (start > 0) fullness = std::max(fullness, (loads_[server][d] + more[d]) / start);
  }
  return fullness;
}

bool ServerLoads::Fits(ServerIndex server, const Loads& more, Dimension except) const {
  for (size_t d = 0; d < kDimensions; ++d) {
    if (static_cast<Dimension>(d) == except || more[d] <= 0) continue;
    if (loads_[server][d] + more[d] > mean_[d] + margin_[d]) return false;
  }
  return true;
}

bool ServerLoads::DiskHas(ServerIndex server, double bytes) const {
  const PlannedServer& planned = pass_.view.servers[server];
  if (planned.disk_total_bytes == 0) return true;
  const double kept = pass_.options.disk_kept_free * static_cast<double>(planned.disk_total_bytes);
  return static_cast<double>(planned.disk_free_bytes) - arriving_[server] - bytes >= kept;
}

void ServerLoads::Shift(const Loads& cost, ServerIndex from, ServerIndex to) {
  for (const auto& [server, sign] : {std::pair(from, -1.0), std::pair(to, 1.0)}) {
    for (size_t d = 0; d < kDimensions; ++d) {
      if (cost[d] == 0) continue;
      const bool listed = !order_[d].empty() && order_[d].erase({loads_[server][d], server}) > 0;
      loads_[server][d] += sign * cost[d];
      if (listed) order_[d].insert({loads_[server][d], server});
    }
  }
}

const std::set<std::pair<double, ServerIndex>>& ServerLoads::Order(Dimension dimension) {
  auto& order = order_[static_cast<size_t>(dimension)];
  if (order.empty()) {
    for (ServerIndex i = 0; i < loads_.size(); ++i) {
      if (member_[i] && pass_.view.servers[i].usable()) order.insert({load(i, dimension), i});
    }
  }
  return order;
}

bool KeepsRackSpread(const ClusterView& view, const TabletView& tablet, ServerIndex from, ServerIndex to) {
  const auto sharing = [&](ServerIndex server) {
    const std::string& rack = view.servers[server].rack;
    if (rack.empty()) return std::ptrdiff_t{0};
    return std::ranges::count_if(tablet.voters,
                                 [&](ServerIndex other) { return other != from && view.servers[other].rack == rack; });
  };
  return sharing(to) <= sharing(from);
}

bool Whole(const ClusterView& view, const TabletView& tablet) {
  const size_t wanted = view.tables[tablet.table].replicas;
  return tablet.learners.empty() && tablet.voters.size() >= wanted &&
         std::ranges::all_of(tablet.voters, [&](ServerIndex voter) { return view.servers[voter].live; });
}

}  // namespace ebla::master
