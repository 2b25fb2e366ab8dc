// Client's calls about tablets, servers and the cluster: each asks the master and waits for the answer.
#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "client/core/admin/admin_convert.h"
#include "client/sdk/runtime.h"
#include "common/rpc/idl_convert.h"
#include "ebla/client.h"

namespace ebla {

using client::FromIdl;
using client::MasterClient;
using client::Runtime;

namespace {

constexpr int kTabletsPage = 1000;
constexpr int kReplicasPage = 300;  // each is several times as long
constexpr Duration kLeaderPatience = std::chrono::seconds(2);

int64_t ToIdl(TabletId tablet) { return static_cast<int64_t>(tablet.value); }

// All pages, in order of table and key.
Result<std::vector<TabletSummary>> AllTablets(Runtime& runtime, idl::ListTabletsRequest request) {
  std::vector<TabletSummary> tablets;
  for (bool more = true; more;) {
    EBLA_ASSIGN(const idl::ListTabletsReply reply, runtime.Ask(request));
    const int64_t before = request.afterTabletId;
    for (const idl::TabletSummary& tablet : reply.tablets) {
      request.afterTabletId = std::max(request.afterTabletId, tablet.info.tabletId);
      tablets.push_back(FromIdl(tablet));
    }
    more = reply.more && request.afterTabletId > before;
  }
  std::ranges::sort(tablets, {},
                    [](const TabletSummary& tablet) { return std::tie(tablet.table, tablet.range.start); });
  return tablets;
}

}  // namespace

Result<std::vector<ServerSummary>> Client::ListServers() const {
  EBLA_ASSIGN(const idl::ListServersReply reply, runtime_->Ask(idl::ListServersRequest()));
  std::vector<ServerSummary> servers;
  for (const idl::ServerSummary& server : reply.servers) servers.push_back(FromIdl(server));
  return servers;
}

Result<std::vector<TabletSummary>> Client::ListTablets(std::string_view table, std::string_view server) const {
  idl::ListTabletsRequest request;
  request.table = table;
  request.server = server;
  request.limit = kTabletsPage;
  return AllTablets(*runtime_, std::move(request));
}

Result<std::vector<TabletSummary>> Client::ListReplicas(std::string_view table) const {
  idl::ListTabletsRequest request;
  request.table = table;
  request.replicas = true;
  request.limit = kReplicasPage;
  return AllTablets(*runtime_, std::move(request));
}

Result<TabletSummary> Client::DescribeTablet(TabletId tablet) const {
  idl::ListTabletsRequest request;
  request.afterTabletId = ToIdl(tablet) - 1;
  request.limit = 1;
  request.replicas = true;
  EBLA_ASSIGN(const idl::ListTabletsReply reply, runtime_->Ask(std::move(request)));
  if (reply.tablets.empty() || reply.tablets[0].info.tabletId != ToIdl(tablet)) {
    return Error(Code::kNotFound, "no tablet " + std::to_string(tablet.value));
  }
  return FromIdl(reply.tablets[0]);
}

Result<TabletPlace> Client::Locate(std::string_view table, std::string_view key) const {
  EBLA_TRY(CheckKey(key));
  EBLA_ASSIGN(const TableInfo info, DescribeTable(table));
  idl::LocateRequest request;
  request.tableId = static_cast<int64_t>(info.id.value);
  request.range = rpc::ToIdl(KeyRange{std::string(key), KeyAfter(key)});
  request.limit = 1;
  EBLA_ASSIGN(const idl::LocateReply reply, runtime_->Ask(std::move(request)));
  if (reply.tablets.empty()) {
    return Error(Code::kUnavailable, "no tablet holds \"" + EscapeBytes(key) + "\" at present");
  }
  return FromIdl(reply.tablets.front());
}

Result<TabletRecovery> Client::RecoverTablet(TabletId tablet, RecoverTabletOptions options) const {
  idl::RecoverTabletRequest request;
  request.tabletId = ToIdl(tablet);
  request.server = std::move(options.server);
  request.acceptDataLoss = options.accept_data_loss;
  EBLA_ASSIGN(const idl::RecoverTabletReply reply, runtime_->Ask(std::move(request), client::Patient()));
  return FromIdl(reply);
}

Result<ClusterAdoption> Client::Adopt(AdoptOptions options) const {
  idl::AdoptRequest request;
  request.confirm = options.confirm;
  request.without = std::move(options.without);
  EBLA_ASSIGN(const idl::AdoptReply reply, runtime_->Ask(std::move(request), client::Patient()));
  return FromIdl(reply);
}

Status Client::RemoveServer(std::string_view server) const {
  idl::RemoveServerRequest request;
  request.name = server;
  MasterClient::CallOptions call;
  call.mutates = true;
  const client::LostReply lost_reply;
  lost_reply.Watch(call);
  const Result<idl::RemoveServerReply> reply = runtime_->Ask(std::move(request), std::move(call));
  if (reply || (reply.error().code() == Code::kNotFound && lost_reply)) return {};
  return reply.error();
}

Result<size_t> Client::SetServer(std::string_view server, ServerChange change) const {
  idl::SetServerRequest request;
  request.name = server;
  if (change.draining) request.__set_draining(*change.draining);
  if (change.maintenance) request.__set_maintenance(*change.maintenance);
  EBLA_ASSIGN(const idl::SetServerReply reply, runtime_->Ask(std::move(request)));
  return static_cast<size_t>(std::max(0, reply.replicas));
}

Result<PlannerState> Client::Planner(PlannerRequest wanted) const {
  idl::BalanceRequest request;
  if (wanted.enabled) request.__set_enabled(*wanted.enabled);
  request.now = wanted.now;
  request.view = wanted.view;
  EBLA_ASSIGN(idl::BalanceReply first, runtime_->Ask(std::move(request)));
  const auto bytes = static_cast<size_t>(std::max<int64_t>(0, first.viewBytes));
  idl::BalanceRequest rest;
  rest.view = true;
  rest.viewId = first.viewId;
  PlannerState state = FromIdl(std::move(first));
  while (state.view.size() < bytes) {
    rest.viewOffset = static_cast<int64_t>(state.view.size());
    EBLA_ASSIGN(const idl::BalanceReply page, runtime_->Ask(rest));
    if (page.view.empty()) return Error(Code::kUnavailable, "the view did not end: try again");
    state.view += page.view;
  }
  return state;
}

Result<Procedures> Client::ListProcedures() const {
  EBLA_ASSIGN(const idl::ListProceduresReply reply, runtime_->Ask(idl::ListProceduresRequest()));
  return FromIdl(reply);
}

Result<std::string> Client::CancelProcedure(std::string_view id) const {
  idl::CancelProcedureRequest request;
  request.id = id;
  MasterClient::CallOptions call;
  call.mutates = true;
  EBLA_ASSIGN(idl::CancelProcedureReply reply, runtime_->Ask(std::move(request), std::move(call)));
  return std::move(reply.outcome);
}

Result<std::vector<CompactionInfo>> Client::CompactTable(std::string_view table, CompactTableOptions options) const {
  idl::CompactTableRequest request;
  request.table = table;
  request.server = std::move(options.server);
  request.start = options.start;
  request.limitS =
      static_cast<int32_t>(std::clamp<int64_t>(options.limit.count(), 0, std::numeric_limits<int32_t>::max()));
  EBLA_ASSIGN(const idl::CompactTableReply reply, runtime_->Ask(std::move(request)));
  return FromIdl(reply);
}

Result<ClusterInfo> Client::DescribeCluster() const {
  MasterClient::CallOptions any_master;
  any_master.any_master = true;
  EBLA_ASSIGN(const idl::ClusterInfoReply reply, runtime_->Ask(idl::ClusterInfoRequest(), std::move(any_master)));
  if (reply.leading || !reply.header.__isset.leader) return FromIdl(reply);
  // A standby, which counts nothing: its leader is asked, and its own answer is good where that one is silent.
  MasterClient::CallOptions again;
  again.any_master = true;
  again.deadline = std::min(runtime_->admin().deadline(), kLeaderPatience);
  const Result<idl::ClusterInfoReply> leader = runtime_->Ask(idl::ClusterInfoRequest(), std::move(again));
  return FromIdl(leader ? *leader : reply);
}

Result<std::vector<ProcessVersion>> Client::ListVersions() const {
  EBLA_ASSIGN(const idl::ClusterVersionReply reply, runtime_->Ask(idl::ClusterVersionRequest()));
  std::vector<ProcessVersion> processes;
  for (const idl::ProcessVersion& one : reply.processes) {
    ProcessVersion& process = processes.emplace_back();
    process.role = one.role == idl::ProcessRole::MASTER ? ProcessRole::kMaster : ProcessRole::kTabletServer;
    process.name = one.name;
    process.address = client::AddressOf(one.endpoint);
    process.live = one.live;
    process.leader = one.leader;
    process.version = one.version;
    process.protocol = one.protocol;
    process.store_format = one.storeFormat;
  }
  return processes;
}

}  // namespace ebla
