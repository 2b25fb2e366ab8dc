// Verbs on what the cluster is made of: tablet list, tablet transfer, server list, cluster info, locate.
#include <algorithm>
#include <map>

#include "tools/ebla/arguments.h"

namespace ebla::shell {

namespace {

constexpr const char* kNone = "(none)";

const char* Name(TabletStatus status) {
  switch (status) {
    case TabletStatus::kCreating: return "creating";
    case TabletStatus::kServing: return "serving";
    case TabletStatus::kDropping: return "dropping";
  }
  return "?";
}

Json ToJson(const TabletSummary& tablet) {
  Json object = {{"id", tablet.id.value},       {"table", tablet.table},       {"range", RangeJson(tablet.range)},
                 {"epoch", tablet.epoch.value}, {"primary", tablet.primary},   {"voters", tablet.voters},
                 {"learners", tablet.learners}, {"state", Name(tablet.status)}};
  if (tablet.load) {
    object["size_bytes"] = tablet.load->size_bytes;
    object["records"] = tablet.load->records;
    object["reads_per_second"] = tablet.load->reads_per_second;
    object["writes_per_second"] = tablet.load->writes_per_second;
  }
  return object;
}

Json ToJson(const ServerSummary& server) {
  Json object = {{"name", server.name},
                 {"live", server.live},
                 {"address", server.address},
                 {"http_address", server.http_address},
                 {"uuid", server.uuid},
                 {"incarnation", server.incarnation.value},
                 {"rack", server.rack},
                 {"tablets", server.tablets},
                 {"leading", server.leading},
                 {"size_bytes", server.size_bytes},
                 {"disk_free_bytes", server.disk_free_bytes},
                 {"disk_total_bytes", server.disk_total_bytes},
                 {"reads_per_second", server.reads_per_second},
                 {"writes_per_second", server.writes_per_second},
                 {"writes_refused", server.writes_refused},
                 {"draining", server.draining},
                 {"maintenance", server.maintenance},
                 {"note", server.note},
                 {"version", server.version}};
  if (server.since_heartbeat) object["since_heartbeat_ms"] = server.since_heartbeat->count();
  return object;
}

using Racks = std::map<ServerName, std::string>;

// "ts-1/r1,ts-2/r2", without the rack where none is known.
std::string Joined(const std::vector<ServerName>& servers, const Racks& racks) {
  std::string text;
  for (const ServerName& server : servers) {
    const auto rack = racks.find(server);
    text += (text.empty() ? "" : ",") + server;
    if (rack != racks.end() && !rack->second.empty()) text += "/" + rack->second;
  }
  return text.empty() ? kNone : text;
}

std::vector<std::vector<std::string>> Rows(const std::vector<TabletSummary>& tablets, const Racks& racks) {
  std::vector<std::vector<std::string>> rows = {{"TABLET", "TABLE", "RANGE", "EPOCH", "PRIMARY", "VOTERS", "LEARNERS",
                                                 "STATE", "RECORDS", "SIZE", "READS/S", "WRITES/S"}};
  for (const TabletSummary& tablet : tablets) {
    const TabletLoadInfo load = tablet.load.value_or(TabletLoadInfo{});
    rows.push_back({std::to_string(tablet.id.value), tablet.table, tablet.range.ToString(),
                    std::to_string(tablet.epoch.value), tablet.primary.empty() ? kNone : tablet.primary,
                    Joined(tablet.voters, racks), Joined(tablet.learners, racks), Name(tablet.status),
                    std::to_string(load.records), Size(load.size_bytes), Rounded(load.reads_per_second),
                    Rounded(load.writes_per_second)});
  }
  return rows;
}

bool HasMajority(const TabletSummary& tablet, const std::vector<ServerSummary>& servers) {
  const auto live = std::ranges::count_if(tablet.voters, [&](const ServerName& voter) {
    return std::ranges::any_of(servers, [&](const ServerSummary& server) { return server.name == voter && server.live; });
  });
  return static_cast<size_t>(live) > tablet.voters.size() / 2;
}

void AddTabletTransfer(Verbs& verbs) {
  struct Arguments {
    std::string table, key, to;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb = verbs.Add("tablet transfer", "Has a tablet led by another of its voters; no data moves",
                             "tablet transfer carts --key user42 --to ts-2", [args](Context& context) -> Status {
                               EBLA_ASSIGN(const std::string key, UnescapeBytes(args->key));
                               EBLA_ASSIGN(const Client client, context.connect());
                               EBLA_TRY(client.TransferTablet(args->table, key, args->to));
                               context.out.Ok("led by " + args->to);
                               return {};
                             });
  verb->add_option("TABLE", args->table)->required();
  verb->add_option("--key", args->key, R"(Of the tablet that holds it; \xNN is a byte)")->required();
  verb->add_option("--to", args->to, "A server that has a vote in it")->required()->type_name("NAME");
}

void AddTabletSplit(Verbs& verbs) {
  struct Arguments {
    std::string table, at;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb = verbs.Add("tablet split", "Splits the tablet that holds a key there; no data moves",
                             "tablet split carts --at user5", [args](Context& context) -> Status {
                               EBLA_ASSIGN(const std::string key, UnescapeBytes(args->at));
                               EBLA_ASSIGN(const Client client, context.connect());
                               EBLA_ASSIGN(const TabletSplit split, client.SplitTablet(args->table, key));
                               context.out.Ok("tablet " + std::to_string(split.tablet.value) + " " + split.range.ToString() +
                                              ", tablet " + std::to_string(split.child.value) + " " + split.child_range.ToString());
                               return {};
                             });
  verb->add_option("TABLE", args->table)->required();
  verb->add_option("--at", args->at, R"(The key at which the new tablet begins; \xNN is a byte)")->required()->type_name("KEY");
}

void AddTabletList(Verbs& verbs) {
  struct Arguments {
    std::string table, server;
    bool lost = false;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb =
      verbs.Add("tablet list", "Lists tablets, with their ranges and replicas", "tablet list carts --server ts-1",
                [args](Context& context) -> Status {
                  EBLA_ASSIGN(const Client client, context.connect());
                  EBLA_ASSIGN(std::vector<TabletSummary> tablets, client.ListTablets(args->table, args->server));
                  EBLA_ASSIGN(const std::vector<ServerSummary> servers, client.ListServers());
                  if (args->lost) std::erase_if(tablets, [&](const TabletSummary& tablet) { return HasMajority(tablet, servers); });
                  if (context.out.json) {
                    Json all = Json::array();
                    for (const TabletSummary& tablet : tablets) all.push_back(ToJson(tablet));
                    context.out.Value(all);
                    return {};
                  }
                  Racks racks;
                  for (const ServerSummary& server : servers) racks[server.name] = server.rack;
                  context.out.Columns(Rows(tablets, racks));
                  return {};
                });
  verb->add_option("TABLE", args->table, "Of this table alone");
  verb->add_option("--server", args->server, "On this server alone")->type_name("NAME");
  verb->add_flag("--lost", args->lost, "Those alone of whose voters no majority lives");
}

Json ToJson(const TabletRecovery& recovery, TabletId tablet, bool done) {
  Json replicas = Json::array();
  for (const ReplicaSummary& replica : recovery.replicas) {
    Json object = {{"server", replica.server}, {"voter", replica.voter}, {"live", replica.live}};
    if (replica.reported) {
      object["has_replica"] = replica.known;
      object["last"] = replica.last.ToString();
      object["applied"] = replica.applied;
      object["incomplete"] = replica.incomplete;
      object["forgetful"] = replica.forgetful;
    }
    replicas.push_back(std::move(object));
  }
  return {{"tablet", tablet.value},       {"recovered", done},           {"chosen", recovery.chosen},
          {"loss", recovery.loss}, {"refusal", recovery.refusal}, {"replicas", std::move(replicas)}};
}

std::string StateOf(const ReplicaSummary& replica) {
  std::string state = replica.live ? "live" : "lost";
  if (!replica.reported) return state + ", nothing is known of it";
  if (!replica.known) return state + ", has no replica";
  if (replica.incomplete) state += ", incomplete";
  if (replica.forgetful) state += ", may have forgotten";
  return state;
}

void ShowReplicas(const TabletRecovery& recovery, Output& out) {
  std::vector<std::vector<std::string>> rows = {{"REPLICA", "ROLE", "LOG ENDS", "APPLIED", "STATE"}};
  for (const ReplicaSummary& replica : recovery.replicas) {
    const bool known = replica.reported && replica.known;
    rows.push_back({replica.server, replica.voter ? "voter" : "learner", known ? replica.last.ToString() : kNone,
                    known ? std::to_string(replica.applied) : kNone, StateOf(replica)});
  }
  out.Columns(rows);
}

void AddTabletRecover(Verbs& verbs) {
  struct Arguments {
    uint64_t tablet = 0;
    RecoverTabletOptions options;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb = verbs.Add(
      "tablet recover", "Gives a tablet that lost its majority for good to one replica that is left",
      "tablet recover 17 --server ts-3 --accept-data-loss", [args](Context& context) -> Status {
        const TabletId tablet{args->tablet};
        EBLA_ASSIGN(const Client client, context.connect());
        EBLA_ASSIGN(const TabletRecovery found, client.RecoverTablet(tablet, {.server = args->options.server}));
        if (!context.out.json) ShowReplicas(found, context.out);
        if (!args->options.accept_data_loss) {
          if (context.out.json) {
            context.out.Value(ToJson(found, tablet, false));
          } else if (!found.refusal.empty()) {
            context.out.Line("it cannot be recovered so: " + found.refusal);
          } else {
            context.out.Line("it would go to " + found.chosen + " alone; " + found.loss);
            context.out.Line("nothing has been changed: add --accept-data-loss");
          }
          return {};
        }
        EBLA_ASSIGN(TabletRecovery done, client.RecoverTablet(tablet, args->options));
        if (done.loss.empty()) done.loss = found.loss;
        context.out.Ok("led by " + done.chosen + (done.loss.empty() ? "" : "; " + done.loss), ToJson(done, tablet, true));
        return {};
      });
  verb->add_option("TABLET", args->tablet, "Its id; tablet list --lost shows those that need it")->required();
  verb->add_option("--server", args->options.server, "Whose replica it shall be; else the longest complete log")
      ->type_name("NAME");
  verb->add_flag("--accept-data-loss", args->options.accept_data_loss,
                 "What the lost voters acknowledged beyond that log is given up");
}

std::string StateOf(const ServerSummary& server) {
  if (!server.live) return "lost";
  if (server.draining) return server.tablets == 0 ? "drained" : "draining";
  if (server.writes_refused) return "disk full";
  return server.maintenance ? "maintenance" : "live";
}

void AddTabletMove(Verbs& verbs) {
  struct Arguments {
    std::string table, key;
    TabletMove move;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb = verbs.Add(
      "tablet move", "Brings a replica of a tablet from one server to another, by copying while it serves",
      "tablet move carts --key user42 --from ts-1 --to ts-4", [args](Context& context) -> Status {
        EBLA_ASSIGN(const std::string key, UnescapeBytes(args->key));
        if (!args->move.cancel && (args->move.from.empty() || args->move.to.empty())) {
          return Error(Code::kInvalidArgument, "tablet move needs --from and --to, or --cancel");
        }
        EBLA_ASSIGN(const Client client, context.connect());
        EBLA_TRY(client.MoveTablet(args->table, key, args->move));
        context.out.Ok(args->move.cancel ? "cancelled" : "moved from " + args->move.from + " to " + args->move.to);
        return {};
      });
  verb->add_option("TABLE", args->table)->required();
  verb->add_option("--key", args->key, R"(Of the tablet that holds it; \xNN is a byte)")->required();
  verb->add_option("--from", args->move.from, "The server that gives its replica away")->type_name("NAME");
  verb->add_option("--to", args->move.to, "The server that gets it")->type_name("NAME");
  verb->add_flag("--cancel", args->move.cancel, "Ends the move that is under way");
}

void AddServerChange(Verbs& verbs, const std::string& name, const std::string& help, const ServerChange& change,
                     const std::string& result) {
  auto server = std::make_shared<std::string>();
  CLI::App* verb = verbs.Add("server " + name, help, "server " + name + " ts-4", [=](Context& context) -> Status {
    EBLA_ASSIGN(const Client client, context.connect());
    EBLA_ASSIGN(const size_t replicas, client.SetServer(*server, change));
    context.out.Ok(result + "; it has " + std::to_string(replicas) + " replicas");
    return {};
  });
  verb->add_option("NAME", *server)->required();
}

void AddServerChanges(Verbs& verbs) {
  AddServerChange(verbs, "drain", "Moves all replicas of a server to the others; `server list` shows how far it is",
                  {.draining = true, .maintenance = std::nullopt}, "draining");
  AddServerChange(verbs, "undrain", "Ends the draining of a server: it keeps what it has, and gets replicas again",
                  {.draining = false, .maintenance = std::nullopt}, "not draining");
  AddServerChange(verbs, "maintenance", "Gives a server nothing new; it keeps what it has",
                  {.draining = std::nullopt, .maintenance = true}, "under maintenance");
  AddServerChange(verbs, "resume", "Ends the maintenance of a server", {.draining = std::nullopt, .maintenance = false},
                  "gets replicas again");
}

void AddServerList(Verbs& verbs) {
  verbs.Add("server list", "Lists the tablet servers", "server list", [](Context& context) -> Status {
    EBLA_ASSIGN(const Client client, context.connect());
    EBLA_ASSIGN(const std::vector<ServerSummary> servers, client.ListServers());
    if (context.out.json) {
      Json all = Json::array();
      for (const ServerSummary& server : servers) all.push_back(ToJson(server));
      context.out.Value(all);
      return {};
    }
    std::vector<std::vector<std::string>> rows = {{"SERVER", "STATE", "RACK", "ADDRESS", "HTTP", "TABLETS", "LEADING",
                                                   "SIZE", "DISK FREE", "READS/S", "WRITES/S", "HEARTBEAT"}};
    for (const ServerSummary& server : servers) {
      const std::string heartbeat = server.since_heartbeat ? FormatDuration(*server.since_heartbeat) + " ago" : "none";
      rows.push_back({server.name,
                      StateOf(server),
                      server.rack.empty() ? kNone : server.rack, server.address, server.http_address,
                      std::to_string(server.tablets), std::to_string(server.leading), Size(server.size_bytes),
                      Size(server.disk_free_bytes), Rounded(server.reads_per_second), Rounded(server.writes_per_second),
                      heartbeat});
    }
    context.out.Columns(rows);
    for (const ServerSummary& server : servers) {
      if (!server.note.empty()) context.out.Line(server.name + ": " + server.note);
    }
    return {};
  });
}

void AddServerRemove(Verbs& verbs) {
  auto name = std::make_shared<std::string>();
  CLI::App* verb = verbs.Add("server remove", "Forgets a tablet server that is gone for good", "server remove ts-4",
                             [name](Context& context) -> Status {
                               EBLA_ASSIGN(const Client client, context.connect());
                               EBLA_TRY(client.RemoveServer(*name));
                               context.out.Ok();
                               return {};
                             });
  verb->add_option("NAME", *name, "One that does not live, and has no replicas any more")->required();
}

Json ToJson(const ClusterAdoption& adoption, bool done) {
  Json tables = Json::array(), tablets = Json::array();
  for (const ClusterAdoption::Table& table : adoption.tables) {
    tables.push_back({{"name", table.name},
                      {"id", table.id.value},
                      {"schema_version", table.schema_version},
                      {"known", table.known},
                      {"tablets", table.tablets}});
  }
  for (const ClusterAdoption::Tablet& tablet : adoption.tablets) {
    Json object = ToJson(tablet.tablet);
    object["known"] = tablet.known;
    object["led"] = tablet.led;
    object["holders"] = tablet.holders;
    tablets.push_back(std::move(object));
  }
  return {{"adopted", done},         {"reason", adoption.reason},   {"problems", adoption.problems},
          {"notes", adoption.notes}, {"next_id", adoption.next_id}, {"next_id_then", adoption.next_id_then},
          {"tables", tables},        {"tablets", tablets}};
}

void ShowAdoption(const ClusterAdoption& adoption, Output& out) {
  out.Line(adoption.reason);
  std::vector<std::vector<std::string>> rows = {{"TABLE", "ID", "SCHEMA", "TABLETS", "WHAT"}};
  for (const ClusterAdoption::Table& table : adoption.tables) {
    rows.push_back({table.name, std::to_string(table.id.value), std::to_string(table.schema_version),
                    std::to_string(table.tablets), table.known ? "gets a newer schema" : "made again"});
  }
  if (rows.size() > 1) out.Columns(rows);
  rows = {{"TABLET", "TABLE", "RANGE", "EPOCH", "PRIMARY", "VOTERS", "LEARNERS", "HELD BY", "WHAT"}};
  for (const ClusterAdoption::Tablet& tablet : adoption.tablets) {
    rows.push_back({std::to_string(tablet.tablet.id.value), tablet.tablet.table, tablet.tablet.range.ToString(),
                    std::to_string(tablet.tablet.epoch.value), tablet.tablet.primary, Joined(tablet.tablet.voters, {}),
                    Joined(tablet.tablet.learners, {}), Joined(tablet.holders, {}),
                    std::string(tablet.known ? "raised" : "made again") + (tablet.led ? ", goes on" : ", the longest log")});
  }
  if (rows.size() > 1) out.Columns(rows);
  out.Line("next id " + std::to_string(adoption.next_id) + " -> " + std::to_string(adoption.next_id_then));
  for (const std::string& note : adoption.notes) out.Line("note: " + note);
  for (const std::string& problem : adoption.problems) out.Line("PROBLEM: " + problem);
}

void AddClusterAdopt(Verbs& verbs) {
  struct Arguments {
    AdoptOptions options;
    bool dry_run = false;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb = verbs.Add(
      "cluster adopt", "Takes what servers have into a catalog restored from an older state", "cluster adopt --confirm",
      [args](Context& context) -> Status {
        if (args->dry_run && args->options.confirm) {
          return Error(Code::kInvalidArgument, "--dry-run and --confirm: one of the two");
        }
        EBLA_ASSIGN(const Client client, context.connect());
        EBLA_ASSIGN(const ClusterAdoption found, client.Adopt({.without = args->options.without}));
        if (found.reason.empty()) {
          context.out.Ok("nothing is beyond the catalog", ToJson(found, false));
          return {};
        }
        if (!context.out.json) ShowAdoption(found, context.out);
        if (!args->options.confirm) {
          if (context.out.json) {
            context.out.Value(ToJson(found, false));
          } else {
            context.out.Line(found.problems.empty() ? "nothing has been changed: add --confirm"
                                                    : "nothing has been changed: first the problems");
          }
          return {};
        }
        EBLA_ASSIGN(const ClusterAdoption done, client.Adopt(args->options));
        context.out.Ok(std::to_string(done.tables.size()) + " tables, " + std::to_string(done.tablets.size()) + " tablets",
                       ToJson(done, true));
        return {};
      });
  verb->add_flag("--dry-run", args->dry_run, "Only show what would be adopted, as without --confirm");
  verb->add_flag("--confirm", args->options.confirm, "Write it into the catalog");
  verb->add_option("--without", args->options.without, "A server that is gone for good; what it alone has is given up")
      ->type_name("NAME");
}

void AddClusterInfo(Verbs& verbs) {
  verbs.Add("cluster info", "Shows the masters and what they count", "cluster info", [](Context& context) -> Status {
    EBLA_ASSIGN(const Client client, context.connect());
    EBLA_ASSIGN(const ClusterInfo info, client.DescribeCluster());
    if (context.out.json) {
      Json masters = Json::array();
      for (const MasterSummary& master : info.masters) {
        masters.push_back({{"name", master.name}, {"address", master.address}, {"leader", master.leader}});
      }
      context.out.Value({{"cluster_id", info.cluster_id},
                         {"term", info.term},
                         {"masters", masters},
                         {"from_leader", info.from_leader},
                         {"live_servers", info.live_servers},
                         {"known_servers", info.known_servers},
                         {"safe_mode", info.safe_mode},
                         {"copies", info.copies},
                         {"tables", info.tables},
                         {"tablets", info.tablets},
                         {"version", info.version}});
      return {};
    }
    std::vector<std::vector<std::string>> rows = {{"cluster", info.cluster_id}, {"term", std::to_string(info.term)}};
    for (const MasterSummary& master : info.masters) {
      rows.push_back({"master", master.name + " at " + master.address + (master.leader ? ", leads" : ", stands by")});
    }
    if (!info.from_leader) {
      rows.push_back({"note", "no leading master answers: its counts are not known"});
      context.out.Columns(rows);
      return {};
    }
    rows.push_back({"live servers", std::to_string(info.live_servers) + " of " + std::to_string(info.known_servers)});
    if (!info.safe_mode.empty()) rows.push_back({"safe mode", "nothing is repaired: " + info.safe_mode});
    if (info.copies > 0) rows.push_back({"copies under way", std::to_string(info.copies)});
    rows.push_back({"tables", std::to_string(info.tables)});
    rows.push_back({"tablets", std::to_string(info.tablets)});
    rows.push_back({"version", info.version});
    context.out.Columns(rows);
    return {};
  });
}

const char* RoleOf(const ReplicaPlace& replica, const TabletPlace& place) {
  if (replica.server == place.primary) return "primary";
  return replica.voter ? "voter" : "learner";
}

Json ReplicasJson(const TabletPlace& place) {
  Json all = Json::array();
  for (const ReplicaPlace& replica : place.replicas) {
    all.push_back({{"server", replica.server},
                   {"role", RoleOf(replica, place)},
                   {"rack", replica.rack},
                   {"address", replica.address}});
  }
  return all;
}

void AddLocate(Verbs& verbs) {
  struct Arguments {
    std::string table, key;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb =
      verbs.Add("locate", "Shows which tablet a key belongs to, and its replicas", "locate carts user42",
                [args](Context& context) -> Status {
                  EBLA_ASSIGN(const std::string key, UnescapeBytes(args->key));
                  EBLA_ASSIGN(const Client client, context.connect());
                  EBLA_ASSIGN(const TabletPlace place, client.Locate(args->table, key));
                  if (context.out.json) {
                    context.out.Value({{"tablet", place.id.value},
                                       {"range", RangeJson(place.range)},
                                       {"epoch", place.epoch.value},
                                       {"primary", place.primary},
                                       {"address", place.primary_address},
                                       {"replicas", ReplicasJson(place)}});
                    return {};
                  }
                  const std::string primary =
                      place.primary.empty() ? "no primary at present" : place.primary + " at " + place.primary_address;
                  context.out.Line("tablet " + std::to_string(place.id.value) + " " + place.range.ToString() +
                                   "  epoch " + std::to_string(place.epoch.value) + "  " + primary);
                  std::vector<std::vector<std::string>> rows = {{"REPLICA", "ROLE", "RACK", "ADDRESS"}};
                  for (const ReplicaPlace& replica : place.replicas) {
                    rows.push_back({replica.server, RoleOf(replica, place), replica.rack.empty() ? kNone : replica.rack,
                                    replica.address});
                  }
                  context.out.Columns(rows);
                  return {};
                });
  verb->add_option("TABLE", args->table)->required();
  verb->add_option("KEY", args->key, R"(\xNN is a byte)")->required();
}

}  // namespace

void AddClusterVerbs(Verbs& verbs) {
  AddTabletList(verbs);
  AddTabletTransfer(verbs);
  AddTabletSplit(verbs);
  AddTabletMove(verbs);
  AddTabletRecover(verbs);
  AddServerList(verbs);
  AddServerChanges(verbs);
  AddServerRemove(verbs);
  AddClusterInfo(verbs);
  AddClusterAdopt(verbs);
  AddLocate(verbs);
}

}  // namespace ebla::shell
