#include "master/balancer/planner/leadership_shedding.h"

#include <map>

#include "common/base/count.h"

namespace ebla::master {
namespace {

std::string Reason(const PlannedServer& from, const PlannedServer& to, size_t choices) {
  return "the disk of " + from.name + " is at its reserve, " + std::to_string(from.disk_free_bytes >> 20) + " of " +
         std::to_string(from.disk_total_bytes >> 20) + " MiB are free; " + to.name + " is the primary of " +
         ebla::Count(to.primaries, "tablet") + ", the fewest of " + std::to_string(choices) +
         " caught-up voters with room";
}

}  // namespace

std::vector<LeadMove> PlanLeadershipShedding(ClusterView view, const std::vector<StuckLead>& leads, size_t most) {
  std::map<ServerName, PlannedServer*> servers;
  for (PlannedServer& server : view.servers) servers[server.name] = &server;
  std::vector<LeadMove> moves;
  for (const StuckLead& lead : leads) {
    if (moves.size() == most) break;
    const auto from = servers.find(lead.primary);
    if (from == servers.end() || !from->second->writes_refused) continue;
    PlannedServer* best = nullptr;
    size_t choices = 0;
    for (const ServerName& voter : lead.caught_up) {
      const auto to = servers.find(voter);
      if (to == servers.end() || !to->second->usable()) continue;
      ++choices;
      if (!best || to->second->primaries < best->primaries) best = to->second;
    }
    if (!best) continue;
    moves.push_back({lead.tablet, best->name, Reason(*from->second, *best, choices)});
    ++best->primaries;
  }
  return moves;
}

}  // namespace ebla::master
