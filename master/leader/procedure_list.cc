#include "master/leader/procedure_list.h"

#include <algorithm>
#include <tuple>

#include "common/base/count.h"
#include "master/catalog/table_rules.h"
#include "master/cluster/options.h"
#include "master/leader/readiness.h"
#include "master/procedures/context.h"
#include "master/procedures/move_tablet.h"

namespace ebla::master {
namespace {

constexpr int64_t kSilentMs = 3'000;

int64_t Ms(Duration duration) { return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count(); }

std::string Seconds(int64_t ms) { return std::to_string(ms / 1'000) + " s"; }

// A primary's report on another replica that it brings level; empty: nothing delays it.
std::string WhyNotLevel(const idl::TabletLoad& load, const ServerName& primary, const ServerName& server) {
  const auto peer = std::ranges::find(load.peers, server, &idl::ReplicaProgress::server);
  const std::string who = primary + ", the tablet's primary, ";
  if (peer == load.peers.end()) return who + "does not say anything of " + server + " yet";
  const std::string reach = ": can these two servers reach each other?";
  if (peer->silentMs < 0) return who + "has received nothing from " + server + " in this epoch" + reach;
  if (peer->silentMs >= kSilentMs)
    return who + "has received nothing from " + server + " for " + Seconds(peer->silentMs) + reach;
  if (peer->copying || peer->incomplete) return "";
  const int64_t lacks = load.lastLsn - peer->flushedLsn;
  return lacks > 0 ? server + " lacks " + Count(lacks, "entry", "entries") + " of the log" : "";
}

class Lister {
 public:
  explicit Lister(const LeaderTerm& leader_term)
      : leader_term_(leader_term),
        context_(leader_term.context()),
        now_(context_.executor.Now()),
        time_of_day_ms_(context_.executor.TimeOfDayMs()) {
    if (const auto why = SafeMode(context_)) safe_mode_ = "nothing is changed in safe mode: " + *why;
  }

  std::vector<idl::ProcedureSummary> List() {
    for (const auto& [id, tablet] : image().tablets()) {
      if (!image().LivingTable(tablet) || tablet.creating()) continue;
      if (tablet.node.__isset.move) {
        AddMove(tablet);
      } else if (tablet.splitting()) {
        AddSplit(tablet);
      } else {
        AddRepair(tablet);
      }
    }
    AddFailovers();
    for (const auto& [name, server] : context_.servers.all()) {
      if (server.node && server.node->draining) AddDrain(name, *server.node);
    }
    leader_term_.runner().ForEach([this](const ProcedureRunner::Standing& standing) { AddRun(standing); });
    leader_term_.requests().ForEachWaiting([this](const Subject& subject, MonotonicTime began,
                                                  const Status& waits_for) { AddWaiting(subject, began, waits_for); });
    AddScaling();
    std::ranges::sort(all_, {}, [](const idl::ProcedureSummary& one) {
      return std::tie(one.kind, one.tabletId, one.table, one.server, one.id);
    });
    return std::move(all_);
  }

 private:
  const Image& image() const { return context_.image(); }

  idl::ProcedureSummary& Add(const Subject& subject) {
    idl::ProcedureSummary& one = all_.emplace_back();
    one.id = ProcedureId(subject);
    one.kind = subject.kind;
    one.tabletId = static_cast<int64_t>(subject.tablet.value);
    one.table = subject.table;
    one.server = subject.server;
    one.ageMs = -1;
    one.askedBy = idl::AskedBy::MASTER;
    const TabletEntry* tablet = subject.tablet ? image().Tablet(subject.tablet) : nullptr;
    if (tablet) one.__set_range(tablet->node.info.range);
    const TableEntry* table = tablet ? image().Table(tablet->table()) : nullptr;
    if (table) one.table = table->node.schema.name;
    return one;
  }
  idl::ProcedureSummary& Add(const char* kind, TabletId tablet) {
    return Add({.kind = kind, .tablet = tablet, .table = {}, .server = {}});
  }

  template <class Intent>
  void TakeOrigin(const Intent& intent, idl::ProcedureSummary& one) const {
    one.askedBy = intent.askedBy;
    one.reason = intent.reason;
    if (intent.sinceMs > 0) one.ageMs = std::max<int64_t>(0, time_of_day_ms_ - intent.sinceMs);
  }
  void TakeAge(MonotonicTime began, idl::ProcedureSummary& one) const {
    one.ageMs = Ms(now_ - began);
    one.ageOfTerm = true;
  }
  // The planner's action of that kind on the tablet; else an operator's.
  void TakeActionRecord(ActionKind kind, TabletId tablet, idl::ProcedureSummary& one) const {
    one.askedBy = idl::AskedBy::OPERATOR;
    for (const auto& [id, record] : leader_term_.balance_driver().under_way()) {
      if (record.action.kind != kind || record.action.tablet != tablet) continue;
      one.askedBy = idl::AskedBy::PLANNER;
      one.reason = record.action.reason;
    }
  }

  void AddMove(const TabletEntry& tablet) {
    const idl::MoveIntent& move = tablet.node.move;
    const idl::TabletInfo& info = tablet.node.info;
    idl::ProcedureSummary& one = Add("move", tablet.id());
    one.server = move.toServer;
    one.fromServer = move.fromServer;
    TakeOrigin(move, one);
    const bool votes = IsIn(move.toServer, info.voters), learns = IsIn(move.toServer, info.learners);
    one.cancellable = !votes;
    one.cancelNote = votes ? CheckCancel(image(), tablet.id()).message()
                           : "what was copied to " + move.toServer + " is discarded, and the replica on " +
                                 move.fromServer + " stays";
    const idl::TabletLoad* load = leader_term_.reconciler().SettledLoad(tablet);
    if (votes) {
      one.step = info.primary == move.fromServer ? "3 of 4: makes its new primary " + move.toServer
                                                 : "4 of 4: removes the replica on " + move.fromServer;
    } else if (learns) {
      one.step = "2 of 4: copies to " + move.toServer;
      TakeCopied(tablet, move.toServer, load, one);
    } else {
      one.step = "1 of 4: makes a replica on " + move.toServer;
    }
    one.waitsFor = WhyMoveWaits(tablet, learns || votes, load);
  }

  std::string WhyMoveWaits(const TabletEntry& tablet, bool made, const idl::TabletLoad* load) const {
    const ServerName& to = tablet.node.move.toServer;
    if (!safe_mode_.empty()) return safe_mode_;
    if (!load) return leader_term_.reconciler().WhyUnsettled(tablet);
    if (!context_.servers.IsLive(to)) return "server " + to + " is not live";
    return made ? WhyNotLevel(*load, tablet.node.info.primary, to) : WhyNoLearner(tablet, to);
  }

  std::string WhyNoLearner(const TabletEntry& tablet, const ServerName& to) const {
    const Server& server = *context_.servers.Find(to);
    const Report* report = server.CurrentReport();
    if (!report) return "server " + to + " is live, but has not reported to this master yet";
    if (report->Find(tablet.id())) return "server " + to + " has an old replica of the tablet, which is dropped first";
    if (!Servers::ForPlanner(to, server).usable())
      return "server " + to + " takes no replicas: it is under maintenance or draining, or its disk is full";
    const RepairCaps& caps = context_.options.repair;
    if (leader_term_.replication_manager().copies() >= caps.copies) return Copies() + " under way, the most at a time";
    return "";
  }

  // By size, as the two servers report it.
  void TakeCopied(const TabletEntry& tablet, const ServerName& to, const idl::TabletLoad* load,
                  idl::ProcedureSummary& one) const {
    const idl::TabletLoad* copy = context_.servers.LoadOf(to, tablet.id());
    if (!load || !copy || load->sizeBytes <= 0) return;
    one.doneUnits = std::min(copy->sizeBytes, load->sizeBytes);
    one.allUnits = load->sizeBytes;
    one.unit = "bytes";
  }

  void AddSplit(const TabletEntry& tablet) {
    idl::ProcedureSummary& one = Add("split", tablet.id());
    TakeOrigin(tablet.node.split, one);
    one.step = "at \"" + EscapeBytes(tablet.node.split.key) + "\": ordered of " + tablet.node.info.primary +
               " in epoch " + std::to_string(tablet.node.split.epoch);
    one.cancelNote =
        "its primary may have split it already, and nobody knows until it has said so; a failover may still roll it "
        "back";
    if (!safe_mode_.empty() && context_.stale_catalog.Why()) one.waitsFor = safe_mode_;
    pending_splits_[SplitName(tablet.id())] = all_.size() - 1;
  }

  // A tablet needs no repair if it has as many voters as its table wants, live or about to return.
  void AddRepair(const TabletEntry& tablet) {
    const idl::TabletInfo& info = tablet.node.info;
    const size_t wanted = master::ReplicasOf(image().Table(tablet.table())->node.schema);
    std::string lost;
    for (const ServerName& voter : info.voters) {
      const Server* server = context_.servers.Find(voter);
      const bool gone = !server || (!server->live && now_ - server->changed >= context_.options.replace_after);
      if (gone) lost += (lost.empty() ? "" : ", ") + voter;
    }
    if (info.learners.empty() && info.voters.size() == wanted && lost.empty()) return;
    idl::ProcedureSummary& one = Add("repair", tablet.id());
    one.reason = std::to_string(info.voters.size()) + " voters of " + std::to_string(wanted) + " wanted" +
                 (lost.empty() ? "" : ", lost for good: " + lost);
    one.cancelNote = "the table wants so many replicas: see ebla table alter";
    const idl::TabletLoad* load = leader_term_.reconciler().SettledLoad(tablet);
    if (!info.learners.empty()) {
      one.server = info.learners.front();
      one.step = "copies to " + one.server;
      TakeCopied(tablet, one.server, load, one);
    } else if (info.voters.size() > wanted) {
      one.step = "removes a surplus replica";
    } else {
      one.step = "makes a replica";
    }
    one.waitsFor = WhyRepairWaits(tablet, load);
  }

  std::string Copies() const { return Count(leader_term_.replication_manager().copies(), "copy", "copies"); }

  std::string WhyRepairWaits(const TabletEntry& tablet, const idl::TabletLoad* load) const {
    const idl::TabletInfo& info = tablet.node.info;
    if (!safe_mode_.empty()) return safe_mode_;
    if (!load) return leader_term_.reconciler().WhyUnsettled(tablet);
    if (!info.learners.empty()) return WhyNotLevel(*load, info.primary, info.learners.front());
    if (info.voters.size() > master::ReplicasOf(image().Table(tablet.table())->node.schema)) return "";
    std::vector<ServerName> holders = info.voters;
    if (PlaceReplica(ViewOnce(), holders).empty()) return "no other live server takes a replica: start one";
    return leader_term_.replication_manager().copies() >= context_.options.repair.copies
               ? "its turn: " + Copies() + " under way"
               : "";
  }

  const ClusterView& ViewOnce() const {
    if (!view_) view_ = ViewCluster(image(), context_.servers);
    return *view_;
  }

  void AddFailovers() {
    for (const TabletId id : leader_term_.reconciler().Unsettled()) {
      const TabletEntry* tablet = image().Tablet(id);
      if (!tablet || tablet->creating() || !image().LivingTable(*tablet)) continue;
      idl::ProcedureSummary& one = Add("lead", id);
      one.server = tablet->node.info.primary;
      one.step = "makes a voter its primary, the one that the catalog names if it can";
      one.waitsFor = leader_term_.reconciler().WhyUnsettled(*tablet);
      one.cancelNote = "without it the tablet would have no primary";
    }
  }

  void AddDrain(const ServerName& name, const idl::ServerNode& node) {
    size_t moving = 0;
    const std::set<TabletId>& held = image().HeldBy(name);
    for (const TabletId id : held) {
      const TabletEntry& tablet = *image().Tablet(id);
      moving += tablet.node.__isset.move && tablet.node.move.fromServer == name;
    }
    if (held.empty() && !node.surplus) return;  // it is over
    idl::ProcedureSummary& one = Add({.kind = "drain", .tablet = {}, .table = {}, .server = name});
    one.askedBy = node.surplus ? idl::AskedBy::PLANNER : idl::AskedBy::OPERATOR;
    one.reason = node.drainReason;
    if (node.drainSinceMs > 0) one.ageMs = std::max<int64_t>(0, time_of_day_ms_ - node.drainSinceMs);
    one.step = held.empty() ? "empty; waits for the scale-in command to end it"
                            : "replicas left: " + std::to_string(held.size()) + ", " + std::to_string(moving) +
                                  " of them on the move";
    one.cancellable = true;
    one.cancelNote = "it takes replicas again; those that have moved stay where they are";
    one.waitsFor = safe_mode_.empty() ? leader_term_.replication_manager().WhyNotDrained(name) : safe_mode_;
  }

  void AddRun(const ProcedureRunner::Standing& standing) {
    if (const auto split = pending_splits_.find(standing.name); split != pending_splits_.end()) {
      idl::ProcedureSummary& one = all_[split->second];
      if (!standing.waits_for.ok()) one.waitsFor = standing.waits_for.message();
    }
    if (standing.subject.kind.empty()) return;
    idl::ProcedureSummary& one = Add(standing.subject);
    TakeAge(standing.began, one);
    if (!standing.waits_for.ok()) one.waitsFor = standing.waits_for.message();
    Describe(standing.subject, one);
  }

  void Describe(const Subject& subject, idl::ProcedureSummary& one) const {
    one.cancelNote = "it continues by itself until it is done";
    if (subject.kind == "transfer") {
      TakeActionRecord(ActionKind::kTransfer, subject.tablet, one);
      const TabletEntry* tablet = image().Tablet(subject.tablet);
      if (tablet) one.fromServer = tablet->node.info.primary;
      one.step = "makes its new primary " + subject.server;
      one.cancelNote =
          "it takes a moment, and its primary may have transferred it already: transfer it back afterwards";
    } else if (subject.kind == "merge") {
      DescribeMerge(subject, one);
    } else if (subject.kind == "unite") {
      one.step = "has every voter merge the two tablets that it is made of";
    } else if (subject.kind == "create") {
      one.askedBy = idl::AskedBy::OPERATOR;
      one.step = "makes the tablets";
      one.cancelNote = "drop the table instead: ebla table drop " + subject.table;
      TakeMade(subject.table, one);
    } else if (subject.kind == "drop") {
      one.askedBy = idl::AskedBy::OPERATOR;
      one.step = "drops the replicas, then the tablets";
      one.cancelNote = "some data is gone already";
    } else if (subject.kind == "schema") {
      one.askedBy = idl::AskedBy::OPERATOR;
      one.step = "tells the servers of the table's options";
    } else if (subject.kind == "recover") {
      one.askedBy = idl::AskedBy::OPERATOR;
      one.step = "gives the tablet to one replica alone";
      one.cancelNote = "the other replicas may have been fenced already";
    } else if (subject.kind == "adopt") {
      one.askedBy = idl::AskedBy::OPERATOR;
      one.step = "adds to the catalog what servers hold";
    } else if (subject.kind == "strays") {
      one.step = "drops replicas that the catalog does not assign to the server";
    } else if (subject.kind == "clear") {
      one.step = "removes the data of a dropped table";
    }
  }

  void DescribeMerge(const Subject& subject, idl::ProcedureSummary& one) const {
    const TabletId left = subject.tablet;
    const TabletEntry* tablet = image().Tablet(left);
    if (tablet && tablet->merge_open() && subject.decided) {
      TakeOrigin(tablet->node.merge, one);
      one.step = "3 of 3: writes the new tablet, which may serve already, to the catalog";
      one.cancelNote = "the new tablet may serve already: split it afterwards";
    } else if (!tablet) {
      one.step = "3 of 3: makes a voter of the new tablet its primary";
    } else if (!tablet->merging()) {
      TakeActionRecord(ActionKind::kMerge, left, one);
      one.step =
          "1 of 3: waits until both are settled, and on the same servers, where the smaller one is moved if need be";
      one.cancellable = true;
      one.cancelNote = "both stay as they are; replicas that have been moved stay where they are";
    } else {
      TakeOrigin(tablet->node.merge, one);
      one.cancellable = !tablet->node.merge.givenUp;
      one.step = one.cancellable ? "2 of 3: freezes both, to become tablet " + std::to_string(tablet->node.merge.intoId)
                                 : "given up: both are taken to later epochs, and go on";
      one.cancelNote = one.cancellable ? "both are taken to later epochs, and go on" : "it is given up already";
    }
  }

  void TakeMade(const std::string& name, idl::ProcedureSummary& one) const {
    const TableEntry* table = image().Table(name);
    if (!table) return;
    for (const auto& [start, id] : image().TabletsOf(table->id())) one.doneUnits += !image().Tablet(id)->creating();
    one.allUnits = static_cast<int64_t>(table->tablets_wanted());
    one.unit = "tablets";
  }

  // Not begun, so the catalog has no trace of it.
  void AddWaiting(const Subject& subject, MonotonicTime began, const Status& waits_for) {
    if (subject.kind.empty()) return;
    idl::ProcedureSummary& one = Add(subject);
    TakeAge(began, one);
    if (subject.kind == "split") {
      TakeActionRecord(ActionKind::kSplit, subject.tablet, one);
    } else {
      one.askedBy = idl::AskedBy::OPERATOR;
    }
    one.step = "waits to be begun";
    one.waitsFor = waits_for.message();
    one.cancellable = true;
    one.cancelNote = "nothing of it has been done";
  }

  void AddScaling() {
    for (const auto& [id, record] : leader_term_.balance_driver().under_way()) {
      const bool grows = record.action.kind == ActionKind::kAddServer;
      if (!grows && record.action.kind != ActionKind::kReleaseServer) continue;
      idl::ProcedureSummary& one =
          Add({.kind = grows ? "grow" : "release", .tablet = {}, .table = {}, .server = record.action.from});
      one.askedBy = idl::AskedBy::PLANNER;
      one.reason = record.action.reason;
      TakeAge(record.began, one);
      one.step = grows ? "runs the scale-out command" : "runs the scale-in command";
      one.cancelNote = "the command runs";
    }
  }

  static std::string SplitName(TabletId tablet) { return "split tablet " + std::to_string(tablet.value); }

  const LeaderTerm& leader_term_;
  const Context& context_;
  const MonotonicTime now_;
  const int64_t time_of_day_ms_;
  std::string safe_mode_;
  std::vector<idl::ProcedureSummary> all_;
  std::map<std::string, size_t> pending_splits_;  // by the runner's name, into all_
  mutable std::optional<ClusterView> view_;
};

}  // namespace

std::vector<idl::ProcedureSummary> ListProcedures(const LeaderTerm& leader_term) { return Lister(leader_term).List(); }

std::map<std::string, size_t> CountProcedures(const LeaderTerm& leader_term) {
  const Context& context = leader_term.context();
  std::map<std::string, size_t> kinds = {{"drain", 0},    {"merge", 0},  {"split", context.image().splits().size()},
                                         {"transfer", 0}, {"create", 0}, {"drop", 0}};
  kinds["move"] = leader_term.replication_manager().moves();
  kinds["repair"] = leader_term.replication_manager().repairs();
  kinds["lead"] = leader_term.reconciler().unsettled();
  for (const auto& [name, server] : context.servers.all()) {
    if (server.node && server.node->draining && !context.image().HeldBy(name).empty()) ++kinds["drain"];
  }
  leader_term.runner().ForEach([&kinds](const ProcedureRunner::Standing& standing) {
    if (!standing.subject.kind.empty()) ++kinds[standing.subject.kind];
  });
  return kinds;
}

}  // namespace ebla::master
