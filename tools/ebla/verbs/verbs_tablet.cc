// Verbs on tablets: tablet list, transfer, split, move, recover.
#include <algorithm>
#include <limits>

#include "common/base/count.h"
#include "tools/ebla/reports/listing.h"
#include "tools/ebla/verbs/arguments.h"
#include "tools/ebla/verbs/presplit.h"
#include "tools/ebla/verbs/tablet_argument.h"

namespace ebla::shell {

namespace {

void AddTabletTransfer(Verbs& verbs) {
  struct Arguments {
    TabletArgument tablet;
    std::string to;
  };
  auto args = std::make_shared<Arguments>();
  Verb& verb = verbs.Add("tablet transfer", "Makes another voter the primary of a tablet; no data moves",
                         "tablet transfer carts user42 --to ts-2\n  tablet transfer 17 --to ts-2",
                         [args](Context& context) -> Status {
                           EBLA_TRY(args->tablet.Check());
                           EBLA_ASSIGN(const Client client, context.connect());
                           EBLA_TRY(CheckServer(client, args->to));
                           EBLA_ASSIGN(const NamedTablet tablet, args->tablet.Find(client));
                           EBLA_TRY(client.TransferTablet(tablet.table, tablet.key, args->to));
                           context.out.Ok("the primary is " + args->to, {{"primary", args->to}});
                           return {};
                         });
  args->tablet.AddTo(verb);
  verb.Required("--to", "SERVER", TakeText(args->to), "The server that becomes the primary; it must be a voter");
}

// The best key at which the tablet that holds `key` can be split. Servers tell the middle of large tablets alone: all
// keys of another are looked at.
Result<std::string> BestSplitKey(Context& context, const Client& client, const std::string& table,
                                 const std::string& key) {
  constexpr size_t kLookAt = 1'000'000;
  EBLA_ASSIGN(const TableInfo described, client.DescribeTable(table));
  EBLA_TRY(CheckSplits(described));
  EBLA_ASSIGN(const std::vector<TabletSummary> tablets, client.ListTablets(table));
  const auto tablet = std::ranges::find_if(tablets, [&](const TabletSummary& one) { return one.range.Contains(key); });
  if (tablet == tablets.end()) return Error(Code::kComeAgain, "the tablet is being split or merged: try again");
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
  TabletArgument tablet;
  std::string at;
};

// The table, and the key at which its tablet is split.
Result<std::pair<std::string, std::string>> SplitPlace(const SplitArguments& args, Context& context,
                                                       const Client& client) {
  const bool named = args.tablet.key || args.tablet.Id();
  if (!named) return std::pair(args.tablet.table, args.at);
  EBLA_ASSIGN(const NamedTablet tablet, args.tablet.Find(client));
  if (args.at.empty()) {
    EBLA_ASSIGN(std::string middle, BestSplitKey(context, client, tablet.table, tablet.key));
    return std::pair(tablet.table, std::move(middle));
  }
  if (tablet.range.Contains(args.at)) return std::pair(tablet.table, args.at);
  return Error(Code::kInvalidArgument, "--at \"" + EscapeBytes(args.at) + "\" lies outside of " +
                                           NameOfTablet(tablet.id, tablet.table, tablet.range));
}

Status Split(const SplitArguments& args, Context& context) {
  if (args.at.empty() && !args.tablet.Check().ok()) {
    return Error(Code::kInvalidArgument,
                 "tablet split needs --at, the key to split at, or a tablet to be halved: any key of it, or its id");
  }
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(const auto place, SplitPlace(args, context, client));
  const auto& [table, key] = place;
  EBLA_ASSIGN(const TabletSplit split, client.SplitTablet(table, key));
  context.out.Ok(
      NameOfTablet(split.tablet, table, split.range) + ", " + NameOfTablet(split.child, table, split.child_range),
      {{"table", table},
       {"tablet", split.tablet.value},
       {"range", RangeJson(split.range)},
       {"child", split.child.value},
       {"child_range", RangeJson(split.child_range)}});
  return {};
}

void AddTabletSplit(Verbs& verbs) {
  auto args = std::make_shared<SplitArguments>();
  Verb& verb = verbs.Add("tablet split", "Splits a tablet, at a given key or in its middle; no data moves",
                         "tablet split carts --at user5\n  tablet split 17",
                         [args](Context& context) { return Split(*args, context); });
  args->tablet.AddTo(verb);
  verb.Option("--at", "KEY", TakeBytes(args->at), R"(The key at which the new tablet begins; \xNN is a byte)")
      .Notes("Without --at the tablet is split in the middle of its load, or else of its data.");
}

struct ListArguments {
  std::string table, server;
  bool lost = false;
  uint64_t after = 0;
  size_t limit = std::numeric_limits<size_t>::max();
};

Status ListTablets(const ListArguments& args, Context& context) {
  EBLA_ASSIGN(const Client client, context.connect());
  if (!args.server.empty()) EBLA_TRY(CheckServer(client, args.server));
  EBLA_ASSIGN(std::vector<TabletSummary> tablets, client.ListTablets(args.table, args.server));
  EBLA_ASSIGN(const std::vector<ServerSummary> servers, client.ListServers());
  if (args.lost) std::erase_if(tablets, [&](const TabletSummary& tablet) { return HasMajority(tablet, servers); });
  std::erase_if(tablets, [&](const TabletSummary& tablet) { return tablet.id.value <= args.after; });
  const size_t more = tablets.size() - std::min(tablets.size(), args.limit);
  tablets.resize(tablets.size() - more);
  if (!context.out.json) {
    context.out.Listed(TabletRows(tablets, servers),
                       args.lost ? "no tablet has lost its majority" : "there are no tablets");
    if (more > 0)
      context.out.Note("and " + Count(more, "more tablet") + ": continue with --after " +
                       std::to_string(tablets.back().id.value));
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
      .Option("--limit", "NUMBER", TakeWhole(args->limit, 1), "How many tablets are shown (all)")
      .Option("--after", "TABLET", TakeWhole(args->after, 1),
              "Only tablets with a greater id: the next page of --limit")
      .Notes(std::string("A replica whose server is not live is marked (lost). STATE is one of:\n"
                         "  serving\n"
                         "  no-primary  there is no primary for a moment, or until a failover\n"
                         "  unreported  the primary has not reported this tablet yet\n"
                         "  lost        no majority of the voters is live\n") +
             kEstimates);
}

Status CancelMove(const Client& client, const NamedTablet& tablet, Context& context) {
  EBLA_ASSIGN(const Procedures procedures, client.ListProcedures());
  const auto move = std::ranges::find(procedures.listed, "move-" + std::to_string(tablet.id.value), &ProcedureInfo::id);
  const std::string again = move == procedures.listed.end() ? "" : RestartNotice(*move);
  EBLA_TRY(client.MoveTablet(tablet.table, tablet.key, {.from = {}, .to = {}, .cancel = true}));
  context.out.Ok("cancelled" + (again.empty() ? "" : "; " + again), {{"cancelled", true}, {"note", again}});
  return {};
}

struct MoveArguments {
  TabletArgument tablet;
  TabletMove move;
};

Status Move(const MoveArguments& args, Context& context) {
  const TabletMove& move = args.move;
  if (!move.cancel && (move.from.empty() || move.to.empty()))
    return Error(Code::kInvalidArgument, "tablet move needs --from and --to, or --cancel");
  EBLA_TRY(args.tablet.Check());
  EBLA_ASSIGN(const Client client, context.connect());
  for (const ServerName& server : {move.from, move.to}) {
    if (!move.cancel) EBLA_TRY(CheckServer(client, server));
  }
  EBLA_ASSIGN(const NamedTablet tablet, args.tablet.Find(client));
  if (move.cancel) return CancelMove(client, tablet, context);
  EBLA_TRY(client.MoveTablet(tablet.table, tablet.key, move));
  context.out.Ok("moved from " + move.from + " to " + move.to, {{"from", move.from}, {"to", move.to}});
  return {};
}

void AddTabletMove(Verbs& verbs) {
  auto args = std::make_shared<MoveArguments>();
  Verb& verb = verbs.Add("tablet move", "Moves a replica to another server; the tablet serves meanwhile",
                         "tablet move carts user42 --from ts-1 --to ts-4\n  tablet move 17 --from ts-1 --to ts-4",
                         [args](Context& context) { return Move(*args, context); });
  args->tablet.AddTo(verb);
  verb.Option("--from", "SERVER", TakeText(args->move.from), "The server that has the replica")
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
                        {"log_ends", known(replica.last.ToString())},
                        {"applied", known(replica.applied)},
                        {"incomplete", known(replica.incomplete)},
                        {"may_have_lost_writes", known(replica.may_have_lost_writes)},
                        {"lost_part_of_its_log", known(replica.lost)}});
  }
  return {{"tablet", tablet.value}, {"recovered", done},           {"chosen", recovery.chosen},
          {"loss", recovery.loss},  {"refusal", recovery.refusal}, {"replicas", std::move(replicas)}};
}

