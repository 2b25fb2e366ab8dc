// Verbs on tablets: tablet list, transfer, split, move, recover.
#include <algorithm>

#include "tools/ebla/reports/listing.h"
#include "tools/ebla/verbs/arguments.h"
#include "tools/ebla/verbs/presplit.h"

namespace ebla::shell {

namespace {

// What the columns count.
constexpr const char* kCounted =
    "\n\nA replica whose server does not live is marked (lost). STATE: serving; not-led, for a moment or until a "
    "failover; unheard, where\n"
    "its primary has not reported it yet; lost, where no majority of the voters lives. RECORDS and SIZE are the "
    "primary's estimates,\n"
    "made every ten seconds; beyond a thousand records of what is on its disk, compressed, so that the latest minute's "
    "writes may be\n"
    "missing. \"-\": not known, or nothing counted (yet).";

void AddTabletTransfer(Verbs& verbs) {
  struct Arguments {
    std::string table, key, to;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb = verbs.Add("tablet transfer", "Has a tablet led by another of its voters; no data moves",
                             "tablet transfer carts --key user42 --to ts-2", [args](Context& context) -> Status {
                               EBLA_ASSIGN(const std::string key, UnescapeBytes(args->key));
                               EBLA_ASSIGN(const Client client, context.connect());
                               EBLA_TRY(CheckServer(client, args->to));
                               EBLA_TRY(client.TransferTablet(args->table, key, args->to));
                               context.out.Ok("led by " + args->to, {{"primary", args->to}});
                               return {};
                             });
  verb->add_option("TABLE", args->table)->required();
  verb->add_option("--key", args->key, R"(Of the tablet that holds it; \xNN is a byte)")->required();
  verb->add_option("--to", args->to, "A server that has a vote in it")->required()->type_name("SERVER");
}

// The best key at which the tablet that holds `key` can be split. Servers tell the middle of large tablets alone: all
// keys of another are looked at.
Result<std::string> BestSplitKey(Context& context, const Client& client, const std::string& table,
                                 const std::string& key) {
  constexpr size_t kLookAt = 1'000'000;
  EBLA_ASSIGN(const TableInfo described, client.DescribeTable(table));
  EBLA_ASSIGN(const std::vector<TabletSummary> tablets, client.ListTablets(table));
  const auto tablet = std::ranges::find_if(tablets, [&](const TabletSummary& one) { return one.range.Contains(key); });
  if (tablet == tablets.end()) return Error(Code::kComeAgain, "the tablet is just being split or merged");
  if (auto best = BestKey(*tablet, described.options.key_group)) return *std::move(best);
  EBLA_ASSIGN(const Table opened, client.OpenTable(table));
  std::vector<std::string> keys;
  Scanner scan = opened.Scan({.range = tablet->range, .keys_only = true});
  while (keys.size() <= kLookAt && scan.Next()) {
    if (context.interrupted) return Error(Code::kUnavailable, "interrupted; nothing was split");
    keys.push_back(scan.key());
  }
  EBLA_TRY(scan.status());
  const std::string name = "tablet " + std::to_string(tablet->id.value);
  if (keys.size() > kLookAt) {
    return Error(Code::kComeAgain, "where the load or the data of " + name +
                                       " is cut in two is not known at present; name a key with --at");
  }
  const std::vector<PresplitCut> cuts = CutsOfKeys(keys, {*tablet}, 1, described.options.key_group);
  if (!cuts.empty()) return cuts.front().key;
  return Error(Code::kConditionFailed,
               name + " has " + std::to_string(keys.size()) +
                   " keys, and none that cuts them in two (no key group is cut); name a key with --at");
}

void AddTabletSplit(Verbs& verbs) {
  struct Arguments {
    std::string table, at, key;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb = verbs.Add(
      "tablet split", "Splits a tablet at a key, or at the best one; no data moves", "tablet split carts --at user5",
      [args](Context& context) -> Status {
        if (args->at.empty() == args->key.empty()) {
          return Error(Code::kInvalidArgument,
                       "tablet split needs --at, the key to split at, or --key, of the tablet to split at its best");
        }
        EBLA_ASSIGN(std::string key, UnescapeBytes(args->at.empty() ? args->key : args->at));
        EBLA_ASSIGN(const Client client, context.connect());
        if (args->at.empty()) {
          EBLA_ASSIGN(key, BestSplitKey(context, client, args->table, key));
        }
        EBLA_ASSIGN(const TabletSplit split, client.SplitTablet(args->table, key));
        context.out.Ok("tablet " + std::to_string(split.tablet.value) + " " + split.range.ToString() + ", tablet " +
                           std::to_string(split.child.value) + " " + split.child_range.ToString(),
                       {{"tablet", split.tablet.value},
                        {"range", RangeJson(split.range)},
                        {"child", split.child.value},
                        {"child_range", RangeJson(split.child_range)}});
        return {};
      });
  verb->add_option("TABLE", args->table)->required();
  verb->add_option("--at", args->at, R"(The key at which the new tablet begins; \xNN is a byte)")->type_name("KEY");
  verb->add_option("--key", args->key, "Splits the tablet that holds it where its load is halved, or else its data")
      ->type_name("KEY");
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
                  if (!args->server.empty()) EBLA_TRY(CheckServer(client, args->server));
                  EBLA_ASSIGN(std::vector<TabletSummary> tablets, client.ListTablets(args->table, args->server));
                  EBLA_ASSIGN(const std::vector<ServerSummary> servers, client.ListServers());
                  if (args->lost)
                    std::erase_if(tablets, [&](const TabletSummary& tablet) { return HasMajority(tablet, servers); });
                  if (!context.out.json) {
                    context.out.Columns(TabletRows(tablets, servers));
                    return {};
                  }
                  Json all = Json::array();
                  for (const TabletSummary& tablet : tablets) all.push_back(TabletJson(tablet));
                  context.out.Value(all);
                  return {};
                });
  verb->footer(verb->get_footer() + kCounted);
  verb->add_option("TABLE", args->table, "Of this table alone");
  verb->add_option("--server", args->server, "On this server alone")->type_name("SERVER");
  verb->add_flag("--lost", args->lost, "Those alone of whose voters no majority lives");
}

Status CancelMove(const Client& client, const std::string& table, const std::string& key, Context& context) {
  EBLA_ASSIGN(const TabletPlace place, client.Locate(table, key));
  EBLA_ASSIGN(const Procedures procedures, client.ListProcedures());
  const auto move = std::ranges::find(procedures.listed, "move-" + std::to_string(place.id.value), &ProcedureInfo::id);
  const std::string again = move == procedures.listed.end() ? "" : BegunAgain(*move);
  EBLA_TRY(client.MoveTablet(table, key, {.from = {}, .to = {}, .cancel = true}));
  Json json = {{"cancelled", true}};
  if (!again.empty()) json["note"] = again;
  context.out.Ok("cancelled" + (again.empty() ? "" : "; " + again), json);
  return {};
}

void AddTabletMove(Verbs& verbs) {
  struct Arguments {
    std::string table, key;
    TabletMove move;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb =
      verbs.Add("tablet move", "Brings a replica of a tablet from one server to another, by copying while it serves",
                "tablet move carts --key user42 --from ts-1 --to ts-4", [args](Context& context) -> Status {
                  EBLA_ASSIGN(const std::string key, UnescapeBytes(args->key));
                  if (!args->move.cancel && (args->move.from.empty() || args->move.to.empty())) {
                    return Error(Code::kInvalidArgument, "tablet move needs --from and --to, or --cancel");
                  }
                  EBLA_ASSIGN(const Client client, context.connect());
                  if (args->move.cancel) return CancelMove(client, args->table, key, context);
                  for (const ServerName& server : {args->move.from, args->move.to})
                    EBLA_TRY(CheckServer(client, server));
                  EBLA_TRY(client.MoveTablet(args->table, key, args->move));
                  context.out.Ok("moved from " + args->move.from + " to " + args->move.to,
                                 {{"from", args->move.from}, {"to", args->move.to}});
                  return {};
                });
  verb->add_option("TABLE", args->table)->required();
  verb->add_option("--key", args->key, R"(Of the tablet that holds it; \xNN is a byte)")->required();
  verb->add_option("--from", args->move.from, "The server that gives its replica away")->type_name("SERVER");
  verb->add_option("--to", args->move.to, "The server that gets it")->type_name("SERVER");
  verb->add_flag("--cancel", args->move.cancel, "Ends the move that is under way");
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
      object["forgetful"] = replica.may_have_lost_writes;
    }
    replicas.push_back(std::move(object));
  }
  return {{"tablet", tablet.value}, {"recovered", done},           {"chosen", recovery.chosen},
          {"loss", recovery.loss},  {"refusal", recovery.refusal}, {"replicas", std::move(replicas)}};
}

std::string StateOf(const ReplicaSummary& replica) {
  std::string state = replica.live ? "live" : "lost";
  if (!replica.reported) return state + ", nothing is known of it";
  if (!replica.known) return state + ", has no replica";
  if (replica.incomplete) state += ", incomplete";
  if (replica.may_have_lost_writes) state += ", may have forgotten";
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
        context.out.Ok("led by " + done.chosen + (done.loss.empty() ? "" : "; " + done.loss),
                       ToJson(done, tablet, true));
        return {};
      });
  verb->add_option("TABLET", args->tablet, "Its id; tablet list --lost shows those that need it")
      ->required()
      ->check(Positive());
  verb->add_option("--server", args->options.server, "Whose replica it shall be; else the longest complete log")
      ->type_name("SERVER");
  verb->add_flag("--accept-data-loss", args->options.accept_data_loss,
                 "What the lost voters acknowledged beyond that log is given up");
}

}  // namespace

void AddTabletVerbs(Verbs& verbs) {
  AddTabletList(verbs);
  AddTabletTransfer(verbs);
  AddTabletSplit(verbs);
  AddTabletMove(verbs);
  AddTabletRecover(verbs);
}

}  // namespace ebla::shell
