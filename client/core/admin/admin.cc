#include "client/core/admin/admin.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "client/core/admin/admin_convert.h"
#include "common/rpc/idl_convert.h"

namespace ebla::client {

namespace {

constexpr Duration kPollFirst = std::chrono::milliseconds(20);
constexpr int kTabletsPage = 1000;
constexpr int kReplicasPage = 300;  // each is several times as long
constexpr Duration kLeaderPatience = std::chrono::seconds(2);

// Whether a table that exists after a lost reply may be the very one asked for.
bool LooksLike(const TableInfo& info, const CreateTableOptions& asked) {
  const TableOptions& a = asked.table;
  const TableOptions& b = info.options;
  const auto fits = [](const auto& wanted, const auto& got) { return !wanted || wanted == got; };
  return info.tablets == static_cast<int>(asked.split_points.size()) + 1 && fits(a.replicas, b.replicas) &&
         fits(a.compression, b.compression) && fits(a.durability, b.durability) &&
         fits(a.last_write_wins, b.last_write_wins) && fits(a.default_ttl, b.default_ttl);
}

}  // namespace

template <class Request, class Reply>
void Admin::Ask(const char* method, Request request, MasterClient::CallOptions options,
                std::move_only_function<void(Result<MasterClient::Answer<Reply>>)> done) {
  if (options.deadline <= Duration(0)) options.deadline = deadline_;
  masters_.Call<Request, Reply>(method, std::move(request), std::move(options), std::move(done));
}

void Admin::CreateTable(std::string name, CreateTableOptions options, OnceCallback<Result<TableInfo>> done) {
  idl::CreateTableRequest request;
  request.name = name;
  request.options = ToIdl(options.table);
  request.splitPoints = options.split_points;
  MasterClient::CallOptions call;
  call.deadline = options.deadline.count() > 0 ? Duration(options.deadline) : deadline_;
  call.mutates = true;
  call.quick = false;
  const MonotonicTime end = network_.Now() + call.deadline;
  using Answer = Result<MasterClient::Answer<idl::CreateTableReply>>;
  auto lost_reply = std::make_shared<bool>(false);
  call.note = [lost_reply](const Status& cause) {
    if (cause.code() == Code::kUnknownOutcome || cause.code() == Code::kDeadlineExceeded) *lost_reply = true;
  };
  Ask<idl::CreateTableRequest, idl::CreateTableReply>(
      "createTable", std::move(request), std::move(call),
      [this, name, end, lost_reply, options = std::move(options), done = std::move(done)](Answer answer) mutable {
        if (!answer && (answer.error().code() != Code::kTableExists || !*lost_reply))
          return done(Error(answer.error()));
        // Made now, or by an earlier attempt whose reply was lost.
        AwaitServing(name, end,
                     OnceCallback<Result<TableInfo>>([answer = std::move(answer), options = std::move(options),
                                                      done = std::move(done)](Result<TableInfo> info) mutable {
                       if (info && !answer && !LooksLike(*info, options)) return done(Error(answer.error()));
                       done(std::move(info));
                     }));
      });
}

void Admin::AwaitServing(std::string name, MonotonicTime end, OnceCallback<Result<TableInfo>> done) {
  const MonotonicTime now = network_.Now();
  DescribeTable(name, OnceCallback<Result<TableInfo>>([this, name, end, now,
                                                       done = std::move(done)](Result<TableInfo> info) mutable {
                  if (!info) return done(std::move(info));
                  if (info->tablets_serving >= info->tablets) return done(std::move(info));
                  if (now + kPollFirst >= end) {
                    return done(Error(Code::kDeadlineExceeded, "table \"" + name + "\" is made, but only " +
                                                                   std::to_string(info->tablets_serving) + " of its " +
                                                                   std::to_string(info->tablets) +
                                                                   " tablets serve yet; it goes on by itself"));
                  }
                  network_.executor().After(kPollFirst, [this, name, end, done = std::move(done)]() mutable {
                    AwaitServing(std::move(name), end, std::move(done));
                  });
                }));
}

void Admin::AlterTable(std::string name, TableOptions changes, OnceCallback<Result<TableInfo>> done) {
  idl::AlterTableRequest request;
  request.name = name;
  request.options = ToIdl(changes);
  MasterClient::CallOptions call;
  call.mutates = true;
  call.quick = false;
  Ask<idl::AlterTableRequest, idl::AlterTableReply>(
      "alterTable", std::move(request), std::move(call),
      [this, name, done = std::move(done)](Result<MasterClient::Answer<idl::AlterTableReply>> answer) mutable {
        if (!answer) return done(Error(answer.error()));
        DescribeTable(std::move(name), std::move(done));
      });
}

void Admin::DropTable(std::string name, OnceCallback<Status> done) {
  idl::DropTableByNameRequest request;
  request.name = name;
  MasterClient::CallOptions call;
  call.mutates = true;
  call.quick = false;
  auto lost_reply = std::make_shared<bool>(false);
  call.note = [lost_reply](const Status& cause) {
    if (cause.code() == Code::kUnknownOutcome || cause.code() == Code::kDeadlineExceeded) *lost_reply = true;
  };
  Ask<idl::DropTableByNameRequest, idl::DropTableByNameReply>(
      "dropTable", std::move(request), std::move(call),
      [lost_reply, done = std::move(done)](Result<MasterClient::Answer<idl::DropTableByNameReply>> answer) mutable {
        if (answer || (answer.error().code() == Code::kNoSuchTable && *lost_reply)) return done(Status());
        done(answer.error());
      });
}

void Admin::ListTables(OnceCallback<Result<std::vector<TableInfo>>> done) {
  Ask<idl::ListTablesRequest, idl::ListTablesReply>(
      "listTables", {}, {},
      [done = std::move(done)](Result<MasterClient::Answer<idl::ListTablesReply>> answer) mutable {
        if (!answer) return done(Error(answer.error()));
        std::vector<TableInfo> tables;
        for (const idl::TableSummary& table : answer->reply.tables) tables.push_back(FromIdl(table));
        done(std::move(tables));
      });
}

void Admin::DescribeTable(std::string name, OnceCallback<Result<TableInfo>> done) {
  idl::DescribeTableRequest request;
  request.name = std::move(name);
  Ask<idl::DescribeTableRequest, idl::DescribeTableReply>(
      "describeTable", std::move(request), {},
      [done = std::move(done)](Result<MasterClient::Answer<idl::DescribeTableReply>> answer) mutable {
        if (!answer) return done(Error(answer.error()));
        done(FromIdl(answer->reply.table));
      });
}

void Admin::ListServers(OnceCallback<Result<std::vector<ServerSummary>>> done) {
  Ask<idl::ListServersRequest, idl::ListServersReply>(
      "listServers", {}, {},
      [done = std::move(done)](Result<MasterClient::Answer<idl::ListServersReply>> answer) mutable {
        if (!answer) return done(Error(answer.error()));
        std::vector<ServerSummary> servers;
        for (const idl::ServerSummary& server : answer->reply.servers) servers.push_back(FromIdl(server));
        done(std::move(servers));
      });
}

struct Admin::TabletPages {
  idl::ListTabletsRequest request;
  std::vector<TabletSummary> tablets;
  OnceCallback<Result<std::vector<TabletSummary>>> done;
};

void Admin::ListTablets(std::string table, std::string server, OnceCallback<Result<std::vector<TabletSummary>>> done) {
  auto pages = std::make_shared<TabletPages>(TabletPages{{}, {}, std::move(done)});
  pages->request.table = std::move(table);
  pages->request.server = std::move(server);
  pages->request.limit = kTabletsPage;
  NextTablets(std::move(pages));
}

void Admin::ListReplicas(std::string table, OnceCallback<Result<std::vector<TabletSummary>>> done) {
  auto pages = std::make_shared<TabletPages>(TabletPages{{}, {}, std::move(done)});
  pages->request.table = std::move(table);
  pages->request.replicas = true;
  pages->request.limit = kReplicasPage;
  NextTablets(std::move(pages));
}

void Admin::NextTablets(std::shared_ptr<TabletPages> pages) {
  idl::ListTabletsRequest request = pages->request;
  Ask<idl::ListTabletsRequest, idl::ListTabletsReply>(
      "listTablets", std::move(request), {},
      [this, pages = std::move(pages)](Result<MasterClient::Answer<idl::ListTabletsReply>> answer) mutable {
        if (!answer) return pages->done(Error(answer.error()));
        const int64_t before = pages->request.afterTabletId;
        for (const idl::TabletSummary& tablet : answer->reply.tablets) {
          pages->request.afterTabletId = std::max(pages->request.afterTabletId, tablet.info.tabletId);
          pages->tablets.push_back(FromIdl(tablet));
        }
        if (answer->reply.more && pages->request.afterTabletId > before) return NextTablets(std::move(pages));
        std::ranges::sort(pages->tablets, {},
                          [](const TabletSummary& tablet) { return std::tie(tablet.table, tablet.range.start); });
        pages->done(std::move(pages->tablets));
      });
}

void Admin::TransferTablet(std::string table, std::string key, std::string to, OnceCallback<Status> done) {
  idl::TransferTabletRequest request;
  request.table = std::move(table);
  request.key = std::move(key);
  request.toServer = std::move(to);
  Ask<idl::TransferTabletRequest, idl::TransferTabletReply>(
      "transferTablet", std::move(request), {},
      [done = std::move(done)](Result<MasterClient::Answer<idl::TransferTabletReply>> answer) mutable {
        done(answer ? Status() : answer.error());
      });
}

void Admin::SplitTablet(std::string table, std::string key, OnceCallback<Result<TabletSplit>> done) {
  idl::SplitTabletRequest request;
  request.table = std::move(table);
  request.key = std::move(key);
  // A tablet that was split a moment ago is settled only with its next report; who is told of a deadline before that
  // does not know whether the split goes on.
  MasterClient::CallOptions call;
  call.quick = false;
  Ask<idl::SplitTabletRequest, idl::SplitTabletReply>(
      "splitTablet", std::move(request), std::move(call),
      [done = std::move(done)](Result<MasterClient::Answer<idl::SplitTabletReply>> answer) mutable {
        if (!answer) return done(Error(answer.error()));
        const idl::SplitTabletReply& reply = answer->reply;
        done(TabletSplit{TabletId{static_cast<uint64_t>(reply.tablet.tabletId)}, rpc::FromIdl(reply.tablet.range),
                         TabletId{static_cast<uint64_t>(reply.child.tabletId)}, rpc::FromIdl(reply.child.range)});
      });
}

void Admin::MergeTablets(std::string table, std::string key, OnceCallback<Result<TabletMerge>> done) {
  idl::MergeTabletsRequest request;
  request.table = std::move(table);
  request.key = std::move(key);
  MasterClient::CallOptions call;
  call.quick = false;
  Ask<idl::MergeTabletsRequest, idl::MergeTabletsReply>(
      "mergeTablets", std::move(request), std::move(call),
      [done = std::move(done)](Result<MasterClient::Answer<idl::MergeTabletsReply>> answer) mutable {
        if (!answer) return done(Error(answer.error()));
        const idl::TabletInfo& tablet = answer->reply.tablet;
        done(TabletMerge{TabletId{static_cast<uint64_t>(tablet.tabletId)}, rpc::FromIdl(tablet.range)});
      });
}

void Admin::RecoverTablet(TabletId tablet, RecoverTabletOptions options, OnceCallback<Result<TabletRecovery>> done) {
  idl::RecoverTabletRequest request;
  request.tabletId = static_cast<int64_t>(tablet.value);
  request.server = std::move(options.server);
  request.acceptDataLoss = options.accept_data_loss;
  MasterClient::CallOptions call;
  call.quick = false;
  Ask<idl::RecoverTabletRequest, idl::RecoverTabletReply>(
      "recoverTablet", std::move(request), std::move(call),
      [done = std::move(done)](Result<MasterClient::Answer<idl::RecoverTabletReply>> answer) mutable {
        if (!answer) return done(Error(answer.error()));
        done(FromIdl(answer->reply));
      });
}

void Admin::Adopt(AdoptOptions options, OnceCallback<Result<ClusterAdoption>> done) {
  idl::AdoptRequest request;
  request.confirm = options.confirm;
  request.without = std::move(options.without);
  MasterClient::CallOptions call;
  call.quick = false;
  Ask<idl::AdoptRequest, idl::AdoptReply>(
      "adopt", std::move(request), std::move(call),
      [done = std::move(done)](Result<MasterClient::Answer<idl::AdoptReply>> answer) mutable {
        if (!answer) return done(Error(answer.error()));
        done(FromIdl(answer->reply));
      });
}

void Admin::RemoveServer(std::string server, OnceCallback<Status> done) {
  idl::RemoveServerRequest request;
  request.name = std::move(server);
  auto lost_reply = std::make_shared<bool>(false);
  MasterClient::CallOptions call;
  call.mutates = true;
  call.note = [lost_reply](const Status& cause) {
    if (cause.code() == Code::kUnknownOutcome || cause.code() == Code::kDeadlineExceeded) *lost_reply = true;
  };
  Ask<idl::RemoveServerRequest, idl::RemoveServerReply>(
      "removeServer", std::move(request), std::move(call),
      [lost_reply, done = std::move(done)](Result<MasterClient::Answer<idl::RemoveServerReply>> answer) mutable {
        if (answer || (answer.error().code() == Code::kNotFound && *lost_reply)) return done(Status());
        done(answer.error());
      });
}

void Admin::MoveTablet(std::string table, std::string key, TabletMove move, OnceCallback<Status> done) {
  idl::MoveTabletRequest request;
  request.table = std::move(table);
  request.key = std::move(key);
  request.fromServer = std::move(move.from);
  request.toServer = std::move(move.to);
  request.cancel = move.cancel;
  MasterClient::CallOptions call;
  call.quick = false;
  Ask<idl::MoveTabletRequest, idl::MoveTabletReply>(
      "moveTablet", std::move(request), std::move(call),
      [done = std::move(done)](Result<MasterClient::Answer<idl::MoveTabletReply>> answer) mutable {
        done(answer ? Status() : answer.error());
      });
}

void Admin::SetServer(std::string server, ServerChange change, OnceCallback<Result<size_t>> done) {
  idl::SetServerRequest request;
  request.name = std::move(server);
  if (change.draining) request.__set_draining(*change.draining);
  if (change.maintenance) request.__set_maintenance(*change.maintenance);
  Ask<idl::SetServerRequest, idl::SetServerReply>(
      "setServer", std::move(request), {},
      [done = std::move(done)](Result<MasterClient::Answer<idl::SetServerReply>> answer) mutable {
        if (!answer) return done(Error(answer.error()));
        done(static_cast<size_t>(std::max(0, answer->reply.replicas)));
      });
}

void Admin::Planner(PlannerRequest request, OnceCallback<Result<PlannerState>> done) {
  idl::BalanceRequest wanted;
  if (request.enabled) wanted.__set_enabled(*request.enabled);
  wanted.now = request.now;
  wanted.view = request.view;
  Ask<idl::BalanceRequest, idl::BalanceReply>(
      "balance", std::move(wanted), {},
      [this, done = std::move(done)](Result<MasterClient::Answer<idl::BalanceReply>> answer) mutable {
        if (!answer) return done(Error(answer.error()));
        const int64_t id = answer->reply.viewId;
        const auto bytes = static_cast<size_t>(std::max<int64_t>(0, answer->reply.viewBytes));
        RestOfView(id, bytes, FromIdl(std::move(answer->reply)), std::move(done));
      });
}

// The pages of the view after those that the state has.
void Admin::RestOfView(int64_t id, size_t bytes, PlannerState state, OnceCallback<Result<PlannerState>> done) {
  if (state.view.size() >= bytes) return done(std::move(state));
  idl::BalanceRequest wanted;
  wanted.view = true;
  wanted.viewId = id;
  wanted.viewOffset = static_cast<int64_t>(state.view.size());
  Ask<idl::BalanceRequest, idl::BalanceReply>(
      "balance", std::move(wanted), {},
      [this, id, bytes, state = std::move(state),
       done = std::move(done)](Result<MasterClient::Answer<idl::BalanceReply>> answer) mutable {
        if (!answer) return done(Error(answer.error()));
        if (answer->reply.view.empty())
          return done(Error(Code::kUnavailable, "the view came to no end: ask for it again"));
        state.view += answer->reply.view;
        RestOfView(id, bytes, std::move(state), std::move(done));
      });
}

void Admin::ListProcedures(OnceCallback<Result<Procedures>> done) {
  Ask<idl::ListProceduresRequest, idl::ListProceduresReply>(
      "listProcedures", {}, {},
      [done = std::move(done)](Result<MasterClient::Answer<idl::ListProceduresReply>> answer) mutable {
        if (!answer) return done(Error(answer.error()));
        done(FromIdl(answer->reply));
      });
}

void Admin::CancelProcedure(std::string id, OnceCallback<Result<std::string>> done) {
  idl::CancelProcedureRequest request;
  request.id = std::move(id);
  MasterClient::CallOptions call;
  call.mutates = true;
  Ask<idl::CancelProcedureRequest, idl::CancelProcedureReply>(
      "cancelProcedure", std::move(request), std::move(call),
      [done = std::move(done)](Result<MasterClient::Answer<idl::CancelProcedureReply>> answer) mutable {
        if (!answer) return done(Error(answer.error()));
        done(std::move(answer->reply.outcome));
      });
}

void Admin::CompactTable(std::string table, CompactTableOptions options,
                         OnceCallback<Result<std::vector<CompactionInfo>>> done) {
  idl::CompactTableRequest request;
  request.table = std::move(table);
  request.server = std::move(options.server);
  request.start = options.start;
  request.limitS =
      static_cast<int32_t>(std::clamp<int64_t>(options.limit.count(), 0, std::numeric_limits<int32_t>::max()));
  Ask<idl::CompactTableRequest, idl::CompactTableReply>(
      "compactTable", std::move(request), {},
      [done = std::move(done)](Result<MasterClient::Answer<idl::CompactTableReply>> answer) mutable {
        if (!answer) return done(Error(answer.error()));
        done(FromIdl(answer->reply));
      });
}

void Admin::DescribeTablet(TabletId tablet, OnceCallback<Result<TabletSummary>> done) {
  idl::ListTabletsRequest request;
  request.afterTabletId = static_cast<int64_t>(tablet.value) - 1;
  request.limit = 1;
  request.replicas = true;
  Ask<idl::ListTabletsRequest, idl::ListTabletsReply>(
      "listTablets", std::move(request), {},
      [tablet, done = std::move(done)](Result<MasterClient::Answer<idl::ListTabletsReply>> answer) mutable {
        if (!answer) return done(Error(answer.error()));
        const auto& tablets = answer->reply.tablets;
        if (tablets.empty() || tablets[0].info.tabletId != static_cast<int64_t>(tablet.value)) {
          return done(Error(Code::kNotFound, "there is no tablet " + std::to_string(tablet.value)));
        }
        done(FromIdl(tablets[0]));
      });
}

void Admin::DescribeCluster(OnceCallback<Result<ClusterInfo>> done) {
  using Answer = Result<MasterClient::Answer<idl::ClusterInfoReply>>;
  MasterClient::CallOptions call;
  call.any_master = true;
  Ask<idl::ClusterInfoRequest, idl::ClusterInfoReply>(
      "clusterInfo", {}, std::move(call), [this, done = std::move(done)](Answer answer) mutable {
        if (!answer) return done(Error(answer.error()));
        if (answer->reply.leading || !answer->reply.header.__isset.leader) return done(FromIdl(answer->reply));
        // A standby, which counts nothing: its leader is asked, and its own answer is good where that one is silent.
        MasterClient::CallOptions again;
        again.any_master = true;
        again.deadline = std::min(deadline_, kLeaderPatience);
        Ask<idl::ClusterInfoRequest, idl::ClusterInfoReply>(
            "clusterInfo", {}, std::move(again),
            [standby = FromIdl(answer->reply), done = std::move(done)](Answer answer) mutable {
              done(answer ? FromIdl(answer->reply) : std::move(standby));
            });
      });
}

void Admin::Locate(std::string table, std::string key, OnceCallback<Result<TabletPlace>> done) {
  DescribeTable(
      std::move(table), OnceCallback<Result<TableInfo>>([this, key = std::move(key),
                                                         done = std::move(done)](Result<TableInfo> info) mutable {
        if (!info) return done(Error(info.error()));
        idl::LocateRequest request;
        request.tableId = static_cast<int64_t>(info->id.value);
        request.range = rpc::ToIdl(KeyRange{key, KeyAfter(key)});
        request.limit = 1;
        using Answer = Result<MasterClient::Answer<idl::LocateReply>>;
        Ask<idl::LocateRequest, idl::LocateReply>(
            "locate", std::move(request), {}, [key, done = std::move(done)](Answer answer) mutable {
              if (!answer) return done(Error(answer.error()));
              if (answer->reply.tablets.empty()) {
                return done(Error(Code::kUnavailable, "no tablet holds \"" + EscapeBytes(key) + "\" at present"));
              }
              done(FromIdl(answer->reply.tablets.front()));
            });
      }));
}

}  // namespace ebla::client
