#include "ebla/client.h"

#include <algorithm>
#include <utility>

#include "client/sdk/connect_over.h"
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

Result<Client> client::ConnectOver(const std::vector<rpc::EventLoop*>& loops, Runtime::MakeConnector connector,
                                   const ClientOptions& options) {
  EBLA_ASSIGN(std::shared_ptr<Runtime> runtime, Runtime::MakeOver(loops, std::move(connector), options));
  EBLA_TRY(runtime->FindMaster(std::min(options.connect_timeout, options.deadline)));
  return ClientAccess::Make(std::move(runtime));
}

Result<Table> Client::OpenTable(std::string_view name) const {
  return runtime_->Wait<Result<Table>>(
      [&](Callback<Result<Table>> done) { AsyncOpenTable(*this, name, std::move(done)); });
}

void AsyncOpenTable(const Client& client, std::string_view name, Callback<Result<Table>> done) {
  const std::shared_ptr<Runtime>& runtime = client::ClientAccess::RuntimeOf(client);
  // An operation under way holds no handle, so that dropping the last handle ends it.
  auto opened = [weak = std::weak_ptr(runtime), done = std::move(done)](Result<client::TablePtr> table) mutable {
    if (!table) return done(Error(std::move(table.error())));
    std::shared_ptr<Runtime> held = weak.lock();
    if (held == nullptr) return done(Error(client::ClosedStatus()));
    done(client::TableAccess::Make(std::make_shared<client::TableHandle>(std::move(held), *std::move(table))));
  };
  runtime->core().OpenTable(std::string(name), OnceCallback<Result<client::TablePtr>>(std::move(opened)));
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
    admin.AlterTable(std::string(name), changes, std::move(done));
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

// ---- session.h

Session::Session(std::shared_ptr<client::SessionState> state) : state_(std::move(state)) {}
Session::~Session() = default;
std::string Session::Token() const { return state_->Export(); }

}  // namespace ebla
