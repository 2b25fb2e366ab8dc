#include "master/testing/step_procedures.h"

#include <algorithm>
#include <set>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"

namespace ebla::master::testing {
namespace {

using idl::MasterServiceCobSvIf;

constexpr char kTable[] = "carts";

template <class Reply, class Request>
void Ask(MasterRig& cluster, void (MasterServiceCobSvIf::*method)(std::function<void(const Reply&)>, const Request&),
         const Request& request) {
  const auto leader = cluster.Leader();
  if (!leader) return;  // it has died already
  TestMaster& asked = cluster.master(*leader);
  asked.executor->Post(
      [service = asked.master->service(), method, request] { (service.get()->*method)([](const Reply&) {}, request); });
}

// Asks the leading master until it grants the request, like an operator without an answer. Returns the fault; empty: it
// was granted.
template <class Reply, class Request>
std::string Insist(MasterRig& cluster, Reply& reply,
                   void (MasterServiceCobSvIf::*method)(std::function<void(const Reply&)>, const Request&),
                   const Request& request) {
  std::string why = "no leader";
  for (int attempt = 0; attempt < 12; ++attempt) {
    cluster.scheduler().RunFor(3s);  // a new master first receives reports of the servers
    const auto answer = cluster.Call(method, request);
    if (!answer) continue;
    if (answer->header.code == idl::Code::OK) {
      reply = *answer;
      return "";
    }
    why = answer->header.message;
  }
  return why;
}

std::function<void(MasterRig&)> Table(std::vector<std::string> points, int replicas = 1) {
  return [points = std::move(points), replicas](MasterRig& cluster) {
    if (cluster.Create(kTable, points, WithReplicas(replicas)).header.code != idl::Code::OK) {
      cluster.ledger().Violated("the table is not made");
    }
    cluster.RunUntil([&] { return cluster.WhyNotServing(kTable).empty(); });
    cluster.scheduler().RunFor(3s);  // everybody has reported
  };
}

void UntilStruck(MasterRig& cluster, Duration limit) {
  cluster.RunUntil([&] { return cluster.faults().struck(); }, limit);
}

std::string Serves(MasterRig& cluster, bool) { return cluster.WhyNotServing(kTable); }

idl::TabletNode NodeOf(const MasterRig& cluster, int64_t tablet) {
  const auto path = coordination::layout::TabletPath(TabletId{static_cast<uint64_t>(tablet)});
  return coordination::DecodeNode<idl::TabletNode>(
             const_cast<MasterRig&>(cluster).coordination().tree().Get(path)->data)
      .value();
}

// ---- tables ---------------------------------------------------------------------------------------------------------

StepProcedure CreateTable() {
  StepProcedure procedure{"CreateTable", {}, 6};
  procedure.act = [](MasterRig& cluster) {
    idl::CreateTableRequest request;
    request.name = kTable;
    request.splitPoints = {"b", "d", "f", "h"};
    request.options = WithReplicas(3);
    Ask(cluster, &MasterServiceCobSvIf::createTable, request);
  };
  procedure.check = [](MasterRig& cluster, bool excused) -> std::string {
    if (cluster.TableNode(kTable) || !cluster.Tablets().empty()) return cluster.WhyNotServing(kTable);
    for (const auto& server : cluster.servers()) {
      if (!server->replicas().empty()) return "a replica of nothing";
    }
    return excused ? "" : "the table is missing";
  };
  return procedure;
}

StepProcedure DropTable() {
  StepProcedure procedure{"DropTable", {}, 5};
  procedure.prepare = Table({"b", "d", "f", "h"});
  procedure.act = [](MasterRig& cluster) {
    idl::DropTableByNameRequest request;
    request.name = kTable;
    Ask(cluster, &MasterServiceCobSvIf::dropTable, request);
  };
  procedure.check = [](MasterRig& cluster, bool excused) -> std::string {
    // If the master dies before the mark is written, the table stays whole.
    if (excused && cluster.WhyNotServing(kTable).empty()) return "";
    return cluster.Remains(1);
  };
  return procedure;
}

StepProcedure AlterTable() {
  StepProcedure procedure{"AlterTable", {}, 4};
  procedure.prepare = Table({"b", "d", "f", "h"});
  procedure.act = [](MasterRig& cluster) {
    idl::AlterTableRequest request;
    request.name = kTable;
    request.options.__set_defaultTtlMs(60'000);
    Ask(cluster, &MasterServiceCobSvIf::alterTable, request);
  };
  procedure.check = Serves;
  return procedure;
}

StepProcedure ResizeTable(std::string name, int from, int to) {
  StepProcedure procedure{std::move(name), {}, 15};
  procedure.prepare = Table({"b", "d", "f", "h"}, from);
  procedure.act = [to](MasterRig& cluster) {
    idl::AlterTableRequest request;
    request.name = kTable;
    request.options = WithReplicas(to);
    Ask(cluster, &MasterServiceCobSvIf::alterTable, request);
    UntilStruck(cluster, 20s);
  };
  procedure.check = Serves;
  return procedure;
}

// ---- servers that come and go ---------------------------------------------------------------------------------------

StepProcedure RestartOfAServer() {
  StepProcedure procedure{"RestartOfAServer", {}, 3};
  procedure.prepare = Table({"b", "d", "f", "h"});
  procedure.act = [](MasterRig& cluster) {
    cluster.server(0).Stop();
    cluster.server(0).Start();
    UntilStruck(cluster, 15s);
  };
  procedure.check = Serves;
  return procedure;
}

StepProcedure FailoverOfTablets() {
  StepProcedure procedure{"FailoverOfTablets", {}, 5};
  procedure.prepare = Table({"b", "d", "f", "h"}, 3);
  procedure.act = [](MasterRig& cluster) {
    cluster.server(0).Stop();
    UntilStruck(cluster, 15s);
    cluster.server(0).Start();
  };
  procedure.check = Serves;
  return procedure;
}

StepProcedure ReturnOfAServerWithOrphans() {
  StepProcedure procedure{"ReturnOfAServerWithOrphans", {}, 4};
  procedure.prepare = [](MasterRig& cluster) {
    Table({"b", "d", "f", "h"})(cluster);
    cluster.server(0).Stop();
    cluster.scheduler().RunFor(8s);
    cluster.Drop(kTable);
  };
  procedure.act = [](MasterRig& cluster) {
    cluster.server(0).Start();
    UntilStruck(cluster, 15s);
  };
  procedure.check = [](MasterRig& cluster, bool) { return cluster.Remains(1); };
  return procedure;
}

// ---- tablets --------------------------------------------------------------------------------------------------------

StepProcedure SplitTablet() {
  StepProcedure procedure{"SplitTablet", {}, 3};
  procedure.prepare = Table({"h"}, 3);
  procedure.act = [](MasterRig& cluster) {
    idl::SplitTabletRequest request;
    request.table = kTable;
    request.key = "d";
    Ask(cluster, &MasterServiceCobSvIf::splitTablet, request);
  };
  procedure.check = [](MasterRig& cluster, bool excused) -> std::string {
    if (cluster.Tablets().size() != 3 && !excused) return "it is not split";
    return cluster.WhyNotServing(kTable);
  };
  return procedure;
}

// `heard`: false means that the FREEZEs which the servers log are not reported, so that the merge is given up.
StepProcedure MergeOfTablets(std::string name, bool heard, size_t steps_least) {
  StepProcedure procedure{std::move(name), {}, steps_least};
  procedure.prepare = [heard](MasterRig& cluster) {
    Table({"h", "p"}, 3)(cluster);
    for (auto& server : cluster.servers()) server->hold_freezes = !heard;
  };
  procedure.act = [](MasterRig& cluster) {
    idl::MergeTabletsRequest request;
    request.table = kTable;
    request.key = "h";
    Ask(cluster, &MasterServiceCobSvIf::mergeTablets, request);
    UntilStruck(cluster, 6s);
  };
  procedure.check = [heard](MasterRig& cluster, bool excused) -> std::string {
    const bool merged = cluster.Tablets().size() == 2;
    if (!heard && merged) return "it was merged without having been frozen";
    if (heard && !merged && !excused) return "it is not merged";
    return cluster.WhyNotServing(kTable);
  };
  return procedure;
}

StepProcedure TransferOfATablet() {
  StepProcedure procedure{"TransferOfATablet", {}, 4};
  procedure.prepare = Table({"b", "d"}, 3);
  procedure.act = [](MasterRig& cluster) {
    const idl::TabletInfo tablet = cluster.Tablets().begin()->second;
    idl::TransferTabletRequest request;
    request.table = kTable;
    request.toServer = tablet.voters.at(tablet.voters.at(0) == tablet.primary ? 1 : 0);
    Ask(cluster, &MasterServiceCobSvIf::transferTablet, request);
    UntilStruck(cluster, 5s);
  };
  procedure.check = Serves;
  return procedure;
}

// Moves the replica of the first tablet's primary to a server without a replica.
idl::MoveTabletRequest MoveOfThePrimary(MasterRig& cluster) {
  const idl::TabletInfo tablet = cluster.Tablets().begin()->second;
  idl::MoveTabletRequest request;
  request.table = kTable;
  request.fromServer = tablet.primary;
  for (const auto& server : cluster.servers()) {
    if (std::ranges::count(tablet.voters, server->name()) == 0) request.toServer = server->name();
  }
  return request;
}

StepProcedure MoveOfAReplica() {
  StepProcedure procedure{"MoveOfAReplica", {}, 8};
  procedure.prepare = Table({"b", "d"}, 2);
  procedure.act = [](MasterRig& cluster) {
    Ask(cluster, &MasterServiceCobSvIf::moveTablet, MoveOfThePrimary(cluster));
    UntilStruck(cluster, 20s);
  };
  procedure.check = Serves;
  return procedure;
}

// While the learner is copied to.
StepProcedure CancelOfAMove() {
  StepProcedure procedure{"CancelOfAMove", {}, 4};
  procedure.prepare = Table({"b", "d"}, 2);
  procedure.act = [](MasterRig& cluster) {
    Ask(cluster, &MasterServiceCobSvIf::moveTablet, MoveOfThePrimary(cluster));
    UntilStruck(cluster, 1500ms);
    idl::MoveTabletRequest cancel;
    cancel.table = kTable;
    cancel.cancel = true;
    Ask(cluster, &MasterServiceCobSvIf::moveTablet, cancel);
    UntilStruck(cluster, 10s);
  };
  procedure.check = Serves;
  return procedure;
}

// Cancels a move that hangs, because its target cannot be reached. If the master dies first, the move continues.
StepProcedure CancelOfAHungMove() {
  StepProcedure procedure{"CancelOfAHungMove", {}, 2};
  procedure.prepare = [](MasterRig& cluster) {
    Table({}, 2)(cluster);
    idl::MoveTabletRequest request = MoveOfThePrimary(cluster);
    for (auto& server : cluster.servers()) server->mute = server->name() == request.toServer;
    request.deadlineMs = 1'000;
    cluster.Call(&MasterServiceCobSvIf::moveTablet, request);
    if (!cluster.RunUntil([&] { return !cluster.Tablets().begin()->second.learners.empty(); })) {
      cluster.ledger().Violated("no learner comes to be");
    }
    cluster.scheduler().RunFor(2s);
  };
  procedure.act = [](MasterRig& cluster) {
    idl::CancelProcedureRequest request;
    request.id = "move-" + std::to_string(cluster.Tablets().begin()->first);
    Ask(cluster, &MasterServiceCobSvIf::cancelProcedure, request);
    UntilStruck(cluster, 20s);
    for (auto& server : cluster.servers()) server->mute = false;
  };
  procedure.check = Serves;
  return procedure;
}

// ---- drains ---------------------------------------------------------------------------------------------------------

idl::SetServerRequest SetDraining(bool draining) {
  idl::SetServerRequest request;
  request.name = "ts-1";
  request.__set_draining(draining);
  return request;
}

StepProcedure DrainOfAServer() {
  StepProcedure procedure{"DrainOfAServer", {.servers = 4}, 15};
  procedure.prepare = Table({"b", "d"}, 3);
  procedure.act = [](MasterRig& cluster) {
    Ask(cluster, &MasterServiceCobSvIf::setServer, SetDraining(true));
    UntilStruck(cluster, 40s);
    idl::SetServerReply reply;
    const std::string why = Insist(cluster, reply, &MasterServiceCobSvIf::setServer, SetDraining(true));
    if (!why.empty()) cluster.ledger().Violated("it does not drain: " + why);
  };
  procedure.check = [](MasterRig& cluster, bool) -> std::string {
    return cluster.server(0).replicas().empty() ? cluster.WhyNotServing(kTable) : "it is not empty";
  };
  return procedure;
}

StepProcedure EndOfADrain() {
  StepProcedure procedure{"EndOfADrain", {.servers = 4}, 3};
  procedure.prepare = Table({"b", "d"}, 3);
  procedure.act = [](MasterRig& cluster) {
    Ask(cluster, &MasterServiceCobSvIf::setServer, SetDraining(true));
    UntilStruck(cluster, 1500ms);
    Ask(cluster, &MasterServiceCobSvIf::setServer, SetDraining(false));
    UntilStruck(cluster, 20s);
  };
  procedure.check = Serves;
  return procedure;
}

// Cancels a drain whose moves hang. If the master dies first, the drain continues.
StepProcedure CancelOfAHungDrain() {
  StepProcedure procedure{"CancelOfAHungDrain", {}, 3};
  procedure.prepare = [](MasterRig& cluster) {
    Table({}, 2)(cluster);
    const idl::MoveTabletRequest move = MoveOfThePrimary(cluster);
    for (auto& server : cluster.servers()) server->mute = server->name() == move.toServer;
    idl::SetServerRequest drain;
    drain.name = move.fromServer;
    drain.__set_draining(true);
    cluster.Call(&MasterServiceCobSvIf::setServer, drain);
    if (!cluster.RunUntil([&] { return !cluster.Tablets().begin()->second.learners.empty(); })) {
      cluster.ledger().Violated("no learner comes to be");
    }
    cluster.scheduler().RunFor(2s);
  };
  procedure.act = [](MasterRig& cluster) {
    idl::CancelProcedureRequest request;
    request.id = "drain-" + cluster.Tablets().begin()->second.primary;
    Ask(cluster, &MasterServiceCobSvIf::cancelProcedure, request);
    UntilStruck(cluster, 20s);
    for (auto& server : cluster.servers()) server->mute = false;
  };
  procedure.check = Serves;
  return procedure;
}

// ---- what the planner does by itself --------------------------------------------------------------------------------

void ReportLoad(MasterRig& cluster) {
  for (auto& server : cluster.servers()) {
    server->measure = [](idl::TabletLoad& load, const FakeServer::Replica& replica) {
      if (!load.leading) return;
      const bool whole = replica.range.endKey.empty() && replica.range.startKey.empty();
      load.readsPerSecond = whole ? 3'000 : 900;
      idl::SplitFinding finding;
      finding.kind = whole ? idl::SplitFindingKind::KEY : idl::SplitFindingKind::POPULAR_KEY;
      finding.key = whole ? "50" : "";
      load.__set_splitFinding(finding);
    };
  }
}

// The one tablet is too hot: it is split, and one half handed to another.
StepProcedure PlannedSplitAndBalance() {
  StepProcedure procedure{"PlannedSplitAndBalance", {.balance = true}, 5};
  procedure.patience = 600s;  // the planner leaves alone for five minutes what a failover undid
  procedure.prepare = [](MasterRig& cluster) {
    idl::TableOptions options = WithReplicas(3);
    options.__set_splitOpsPerSecond(1'000);
    cluster.Create(kTable, {}, options);
    cluster.RunUntil([&] { return cluster.WhyNotServing(kTable).empty(); });
    ReportLoad(cluster);
  };
  procedure.act = [](MasterRig& cluster) { UntilStruck(cluster, 120s); };
  procedure.check = [](MasterRig& cluster, bool) -> std::string {
    if (cluster.Tablets().size() != 2) return "it is not split";  // the next master counts anew
    return cluster.WhyNotServing(kTable);
  };
  return procedure;
}

// ---- by hand --------------------------------------------------------------------------------------------------------

StepProcedure RecoveryByHand() {
  StepProcedure procedure{"RecoveryByHand", {}, 5};
  procedure.prepare = [](MasterRig& cluster) {
    Table({"d", "h"}, 3)(cluster);
    // Entries that the last voter lacks are lost with the other voters.
    cluster.server(2).mute = true;
    cluster.scheduler().RunFor(300ms);
    cluster.server(0).Stop();
    cluster.server(1).Stop();
    cluster.server(2).mute = false;
    cluster.scheduler().RunFor(10s);
    for (const auto& [id, info] : cluster.Tablets()) cluster.ledger().LossAccepted(id);
  };
  procedure.act = [](MasterRig& cluster) {
    idl::RecoverTabletRequest request;
    request.server = "ts-3";
    request.acceptDataLoss = true;
    const auto tablets = cluster.Tablets();
    for (const auto& [id, info] : tablets) {
      request.tabletId = id;
      Ask(cluster, &MasterServiceCobSvIf::recoverTablet, request);
    }
    UntilStruck(cluster, 10s);
    for (const auto& [id, info] : tablets) {
      request.tabletId = id;
      idl::RecoverTabletReply reply;
      const std::string why = Insist(cluster, reply, &MasterServiceCobSvIf::recoverTablet, request);
      if (!why.empty() || reply.chosen != "ts-3") cluster.ledger().Violated("it is not recovered: " + why);
    }
    cluster.server(0).Start();
    cluster.server(1).Start();
  };
  procedure.check = Serves;
  return procedure;
}

StepProcedure AdoptionAfterARestore() {
  StepProcedure procedure{"AdoptionAfterARestore", {}, 4};
  procedure.prepare = [](MasterRig& cluster) {
    cluster.Create("old", {"k"});
    auto older = cluster.coordination().TakeSnapshot();
    Table({"b", "d", "f", "h"}, 3)(cluster);
    cluster.coordination().Restore(std::move(older));
    cluster.scheduler().RunFor(15s);
    cluster.WaitForLeader();
  };
  procedure.act = [](MasterRig& cluster) {
    idl::AdoptRequest request;
    request.confirm = true;
    Ask(cluster, &MasterServiceCobSvIf::adopt, request);
    UntilStruck(cluster, 5s);
    idl::AdoptReply reply;
    const std::string why = Insist(cluster, reply, &MasterServiceCobSvIf::adopt, request);
    if (!why.empty()) cluster.ledger().Violated("it is not adopted: " + why);
  };
  procedure.check = [](MasterRig& cluster, bool) {
    const std::string carts = cluster.WhyNotServing(kTable);
    return carts.empty() ? cluster.WhyNotServing("old") : carts;
  };
  return procedure;
}

}  // namespace

const std::vector<StepProcedure>& StepProcedures() {
  static const std::vector<StepProcedure> procedures{CreateTable(),
                                                     DropTable(),
                                                     AlterTable(),
                                                     ResizeTable("RaisingReplicas", 1, 3),
                                                     ResizeTable("LoweringReplicas", 3, 1),
                                                     RestartOfAServer(),
                                                     FailoverOfTablets(),
                                                     ReturnOfAServerWithOrphans(),
                                                     SplitTablet(),
                                                     MergeOfTablets("MergeOfTablets", true, 7),
                                                     MergeOfTablets("MergeThatIsGivenUp", false, 10),
                                                     TransferOfATablet(),
                                                     MoveOfAReplica(),
                                                     CancelOfAMove(),
                                                     CancelOfAHungMove(),
                                                     DrainOfAServer(),
                                                     EndOfADrain(),
                                                     CancelOfAHungDrain(),
                                                     PlannedSplitAndBalance(),
                                                     RecoveryByHand(),
                                                     AdoptionAfterARestore()};
  return procedures;
}

std::string Judge(MasterRig& cluster) {
  std::set<int64_t> known;
  for (const auto& [id, info] : cluster.Tablets()) {
    const idl::TabletNode node = NodeOf(cluster, id);
    if (node.__isset.split) return "tablet " + std::to_string(id) + " is still to be split";
    if (node.__isset.merge) return "tablet " + std::to_string(id) + " is still to be merged";
    if (node.__isset.merged) return "a voter of tablet " + std::to_string(id) + " has not merged what it is made of";
    if (node.__isset.move) return "tablet " + std::to_string(id) + " still moves";
    known.insert(id);
  }
  for (const auto& server : cluster.servers()) {
    for (const auto& [id, replica] : server->replicas()) {
      if (!known.contains(id)) return server->name() + " holds tablet " + std::to_string(id) + ", which nothing names";
    }
  }
  return cluster.ledger().violations().empty() ? "" : cluster.ledger().violations().front();
}

}  // namespace ebla::master::testing
