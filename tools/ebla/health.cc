#include "tools/ebla/health.h"

#include <algorithm>
#include <map>
#include <set>

#include "common/base/count.h"
#include "tools/ebla/output.h"
#include "tools/ebla/parse.h"

namespace ebla::shell {

namespace {

// Servers report every second or so.
constexpr std::chrono::milliseconds kSilentMax{5'000};

// ", heard 12s ago", as far as is known.
std::string Heard(const ServerSummary& server) {
  return server.since_heartbeat ? ", heard " + FormatDuration(*server.since_heartbeat) + " ago" : "";
}

void JudgeServer(const ServerSummary& server, Health& health) {
  if (!server.live) {
    const std::string replaced = server.tablets > 0 ? "once its replicas are replaced (" + Count(server.tablets, "replica") +
                                                          " still stand in the catalog), "
                                                    : "";
    health.findings.push_back({Grade::kDegraded, "server " + server.name + " is lost" + Heard(server),
                               "start it again; if it is gone for good, " + replaced + "ebla server remove " + server.name});
    return;
  }
  if (server.writes_refused) {
    // Its leaderships are handed to voters that have room; what it still leads refuses writes.
    const bool leads = server.leading > 0;
    health.findings.push_back({leads ? Grade::kFailing : Grade::kDegraded,
                               "server " + server.name + " refuses writes: its disk reserve is reached" +
                                   (leads ? ", and it leads " + Count(server.leading, "tablet") : ""),
                               "give it more disk, or add a server; " +
                                   Size(server.disk_free_bytes) + " are free"});
  }
  if (!server.note.empty()) {
    health.findings.push_back({Grade::kDegraded, "server " + server.name + " drains, and cannot go on: " + server.note,
                               "make room for its replicas, or end it: ebla server undrain " + server.name});
  }
  if (!server.since_heartbeat || *server.since_heartbeat > kSilentMax) {
    health.findings.push_back({Grade::kDegraded, "server " + server.name + " lives but does not report" + Heard(server),
                               "can it reach the leading master? its log says"});
  }
}

enum class Lack : uint8_t { kNothing, kReplicas, kBarrier, kLeader, kMajority };

bool HasFailed(const TabletSummary& tablet, const ServerName& holder) {
  const auto replica = std::ranges::find(tablet.replicas, holder, &ReplicaReport::server);
  return replica != tablet.replicas.end() && replica->failed;
}

Lack LackOf(const TabletSummary& tablet, const std::set<ServerName>& live, int wanted) {
  const auto lives = [&](const ServerName& voter) { return live.contains(voter) && !HasFailed(tablet, voter); };
  const auto alive = std::ranges::count_if(tablet.voters, lives);
  if (static_cast<size_t>(alive) <= tablet.voters.size() / 2) return Lack::kMajority;
  if (!tablet.load || !tablet.load->leading || !lives(tablet.primary)) return Lack::kLeader;
  if (!tablet.load->barrier_applied) return Lack::kBarrier;
  const auto whole = std::ranges::count_if(tablet.voters, [&](const ServerName& voter) {
    return lives(voter) && std::ranges::find(tablet.incomplete, voter) == tablet.incomplete.end();
  });
  return whole < wanted ? Lack::kReplicas : Lack::kNothing;
}

void JudgeTable(const TableHealth& table, int live_servers, Health& health) {
  const std::string in = " of table " + table.table + " (" + std::to_string(table.tablets) + " in all)";
  if (table.without_majority > 0) {
    health.findings.push_back({Grade::kFailing,
                               Count(table.without_majority, "tablet") + in + ": of the voters no majority lives" +
                                   (table.failed.empty() ? "" : " and has not failed"),
                               "start their servers (ebla tablet list --lost); if they are gone for good, ebla tablet recover " +
                                   std::to_string(table.lost.value)});
  }
  if (table.without_leader > 0) {
    health.findings.push_back({Grade::kFailing, Count(table.without_leader, "tablet") + in + ": nobody leads",
                               "a failover takes a second or two; if it lasts, the leading master's log says why"});
  }
  if (table.not_ready > 0) {
    health.findings.push_back({Grade::kFailing, Count(table.not_ready, "tablet") + in + ": led, and no strong read is served yet",
                               "a new leader first commits and applies its Barrier, in a moment; if it lasts, no majority of "
                               "the voters stores what it sends: the servers' logs say why"});
  }
  if (!table.failed.empty()) {
    constexpr size_t kShown = 3;
    std::string names;
    for (size_t i = 0; i < std::min(table.failed.size(), kShown); ++i) names += (i > 0 ? ", " : "") + table.failed[i];
    if (table.failed.size() > kShown) names += " and " + std::to_string(table.failed.size() - kShown) + " more";
    health.findings.push_back({Grade::kDegraded, Count(static_cast<int>(table.failed.size()), "replica") + " of table " +
                                                     table.table + " failed: " + names,
                               "it is made anew by itself where a majority of the others has everything; its server's log says "
                               "what its store answered"});
  }
  if (table.under_replicated > 0) {
    health.findings.push_back(
        {Grade::kDegraded,
         Count(table.under_replicated, "tablet") + in + ": fewer than " + Count(table.wanted, "whole replica"),
         live_servers < table.wanted
             ? "it takes " + std::to_string(table.wanted) + " live tablet servers, and " + std::to_string(live_servers) + " live"
             : "repair goes on by itself, and replaces a lost server once it has been away for --replace_after_s"});
  }
}

}  // namespace

std::string_view Name(Grade grade) {
  switch (grade) {
    case Grade::kHealthy: return "healthy";
    case Grade::kDegraded: return "degraded";
    case Grade::kFailing: return "failing";
  }
  return "?";
}

Health Judge(const ClusterState& state) {
  Health health;
  health.known_servers = static_cast<int>(state.servers.size());
  health.copies = state.info.copies;
  std::set<ServerName> live;
  for (const ServerSummary& server : state.servers) {
    if (server.live) live.insert(server.name);
    JudgeServer(server, health);
  }
  health.live_servers = static_cast<int>(live.size());
  if (live.empty()) {
    health.findings.push_back({Grade::kFailing, "no tablet server lives", "start the tablet servers"});
  }
  if (!state.info.safe_mode.empty()) {
    health.findings.push_back({Grade::kDegraded, "safe mode, nothing is repaired: " + state.info.safe_mode,
                               "start the servers that are missing; after ZooKeeper was restored, ebla cluster adopt"});
  }
  std::map<std::string, TableHealth> tables;
  for (const TableInfo& table : state.tables) {
    tables[table.name] = {.table = table.name, .wanted = table.options.replicas.value_or(1)};
  }
  for (const TabletSummary& tablet : state.tablets) {
    const auto table = tables.find(tablet.table);
    if (table == tables.end() || tablet.status == TabletStatus::kDropping) continue;
    ++health.tablets;
    TableHealth& counts = table->second;
    ++counts.tablets;
    for (const ReplicaReport& replica : tablet.replicas) {
      if (replica.failed) counts.failed.push_back(replica.server + " (tablet " + std::to_string(tablet.id.value) + ")");
    }
    switch (LackOf(tablet, live, counts.wanted)) {
      case Lack::kNothing: break;
      case Lack::kBarrier: ++counts.not_ready; break;
      case Lack::kReplicas: ++counts.under_replicated; break;
      case Lack::kLeader: ++counts.without_leader; break;
      case Lack::kMajority:
        ++counts.without_majority;
        counts.lost = tablet.id;
        break;
    }
  }
  for (auto& [name, table] : tables) {
    JudgeTable(table, health.live_servers, health);
    health.tables.push_back(std::move(table));
  }
  std::ranges::stable_sort(health.findings, std::greater<>(), &Finding::grade);
  if (!health.findings.empty()) health.grade = health.findings.front().grade;
  return health;
}

Health Unknown(const Status& why) {
  Health health;
  health.grade = Grade::kFailing;
  health.findings.push_back({Grade::kFailing, "no leading master answers: " + why.ToString(),
                             "start a master, or name the right ones in --masters; clients that know their tablets go on"});
  return health;
}

Health NobodyLeads(const ClusterInfo& info) {
  Health health;
  health.grade = Grade::kFailing;
  health.findings.push_back({Grade::kFailing,
                             "none of " + std::to_string(info.masters.size()) + " masters leads, or the leader is silent",
                             "an election takes some seconds; if it lasts, can the masters reach ZooKeeper?"});
  return health;
}

}  // namespace ebla::shell
