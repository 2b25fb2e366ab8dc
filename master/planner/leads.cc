#include "master/planner/leads.h"

#include <cmath>

namespace ebla::master {
namespace {

double Mean(const std::map<ServerName, size_t>& primaries) {
  size_t sum = 0;
  for (const auto& [server, count] : primaries) sum += count;
  return primaries.empty() ? 0 : static_cast<double>(sum) / static_cast<double>(primaries.size());
}

bool Over(size_t count, double mean) {
  const auto number = static_cast<double>(count);
  return number >= mean + 1 && number > mean * 1.1;
}

}  // namespace

std::vector<ServerName> OverMean(const std::map<ServerName, size_t>& primaries) {
  const double mean = Mean(primaries);
  std::vector<ServerName> over;
  for (const auto& [server, count] : primaries) {
    if (Over(count, mean)) over.push_back(server);
  }
  return over;
}

std::vector<LeadMove> PlanLeads(std::map<ServerName, size_t> primaries, const std::vector<LedTablet>& candidates,
                                size_t most) {
  const double mean = Mean(primaries);
  std::vector<LeadMove> moves;
  for (const LedTablet& tablet : candidates) {
    if (moves.size() == most) break;
    const auto from = primaries.find(tablet.primary);
    if (from == primaries.end() || !Over(from->second, mean)) continue;
    auto best = primaries.end();
    for (const ServerName& voter : tablet.voters) {
      const auto to = primaries.find(voter);
      if (to == primaries.end() || to->second + 2 > from->second || static_cast<double>(to->second) >= mean) continue;
      if (best == primaries.end() || to->second < best->second) best = to;
    }
    if (best == primaries.end()) continue;
    moves.push_back({tablet.tablet, best->first,
                     tablet.primary + " leads " + std::to_string(from->second) + ", " + best->first + " " +
                         std::to_string(best->second) + ", the mean is " + std::to_string(std::llround(mean))});
    --from->second;
    ++best->second;
  }
  return moves;
}

}  // namespace ebla::master
