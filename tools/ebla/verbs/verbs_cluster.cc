// Verbs on the cluster as a whole: cluster info, cluster version, cluster adopt, locate.
#include <algorithm>
#include <limits>
#include <set>

#include "common/base/count.h"
#include "tools/ebla/reports/listing.h"
#include "tools/ebla/verbs/arguments.h"
#include "tools/ebla/verbs/tablet_argument.h"

namespace ebla::shell {

namespace {

constexpr int kFeatureLevelMax = std::numeric_limits<int>::max();

Json ToJson(const ClusterAdoption& adoption, bool done) {
  Json tables = Json::Array(), tablets = Json::Array();
  for (const ClusterAdoption::Table& table : adoption.tables) {
    tables.push_back({{"name", table.name},
                      {"id", table.id.value},
                      {"schema_version", table.schema_version},
                      {"known", table.known},
                      {"tablets", table.tablets}});
  }
  for (const ClusterAdoption::Tablet& tablet : adoption.tablets) {
    Json object = TabletJson(tablet.tablet);
    object["known"] = tablet.known;
    object["has_primary"] = tablet.led;
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
    rows.push_back(
        {std::to_string(tablet.tablet.id.value), tablet.tablet.table, RangeCell(tablet.tablet.range),
         std::to_string(tablet.tablet.epoch.value), tablet.tablet.primary, Joined(tablet.tablet.voters, {}),
         Joined(tablet.tablet.learners, {}), Joined(tablet.holders, {}),
         std::string(tablet.known ? "raised" : "made again") + (tablet.led ? ", goes on" : ", the longest log")});
  }
  if (rows.size() > 1) out.Columns(rows);
  out.Line("next id " + std::to_string(adoption.next_id) + " -> " + std::to_string(adoption.next_id_then));
  for (const std::string& note : adoption.notes) out.Line("note: " + note);
  for (const std::string& problem : adoption.problems) out.Line("PROBLEM: " + problem);
}

struct AdoptArguments {
  AdoptOptions options;
  bool dry_run = false;
};

// Shows what there is; writes only where that is meant.
Status Adopt(const AdoptArguments& args, Context& context) {
  const bool yes = args.options.confirm;
  if (args.dry_run && yes) return Error(Code::kInvalidArgument, "--dry-run and --yes: give one of the two");
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(const ClusterAdoption found, client.Adopt({.without = args.options.without}));
  if (found.reason.empty()) {
    context.out.Ok("the catalog already lists everything that the servers hold", ToJson(found, false));
    return {};
  }
  if (!context.out.json) ShowAdoption(found, context.out);
  if (!yes && (args.dry_run || !found.problems.empty() || !context.ask)) {
    if (context.out.json) {
      context.out.Value(ToJson(found, false));
    } else {
      context.out.Line(found.problems.empty() ? "nothing has been changed: add --yes to do it"
                                              : "nothing has been changed: first solve the problems");
    }
    return {};
  }
  EBLA_TRY(Confirm(context, yes, "adds to the catalog everything that the servers hold"));
  AdoptOptions options = args.options;
  options.confirm = true;
  EBLA_ASSIGN(const ClusterAdoption done, client.Adopt(options));
  context.out.Ok(Count(done.tables.size(), "table") + ", " + Count(done.tablets.size(), "tablet"), ToJson(done, true));
  return {};
}

void AddClusterAdopt(Verbs& verbs) {
  auto args = std::make_shared<AdoptArguments>();
  verbs
      .Add("cluster adopt", "Adds the servers' tables and tablets to a catalog that was restored from an older state",
           "cluster adopt --yes", [args](Context& context) { return Adopt(*args, context); })
      .Flag("--dry-run", args->dry_run, "Only shows the tables and tablets that it would add")
      .Dangerous(args->options.confirm, {"--confirm"})
      .Option("--without", "SERVER", TakeTexts(args->options.without),
              "A server that is lost for good; its only copies are given up")
      .Several();
}

// `live`: the servers that live and report.
Json ToJson(const ClusterInfo& info, int64_t live) {
  Json masters = Json::Array();
  for (const MasterSummary& master : info.masters) {
    masters.push_back({{"name", master.name}, {"address", master.address}, {"leader", master.leader}});
  }
  const auto counted = [&](Json value) { return info.from_leader ? value : Json(); };
  return {{"cluster_id", info.cluster_id},
          {"term", info.term},
          {"masters", masters},
          {"from_leader", info.from_leader},
          {"live_servers", counted(live)},
          {"known_servers", counted(info.known_servers)},
          {"safe_mode", info.safe_mode},
          {"coordinator_away_ms", info.coordinator_away ? Json(info.coordinator_away->count()) : Json()},
          {"copies", counted(info.copies)},
          {"tables", counted(info.tables)},
          {"tablets", counted(info.tablets)},
          {"version", info.version}};
}

Status Info(Context& context) {
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(const ClusterInfo info, client.DescribeCluster());
  // The list of servers shows a silence sooner than the master's count.
  const auto servers = info.from_leader ? client.ListServers() : Result<std::vector<ServerSummary>>();
  if (context.out.json) {
    context.out.Value(ToJson(info, servers ? std::ranges::count_if(*servers, Reports) : info.live_servers));
    return {};
  }
  std::vector<std::vector<std::string>> rows = {{"cluster", info.cluster_id}, {"term", std::to_string(info.term)}};
  for (const MasterSummary& master : info.masters) {
    rows.push_back({"master", master.name + " at " + master.address + (master.leader ? ", leader" : ", standby")});
  }
  if (info.coordinator_away) {
    rows.push_back(
        {"coordinator", "away for " + Lasting(*info.coordinator_away) + "; ebla health lists what waits for it"});
  }
  if (!info.from_leader) {
    rows.push_back({"note", "no leader answers, and a standby has no counts"});
    context.out.Columns(rows);
    return {};
  }
  rows.push_back({"servers", servers ? LiveServers(*servers)
                                     : std::to_string(info.live_servers) + " of " +
                                           Count(info.known_servers, "server") + " live"});
  if (!info.safe_mode.empty()) rows.push_back({"safe mode", "nothing is repaired: " + info.safe_mode});
  if (info.copies > 0) rows.push_back({"copies under way", std::to_string(info.copies)});
  rows.push_back({"tables", std::to_string(info.tables)});
  rows.push_back({"tablets", std::to_string(info.tablets)});
  rows.push_back({"version", info.version});
  context.out.Columns(rows);
  return {};
}

void AddClusterInfo(Verbs& verbs) {
  verbs.Add("cluster info", "Shows the masters, and how many servers, tables and tablets there are", "cluster info",
            Info);
}

const char* RoleOf(const ReplicaPlace& replica, const TabletPlace& place) {
  if (replica.server == place.primary) return "primary";
  return replica.voter ? "voter" : "learner";
}

Json ReplicasJson(const TabletPlace& place) {
  Json all = Json::Array();
  for (const ReplicaPlace& replica : place.replicas) {
    all.push_back({{"server", replica.server},
                   {"role", RoleOf(replica, place)},
                   {"rack", replica.rack},
                   {"address", replica.address}});
  }
  return all;
}

Status Locate(const TabletArgument& argument, Context& context) {
  EBLA_TRY(argument.Check());
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(const NamedTablet tablet, argument.Find(client));
  EBLA_ASSIGN(const TabletPlace place, client.Locate(tablet.table, tablet.key));
  const bool led = !place.primary.empty();
  if (context.out.json) {
    context.out.Value({{"tablet", place.id.value},
                       {"range", RangeJson(place.range)},
                       {"epoch", place.epoch.value},
                       {"primary", led ? Json(place.primary) : Json()},
                       {"address", led ? Json(place.primary_address) : Json()},
                       {"replicas", ReplicasJson(place)}});
    return {};
  }
  context.out.Line(NameOfTablet(place.id, tablet.table, place.range) + "  epoch " + std::to_string(place.epoch.value) +
                   "  " + (led ? place.primary + " at " + place.primary_address : "no primary at present"));
  std::vector<std::vector<std::string>> rows = {{"REPLICA", "ROLE", "RACK", "ADDRESS"}};
  for (const ReplicaPlace& replica : place.replicas) {
    rows.push_back(
        {replica.server, RoleOf(replica, place), replica.rack.empty() ? kNone : replica.rack, replica.address});
  }
  context.out.Columns(rows);
  return {};
}

std::string StateOf(const ProcessVersion& process) {
  if (!process.live) return "lost";
  if (process.role == ProcessRole::kTabletServer) return "live";
  return process.leader ? "leader" : "standby";
}

Json KnownNumber(int number) { return number > 0 ? Json(number) : Json(); }

Json ToJson(const ProcessVersion& process) {
  return {{"role", process.role == ProcessRole::kMaster ? "master" : "tablet server"},
          {"name", process.name},
          {"address", process.address},
          {"state", StateOf(process)},
          {"version", process.version.empty() ? Json() : Json(process.version)},
          {"feature_level", KnownNumber(process.feature_level)},
          {"protocol", KnownNumber(process.protocol)},
          {"store_format", KnownNumber(process.store_format)}};
}

Json ToJson(const ClusterVersions& versions) {
  Json processes = Json::Array(), features = Json::Array();
  for (const ProcessVersion& process : versions.processes) processes.push_back(ToJson(process));
  for (const FeatureInfo& feature : versions.features) {
    features.push_back({{"name", feature.name},
                        {"level", feature.level},
                        {"on", versions.level >= feature.level},
                        {"what", feature.what}});
  }
  return {{"level", KnownNumber(versions.level)},
          {"held", versions.held},
          {"processes", processes},
          {"features", features}};
}

std::string NumberOrDash(int number) { return number > 0 ? std::to_string(number) : "-"; }

void ShowProcesses(const std::vector<ProcessVersion>& processes, Output& out) {
  std::vector<std::vector<std::string>> rows = {
      {"ROLE", "NAME", "ADDRESS", "STATE", "VERSION", "LEVEL", "PROTOCOL", "STORE FORMAT"}};
  std::set<std::string> versions;
  for (const ProcessVersion& process : processes) {
    if (process.live && !process.version.empty()) versions.insert(process.version);
    rows.push_back({process.role == ProcessRole::kMaster ? "master" : "tablet server", process.name, process.address,
                    StateOf(process), process.version.empty() ? "-" : process.version,
                    NumberOrDash(process.feature_level), NumberOrDash(process.protocol),
                    NumberOrDash(process.store_format)});
  }
  out.Columns(rows);
  if (versions.size() > 1) out.Line(Count(versions.size(), "version") + " run side by side");
}

// The cluster's level, the processes that hold it back, and the features of higher levels.
void ShowLevel(const ClusterVersions& versions, Output& out) {
  if (versions.level == 0) return;  // a master of before leads
  const std::string held = versions.held ? ", held: `ebla cluster version --release` lets it rise" : "";
  out.Line("the cluster is at feature level " + std::to_string(versions.level) + held);
  std::vector<std::string> behind;
  int greatest = 0, least = kFeatureLevelMax;
  for (const ProcessVersion& process : versions.processes) {
    greatest = std::max(greatest, process.feature_level);
    least = std::min(least, process.feature_level);
    if (process.feature_level <= versions.level) behind.push_back(process.name + (process.live ? "" : " (lost)"));
  }
  if (greatest <= versions.level) return;
  const bool all_speak_more = behind.empty();
  const int next = all_speak_more ? least : greatest;
  if (!all_speak_more) {
    out.Line("these processes speak no higher level, and hold it back: " + Joined(behind, {}));
  } else if (!versions.held) {
    out.Line(
        "every process speaks a higher level: the cluster's level rises soon, by itself, and then refuses older "
        "builds");
  }
  for (const FeatureInfo& feature : versions.features) {
    if (feature.level <= versions.level || feature.level > next) continue;
    out.Line("level " + std::to_string(feature.level) + " switches on " + feature.name + ": " + feature.what);
  }
}

struct VersionArguments {
  bool hold = false, release = false;
};

Status ShowVersion(const VersionArguments& args, Context& context) {
  if (args.hold && args.release) return Error(Code::kInvalidArgument, "--hold and --release: give one of the two");
  EBLA_ASSIGN(const Client client, context.connect());
  if (args.hold || args.release) EBLA_TRY(client.HoldLevel(args.hold));
  EBLA_ASSIGN(const ClusterVersions versions, client.ListVersions());
  if (context.out.json) {
    context.out.Value(ToJson(versions));
    return {};
  }
  ShowProcesses(versions.processes, context.out);
  ShowLevel(versions, context.out);
  return {};
}

void AddClusterVersion(Verbs& verbs) {
  auto args = std::make_shared<VersionArguments>();
  verbs
      .Add("cluster version", "Shows the version of every master and tablet server, and the cluster's feature level",
           "cluster version\n  cluster version --hold",
           [args](Context& context) { return ShowVersion(*args, context); })
      .Flag("--hold", args->hold, "Holds the feature level, so that an upgrade can be undone")
      .Flag("--release", args->release, "Lets the feature level rise by itself again");
}

void AddLocate(Verbs& verbs) {
  auto tablet = std::make_shared<TabletArgument>();
  Verb& verb =
      verbs.Add("locate", "Shows a tablet, by a key or by its id, and its replicas", "locate carts user42\n  locate 17",
                [tablet](Context& context) { return Locate(*tablet, context); });
  tablet->AddTo(verb);
  verb.OnTableInUse();
}

}  // namespace

void AddClusterVerbs(Verbs& verbs) {
  AddClusterInfo(verbs);
  AddClusterAdopt(verbs);
  AddClusterVersion(verbs);
  AddLocate(verbs);
}

}  // namespace ebla::shell
