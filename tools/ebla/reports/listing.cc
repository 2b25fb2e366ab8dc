#include "tools/ebla/reports/listing.h"

#include <algorithm>

#include "tools/ebla/format/parse.h"

namespace ebla::shell {

namespace {

constexpr const char* kUnknown = "-";

const ServerSummary* Find(const std::vector<ServerSummary>& servers, const ServerName& name) {
  const auto found = std::ranges::find(servers, name, &ServerSummary::name);
  return found == servers.end() ? nullptr : &*found;
}

bool Lives(const std::vector<ServerSummary>& servers, const ServerName& name) {
  const ServerSummary* server = Find(servers, name);
  return server != nullptr && server->live;
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

std::string StateOf(const ServerSummary& server) {
  std::string state;
  const auto add = [&](const char* what) { state += (state.empty() ? "" : ",") + std::string(what); };
  if (!server.live) add(server.silent ? "silent" : "lost");
  if (server.live && server.writes_refused) add("disk-full");
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
  if (!Lives(servers, tablet.primary)) return "no-primary";
  if (!tablet.load) return "unreported";
  return tablet.load->leading ? "serving" : "no-primary";
}

std::string Joined(const std::vector<ServerName>& names, const std::vector<ServerSummary>& servers) {
  std::string text;
  for (const ServerName& name : names) {
    const ServerSummary* server = Find(servers, name);
    text += (text.empty() ? "" : ",") + name;
    if (server != nullptr && !server->rack.empty()) text += "/" + server->rack;
    if (server != nullptr && !server->live) text += "(lost)";
  }
  return text.empty() ? kNone : text;
}

std::string Records(int64_t records) { return records > 0 ? "~" + std::to_string(records) : kUnknown; }
std::string Bytes(int64_t bytes) { return bytes > 0 ? SizeCell(bytes) : kUnknown; }

std::string Lasting(std::chrono::milliseconds age) {
  using std::chrono::seconds;
  if (age >= seconds(1)) age = std::chrono::duration_cast<seconds>(age);
  return age.count() <= 0 ? "0s" : FormatDuration(age);
}
std::string Ago(std::chrono::milliseconds age) { return Lasting(age) + " ago"; }

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
    const std::string leader =
        tablet.primary.empty() ? kNone : tablet.primary + (primary != nullptr && !primary->live ? "(lost)" : "");
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
    // Of one that is lost, or has not spoken to this master, all the rest would be of another time.
    if (server.live && server.since_heartbeat) {
      for (std::string cell :
           {std::to_string(server.leading), Bytes(server.size_bytes), SizeCell(server.disk_free_bytes),
            Rounded(server.reads_per_second), Rounded(server.writes_per_second)}) {
        row.push_back(std::move(cell));
      }
    }
    row.resize(rows.front().size() - 1, kUnknown);
    row.push_back(server.since_heartbeat ? Ago(*server.since_heartbeat) : "never");
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace ebla::shell
