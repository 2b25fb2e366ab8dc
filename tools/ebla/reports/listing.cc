#include "tools/ebla/reports/listing.h"

#include <algorithm>

#include "common/base/count.h"
#include "tools/ebla/format/parse.h"

namespace ebla::shell {

namespace {

constexpr const char* kUnknown = "-";
// A report each second, and what delays it on a busy machine.
constexpr std::chrono::milliseconds kReportedWithin{1'500};

const ServerSummary* Find(const std::vector<ServerSummary>& servers, const ServerName& name) {
  const auto found = std::ranges::find(servers, name, &ServerSummary::name);
  return found == servers.end() ? nullptr : &*found;
}

bool Lives(const std::vector<ServerSummary>& servers, const ServerName& name) {
  const ServerSummary* server = Find(servers, name);
  return server != nullptr && server->live;
}

// The mark behind the name of a server that does not live or report.
const char* MarkOf(const ServerSummary* server) {
  if (server == nullptr || Reports(*server)) return "";
  return SilentFor(*server) ? "(silent)" : "(lost)";
}

const char* Name(TabletStatus status) {
  switch (status) {
    case TabletStatus::kCreating: return "creating";
    case TabletStatus::kServing: return "serving";
    case TabletStatus::kDropping: return "dropping";
  }
  return "?";
}

}  // namespace

std::optional<std::chrono::milliseconds> SilentFor(const ServerSummary& server) {
  if (!server.since_heartbeat) return std::nullopt;
  const bool silent = server.silent || (server.live && *server.since_heartbeat > kReportedWithin);
  return silent ? server.since_heartbeat : std::nullopt;
}

bool Reports(const ServerSummary& server) { return server.live && !SilentFor(server); }

std::string LiveServers(const std::vector<ServerSummary>& servers) {
  const auto live = std::ranges::count_if(servers, Reports);
  const auto silent = std::ranges::count_if(servers, [](const auto& server) { return SilentFor(server).has_value(); });
  return std::to_string(live) + " of " + Count(servers.size(), "server") + " live" +
         (silent > 0 ? ", " + std::to_string(silent) + " silent" : "");
}

std::vector<Copy> CopiesOf(const std::vector<TabletSummary>& tablets, const std::vector<ServerSummary>& servers) {
  std::vector<Copy> copies;
  for (const TabletSummary& tablet : tablets) {
    std::vector<ServerName> targets = tablet.learners;
    for (const ServerName& server : tablet.incomplete) {
      if (std::ranges::find(targets, server) == targets.end()) targets.push_back(server);
    }
    for (ServerName& target : targets) {
      const ServerSummary* server = Find(servers, target);
      const bool answers =
          std::ranges::find(tablet.silent, target) == tablet.silent.end() && (server == nullptr || Reports(*server));
      copies.push_back({&tablet, std::move(target), answers, server != nullptr ? SilentFor(*server) : std::nullopt});
    }
  }
  return copies;
}

std::string StateOf(const ServerSummary& server) {
  std::string state;
  const auto add = [&](const std::string& what) { state += (state.empty() ? "" : ",") + what; };
  if (const auto silence = SilentFor(server)) {
    add("silent(" + SilenceText(*silence) + ")");
  } else if (!server.live) {
    add(server.silent ? "silent" : "lost");
  }
  if (server.live && server.writes_refused) add("disk-full");
  if (server.live && !server.disk.failure.empty()) add("store-failed");
  if (server.draining) add(server.tablets == 0 ? "drained" : "draining");
  if (server.maintenance) add("maintenance");
  return state.empty() ? "live" : state;
}

bool HasMajority(const TabletSummary& tablet, const std::vector<ServerSummary>& servers) {
  const auto live =
      std::ranges::count_if(tablet.voters, [&](const ServerName& voter) { return Lives(servers, voter); });
  return static_cast<size_t>(live) > tablet.voters.size() / 2;
}

std::string StateOf(const TabletSummary& tablet, const std::vector<ServerSummary>& servers) {
  switch (tablet.status) {
    case TabletStatus::kCreating: return "creating";
    case TabletStatus::kDropping: return "dropping";
    case TabletStatus::kServing: break;
  }
  if (!HasMajority(tablet, servers)) return "lost";
  const ServerSummary* primary = Find(servers, tablet.primary);
  if (primary == nullptr || !Reports(*primary)) return "no-primary";
  if (!tablet.load) return "unreported";
  return tablet.load->leading ? "serving" : "no-primary";
}

std::string Joined(const std::vector<ServerName>& names, const std::vector<ServerSummary>& servers) {
  std::string text;
  for (const ServerName& name : names) {
    const ServerSummary* server = Find(servers, name);
    text += (text.empty() ? "" : ",") + name;
    if (server != nullptr && !server->rack.empty()) text += "/" + server->rack;
    text += MarkOf(server);
  }
  return text.empty() ? kNone : text;
}

std::string Records(int64_t records) { return records > 0 ? "~" + std::to_string(records) : kUnknown; }
std::string Bytes(int64_t bytes) { return bytes > 0 ? SizeCell(bytes) : kUnknown; }

std::string SilenceText(std::chrono::milliseconds silence) {
  const int64_t ms = silence.count();
  if (ms >= 10'000) return Lasting(silence);
  return std::to_string(ms / 1'000) + "." + std::to_string(ms % 1'000 / 100) + "s";
}
std::string Lasting(std::chrono::milliseconds age) {
  using std::chrono::seconds;
  if (age >= seconds(1)) age = std::chrono::duration_cast<seconds>(age);
  return age.count() <= 0 ? "0s" : FormatDuration(age);
}
std::string Apart(std::chrono::milliseconds ahead) {
  using std::chrono::days, std::chrono::hours;
  const auto apart = std::chrono::abs(ahead);
  const std::string time =
      apart >= hours(48) ? std::to_string(std::chrono::round<days>(apart).count()) + " days" : Lasting(apart);
  return time + (ahead.count() < 0 ? " behind" : " ahead of");
}
std::string AgeText(std::chrono::milliseconds age) { return Lasting(age) + " ago"; }

Json TabletJson(const TabletSummary& tablet) {
  const TabletLoadInfo load = tablet.load.value_or(TabletLoadInfo{});
  const auto rate = [&](double value) { return tablet.load ? Json::Rounded(value) : Json(); };
  return {{"id", tablet.id.value},
          {"table", tablet.table},
          {"range", RangeJson(tablet.range)},
          {"epoch", tablet.epoch.value},
          {"primary", tablet.primary.empty() ? Json() : Json(tablet.primary)},
          {"voters", tablet.voters},
          {"learners", tablet.learners},
          {"state", Name(tablet.status)},
          {"size_bytes", Counted(load.size_bytes)},
          {"records", Counted(load.records)},
          {"reads_per_second", rate(load.reads_per_second)},
          {"writes_per_second", rate(load.writes_per_second)}};
}

std::vector<std::vector<std::string>> TabletRows(const std::vector<TabletSummary>& tablets,
                                                 const std::vector<ServerSummary>& servers) {
  std::vector<std::vector<std::string>> rows = {{"TABLET", "TABLE", "RANGE", "EPOCH", "PRIMARY", "VOTERS", "LEARNERS",
                                                 "STATE", "RECORDS", "SIZE", "READS/S", "WRITES/S"}};
  for (const TabletSummary& tablet : tablets) {
    const ServerSummary* primary = Find(servers, tablet.primary);
    const std::string leader = tablet.primary.empty() ? kNone : tablet.primary + MarkOf(primary);
    std::vector<std::string> row = {std::to_string(tablet.id.value),
                                    tablet.table,
                                    RangeCell(tablet.range),
                                    std::to_string(tablet.epoch.value),
                                    leader,
                                    Joined(tablet.voters, servers),
                                    Joined(tablet.learners, servers),
                                    StateOf(tablet, servers)};
    if (tablet.load) {
      for (std::string cell : {Records(tablet.load->records), Bytes(tablet.load->size_bytes),
                               Rounded(tablet.load->reads_per_second), Rounded(tablet.load->writes_per_second)}) {
        row.push_back(std::move(cell));
      }
    }
    row.resize(rows.front().size(), kUnknown);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<std::vector<std::string>> ServerRows(const std::vector<ServerSummary>& servers) {
  std::vector<std::vector<std::string>> rows = {{"SERVER", "STATE", "RACK", "ADDRESS", "HTTP", "TABLETS", "PRIMARIES",
                                                 "SIZE", "DISK_FREE", "READS/S", "WRITES/S", "HEARD"}};
  for (const ServerSummary& server : servers) {
    std::vector<std::string> row = {server.name,    StateOf(server),     server.rack.empty() ? kNone : server.rack,
                                    server.address, server.http_address, std::to_string(server.tablets)};
    // A lost or silent server, or a server that has not reported to this master, has only outdated figures.
    if (Reports(server) && server.since_heartbeat) {
      for (std::string cell :
           {std::to_string(server.leading), Bytes(server.size_bytes), SizeCell(server.disk_free_bytes),
            Rounded(server.reads_per_second), Rounded(server.writes_per_second)}) {
        row.push_back(std::move(cell));
      }
    }
    row.resize(rows.front().size() - 1, kUnknown);
    row.push_back(server.since_heartbeat ? AgeText(*server.since_heartbeat) : "never");
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace ebla::shell
