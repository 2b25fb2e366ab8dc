#include "master/balancer/planner/placement.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

namespace ebla::master {
namespace {

// The places of one tablet, while they are chosen.
class Places {
 public:
  explicit Places(std::vector<PlannedServer>& servers) : servers_(servers) {}

  void Take(PlannedServer& server) {
    taken_.push_back(&server);
    if (!server.rack.empty()) ++racks_[server.rack];
  }

  // The best of the rest, or null.
  PlannedServer* Best() const {
    PlannedServer* best = nullptr;
    for (PlannedServer& server : servers_) {
      if (!server.usable() || std::ranges::find(taken_, &server) != taken_.end()) continue;
      if (!best || Rank(server) < Rank(*best)) best = &server;
    }
    return best;
  }

  const std::vector<PlannedServer*>& taken() const { return taken_; }

 private:
  std::tuple<size_t, size_t, double, const ServerName&> Rank(const PlannedServer& server) const {
    const auto rack = racks_.find(server.rack);
    return {rack == racks_.end() ? 0 : rack->second, server.tablets, server.operations_per_second, server.name};
  }

  std::vector<PlannedServer>& servers_;
  std::vector<PlannedServer*> taken_;
  std::map<std::string, size_t> racks_;
};

std::string ReasonFor(const PlannedServer& primary, size_t usable) {
  return "fewest tablets (" + std::to_string(primary.tablets) + ") and primaries (" +
         std::to_string(primary.primaries) + "), " + std::to_string(std::llround(primary.operations_per_second)) +
         " operations/s, of " + std::to_string(usable) + " usable servers";
}

Error NoServer(const ClusterView& view) {
  size_t lost = 0, maintenance = 0, full = 0;
  for (const PlannedServer& server : view.servers) {
    if (!server.live) {
      ++lost;
    } else if (server.maintenance) {
      ++maintenance;
    } else {
      ++full;
    }
  }
  return {Code::kUnavailable, "no tablet server can take a tablet: of " + std::to_string(view.servers.size()) +
                                  " known, " + std::to_string(lost) + " not live, " + std::to_string(maintenance) +
                                  " in maintenance, " + std::to_string(full) + " out of disk"};
}

Placement PlaceTablet(std::vector<PlannedServer>& servers, size_t replicas) {
  Places places(servers);
  while (places.taken().size() < replicas) places.Take(*places.Best());
  const auto rank = [](const PlannedServer* server) {
    return std::tuple<size_t, double>(server->primaries, server->operations_per_second);
  };
  PlannedServer* primary = *std::ranges::min_element(places.taken(), {}, rank);
  Placement placement{primary->name, {primary->name}, ReasonFor(*primary, servers.size())};
  ++primary->primaries;
  for (PlannedServer* server : places.taken()) {
    ++server->tablets;
    if (server != primary) placement.voters.push_back(server->name);
  }
  return placement;
}

}  // namespace

Result<std::vector<Placement>> PlaceNewTablets(const ClusterView& view, size_t count, size_t replicas) {
  std::vector<PlannedServer> servers;
  std::ranges::copy_if(view.servers, std::back_inserter(servers), &PlannedServer::usable);
  if (servers.empty()) return NoServer(view);
  std::vector<Placement> placements;
  placements.reserve(count);
  while (placements.size() < count) {
    placements.push_back(PlaceTablet(servers, std::clamp<size_t>(replicas, 1, servers.size())));
  }
  return placements;
}

ServerName PlaceReplica(const ClusterView& view, const std::vector<ServerName>& holders) {
  std::vector<PlannedServer> servers = view.servers;
  Places places(servers);
  for (PlannedServer& server : servers) {
    if (std::ranges::find(holders, server.name) != holders.end()) places.Take(server);
  }
  const PlannedServer* best = places.Best();
  return best ? best->name : ServerName();
}

}  // namespace ebla::master
