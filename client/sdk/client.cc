#include "ebla/client.h"

#include <algorithm>
#include <utility>

#include "client/sdk/runtime.h"

namespace ebla {

using client::Admin;
using client::OnceCallback;
using client::Runtime;

namespace {

// Asks the master something and waits for the answer.
template <class T, class Ask>
T Wait(Runtime& runtime, Ask ask) {
  return runtime.Wait<T>([&](Callback<T> done) { ask(runtime.admin(), OnceCallback<T>(std::move(done))); });
}

}  // namespace

Client::Client(std::shared_ptr<Runtime> runtime) : runtime_(std::move(runtime)) {}
Client::~Client() = default;

Result<Client> Client::Connect(ClientOptions options) {
  EBLA_ASSIGN(std::shared_ptr<Runtime> runtime, Runtime::Make(options));
  EBLA_TRY(runtime->FindMaster(std::min(options.connect_timeout, options.deadline)));
  return Client(std::move(runtime));
}

Result<Table> Client::OpenTable(std::string_view name) const {
  auto table = runtime_->Wait<Result<client::TablePtr>>([&](Callback<Result<client::TablePtr>> done) {
    runtime_->core().OpenTable(std::string(name), OnceCallback<Result<client::TablePtr>>(std::move(done)));
  });
  if (!table) return Error(std::move(table.error()));
  return client::TableAccess::Make(std::make_shared<client::TableHandle>(runtime_, *std::move(table)));
}

Session Client::NewSession() const { return client::SessionAccess::Make(std::make_shared<client::SessionState>()); }

Result<Session> Client::NewSession(std::string_view token) const {
  EBLA_ASSIGN(client::SessionTokens tokens, client::DecodeTokens(token));
  return client::SessionAccess::Make(std::make_shared<client::SessionState>(std::move(tokens)));
}

Result<TableInfo> Client::CreateTable(std::string_view name, CreateTableOptions options) const {
  return Wait<Result<TableInfo>>(*runtime_, [&](Admin& admin, OnceCallback<Result<TableInfo>> done) {
    admin.CreateTable(std::string(name), std::move(options), std::move(done));
  });
}

Result<TableInfo> Client::AlterTable(std::string_view name, TableOptions changes) const {
  return Wait<Result<TableInfo>>(*runtime_, [&](Admin& admin, OnceCallback<Result<TableInfo>> done) {
    admin.AlterTable(std::string(name), std::move(changes), std::move(done));
  });
}

Status Client::DropTable(std::string_view name) const {
  return Wait<Status>(
      *runtime_, [&](Admin& admin, OnceCallback<Status> done) { admin.DropTable(std::string(name), std::move(done)); });
}

Result<std::vector<TableInfo>> Client::ListTables() const {
  using Tables = Result<std::vector<TableInfo>>;
  return Wait<Tables>(*runtime_, [](Admin& admin, OnceCallback<Tables> done) { admin.ListTables(std::move(done)); });
}

Result<TableInfo> Client::DescribeTable(std::string_view name) const {
  return Wait<Result<TableInfo>>(*runtime_, [&](Admin& admin, OnceCallback<Result<TableInfo>> done) {
    admin.DescribeTable(std::string(name), std::move(done));
  });
}

Result<std::vector<ServerSummary>> Client::ListServers() const {
  using Servers = Result<std::vector<ServerSummary>>;
  return Wait<Servers>(*runtime_, [](Admin& admin, OnceCallback<Servers> done) { admin.ListServers(std::move(done)); });
}

Result<std::vector<TabletSummary>> Client::ListTablets(std::string_view table, std::string_view server) const {
  using Tablets = Result<std::vector<TabletSummary>>;
  return Wait<Tablets>(*runtime_, [&](Admin& admin, OnceCallback<Tablets> done) {
    admin.ListTablets(std::string(table), std::string(server), std::move(done));
  });
}

Result<TabletSplit> Client::SplitTablet(std::string_view table, std::string_view key) const {
  EBLA_TRY(CheckKey(key));
  return Wait<Result<TabletSplit>>(*runtime_, [&](Admin& admin, OnceCallback<Result<TabletSplit>> done) {
    admin.SplitTablet(std::string(table), std::string(key), std::move(done));
  });
}

Result<TabletMerge> Client::MergeTablets(std::string_view table, std::string_view key) const {
  EBLA_TRY(CheckKey(key));
  return Wait<Result<TabletMerge>>(*runtime_, [&](Admin& admin, OnceCallback<Result<TabletMerge>> done) {
    admin.MergeTablets(std::string(table), std::string(key), std::move(done));
  });
}

Result<std::vector<TabletSummary>> Client::ListReplicas(std::string_view table) const {
  using Tablets = Result<std::vector<TabletSummary>>;
  return Wait<Tablets>(*runtime_, [&](Admin& admin, OnceCallback<Tablets> done) {
    admin.ListReplicas(std::string(table), std::move(done));
  });
}

Result<ChecksumPage> Client::Checksum(const ServerSummary& server, const TabletSummary& tablet,
                                      std::string_view from) const {
  using Page = Result<ChecksumPage>;
  return Wait<Page>(*runtime_, [&](Admin& admin, OnceCallback<Page> done) {
    admin.Checksum(server.address, tablet.table_id, tablet.id, std::string(from), std::move(done));
  });
}

Status Client::TransferTablet(std::string_view table, std::string_view key, std::string_view to) const {
  EBLA_TRY(CheckKey(key));
  return Wait<Status>(*runtime_, [&](Admin& admin, OnceCallback<Status> done) {
    admin.TransferTablet(std::string(table), std::string(key), std::string(to), std::move(done));
  });
}

Status Client::MoveTablet(std::string_view table, std::string_view key, TabletMove move) const {
  EBLA_TRY(CheckKey(key));
  return Wait<Status>(*runtime_, [&](Admin& admin, OnceCallback<Status> done) {
    admin.MoveTablet(std::string(table), std::string(key), std::move(move), std::move(done));
  });
}

Result<size_t> Client::SetServer(std::string_view server, ServerChange change) const {
  return Wait<Result<size_t>>(*runtime_, [&](Admin& admin, OnceCallback<Result<size_t>> done) {
    admin.SetServer(std::string(server), change, std::move(done));
  });
}

Result<PlannerState> Client::Planner(PlannerRequest request) const {
  return Wait<Result<PlannerState>>(*runtime_, [&](Admin& admin, OnceCallback<Result<PlannerState>> done) {
    admin.Planner(request, std::move(done));
  });
}

Result<Procedures> Client::ListProcedures() const {
  return Wait<Result<Procedures>>(
      *runtime_, [](Admin& admin, OnceCallback<Result<Procedures>> done) { admin.ListProcedures(std::move(done)); });
}

Result<std::string> Client::CancelProcedure(std::string_view id) const {
  return Wait<Result<std::string>>(*runtime_, [&](Admin& admin, OnceCallback<Result<std::string>> done) {
    admin.CancelProcedure(std::string(id), std::move(done));
  });
}

Result<std::vector<CompactionInfo>> Client::CompactTable(std::string_view table, CompactTableOptions options) const {
  using Servers = Result<std::vector<CompactionInfo>>;
  return Wait<Servers>(*runtime_, [&](Admin& admin, OnceCallback<Servers> done) {
    admin.CompactTable(std::string(table), std::move(options), std::move(done));
  });
}

Result<TabletSummary> Client::DescribeTablet(TabletId tablet) const {
  return Wait<Result<TabletSummary>>(*runtime_, [&](Admin& admin, OnceCallback<Result<TabletSummary>> done) {
    admin.DescribeTablet(tablet, std::move(done));
  });
}

Result<TabletRecovery> Client::RecoverTablet(TabletId tablet, RecoverTabletOptions options) const {
  return Wait<Result<TabletRecovery>>(*runtime_, [&](Admin& admin, OnceCallback<Result<TabletRecovery>> done) {
    admin.RecoverTablet(tablet, std::move(options), std::move(done));
  });
}

Result<ClusterAdoption> Client::Adopt(AdoptOptions options) const {
  return Wait<Result<ClusterAdoption>>(*runtime_, [&](Admin& admin, OnceCallback<Result<ClusterAdoption>> done) {
    admin.Adopt(std::move(options), std::move(done));
  });
}

Status Client::RemoveServer(std::string_view server) const {
  return Wait<Status>(*runtime_, [&](Admin& admin, OnceCallback<Status> done) {
    admin.RemoveServer(std::string(server), std::move(done));
  });
}

Result<ClusterInfo> Client::DescribeCluster() const {
  return Wait<Result<ClusterInfo>>(
      *runtime_, [](Admin& admin, OnceCallback<Result<ClusterInfo>> done) { admin.DescribeCluster(std::move(done)); });
}

Result<UnresolvedWrites> Client::ListUnresolved(std::string_view table) const {
  return Wait<Result<UnresolvedWrites>>(*runtime_, [&](Admin& admin, OnceCallback<Result<UnresolvedWrites>> done) {
    admin.ListUnresolved(std::string(table), std::move(done));
  });
}

Status Client::DiscardUnresolved(std::string_view table, const UnresolvedWrite& write) const {
  return Wait<Status>(*runtime_, [&](Admin& admin, OnceCallback<Status> done) {
    admin.DiscardUnresolved(std::string(table), write.server, write.tablet, write.version, std::move(done));
  });
}

Result<TabletPlace> Client::Locate(std::string_view table, std::string_view key) const {
  EBLA_TRY(CheckKey(key));
  return Wait<Result<TabletPlace>>(*runtime_, [&](Admin& admin, OnceCallback<Result<TabletPlace>> done) {
    admin.Locate(std::string(table), std::string(key), std::move(done));
  });
}

// ---- session.h

Session::Session(std::shared_ptr<client::SessionState> state) : state_(std::move(state)) {}
Session::~Session() = default;
std::string Session::Token() const { return state_->Export(); }

}  // namespace ebla