std::string StateOf(const ReplicaSummary& replica) {
  std::string state = replica.live ? "live" : "lost";
  if (!replica.reported) return state + ", nothing is known of it";
  if (!replica.known) return state + ", has no replica";
  if (replica.incomplete) state += ", incomplete";
  if (replica.lost) {
    state += ", lost part of its log";
  } else if (replica.may_have_lost_writes) {
    state += ", may have lost writes";
  }
  return state;
}

void ShowReplicas(const TabletRecovery& recovery, Output& out) {
  std::vector<std::vector<std::string>> rows = {{"REPLICA", "ROLE", "LOG_ENDS", "APPLIED", "STATE"}};
  for (const ReplicaSummary& replica : recovery.replicas) {
    const bool known = replica.reported && replica.known;
    rows.push_back({replica.server, replica.voter ? "voter" : "learner", known ? replica.last.ToString() : kNone,
                    known ? std::to_string(replica.applied) : kNone, StateOf(replica)});
  }
  out.Columns(rows);
}

struct RecoverArguments {
  TabletArgument tablet;
  bool lost = false;
  RecoverTabletOptions options;
};

using Recoveries = std::vector<std::pair<TabletId, TabletRecovery>>;

// The tablets without a primary of which a replica lost a part of its log on its disk, and that can be recovered.
Result<Recoveries> FindLost(const Client& client, const ServerName& server) {
  Recoveries found;
  EBLA_ASSIGN(const std::vector<TabletSummary> tablets, client.ListReplicas());
  for (const TabletSummary& tablet : tablets) {
    const auto leads = [](const ReplicaReport& replica) { return replica.known && replica.load.leading; };
    if (std::ranges::none_of(tablet.replicas, &ReplicaReport::lost) || std::ranges::any_of(tablet.replicas, leads))
      continue;
    EBLA_ASSIGN(TabletRecovery recovery, client.RecoverTablet(tablet.id, {.server = server}));
    if (recovery.refusal.empty()) found.emplace_back(tablet.id, std::move(recovery));
  }
  return found;
}

