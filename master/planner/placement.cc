#include "master/planner/placement.h"

#include <algorithm>
#include <cmath>
#include <queue>

namespace ebla::master {
namespace {

// True when `a` is the worse place.
bool Worse(const PlannedServer* a, const PlannedServer* b) {
  if (a->tablets != b->tablets) return a->tablets > b->tablets;
  if (a->operations_per_second != b->operations_per_second) {
    return a->operations_per_second > b->operations_per_second;
  }
  return a->name > b->name;
}

std::string ReasonFor(const PlannedServer& server, size_t usable) {
  return "fewest tablets (" + std::to_string(server.tablets) + "), " +
         std::to_string(std::llround(server.operations_per_second)) + " operations/s, of " + std::to_string(usable) +
         " usable servers";
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

}  // namespace

Result<std::vector<Placement>> PlaceNewTablets(const ClusterView& view, size_t count) {
  std::vector<PlannedServer> servers;
  std::ranges::copy_if(view.servers, std::back_inserter(servers), &PlannedServer::usable);
  if (servers.empty()) return NoServer(view);
  std::priority_queue<PlannedServer*, std::vector<PlannedServer*>, decltype(&Worse)> best(&Worse);
  for (PlannedServer& server : servers) best.push(&server);
  std::vector<Placement> placements;
  placements.reserve(count);
  while (placements.size() < count) {
    PlannedServer* server = best.top();
    best.pop();
    placements.push_back({server->name, ReasonFor(*server, servers.size())});
    ++server->tablets;
    best.push(server);
  }
  return placements;
}

}  // namespace ebla::master
