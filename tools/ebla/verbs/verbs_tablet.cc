// Verbs on tablets: tablet list, transfer, split, move, recover.
#include <algorithm>

#include "common/base/count.h"
#include "tools/ebla/reports/listing.h"
#include "tools/ebla/verbs/arguments.h"
#include "tools/ebla/verbs/presplit.h"

namespace ebla::shell {

namespace {

constexpr const char* kTabletKey = R"(The tablet that holds this key; \xNN is a byte)";

void AddTabletTransfer(Verbs& verbs) {
  struct Arguments {
    std::string table, key, to;
  };
  auto args = std::make_shared<Arguments>();
  verbs
      .Add("tablet transfer", "Makes another voter the primary of a tablet; no data moves",
           "tablet transfer carts --key user42 --to ts-2",
           [args](Context& context) -> Status {
             EBLA_ASSIGN(const Client client, context.connect());
             EBLA_TRY(CheckServer(client, args->to));
             EBLA_TRY(client.TransferTablet(args->table, args->key, args->to));
             context.out.Ok("the primary is " + args->to, {{"primary", args->to}});
             return {};
           })
      .Argument("TABLE", TakeText(args->table))
      .Required("--key", "KEY", TakeBytes(args->key), kTabletKey)
      .Required("--to", "SERVER", TakeText(args->to), "The server that becomes the primary; it must be a voter");
}

// The best key at which the tablet that holds `key` can be split. Servers tell the middle of large tablets alone: all
// keys of another are looked at.
Result<std::string> BestSplitKey(Context& context, const Client& client, const std::string& table,
                                 const std::string& key) {
  constexpr size_t kLookAt = 1'000'000;
  EBLA_ASSIGN(const TableInfo described, client.DescribeTable(table));
  EBLA_ASSIGN(const std::vector<TabletSummary> tablets, client.ListTablets(table));
  const auto tablet = std::ranges::find_if(tablets, [&](const TabletSummary& one) { return one.range.Contains(key); });
  if (tablet == tablets.end())
    return Error(Code::kComeAgain, "the tablet is being split or merged at present: try again");
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
    return Error(Code::kComeAgain,
                 "no key is known at present that halves the load or the data of " + name + "; name one with --at");
  }
  const std::vector<PresplitCut> cuts = CutsOfKeys(keys, {*tablet}, 1, described.options.key_group);
  if (!cuts.empty()) return cuts.front().key;
  return Error(Code::kConditionFailed,
               name + " has " + Count(keys.size(), "key") +
                   ", and every split between them would cut a key group; name a key with --at");
}

struct SplitArguments {
  std::string table;
  std::string at, key;
};

Status Split(const SplitArguments& args, Context& context) {
  if (args.at.empty() == args.key.empty()) {
    return Error(Code::kInvalidArgument,
                 "tablet split needs --at, the key to split at, or --key, any key of a tablet to be halved");
  }
  EBLA_ASSIGN(const Client client, context.connect());
  std::string key = args.at;
  if (key.empty()) {
    EBLA_ASSIGN(key, BestSplitKey(context, client, args.table, args.key));
  }
  EBLA_ASSIGN(const TabletSplit split, client.SplitTablet(args.table, key));
  context.out.Ok("tablet " + std::to_string(split.tablet.value) + " " + split.range.ToString() + ", tablet " +
                     std::to_string(split.child.value) + " " + split.child_range.ToString(),
                 {{"tablet", split.tablet.value},
                  {"range", RangeJson(split.range)},
                  {"child", split.child.value},
                  {"child_range", RangeJson(split.child_range)}});
  return {};
}

void AddTabletSplit(Verbs& verbs) {
  auto args = std::make_shared<SplitArguments>();
  verbs
      .Add("tablet split", "Splits a tablet, at a given key or in its middle; no data moves",
           "tablet split carts --at user5", [args](Context& context) { return Split(*args, context); })
      .Argument("TABLE", TakeText(args->table))
      .Option("--at", "KEY", TakeBytes(args->at), R"(The key at which the new tablet begins; \xNN is a byte)")
      .Option("--key", "KEY", TakeBytes(args->key),
              "Splits the tablet that holds this key, in the middle of its load or else of its data");
}

struct ListArguments {
  std::string table, server;
  bool lost = false;
};

Status ListTablets(const ListArguments& args, Context& context) {
  EBLA_ASSIGN(const Client client, context.connect());
  if (!args.server.empty()) EBLA_TRY(CheckServer(client, args.server));
  EBLA_ASSIGN(std::vector<TabletSummary> tablets, client.ListTablets(args.table, args.server));
  EBLA_ASSIGN(const std::vector<ServerSummary> servers, client.ListServers());
  if (args.lost) std::erase_if(tablets, [&](const TabletSummary& tablet) { return HasMajority(tablet, servers); });
  if (!context.out.json) {
    context.out.Listed(TabletRows(tablets, servers),
                       args.lost ? "no tablet has lost its majority" : "there are no tablets");
    return {};
  }
  Json all = Json::Array();
  for (const TabletSummary& tablet : tablets) all.push_back(TabletJson(tablet));
  context.out.Value(all);
  return {};
}

void AddTabletList(Verbs& verbs) {
  auto args = std::make_shared<ListArguments>();
  verbs
      .Add("tablet list", "Lists tablets, with their ranges and replicas", "tablet list carts --server ts-1",
           [args](Context& context) { return ListTablets(*args, context); })
      .Optional("TABLE", TakeText(args->table), "Only tablets of this table")
      .Option("--server", "SERVER", TakeText(args->server), "Only tablets with a replica on this server")
      .Flag("--lost", args->lost, "Only tablets that have lost the majority of their voters")
      .Notes(std::string("A replica whose server is not live is marked (lost). STATE is one of:\n"
                         "  serving\n"
                         "  no-primary  there is no primary for a moment, or until a failover\n"
                         "  unreported  the primary has not reported this tablet yet\n"
                         "  lost        no majority of the voters is live\n") +
             kEstimates);
}

Status CancelMove(const Client& client, const std::string& table, const std::string& key, Context& context) {
  EBLA_ASSIGN(const TabletPlace place, client.Locate(table, key));
  EBLA_ASSIGN(const Procedures procedures, client.ListProcedures());
  const auto move = std::ranges::find(procedures.listed, "move-" + std::to_string(place.id.value), &ProcedureInfo::id);
  const std::string again = move == procedures.listed.end() ? "" : BegunAgain(*move);
  EBLA_TRY(client.MoveTablet(table, key, {.from = {}, .to = {}, .cancel = true}));
  context.out.Ok("cancelled" + (again.empty() ? "" : "; " + again), {{"cancelled", true}, {"note", again}});
  return {};
}

struct MoveArguments {
  std::string table, key;
  TabletMove move;
};

Status Move(const MoveArguments& args, Context& context) {
  const TabletMove& move = args.move;
  if (!move.cancel && (move.from.empty() || move.to.empty()))
    return Error(Code::kInvalidArgument, "tablet move needs --from and --to, or --cancel");
  EBLA_ASSIGN(const Client client, context.connect());
  if (move.cancel) return CancelMove(client, args.table, args.key, context);
  for (const ServerName& server : {move.from, move.to}) EBLA_TRY(CheckServer(client, server));
  EBLA_TRY(client.MoveTablet(args.table, args.key, move));
  context.out.Ok("moved from " + move.from + " to " + move.to, {{"from", move.from}, {"to", move.to}});
  return {};
}

void AddTabletMove(Verbs& verbs) {
  auto args = std::make_shared<MoveArguments>();
  verbs
      .Add("tablet move", "Moves a replica to another server; the tablet serves meanwhile",
           "tablet move carts --key user42 --from ts-1 --to ts-4",
           [args](Context& context) { return Move(*args, context); })
      .Argument("TABLE", TakeText(args->table))
      .Required("--key", "KEY", TakeBytes(args->key), kTabletKey)
      .Option("--from", "SERVER", TakeText(args->move.from), "The server that has the replica")
      .Option("--to", "SERVER", TakeText(args->move.to), "The server that gets it")
      .Flag("--cancel", args->move.cancel, "Cancels the move that is under way");
}

Json ToJson(const TabletRecovery& recovery, TabletId tablet, bool done) {
  Json replicas = Json::Array();
  for (const ReplicaSummary& replica : recovery.replicas) {
    const auto known = [&](Json value) { return replica.reported ? value : Json(); };
    replicas.push_back({{"server", replica.server},
                        {"voter", replica.voter},
                        {"live", replica.live},
                        {"has_replica", known(replica.known)},
                        {"last", known(replica.last.ToString())},
                        {"applied", known(replica.applied)},
                        {"incomplete", known(replica.incomplete)},
                        {"forgetful", known(replica.may_have_lost_writes)}});
  }
  return {{"tablet", tablet.value}, {"recovered", done},           {"chosen", recovery.chosen},
          {"loss", recovery.loss},  {"refusal", recovery.refusal}, {"replicas", std::move(replicas)}};
}

std::string StateOf(const ReplicaSummary& replica) {
  std::string state = replica.live ? "live" : "lost";
  if (!replica.reported) return state + ", nothing is known of it";
  if (!replica.known) return state + ", has no replica";
  if (replica.incomplete) state += ", incomplete";
  if (replica.may_have_lost_writes) state += ", may have lost writes";
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

struct RecoverArguments {
  uint64_t tablet = 0;
  RecoverTabletOptions options;
};

// Shows what there is; goes on only where a person wants to lose what the other replicas had.
Status Recover(const RecoverArguments& args, Context& context) {
  const TabletId tablet{args.tablet};
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(const TabletRecovery found, client.RecoverTablet(tablet, {.server = args.options.server}));
  const bool yes = args.options.accept_data_loss;
  if (!context.out.json) ShowReplicas(found, context.out);
  if (!yes && !found.refusal.empty()) {
    context.exit_code = 1;
    if (context.out.json) {
      context.out.Value(ToJson(found, tablet, false));
    } else {
      context.out.Line("it cannot be recovered this way: " + found.refusal);
    }
    return {};
  }
  if (!yes && !context.ask) {
    if (context.out.json) {
      context.out.Value(ToJson(found, tablet, false));
    } else {
      context.out.Line("it would go to " + found.chosen + " alone; " + found.loss);
      context.out.Line("nothing has been changed: add --yes to do it");
    }
    return {};
  }
  EBLA_TRY(
      Confirm(context, yes,
              "gives tablet " + std::to_string(args.tablet) + " to " + found.chosen + " alone (" + found.loss + ")"));
  RecoverTabletOptions options = args.options;
  options.accept_data_loss = true;
  EBLA_ASSIGN(TabletRecovery done, client.RecoverTablet(tablet, options));
  if (done.loss.empty()) done.loss = found.loss;
  context.out.Ok("the primary is " + done.chosen + (done.loss.empty() ? "" : "; " + done.loss),
                 ToJson(done, tablet, true));
  return {};
}

void AddTabletRecover(Verbs& verbs) {
  auto args = std::make_shared<RecoverArguments>();
  verbs
      .Add("tablet recover", "Gives a tablet that has lost its majority for good to one replica that is left",
           "tablet recover 17 --server ts-3 --yes", [args](Context& context) { return Recover(*args, context); })
      .Argument("TABLET", TakeWhole(args->tablet, 1), "Its id; tablet list --lost shows the tablets that need it")
      .Option("--server", "SERVER", TakeText(args->options.server),
              "Whose replica it becomes; without it, the one with the longest complete log")
      .Dangerous(args->options.accept_data_loss, {"--accept-data-loss"})
      .Notes(
          "Without --yes it only shows what would be done and what would be lost: the writes that the lost\n"
          "voters acknowledged and that the chosen log does not have.");
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