// Takes out each tablet with a voter that is merely away, because that may have all that was acknowledged.
bool PassOver(Recoveries& found, Output& out) {
  return std::erase_if(found, [&out](const auto& one) {
           const auto& [tablet, recovery] = one;
           const auto away = std::ranges::find_if(recovery.replicas,
                                                  [](const auto& replica) { return replica.voter && !replica.live; });
           if (away == recovery.replicas.end()) return false;
           const std::string id = std::to_string(tablet.value);
           if (!out.json) {
             out.Line("tablet " + id + " is passed over: it waits for " + away->server +
                      ", which may have all of it. If that server is gone for good: ebla tablet recover " + id);
           }
           return true;
         }) > 0;
}

// All of them, one after the other: a disk that lost the end of its log takes every tablet of one replica with it.
Status RecoverLost(const RecoverArguments& args, Context& context) {
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(auto found, FindLost(client, args.options.server));
  const bool passes_over = PassOver(found, context.out);
  Json shown = Json::Array();
  for (const auto& [tablet, recovery] : found) {
    shown.push_back(ToJson(recovery, tablet, false));
    if (context.out.json) continue;
    context.out.Line("tablet " + std::to_string(tablet.value) + " would be given to " + recovery.chosen + " alone; " +
                     recovery.loss);
  }
  const bool yes = args.options.accept_data_loss;
  if (found.empty() || (!yes && !context.ask)) {
    if (context.out.json) {
      context.out.Value(std::move(shown));
    } else if (!(found.empty() && passes_over)) {
      context.out.Line(found.empty() ? "no tablet waits for a replica that lost part of its log"
                                     : "nothing has been changed: add --yes to do it");
    }
    return {};
  }
  EBLA_TRY(Confirm(context, yes, "gives " + Count(found.size(), "tablet") + " to these replicas alone"));
  RecoverTabletOptions options = args.options;
  options.accept_data_loss = true;
  Json done = Json::Array();
  for (const auto& [tablet, recovery] : found) {
    EBLA_ASSIGN(const TabletRecovery recovered, client.RecoverTablet(tablet, options));
    done.push_back(ToJson(recovered, tablet, true));
  }
  context.out.Ok(Count(found.size(), "tablet") + " recovered", std::move(done));
  return {};
}

// Shows the replicas; continues only if a person accepts the loss of the other replicas' writes.
Status Recover(const RecoverArguments& args, Context& context) {
  if (args.lost) return RecoverLost(args, context);
  EBLA_TRY(args.tablet.Check());
  EBLA_ASSIGN(const Client client, context.connect());
  TabletId tablet = args.tablet.Id().value_or(TabletId{});
  if (!tablet) {
    EBLA_ASSIGN(const NamedTablet named, args.tablet.Find(client));
    tablet = named.id;
  }
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
      context.out.Line("it would be given to " + found.chosen + " alone; " + found.loss);
      context.out.Line("nothing has been changed: add --yes to do it");
    }
    return {};
  }
  EBLA_TRY(
      Confirm(context, yes,
              "gives tablet " + std::to_string(tablet.value) + " to " + found.chosen + " alone (" + found.loss + ")"));
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
  Verb& verb =
      verbs.Add("tablet recover", "Gives a tablet that has lost its majority for good to one replica that is left",
                "tablet recover 17 --server ts-3 --yes", [args](Context& context) { return Recover(*args, context); });
  args->tablet.AddTo(verb);
  verb.Option("--server", "SERVER", TakeText(args->options.server),
              "The server whose replica gets the tablet (the one with the longest complete log)")
      .Flag("--lost", args->lost, "All tablets that wait because a disk lost part of a replica's log")
      .Dangerous(args->options.accept_data_loss, {"--accept-data-loss"})
      .Notes(
          "tablet list --lost shows the tablets that need it.\n"
          "A replica whose disk lost part of its log does not vote; a tablet that has no\n"
          "others waits until this gives it to such a replica.\n"
          "Without --yes it only shows the choice and the loss: the writes that the lost\n"
          "voters acknowledged and the chosen log lacks.");
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
