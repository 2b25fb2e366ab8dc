#include "tools/ebla/reports/health.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>

#include "common/base/count.h"
#include "tools/ebla/reports/listing.h"

namespace ebla::shell {

namespace {

// Servers report every second or so.
constexpr std::chrono::milliseconds kSilentMax{3'000};
// A log's sync takes some milliseconds on a disk that works.
constexpr std::chrono::milliseconds kSlowSync{1'000};
// From here on nothing that the server leads is written, whatever the reason.
constexpr std::chrono::milliseconds kHangingSync{5'000};
// Changes that need the coordinator: every change of the catalog, and noticing that a server died.
constexpr char kStalled[] = "no failover, no split, merge or move, no change of a table, no new server or master";

// A procedure that began less than this time ago usually ends soon.
constexpr std::chrono::milliseconds kBegunLately{5'000};

// ", last report 12s ago", as far as is known.
std::string Heard(const ServerSummary& server) {
  return server.since_heartbeat ? ", last report " + AgeText(*server.since_heartbeat) : "";
}

// From kSilentMax on this is a finding.
void NoteSilence(const ServerSummary& server, Health& health) {
  const auto silence = SilentFor(server);
  if (!silence || *silence > kSilentMax) return;
  health.notes.push_back("server " + server.name + " has been silent for " + SilenceText(*silence) +
                         ": it was killed, or it is very busy; health is degraded from " + Lasting(kSilentMax) + " on");
}

Finding Silent(const ServerSummary& server) {
  return {Grade::kDegraded, "server " + server.name + " does not report" + Heard(server),
          "read its log: was it killed, or can it not reach the leading master?"};
}

// The way on from a disk that is bad.
std::string GiveUp(const ServerSummary& server, bool alone) {
  return alone ? "replace it, and restore the latest backup" : "ebla server drain " + server.name;
}

// A store that has failed, or that has no room. `alone`: no other server can take its replicas.
void JudgeStore(const ServerSummary& server, bool alone, Health& health) {
  const bool leads = server.leading > 0;
  const std::string primary = leads ? ", and it is the primary of " + Count(server.leading, "tablet") : "";
  const Grade grade = leads || alone ? Grade::kFailing : Grade::kDegraded;
  if (!server.disk.failure.empty()) {
    const bool full = server.disk.failure.contains(std::strerror(ENOSPC));
    const std::string restart = "only a restart brings it back, so restart " + server.name;
    health.findings.push_back({grade,
                               "server " + server.name + ": its store has failed: " + server.disk.failure + primary,
                               full ? "make room on its disk; " + restart
                                    : restart + "; if it fails again, its disk is bad: " + GiveUp(server, alone)});
  } else if (server.writes_refused) {
    // Its leaderships are handed to voters that have room; what it still leads refuses writes.
    health.findings.push_back(
        {leads ? Grade::kFailing : Grade::kDegraded,
         "server " + server.name + " refuses writes: its disk reserve is reached" + primary,
         (alone
              ? "give it more disk; or delete records, which passes while a part of the reserve is left, and then run "
                "ebla table compact; "
              : "give it more disk, or add a server; deletes pass while a part of the reserve is left; ") +
             Size(server.disk_free_bytes) + " are free"});
  }
}

std::string SecondsText(std::chrono::milliseconds time) {
  const auto tenths = time.count() / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

void JudgeSyncs(const ServerSummary& server, bool alone, Health& health) {
  const DiskInfo& disk = server.disk;
  const auto slowest = std::max(disk.slowest_sync, disk.sync_under_way);
  if (slowest < kSlowSync || !disk.failure.empty()) return;
  const bool hangs = disk.sync_under_way >= kHangingSync;
  health.findings.push_back({hangs && server.leading > 0 ? Grade::kFailing : Grade::kDegraded,
                             "server " + server.name + ": its disk is slow: a sync of the log " +
                                 (slowest == disk.sync_under_way ? "has lasted " : "took ") + SecondsText(slowest),
                             "look at its disk (iostat -x, dmesg); if it stays slow: " +
                                 (alone ? "ebla backup create, and go on with another disk" : GiveUp(server, alone))});
}

// Without replicas that still wait for others, the loss is mended.
void JudgeLoss(const ServerSummary& server, bool alone, Health& health) {
  if (server.disk.loss.empty()) return;
  const std::string lost = "server " + server.name + " has lost part of its log: " + server.disk.loss;
  if (server.disk.lost_replicas == 0) {
    health.notes.push_back(lost + "; no lost replica is left on it. Replace a disk that does this");
    return;
  }
  health.findings.push_back(
      {Grade::kDegraded,
       lost + "; " + Count(server.disk.lost_replicas, "replica") + " of it do not vote until they are made anew",
       "the master makes each anew from whole replicas; for tablets that wait for this server alone, ebla tablet "
       "recover. Replace a disk that does this: " +
           GiveUp(server, alone)});
}

// It serves on from memory, but its next start may be refused.
void JudgeCatalog(const ServerSummary& server, Health& health) {
  if (server.disk.catalog_damage.empty()) return;
  health.findings.push_back(
      {Grade::kDegraded,
       "server " + server.name +
           ": its catalog is damaged on the disk, or cannot be written: " + server.disk.catalog_damage,
       "it is still whole in memory: note ebla user list and ebla limit list, and restart " + server.name +
           ". If that start is refused, --rebuild_catalog keeps tables and records; users, grants and limits have to "
           "be set again"});
}

void JudgeServer(const ServerSummary& server, bool alone, Health& health) {
  if (server.silent) {
    health.findings.push_back(Silent(server));
    return;
  }
  if (!server.live) {
    const std::string replaced = server.tablets > 0 ? "once its replicas are replaced (the catalog still lists " +
                                                          Count(server.tablets, "replica") + "), "
                                                    : "";
    health.findings.push_back(
        {Grade::kDegraded, "server " + server.name + " is lost" + Heard(server),
         "start it again; if it is gone for good, " + replaced + "ebla server remove " + server.name});
    return;
  }
  JudgeStore(server, alone, health);
  JudgeSyncs(server, alone, health);
  JudgeLoss(server, alone, health);
  JudgeCatalog(server, health);
  if (!server.note.empty()) {
    health.findings.push_back({Grade::kDegraded,
                               "server " + server.name + " is draining, but cannot continue: " + server.note,
                               "make room for its replicas, or end the drain: ebla server undrain " + server.name});
  }
  if (!server.since_heartbeat || *server.since_heartbeat > kSilentMax) {
    health.findings.push_back(Silent(server));
  }
}

// Clocks that are apart by this much order nothing wrongly, but no time that people read is right.
constexpr std::chrono::milliseconds kClocksApart{10'000};

void JudgeClock(const ServerSummary& server, Health& health) {
  if (!server.clock || !Reports(server)) return;
  const ClockInfo& clock = *server.clock;
  const std::string its = "server " + server.name + ": its clock is ";
  if (clock.doubt.count() != 0) {
    const std::string waits =
        clock.waiting > 0 ? ": the records of " + Count(static_cast<size_t>(clock.waiting), "tablet") + " expire late"
                          : ", so the server does not believe it";
    health.findings.push_back({Grade::kDegraded, its + Apart(clock.doubt) + " the last time that was sure" + waits,
                               "set it (NTP); if it is right: ebla server clock " + server.name + " --accept"});
  } else if (std::chrono::abs(clock.ahead_of_master) >= kClocksApart) {
    health.findings.push_back({Grade::kDegraded, its + Apart(clock.ahead_of_master) + " the leading master's",
                               "compare both with the right time, and set the wrong one (NTP)"});
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

// Which procedures have a tablet led anew, without a failover.
bool TransfersLeadership(const ProcedureInfo& one) {
  static const std::set<std::string_view> kinds = {"merge", "move", "split", "transfer", "unite"};
  return kinds.contains(one.kind);
}

// The procedure that leaves the tablet without a primary for a moment; null: none.
const ProcedureInfo* UnderWay(const ClusterState& state, const TabletSummary& tablet) {
  for (const ProcedureInfo& one : state.procedures) {
    const bool makes = one.kind == "create" && one.table == tablet.table && tablet.status == TabletStatus::kCreating;
    if (makes || (one.tablet == tablet.id && TransfersLeadership(one))) return &one;
  }
  return nullptr;
}

bool OverInAMoment(const ProcedureInfo& one) {
  const bool lately = one.age && *one.age < kBegunLately;
  return lately || (one.kind == "create" && one.waits_for.empty());
}

std::set<ServerName> LiveOf(const ClusterState& state) {
  std::set<ServerName> live;
  for (const ServerSummary& server : state.servers) {
    if (server.live) live.insert(server.name);
  }
  return live;
}

void NoteServer(const ServerSummary& server, Health& health) {
  if (server.draining && server.tablets > 0 && server.note.empty()) {
    health.notes.push_back("server " + server.name + " is draining, " + Count(server.tablets, "replica") +
                           " to go: ebla procedure show drain-" + server.name);
  } else if (server.draining && server.tablets == 0) {
    health.notes.push_back("server " + server.name +
                           " is drained and receives no replicas: stop it, then ebla server remove " + server.name +
                           "; or ebla server undrain " + server.name);
  }
  if (server.maintenance) {
    health.notes.push_back("server " + server.name +
                           " is under maintenance and receives no replicas until ebla server resume " + server.name);
  }
}

// "a, b, c and 7 more".
std::string Listed(const std::vector<std::string>& names) {
  constexpr size_t kShown = 3;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kShown); ++i) text += (i > 0 ? ", " : "") + names[i];
  return names.size() > kShown ? text + " and " + std::to_string(names.size() - kShown) + " more" : text;
}

void NoteInsecure(const std::vector<ServerSummary>& servers, Health& health) {
  std::vector<std::string> open;
  for (const ServerSummary& server : servers) {
    if (server.live && server.insecure) open.push_back(server.name);
  }
  if (open.empty()) return;
  health.notes.push_back("--insecure: every machine that reaches " + Listed(open) +
                         " over the network is trusted; certificates end that (ebla help cert)");
}

// All tables that lack the same thing make one finding, because a line for each of a hundred tables is too long to
// read.
struct Lacking {
  Lacking(const std::vector<TableHealth>& all, int TableHealth::* lacked) {
    for (const TableHealth& table : all) {
      if (table.*lacked == 0) continue;
      count += table.*lacked;
      tables.push_back(&table);
    }
  }
  bool any() const { return count > 0; }
  // "3 tablets of table carts (9 in all)", "30 tablets of 5 tables (a, b, c and 2 more)".
  std::string Tablets(std::string_view all = " in all") const {
    const std::string tablets = Count(count, "tablet");
    if (tables.size() == 1) {
      const std::string total = all.empty() ? "" : " (" + std::to_string(tables[0]->tablets) + std::string(all) + ")";
      return tablets + " of table " + tables[0]->table + total;
    }
    std::vector<std::string> names;
    for (const TableHealth* table : tables) names.push_back(table->table);
    return tablets + " of " + Count(tables.size(), "table") + " (" + Listed(names) + ")";
  }

  int count = 0;
  std::vector<const TableHealth*> tables;
};

// Notes procedures whose tablets are not served for a moment.
void NoteChanges(const std::set<std::string>& begun, Health& health) {
  const Lacking changing(health.tables, &TableHealth::changing);
  if (!changing.any()) return;
  health.notes.push_back(changing.Tablets("") + (changing.count == 1 ? " is" : " are") + " not served for a moment: " +
                         (begun.empty() ? "a failover" : Listed({begun.begin(), begun.end()})));
}

// Shown for a day, in which the clients fill the table again.
void NoteEmptied(const std::vector<TableInfo>& tables, Health& health) {
  constexpr std::chrono::hours kNews{24};
  for (const TableInfo& table : tables) {
    if (table.times_emptied == 0 || !table.since_emptied || *table.since_emptied > kNews) continue;
    health.notes.push_back("tablets of table " + table.name + ", which is in memory, started empty " +
                           Lasting(*table.since_emptied) + " ago: no server had their records any more");
  }
}

void JudgeFailed(Health& health) {
  std::vector<std::string> failed;
  std::set<std::string> tables;
  for (const TableHealth& table : health.tables) {
    if (!table.failed.empty()) tables.insert(table.table);
    failed.insert(failed.end(), table.failed.begin(), table.failed.end());
  }
  if (failed.empty()) return;
  const std::string where = tables.size() == 1 ? "table " + *tables.begin() : Count(tables.size(), "table");
  health.findings.push_back({Grade::kDegraded,
                             Count(failed.size(), "replica") + " of " + where + " failed: " + Listed(failed),
                             "the master replaces it if a majority of the other replicas is complete; its server's log "
                             "shows the error of its store"});
}

// "ts-2 (tablet 7)".
std::string ReplicaOf(const TabletSummary& tablet, const ServerName& server) {
  return server + " (tablet " + std::to_string(tablet.id.value) + ")";
}

// Replicas whose files are damaged or that all other replicas contradict, and replicas that differ without a majority.
void JudgeDamage(const ClusterState& state, Health& health) {
  std::vector<std::string> damaged, hopeless, differ;
  for (const TabletSummary& tablet : state.tablets) {
    size_t of_tablet = 0;
    std::set<ServerName> disagree;
    for (const ReplicaReport& replica : tablet.replicas) {
      if (!replica.known) continue;
      if (replica.damaged) {
        damaged.push_back(ReplicaOf(tablet, replica.server));
        ++of_tablet;
      }
      if (replica.differs_from.empty()) continue;
      disagree.insert(replica.server);
      disagree.insert(replica.differs_from.begin(), replica.differs_from.end());
    }
    if (of_tablet > 0 && of_tablet >= tablet.voters.size()) hopeless.push_back(std::to_string(tablet.id.value));
    if (disagree.empty()) continue;
    std::string names;
    for (const ServerName& server : disagree) names += (names.empty() ? "" : ", ") + server;
    differ.push_back("tablet " + std::to_string(tablet.id.value) + " of table " + tablet.table + " on " + names);
  }
  if (!damaged.empty()) {
    health.findings.push_back(
        {Grade::kDegraded, Count(damaged.size(), "replica") + " damaged: " + Listed(damaged),
         hopeless.empty()
             ? "the master replaces each while all other replicas of its tablet are live and whole; "
               "its server's log shows what was found"
             : "tablet " + Listed(hopeless) +
                   " has no whole replica: its replicas serve what can be read; restore the rest from a backup"});
  }
  if (!differ.empty()) {
    health.findings.push_back(
        {Grade::kDegraded, "replicas differ, and no majority shows which are right: " + Listed(differ),
         "read important records at STRONG, from the primary. If they are right: ebla table alter TABLE --replicas 3, "
         "which copies the primary; else ebla tablet transfer first. ebla check compares again"});
  }
}

// Notes damage that was found and repaired lately, and scrubs that do not finish.
void NoteScrub(const std::vector<ServerSummary>& servers, bool damaged, Health& health) {
  using std::chrono::hours;
  std::vector<std::string> found, late;
  for (const ServerSummary& server : servers) {
    if (!server.live || !server.scrub) continue;
    const ScrubInfo& scrub = *server.scrub;
    if (scrub.since_damage && *scrub.since_damage <= hours(24 * 7))
      found.push_back(server.name + " (" + AgeText(*scrub.since_damage) + ")");
    if (scrub.period.count() > 0 && scrub.age > 3 * scrub.period + std::chrono::minutes(5)) late.push_back(server.name);
  }
  if (!found.empty() && !damaged)
    health.notes.push_back("damage was found lately and is repaired: " + Listed(found) +
                           "; check these servers' disks");
  if (!late.empty()) {
    health.notes.push_back("no scrub has finished for three periods on " + Listed(late) +
                           ": raise --scrub_bytes_per_second; the servers' logs show whether it fails");
  }
}

void JudgeReplicas(Health& health) {
  const Lacking lacking(health.tables, &TableHealth::under_replicated);
  if (!lacking.any()) return;
  const auto [least, most] = std::ranges::minmax(lacking.tables, {}, &TableHealth::wanted);
  const std::string wanted = least->wanted == most->wanted ? "fewer than " + Count(most->wanted, "whole replica")
                                                           : "fewer whole replicas than their tables ask for";
  health.findings.push_back(
      {Grade::kDegraded, lacking.Tablets() + ": " + wanted,
       health.live_servers < most->wanted
           ? "this takes " + Count(most->wanted, "live tablet server") +
                 "; live now: " + std::to_string(health.live_servers)
           : "the master repairs them by itself; it replaces a lost server after --replace_after_s"});
}

void JudgeTables(Health& health) {
  if (const Lacking lacking(health.tables, &TableHealth::without_majority); lacking.any()) {
    const bool failed = std::ranges::any_of(lacking.tables, [](const auto* table) { return !table->failed.empty(); });
    health.findings.push_back(
        {Grade::kFailing, lacking.Tablets() + ": no majority of the voters is live" + (failed ? " and healthy" : ""),
         "start their servers (ebla tablet list --lost); if they are gone for good, ebla tablet recover " +
             std::to_string(lacking.tables[0]->lost.value)});
  }
  if (const Lacking lacking(health.tables, &TableHealth::without_primary); lacking.any()) {
    health.findings.push_back(
        {Grade::kFailing, lacking.Tablets() + ": no primary",
         health.coordinator_away
             ? "no failover happens while the coordinator is away: start ZooKeeper"
             : "a failover takes a second or two; if it lasts, the leading master's log shows why"});
  }
  if (const Lacking lacking(health.tables, &TableHealth::not_ready); lacking.any()) {
    health.findings.push_back(
        {Grade::kFailing, lacking.Tablets() + ": the primary serves no STRONG read yet",
         "a new primary first commits and applies its Barrier, which takes a moment; if it lasts, no majority of "
         "the voters stores its entries: the servers' logs show why"});
  }
  JudgeFailed(health);
  JudgeReplicas(health);
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

std::set<TabletId> JustBegun(const ClusterState& state) {
  std::set<ServerName> reporting;
  for (const ServerSummary& server : state.servers) {
    if (Reports(server)) reporting.insert(server.name);
  }
  std::set<TabletId> begun;
  for (const TabletSummary& tablet : state.tablets) {
    const auto primary = std::ranges::find(tablet.replicas, tablet.primary, &ReplicaReport::server);
    if (primary == tablet.replicas.end()) continue;
    const bool unproven = std::ranges::any_of(primary->peers, [&](const ReplicaProgressInfo& peer) {
      if (!peer.voter || !peer.incomplete || peer.copying || !reporting.contains(peer.server)) return false;
      const auto voter = std::ranges::find(tablet.replicas, peer.server, &ReplicaReport::server);
      return voter == tablet.replicas.end() || !voter->known || !voter->incomplete;
    });
    if (unproven) begun.insert(tablet.id);
  }
  return begun;
}

std::set<TabletId> Unserved(const ClusterState& state) {
  std::set<TabletId> unserved;
  const std::set<ServerName> live = LiveOf(state);
  for (const TabletSummary& tablet : state.tablets) {
    if (tablet.status == TabletStatus::kDropping) continue;
    const Lack lack = LackOf(tablet, live, 0);
    if (lack != Lack::kLeader && lack != Lack::kBarrier) continue;
    const ProcedureInfo* begun = UnderWay(state, tablet);
    if (!begun || !OverInAMoment(*begun)) unserved.insert(tablet.id);
  }
  return unserved;
}

namespace {

void JudgeCluster(const ClusterState& state, Health& health) {
  health.known_servers = static_cast<int>(state.servers.size());
  health.copies = static_cast<int>(std::ranges::count(CopiesOf(state.tablets, state.servers), true, &Copy::answers));
  if (state.info.coordinator_away) {
    health.coordinator_away = true;
    health.findings.push_back(
        {Grade::kDegraded,
         "the coordinator (ZooKeeper) has been away for " + Lasting(*state.info.coordinator_away) + ": " + kStalled,
         "start ZooKeeper, or find out why the masters do not reach it; primaries continue to serve their tablets"});
  }
  for (const ServerSummary& server : state.servers) {
    health.live_servers += server.live;
    JudgeServer(server, state.servers.size() == 1, health);
    JudgeClock(server, health);
    NoteSilence(server, health);
    NoteServer(server, health);
  }
  NoteInsecure(state.servers, health);
  if (health.live_servers == 0) {
    health.findings.push_back({Grade::kFailing, "no tablet server is live", "start the tablet servers"});
  }
  if (!state.info.safe_mode.empty()) {
    health.findings.push_back(
        {Grade::kDegraded, "safe mode, nothing is repaired: " + state.info.safe_mode,
         "start the missing servers; if ZooKeeper was restored from a backup, ebla cluster adopt"});
  }
  if (!state.planner_on) {
    health.notes.push_back("the planner is off: nothing is split, merged or moved by load until ebla balance on");
  }
}

void CountTablet(const TabletSummary& tablet, Lack lack, bool passes, TableHealth& counts) {
  ++counts.tablets;
  for (const ReplicaReport& replica : tablet.replicas) {
    if (replica.failed) counts.failed.push_back(replica.server + " (tablet " + std::to_string(tablet.id.value) + ")");
  }
  switch (lack) {
    case Lack::kNothing: break;
    case Lack::kBarrier: ++(passes ? counts.changing : counts.not_ready); break;
    case Lack::kLeader: ++(passes ? counts.changing : counts.without_primary); break;
    case Lack::kReplicas: ++counts.under_replicated; break;
    case Lack::kMajority:
      ++counts.without_majority;
      counts.lost = tablet.id;
      break;
  }
}

}  // namespace

Health Judge(const ClusterState& state, const std::set<TabletId>& passing) {
  Health health;
  JudgeCluster(state, health);
  const std::set<ServerName> live = LiveOf(state);
  const std::set<TabletId> unserved = Unserved(state);
  std::map<std::string, TableHealth> tables;
  for (const TableInfo& table : state.tables) {
    tables[table.name] = {.table = table.name, .wanted = table.options.replicas.value_or(1)};
  }
  std::set<std::string> begun;  // procedures
  for (const TabletSummary& tablet : state.tablets) {
    const auto table = tables.find(tablet.table);
    if (table == tables.end() || tablet.status == TabletStatus::kDropping) continue;
    ++health.tablets;
    const Lack lack = LackOf(tablet, live, table->second.wanted);
    const bool passes = !unserved.contains(tablet.id) || passing.contains(tablet.id);
    CountTablet(tablet, lack, passes, table->second);
    if (!passes || (lack != Lack::kLeader && lack != Lack::kBarrier)) continue;
    if (const ProcedureInfo* one = UnderWay(state, tablet)) begun.insert(one->id);
  }
  for (auto& [name, table] : tables) health.tables.push_back(std::move(table));
  JudgeTables(health);
  NoteChanges(begun, health);
  NoteEmptied(state.tables, health);
  const size_t before = health.findings.size();
  JudgeDamage(state, health);
  NoteScrub(state.servers, health.findings.size() > before, health);
  std::ranges::stable_sort(health.findings, std::greater<>(), &Finding::grade);
  if (!health.findings.empty()) health.grade = health.findings.front().grade;
  return health;
}

Health Unknown(const Status& why) {
  Health health;
  health.grade = Grade::kFailing;
  if (why.code() == Code::kPermissionDenied) {
    health.findings.push_back({Grade::kFailing, why.message(),
                               "run health as an operator: with --tls-dir, or with --user and --password-file"});
    return health;
  }
  health.findings.push_back(
      {Grade::kFailing, "no leading master answers: " + why.ToString(),
       "start a master, or name the right ones in --masters; clients that know their tablets continue"});
  return health;
}

Health NoLeader(const ClusterInfo& info) {
  Health health;
  health.grade = Grade::kFailing;
  health.findings.push_back(
      {Grade::kFailing, "none of " + Count(info.masters.size(), "master") + " is the leader, or the leader is silent",
       "an election takes some seconds; if it lasts, check whether the masters reach ZooKeeper"});
  return health;
}

}  // namespace ebla::shell
