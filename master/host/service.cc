#include "master/host/service.h"

#include <algorithm>

#include "common/coordination/layout.h"
#include "common/rpc/idl_convert.h"
#include "common/security/caller.h"
#include "idl/types_constants.h"
#include "master/host/replies.h"
#include "master/leader/cancel_procedure.h"
#include "master/leader/leader_term.h"
#include "master/leader/procedure_list.h"
#include "master/leader/readiness.h"
#include "master/procedures/split_tablet.h"

namespace ebla::master {
namespace {

// Leaves the caller time to read the answer before its own deadline.
constexpr Duration kAnswerMargin = std::chrono::milliseconds(20);

Status CheckVersion(int16_t version) {
  if (version <= idl::g_types_constants.PROTOCOL_VERSION) return {};
  return Error(Code::kInvalidArgument, "the request is of protocol version " + std::to_string(version) +
                                           "; this master speaks up to " +
                                           std::to_string(idl::g_types_constants.PROTOCOL_VERSION));
}

// A reply with nothing but `status`.
template <class Reply>
void AnswerStatus(const std::function<void(const Reply&)>& cob, const Status& status) {
  Reply reply;
  SetHeader(reply.header, status);
  cob(reply);
}

// A deadline ends the waiting, not what was begun: how that ends cannot be known here.
Status Reworded(const Status& status, Code code, const std::string& prefix) {
  if (status.code() != Code::kDeadlineExceeded) return status;
  return {code, prefix + status.message()};
}

int64_t IdOf(const TableEntry* table) { return table == nullptr ? 0 : table->node.schema.tableId; }
// The table's name for a caller without a grant, which has named the table, or knows its number; empty if there is no
// such table.
std::string_view NameOf(const TableEntry* table) {
  return table == nullptr ? std::string_view() : table->node.schema.name;
}

// `handle` for callers with an admin's grant of the table, or of every table if the name is empty or unknown.
template <class Handle>
auto IfAdmin(std::string table, Handle handle) {
  return [caller = security::CallerScope::Now(), table = std::move(table), handle = std::move(handle)](
             LeaderTerm& leader_term, const auto& cob, const auto& request) {
    const int64_t id = table.empty() ? 0 : IdOf(leader_term.image().Table(table));
    const Status may = caller.May(idl::Permission::ADMIN, id, KeyRange::All(), table);
    return may.ok() ? handle(leader_term, cob, request) : AnswerStatus(cob, may);
  };
}

}  // namespace

template <class Reply, class Request, class Handle>
void MasterService::Lead(Cob<Reply> cob, const Request& request, Handle handle) {
  if (executor_.InThread()) return LeadHere(cob, request, handle);
  executor_.Post([this, cob = std::move(cob), request, handle = std::move(handle)] { LeadHere(cob, request, handle); });
}

template <class Reply, class Request, class Handle>
void MasterService::Change(Cob<Reply> cob, const Request& request, Handle handle) {
  Lead(std::move(cob), request,
       [this, handle = std::move(handle)](LeaderTerm& leader_term, const auto& cob, const auto& request) {
         const std::string away = master_->coordinator_watch().Describe();
         away.empty() ? handle(leader_term, cob, request) : AnswerStatus(cob, Error(Code::kUnavailable, away));
       });
}

template <class Reply, class Request, class Handle>
void MasterService::LeadHere(const Cob<Reply>& cob, const Request& request, const Handle& handle) {
  Reply reply;
  LeaderTerm* leader_term = Leading();
  if (Status status = CheckVersion(request.protocolVersion); !status.ok()) {
    SetHeader(reply.header, status);
  } else if (leader_term) {
    return handle(*leader_term, cob, request);
  } else if (master_ && master_->WhenReady([this, cob, request, handle] { LeadHere(cob, request, handle); })) {
    return;
  } else {
    NotLeading(reply.header);
  }
  cob(reply);
}

void MasterService::NotLeading(idl::MasterReplyHeader& header) const {
  if (!master_) return SetHeader(header, Error(Code::kUnavailable, "this master is stopping"));
  if (master_->leading()) {
    return SetHeader(header,
                     Error(Code::kComeAgain, "this master has just become the leader and is reading the catalog"));
  }
  const auto& leader = master_->leader();
  SetHeader(header, Error(Code::kNotPrimary, leader ? "the leader is " + leader->name : "no leader is known"));
  if (leader) header.__set_leader(rpc::ToIdl(leader->endpoint));
  header.__set_retryAfterMs(leader ? 0 : 100);
}

MonotonicTime MasterService::SilentSince() const { return executor_.Now() - master_->options().silent_after; }

Duration MasterService::Patience(int32_t deadline_ms) const {
  if (deadline_ms <= 0) return master_->options().deadline_default;
  return std::max(Duration{0}, std::chrono::milliseconds(deadline_ms) - kAnswerMargin);
}

void MasterService::createTable(Cob<idl::CreateTableReply> cob, const idl::CreateTableRequest& request) {
  Change(std::move(cob), request, IfAdmin("", [this](LeaderTerm& leader_term, const auto& cob, const auto& request) {
           if (Status status = coordination::layout::CheckName(request.name, "table name"); !status.ok())
             return AnswerStatus(cob, status);
           idl::CreateTableReply reply;
           reply.tablets = static_cast<int32_t>(request.splitPoints.size()) + 1;
           leader_term.table_admin().Create(
               request.name, request.options, request.splitPoints, Patience(request.deadlineMs),
               [this, cob, reply, name = request.name](const Status& status) mutable {
                 SetHeader(reply.header, Reworded(status, Code::kUnknownOutcome,
                                                  "table " + name + " is being created, and the creation continues: "));
                 const LeaderTerm* now = Leading();
                 const TableEntry* table = now ? now->image().Table(name) : nullptr;
                 if (table && status.ok()) reply.__set_schema(table->node.schema);
                 cob(reply);
               });
         }));
}

void MasterService::alterTable(Cob<idl::AlterTableReply> cob, const idl::AlterTableRequest& request) {
  Change(std::move(cob), request,
         IfAdmin(request.name, [this](LeaderTerm& leader_term, const auto& cob, const auto& request) {
           leader_term.table_admin().Alter(
               request.name, request.options, Patience(request.deadlineMs),
               [this, cob, name = request.name](const Status& status) {
                 idl::AlterTableReply reply;
                 SetHeader(reply.header, Reworded(status, Code::kOk, "altered; not every server has been told yet: "));
                 const LeaderTerm* now = Leading();
                 const TableEntry* table = now ? now->image().Table(name) : nullptr;
                 if (table && reply.header.code == idl::Code::OK) reply.__set_schema(table->node.schema);
                 cob(reply);
               });
         }));
}

void MasterService::dropTable(Cob<idl::DropTableByNameReply> cob, const idl::DropTableByNameRequest& request) {
  Change(std::move(cob), request,
         IfAdmin(request.name, [this](LeaderTerm& leader_term, const auto& cob, const auto& request) {
           leader_term.table_admin().Drop(request.name, Patience(request.deadlineMs), [cob](const Status& status) {
             AnswerStatus(cob, Reworded(status, Code::kOk,
                                        "dropped; its name is free once every server has removed its data: "));
           });
         }));
}

void MasterService::listTables(Cob<idl::ListTablesReply> cob, const idl::ListTablesRequest& request) {
  Lead(std::move(cob), request,
       [](LeaderTerm& leader_term, const auto& cob, const auto&) { cob(ListTables(leader_term)); });
}

void MasterService::describeTable(Cob<idl::DescribeTableReply> cob, const idl::DescribeTableRequest& request) {
  Lead(std::move(cob), request,
       [caller = security::CallerScope::Now()](LeaderTerm& leader_term, const auto& cob, const auto& request) {
         const int64_t id = request.name.empty() ? request.tableId : IdOf(leader_term.image().Table(request.name));
         const std::string_view name = id == 0 ? request.name : NameOf(leader_term.image().Table(TableId(id)));
         const Status may = caller.MayAny(id, name);
         return may.ok() ? cob(DescribeTable(leader_term, request)) : AnswerStatus(cob, may);
       });
}

// Split points are keys, so the boundaries of tablets are data, too.
void MasterService::locate(Cob<idl::LocateReply> cob, const idl::LocateRequest& request) {
  Lead(std::move(cob), request,
       [this, caller = security::CallerScope::Now()](LeaderTerm& leader_term, const auto& cob, const auto& request) {
         const std::string_view name = NameOf(leader_term.image().Table(TableId(request.tableId)));
         if (const Status may = caller.MayAny(request.tableId, name); !may.ok()) return AnswerStatus(cob, may);
         cob(Locate(leader_term, request, executor_.Now(), master_->options().tablet_time_age_max));
       });
}

void MasterService::heartbeat(Cob<idl::HeartbeatReply> cob, const idl::HeartbeatRequest& request) {
  Lead(std::move(cob), request, [this](LeaderTerm& leader_term, const auto& cob, const auto& request) {
    using std::chrono::milliseconds;
    idl::HeartbeatReply reply;
    reply.__set_peaksMs(std::chrono::duration_cast<milliseconds>(master_->options().planner.merge.history).count());
    reply.masterTerm = static_cast<int64_t>(leader_term.term());
    // A caller that is no server of this cluster may send any name, so it is checked before it reaches a log or a list.
    Status status = coordination::layout::CheckName(request.server, "server name");
    if (status.ok()) status = leader_term.Heartbeat(request);
    SetHeader(reply.header, status);
    const bool same_term = request.serversTerm == reply.masterTerm;
    reply.servers =
        Addresses(leader_term, same_term ? static_cast<uint64_t>(std::max<int64_t>(0, request.serversVersion)) : 0);
    reply.describe = leader_term.context().stale_catalog.Why().has_value();
    const bool sure = !reply.describe && IsEachReportKnown(leader_term.context());
    reply.__set_nextId(sure ? static_cast<int64_t>(leader_term.image().next_id()) : 0);
    reply.serversVersion = static_cast<int64_t>(leader_term.servers().version());
    reply.clusterLevel = leader_term.cluster_level().level();
    reply.timeOfDayMs = executor_.TimeOfDayMs();
    reply.boot = master_->options().boot;
    cob(reply);
  });
}

void MasterService::listServers(Cob<idl::ListServersReply> cob, const idl::ListServersRequest& request) {
  Lead(std::move(cob), request, [this](LeaderTerm& leader_term, const auto& cob, const auto&) {
    cob(ListServers(leader_term, executor_.Now(), SilentSince()));
  });
}

void MasterService::listTablets(Cob<idl::ListTabletsReply> cob, const idl::ListTabletsRequest& request) {
  Lead(std::move(cob), request,
       [](LeaderTerm& leader_term, const auto& cob, const auto& request) { cob(ListTablets(leader_term, request)); });
}

void MasterService::transferTablet(Cob<idl::TransferTabletReply> cob, const idl::TransferTabletRequest& request) {
  Change(std::move(cob), request,
         IfAdmin(request.table, [this](LeaderTerm& leader_term, const auto& cob, const auto& request) {
           const Result<TabletId> tablet = FindTablet(leader_term, request.table, request.key);
           if (!tablet) return AnswerStatus(cob, tablet.error());
           leader_term.tablet_admin().Transfer(*tablet, request.toServer, {idl::AskedBy::OPERATOR, ""},
                                               Patience(request.deadlineMs),
                                               [this, cob, id = *tablet](const Status& status) {
                                                 idl::TransferTabletReply reply;
                                                 SetHeader(reply.header, Reworded(status, Code::kUnavailable, ""));
                                                 const LeaderTerm* now = Leading();
                                                 const TabletEntry* entry = now ? now->image().Tablet(id) : nullptr;
                                                 if (entry) reply.__set_tablet(entry->node.info);
                                                 cob(reply);
                                               });
         }));
}

void MasterService::mergeTablets(Cob<idl::MergeTabletsReply> cob, const idl::MergeTabletsRequest& request) {
  Change(std::move(cob), request,
         IfAdmin(request.table, [this](LeaderTerm& leader_term, const auto& cob, const auto& request) {
           const Result<Neighbours> two = FindNeighbours(leader_term.image(), request.table, request.key);
           if (!two) return AnswerStatus(cob, two.error());
           leader_term.tablet_admin().Merge(
               *two, {idl::AskedBy::OPERATOR, ""}, Patience(request.deadlineMs),
               [this, cob, request](const Status& status) {
                 idl::MergeTabletsReply reply;
                 SetHeader(reply.header,
                           Reworded(status, Code::kUnknownOutcome, "the merge is under way, and continues: "));
                 const LeaderTerm* now = Leading();
                 const auto tablet = now ? FindTablet(*now, request.table, request.key) : Result<TabletId>(TabletId());
                 if (const TabletEntry* entry = now && tablet ? now->image().Tablet(*tablet) : nullptr)
                   reply.__set_tablet(entry->node.info);
                 cob(reply);
               });
         }));
}

void MasterService::splitTablet(Cob<idl::SplitTabletReply> cob, const idl::SplitTabletRequest& request) {
  Change(std::move(cob), request,
         IfAdmin(request.table, [this](LeaderTerm& leader_term, const auto& cob, const auto& request) {
           const Result<TabletId> tablet = FindTablet(leader_term, request.table, request.key);
           if (!tablet) return AnswerStatus(cob, tablet.error());
           const TabletId id =
               SplitOffAt(leader_term.image(), leader_term.image().Tablet(*tablet)->table(), request.key)
                   .value_or(*tablet);
           leader_term.tablet_admin().Split(
               id, request.key, {idl::AskedBy::OPERATOR, ""}, Patience(request.deadlineMs),
               [this, cob, request, id](const Status& status) {
                 idl::SplitTabletReply reply;
                 SetHeader(reply.header,
                           Reworded(status, Code::kUnknownOutcome, "the split is under way, and continues: "));
                 const LeaderTerm* now = Leading();
                 if (now) {
                   if (const TabletEntry* parent = now->image().Tablet(id)) reply.__set_tablet(parent->node.info);
                   const Result<TabletId> child = FindTablet(*now, request.table, request.key);
                   if (child && *child != id) reply.__set_child(now->image().Tablet(*child)->node.info);
                 }
                 cob(reply);
               });
         }));
}

void MasterService::moveTablet(Cob<idl::MoveTabletReply> cob, const idl::MoveTabletRequest& request) {
  Change(std::move(cob), request,
         IfAdmin(request.table, [this](LeaderTerm& leader_term, const auto& cob, const auto& request) {
           const Result<TabletId> tablet = FindTablet(leader_term, request.table, request.key);
           if (!tablet) return AnswerStatus(cob, tablet.error());
           auto done = [this, cob, id = *tablet](const Status& status) {
             idl::MoveTabletReply reply;
             SetHeader(reply.header,
                       Reworded(status, Code::kUnknownOutcome, "the move is under way, and continues by itself: "));
             const LeaderTerm* now = Leading();
             const TabletEntry* entry = now ? now->image().Tablet(id) : nullptr;
             if (entry) reply.__set_tablet(entry->node.info);
             cob(reply);
           };
           if (request.cancel)
             return leader_term.tablet_admin().CancelMove(*tablet, Patience(request.deadlineMs), std::move(done));
           leader_term.tablet_admin().Move({*tablet, request.fromServer, request.toServer},
                                           Patience(request.deadlineMs), std::move(done));
         }));
}

void MasterService::setServer(Cob<idl::SetServerReply> cob, const idl::SetServerRequest& request) {
  Change(std::move(cob), request, [this](LeaderTerm& leader_term, const auto& cob, const auto& request) {
    ServerAdmin::Change change;
    if (request.__isset.draining) change.draining = request.draining;
    if (request.__isset.maintenance) change.maintenance = request.maintenance;
    auto answer = [this, cob, name = request.name, accepts = request.acceptClock](Status status) {
      idl::SetServerReply reply;
      SetHeader(reply.header, status);
      const LeaderTerm* now = Leading();
      if (now) reply.replicas = static_cast<int32_t>(now->image().HeldBy(name).size());
      reply.clockAccepted = accepts && status.ok();
      cob(reply);
    };
    if (request.acceptClock) {
      if (change.draining || change.maintenance)
        return answer(Error(Code::kInvalidArgument, "a server's clock is accepted by a request of its own"));
      return leader_term.server_admin().AcceptClock(request.name, std::move(answer));
    }
    if (change.draining.value_or(true)) {
      return leader_term.server_admin().Set(request.name, std::move(change), std::move(answer));
    }
    // It keeps what it has: what its drain has begun ends, too.
    leader_term.server_admin().EndDrain(request.name, std::move(change), Patience(0), std::move(answer));
  });
}

void MasterService::balance(Cob<idl::BalanceReply> cob, const idl::BalanceRequest& request) {
  Lead(std::move(cob), request, [this](LeaderTerm& leader_term, const auto& cob, const auto& request) {
    auto answer = [this, cob, request](Status status) {
      LeaderTerm* now = Leading();
      if (!now && status.ok()) status = Error(Code::kNotPrimary, "this master is no longer the leader");
      // If no plan can be made, the answer names the reason.
      if (status.ok() && request.now) static_cast<void>(now->balance_driver().RunPass());
      idl::BalanceReply reply;
      if (now) reply = DescribeBalance(*now, executor_.Now());
      if (status.ok() && request.view) {
        auto page = now->balance_driver().ViewPage(request.viewId, request.viewOffset);
        if (page) {
          reply.viewId = page->id;
          reply.viewBytes = static_cast<int64_t>(page->bytes);
          reply.view = std::move(page->text);
        } else {
          status = page.error();
        }
      }
      if (!status.ok()) SetHeader(reply.header, status);
      cob(reply);
    };
    if (!request.__isset.enabled || leader_term.balance_driver().on() == request.enabled) return answer({});
    leader_term.SwitchPlanner(request.enabled, std::move(answer));
  });
}

void MasterService::recoverTablet(Cob<idl::RecoverTabletReply> cob, const idl::RecoverTabletRequest& request) {
  Lead(std::move(cob), request, [this](LeaderTerm& leader_term, const auto& cob, const auto& request) {
    const TabletId id{static_cast<uint64_t>(std::max<int64_t>(0, request.tabletId))};
    const RecoverySurvey survey = leader_term.tablet_admin().Survey(id, request.server);
    idl::RecoverTabletReply reply = ToReply(survey);
    if (survey.refusal.code() == Code::kNotFound) {
      SetHeader(reply.header, survey.refusal);
      return cob(reply);
    }
    if (!request.acceptDataLoss) return cob(reply);
    leader_term.tablet_admin().Recover(id, request.server, Patience(request.deadlineMs),
                                       [this, cob, id, reply](const Status& status) mutable {
                                         SetHeader(reply.header, Reworded(status, Code::kUnavailable, ""));
                                         const LeaderTerm* now = Leading();
                                         const TabletEntry* entry = now ? now->image().Tablet(id) : nullptr;
                                         if (entry) {
                                           reply.__set_tablet(entry->node.info);
                                           if (status.ok()) reply.chosen = entry->node.info.primary;
                                         }
                                         if (status.ok()) reply.refusal.clear();
                                         cob(reply);
                                       });
  });
}

void MasterService::adopt(Cob<idl::AdoptReply> cob, const idl::AdoptRequest& request) {
  Lead(std::move(cob), request, [this](LeaderTerm& leader_term, const auto& cob, const auto& request) {
    if (Status status = AllReported(leader_term.context()); !status.ok()) return AnswerStatus(cob, status);
    idl::AdoptReply reply;
    const auto stale = leader_term.context().stale_catalog.Why();
    const Adoption plan = leader_term.PlanAdoption(request.without);
    if (!stale && plan.driven_up.empty()) return cob(reply);
    reply.reason = stale ? *stale : plan.driven_up;
    reply.problems = plan.problems;
    reply.notes = plan.notes;
    reply.nextId = static_cast<int64_t>(leader_term.image().next_id());
    reply.nextIdThen = static_cast<int64_t>(plan.next_id);
    reply.tables = plan.tables;
    reply.tablets = plan.tablets;
    if (!request.confirm) return cob(reply);
    leader_term.Adopt(request.without, Patience(request.deadlineMs), [cob, reply](Status status) mutable {
      SetHeader(reply.header, status);
      cob(reply);
    });
  });
}

void MasterService::removeServer(Cob<idl::RemoveServerReply> cob, const idl::RemoveServerRequest& request) {
  Change(std::move(cob), request, [](LeaderTerm& leader_term, const auto& cob, const auto& request) {
    leader_term.server_admin().Remove(request.name, [cob](const Status& status) { AnswerStatus(cob, status); });
  });
}

void MasterService::listProcedures(Cob<idl::ListProceduresReply> cob, const idl::ListProceduresRequest& request) {
  Lead(std::move(cob), request, [](LeaderTerm& leader_term, const auto& cob, const auto&) {
    idl::ListProceduresReply reply;
    reply.procedures = ListProcedures(leader_term);
    reply.total = static_cast<int64_t>(reply.procedures.size());
    if (reply.procedures.size() > kProceduresListedMax) reply.procedures.resize(kProceduresListedMax);
    cob(reply);
  });
}

void MasterService::cancelProcedure(Cob<idl::CancelProcedureReply> cob, const idl::CancelProcedureRequest& request) {
  Lead(std::move(cob), request, [this](LeaderTerm& leader_term, const auto& cob, const auto& request) {
    CancelProcedure(leader_term, request.id, Patience(request.deadlineMs), [cob](Result<std::string> outcome) {
      idl::CancelProcedureReply reply;
      SetHeader(reply.header, outcome ? Status() : outcome.error());
      if (outcome) reply.outcome = *std::move(outcome);
      cob(reply);
    });
  });
}

void MasterService::compactTable(Cob<idl::CompactTableReply> cob, const idl::CompactTableRequest& request) {
  Lead(std::move(cob), request,
       IfAdmin(request.table, [](LeaderTerm& leader_term, const auto& cob, const auto& request) {
         leader_term.table_admin().Compact(
             {.table = request.table, .server = request.server, .start = request.start, .limit_s = request.limitS},
             [cob](Result<std::vector<idl::Compaction>> servers) {
               idl::CompactTableReply reply;
               SetHeader(reply.header, servers ? Status() : servers.error());
               if (servers) reply.servers = *std::move(servers);
               cob(reply);
             });
       }));
}

void MasterService::scrubServers(Cob<idl::ScrubServersReply> cob, const idl::ScrubServersRequest& request) {
  Lead(std::move(cob), request, [](LeaderTerm& leader_term, const auto& cob, const auto& request) {
    leader_term.server_admin().Scrub(request.server, [cob](Result<std::vector<idl::ScrubAnswer>> servers) {
      idl::ScrubServersReply reply;
      SetHeader(reply.header, servers ? Status() : servers.error());
      if (servers) reply.servers = *std::move(servers);
      cob(reply);
    });
  });
}

void MasterService::changeAccess(Cob<idl::ChangeAccessReply> cob, const idl::ChangeAccessRequest& request) {
  Change(std::move(cob), request, [](LeaderTerm& leader_term, const auto& cob, const auto& request) {
    leader_term.access_admin().Change(request.changes, [cob](const Status& status) { AnswerStatus(cob, status); });
  });
}

void MasterService::listAccess(Cob<idl::ListAccessReply> cob, const idl::ListAccessRequest& request) {
  Lead(std::move(cob), request, [this](LeaderTerm& leader_term, const auto& cob, const auto& request) {
    leader_term.access_admin().List([this, cob, secrets = request.secrets](Result<idl::AccessNode> access) {
      const LeaderTerm* now = Leading();
      cob(DescribeAccess(std::move(access), now ? &now->image() : nullptr, secrets));
    });
  });
}

void MasterService::clusterVersion(Cob<idl::ClusterVersionReply> cob, const idl::ClusterVersionRequest& request) {
  Lead(std::move(cob), request, [this](LeaderTerm&, const auto& cob, const auto&) {
    auto answer = [this, cob] {
      idl::ClusterVersionReply reply;
      if (const LeaderTerm* leader_term = Leading()) {
        reply = ListVersions(*leader_term, master_->masters(), master_->options().name, SilentSince());
      } else {
        NotLeading(reply.header);
      }
      cob(reply);
    };
    // A master that has just started takes part already.
    master_->coordinator_watch().away() ? answer() : master_->ListMasters(std::move(answer));
  });
}

void MasterService::holdLevel(Cob<idl::HoldLevelReply> cob, const idl::HoldLevelRequest& request) {
  Change(std::move(cob), request, [](LeaderTerm& leader_term, const auto& cob, const auto& request) {
    leader_term.cluster_level().Hold(request.hold, [cob](const Status& status) { AnswerStatus(cob, status); });
  });
}

void MasterService::clusterInfo(Cob<idl::ClusterInfoReply> cob, const idl::ClusterInfoRequest&) {
  auto answer = [this, cob = std::move(cob)] {
    idl::ClusterInfoReply reply;
    if (!master_) {
      NotLeading(reply.header);
      return cob(reply);
    }
    const MasterStats stats = master_->Stats();
    reply.clusterId = master_->cluster_id();
    reply.version = master_->options().version;
    reply.leading = stats.ready;
    reply.term = static_cast<int64_t>(stats.term);
    reply.knownServers = static_cast<int32_t>(stats.servers);
    reply.safeMode = stats.safe_mode;
    reply.copies = static_cast<int32_t>(stats.copies);
    if (stats.coordinator_away) {
      reply.__set_coordinatorAwayMs(
          std::chrono::duration_cast<std::chrono::milliseconds>(*stats.coordinator_away).count());
    }
    reply.liveServers = static_cast<int32_t>(stats.live_servers);
    reply.tables = static_cast<int32_t>(stats.tables);
    reply.tablets = static_cast<int32_t>(stats.tablets);
    const auto add = [&reply](const coordination::Candidate& candidate, bool leads) {
      idl::MasterSummary& summary = reply.masters.emplace_back();
      summary.name = candidate.name;
      summary.endpoint = rpc::ToIdl(candidate.endpoint);
      summary.leader = leads;
      return leads;
    };
    const auto& leader = master_->leader();
    bool listed = false;
    for (const coordination::Candidate& candidate : master_->masters())
      listed |= add(candidate, leader && leader->name == candidate.name);
    if (leader && !listed) add(*leader, true);  // the list may be older than its candidacy
    if (!stats.ready) NotLeading(reply.header);
    // A standby's answer is good as it is; the header only adds the leader.
    if (!master_->leading()) reply.header.code = idl::Code::OK;
    cob(reply);
  };
  if (executor_.InThread()) return answer();
  executor_.Post(std::move(answer));
}

}  // namespace ebla::master
