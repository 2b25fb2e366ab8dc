#include "master/balancer/planner/full_disk.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "common/base/count.h"

namespace ebla::master {
namespace {

// A draining server is emptied anyway.
bool GivesAway(const PlannedServer& server) { return server.live && server.writes_refused && !server.draining; }

std::string Why(const PlannedServer& server) { return server.name + " is at its disk's reserve"; }

class FullDisks {
 public:
  FullDisks(Pass& pass, ServerLoads& loads) : pass_(pass), loads_(loads), handed_(pass.view.servers.size()) {}

  void Run() {
    std::vector<std::vector<TabletIndex>> held(pass_.view.servers.size());
    bool any = false;
    for (const PlannedServer& server : pass_.view.servers) any |= GivesAway(server);
    if (!any) return;
    for (TabletIndex i = 0; i < pass_.view.tablets.size(); ++i) {
      for (const ServerIndex voter : pass_.view.tablets[i].voters) {
        if (GivesAway(pass_.view.servers[voter])) held[voter].push_back(i);
      }
    }
    for (ServerIndex server = 0; server < held.size(); ++server) {
      std::ranges::stable_sort(held[server], std::greater(),
                               [&](TabletIndex i) { return pass_.view.tablets[i].size_bytes; });
      for (const TabletIndex tablet : held[server]) GiveAway(tablet, server);
    }
  }

 private:
  const TabletView& At(TabletIndex tablet) const { return pass_.view.tablets[tablet]; }

  void GiveAway(TabletIndex index, ServerIndex server) {
    const TabletView& tablet = At(index);
    if (pass_.Blocked(Rule::kFullDisk, index)) return;
    if (tablet.primary() == server) {
      if (const auto to = BestLeader(tablet)) return TransferLeadership(index, *to);
    }
    if (!Whole(pass_.view, tablet)) {
      return Refuse(Cause::kNotSettled, index, server, "it is to be repaired first");
    }
    const auto to = BestPlace(index, server);
    if (!to) return Refuse(Cause::kNoPlace, index, server, NoPlace(tablet));
    if (!pass_.RoomForCopy(server) || !pass_.RoomForCopy(*to)) {
      return Refuse(Cause::kCap, index, server, "enough replicas are being copied");
    }
    const bool leads = tablet.primary() == server;
    loads_.Shift(loads_.Cost(index, leads), server, *to);
    loads_.NoteCopy(*to, static_cast<double>(tablet.size_bytes));
    pass_.Move(Rule::kFullDisk, index, server, *to, Why(pass_.view.servers[server]));
  }

  void TransferLeadership(TabletIndex index, ServerIndex to) {
    const TabletView& tablet = At(index);
    const BalanceOptions& options = pass_.options.balance;
    const ServerIndex from = tablet.primary();
    // Leaving costs nothing but a moment: a full server may transfer more at a time than what balances.
    if (handed_[from] >= options.transfers) return Refuse(Cause::kCap, index, from, "enough is being transferred");
    ++handed_[from];
    loads_.Shift(loads_.CostOfLeading(index), from, to);
    pass_.Transfer(Rule::kFullDisk, index, to, Why(pass_.view.servers[from]));
  }

  void Refuse(Cause cause, TabletIndex index, ServerIndex server, const std::string& detail) {
    const PlannedServer& planned = pass_.view.servers[server];
    pass_.Reject(Rule::kFullDisk, cause, At(index).id, planned.name, [&] { return Why(planned) + "; " + detail; });
  }

  // The voter that is left least full.
  std::optional<ServerIndex> BestLeader(const TabletView& tablet) const {
    std::optional<ServerIndex> best;
    for (const ServerIndex voter : tablet.voters) {
      if (voter == tablet.primary() || !pass_.view.servers[voter].usable()) continue;
      if (!best || loads_.Fullness(voter, {}) < loads_.Fullness(*best, {})) best = voter;
    }
    return best;
  }

  std::optional<ServerIndex> BestPlace(TabletIndex index, ServerIndex from) const {
    const TabletView& tablet = At(index);
    const Loads cost = loads_.Cost(index, tablet.primary() == from);
    std::optional<std::pair<std::pair<bool, double>, ServerIndex>> best;
    for (ServerIndex to = 0; to < pass_.view.servers.size(); ++to) {
      if (!pass_.view.servers[to].usable() || tablet.voters.Contains(to)) continue;
      if (!loads_.DiskHas(to, static_cast<double>(tablet.size_bytes))) continue;
      // Racks are kept apart where that is possible; a full disk does not wait for it. Nor for a server with copies
      // enough.
      const bool second = !KeepsRackSpread(pass_.view, tablet, from, to) || !pass_.RoomForCopy(to);
      const std::pair rank(second, loads_.Fullness(to, cost));
      if (!best || rank < best->first) best = {rank, to};
    }
    return best ? std::optional(best->second) : std::nullopt;
  }

  std::string NoPlace(const TabletView& tablet) const {
    size_t usable = 0, holding = 0;
    for (ServerIndex to = 0; to < pass_.view.servers.size(); ++to) {
      if (!pass_.view.servers[to].usable()) continue;
      ++usable;
      holding += tablet.voters.Contains(to) ? 1 : 0;
    }
    return std::to_string(holding) + " of the " + ebla::Count(usable, "usable server") +
           (holding == 1 ? " holds" : " hold") + " a replica of it already, the other servers have no room for " +
           Amount(Dimension::kDisk, static_cast<double>(tablet.size_bytes));
  }

  Pass& pass_;
  ServerLoads& loads_;
  std::vector<size_t> handed_;
};

}  // namespace

void PlanFullDisks(Pass& pass, ServerLoads& loads) { FullDisks(pass, loads).Run(); }

}  // namespace ebla::master
