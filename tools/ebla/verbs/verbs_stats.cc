// All that load reports say of one tablet: tablet stats.
#include "tools/ebla/reports/listing.h"
#include "tools/ebla/verbs/arguments.h"
#include "tools/ebla/verbs/tablet_argument.h"

namespace ebla::shell {

namespace {

const char* Name(SplitFindingKind kind) {
  switch (kind) {
    case SplitFindingKind::kNoKey: return "no key";
    case SplitFindingKind::kKey: return "key";
    case SplitFindingKind::kPopularKey: return "popular key";
    case SplitFindingKind::kOneDirection: return "one direction";
    case SplitFindingKind::kNotKnown: break;
  }
  return "not known";
}

// The key at which the tablet would be split, for people.
std::string Finding(const TabletLoadInfo& load) {
  const std::string key = "\"" + EscapeBytes(load.split_key) + "\"";
  switch (load.split_finding) {
    case SplitFindingKind::kNoKey: return "no key cuts the load in two";
    case SplitFindingKind::kKey: return "the load is cut in two at " + key;
    case SplitFindingKind::kPopularKey:
      return Rounded(load.popular_part * 100) + "% of the load is on \"" + EscapeBytes(load.popular_key) + "\" alone";
    case SplitFindingKind::kOneDirection: return "keys are written in order; the end is at " + key;
    case SplitFindingKind::kNotKnown: break;
  }
  return "not known";
}

Json LoadJson(const TabletLoadInfo& load) {
  Json object = {{"size_bytes", Counted(load.size_bytes)},
                 {"records", Counted(load.records)},
                 {"reads_per_second", Json::Rounded(load.reads_per_second)},
                 {"writes_per_second", Json::Rounded(load.writes_per_second)},
                 {"read_bytes_per_second", Json::Rounded(load.read_bytes_per_second)},
                 {"write_bytes_per_second", Json::Rounded(load.write_bytes_per_second)},
                 {"cpu_micros_per_second", Json::Rounded(load.cpu_micros_per_second)},
                 {"cache_misses_per_second", Json::Rounded(load.cache_misses_per_second)}};
  object["peaks"] = nullptr;
  object["split"] = nullptr;
  if (!load.leading) return object;
  if (load.peaks_of.count() > 0) {
    object["peaks"] = {{"operations_per_second", Json::Rounded(load.peak_operations_per_second)},
                       {"cpu_micros_per_second", Json::Rounded(load.peak_cpu_micros_per_second)},
                       {"of_ms", load.peaks_of.count()}};
  }
  const auto known = [](const std::string& key) {
    return key.empty() ? std::nullopt : std::optional<std::string_view>(key);
  };
  Json finding = {{"finding", Name(load.split_finding)}};
  PutBytes(finding, "key", known(load.split_key));
  PutBytes(finding, "middle_key", known(load.middle_key));
  PutBytes(finding, "popular_key", known(load.popular_key));
  finding["popular_part"] = Json::Rounded(load.popular_part, 3);
  object["split"] = std::move(finding);
  return object;
}

Json ToJson(const ReplicaReport& replica) {
  Json object = {{"server", replica.server}, {"reported", replica.reported}, {"has_replica", replica.known}};
  if (!replica.known) return object;
  object.Update({{"is_primary", replica.load.leading},
                 {"epoch", replica.epoch.value},
                 {"promised_epoch", replica.promised.value},
                 {"applied", replica.applied},
                 {"log_ends", replica.last.ToString()},
                 {"schema_version", replica.schema_version},
                 {"incomplete", replica.incomplete},
                 {"may_have_lost_writes", replica.may_have_lost_writes},
                 {"lost_part_of_its_log", replica.lost},
                 {"failed", replica.failed},
                 {"load", LoadJson(replica.load)}});
  Json peers = Json::Array();
  for (const ReplicaProgressInfo& peer : replica.peers) {
    peers.push_back({{"server", peer.server},
                     {"voter", peer.voter},
                     {"copying", peer.copying},
                     {"incomplete", peer.incomplete},
                     {"flushed", peer.flushed},
                     {"silent_ms", peer.silent ? Json(peer.silent->count()) : Json()}});
  }
  object["peers"] = std::move(peers);
  return object;
}

Json ToJson(const TabletSummary& tablet) {
  Json replicas = Json::Array();
  for (const ReplicaReport& replica : tablet.replicas) replicas.push_back(ToJson(replica));
  return {{"id", tablet.id.value},
          {"table", tablet.table},
          {"range", RangeJson(tablet.range)},
          {"epoch", tablet.epoch.value},
          {"primary", tablet.primary.empty() ? Json() : Json(tablet.primary)},
          {"voters", tablet.voters},
          {"learners", tablet.learners},
          {"replicas", std::move(replicas)}};
}

std::string StateOf(const ReplicaReport& replica) {
  if (!replica.reported) return "not reported";
  if (!replica.known) return "has no replica";
  std::string state = replica.failed ? "failed" : replica.load.leading ? "primary" : "follower";
  if (replica.incomplete) state += ", incomplete";
  if (replica.lost) {
    state += ", lost part of its log";
  } else if (replica.may_have_lost_writes) {
    state += ", may have lost writes";
  }
  return state;
}

void ShowReplicas(const TabletSummary& tablet, Output& out) {
  std::vector<std::vector<std::string>> rows = {{"REPLICA", "STATE", "EPOCH", "PROMISED", "LOG_ENDS", "APPLIED", "SIZE",
                                                 "READS/S", "WRITES/S", "READ_BYTES/S", "WRITE_BYTES/S", "CPU_US/S",
                                                 "MISSES/S"}};
  for (const ReplicaReport& replica : tablet.replicas) {
    std::vector<std::string> row = {replica.server, StateOf(replica)};
    if (replica.known) {
      const TabletLoadInfo& load = replica.load;
      for (std::string cell :
           {std::to_string(replica.epoch.value), std::to_string(replica.promised.value), replica.last.ToString(),
            std::to_string(replica.applied), Bytes(load.size_bytes), Rounded(load.reads_per_second),
            Rounded(load.writes_per_second), SizeCell(static_cast<int64_t>(load.read_bytes_per_second)),
            SizeCell(static_cast<int64_t>(load.write_bytes_per_second)), Rounded(load.cpu_micros_per_second),
            Rounded(load.cache_misses_per_second)}) {
        row.push_back(std::move(cell));
      }
    }
    row.resize(rows.front().size(), "-");
    rows.push_back(std::move(row));
  }
  out.Columns(rows);
}

// The primary's view of its peers.
void ShowPeers(const ReplicaReport& leader, Output& out) {
  if (leader.peers.empty()) return;
  std::vector<std::vector<std::string>> rows = {
      {"SEEN BY " + leader.server, "ROLE", "HAS LOG TO", "LACKS", "HEARD", "STATE"}};
  for (const ReplicaProgressInfo& peer : leader.peers) {
    const uint64_t end = leader.last.lsn.value;
    rows.push_back({peer.server, peer.voter ? "voter" : "learner", std::to_string(peer.flushed),
                    std::to_string(end > peer.flushed ? end - peer.flushed : 0),
                    peer.silent ? AgeText(*peer.silent) : "never in this epoch",
                    peer.copying      ? "is copied to"
                    : peer.incomplete ? "incomplete"
                                      : "complete"});
  }
  out.Line("");
  out.Columns(rows);
}

void Show(const TabletSummary& tablet, Output& out) {
  out.Line(NameOfTablet(tablet.id, tablet.table, tablet.range) + "  epoch " + std::to_string(tablet.epoch.value) +
           "  " + (tablet.primary.empty() ? "no primary at present" : "primary " + tablet.primary));
  ShowReplicas(tablet, out);
  for (const ReplicaReport& replica : tablet.replicas) {
    if (!replica.known || !replica.load.leading) continue;
    ShowPeers(replica, out);
    const TabletLoadInfo& load = replica.load;
    out.Line("");
    std::vector<std::vector<std::string>> rows = {
        {"records", load.records > 0 ? "about " + std::to_string(load.records) : "not counted yet"}};
    rows.push_back(
        {"peaks", load.peaks_of.count() == 0
                      ? "not known"
                      : Rounded(load.peak_operations_per_second) + " operations/s, " +
                            Rounded(load.peak_cpu_micros_per_second) + " us/s of processor, in the last " +
                            FormatDuration(std::chrono::milliseconds(load.peaks_of.count() / 1'000 * 1'000))});
    rows.push_back({"split by load", Finding(load)});
    rows.push_back({"split by data", load.middle_key.empty() ? "the middle key is not known"
                                                             : "at \"" + EscapeBytes(load.middle_key) + "\""});
    out.Columns(rows);
  }
}

Status Stats(const TabletArgument& args, Context& context) {
  EBLA_TRY(args.Check());
  EBLA_ASSIGN(const Client client, context.connect());
  std::optional<TabletId> id = args.Id();
  if (!id) {
    EBLA_ASSIGN(const NamedTablet named, args.Find(client));
    id = named.id;
  }
  EBLA_ASSIGN(const TabletSummary tablet, client.DescribeTablet(*id));
  if (context.out.json) {
    context.out.Value(ToJson(tablet));
  } else {
    Show(tablet, context.out);
  }
  return {};
}

}  // namespace

void AddStatsVerbs(Verbs& verbs) {
  auto args = std::make_shared<TabletArgument>();
  args->AddTo(verbs.Add(
      "tablet stats", "Shows what servers report of a tablet: load, sizes, logs, and where it would be split",
      "tablet stats 17\n  tablet stats carts user42", [args](Context& context) { return Stats(*args, context); }));
}

}  // namespace ebla::shell
