// Client's calls about tablets, servers and the cluster. Each asks and waits for the answer, most of them the master.
// Some ask tablet servers themselves, about the records of single replicas, and about the writes that servers hold
// beside a table (PROTOCOL 22).
#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "client/core/admin/access_convert.h"
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
constexpr int kUnresolvedPage = 1000;
constexpr Duration kLeaderPatience = std::chrono::seconds(2);

int64_t ToIdl(TabletId tablet) { return static_cast<int64_t>(tablet.value); }
idl::LogPlace ToIdl(const LogPlace& from) {
  idl::LogPlace place;
  place.logId = static_cast<int64_t>(from.log);
  place.segment = static_cast<int64_t>(from.segment);
  place.offset = from.offset;
  place.sequence = static_cast<int64_t>(from.sequence);
  return place;
}

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

// ---- of tablet servers

// One silent server must not use up the time of all.
Duration ServerTimeout(Runtime& runtime) {
  return std::max<Duration>(runtime.admin().deadline() / 4, std::chrono::milliseconds(500));
}

// Codes between client and server become what a caller of the SDK knows.
Status Refusal(const idl::ReplyHeader& header) {
  const Code code = rpc::FromIdl(header.code);
  if (code == Code::kWrongTablet) return {Code::kNotFound, header.message};
  if (code == Code::kComeAgain) return {Code::kUnavailable, header.message};
  return {code, header.message};
}

UnresolvedEffect FromEffect(const idl::KeptEffect& effect) {
  UnresolvedEffect one{.key = effect.key, .is_delete = effect.isDelete, .value = effect.value, .expires = std::nullopt};
  if (effect.__isset.expiresAtMs) one.expires = Expiry(std::chrono::milliseconds(effect.expiresAtMs));
  return one;
}

UnresolvedWrite FromIdl(const ServerName& server, const idl::KeptWrite& write) {
  UnresolvedWrite out;
  out.server = server;
  out.tablet = TabletId{static_cast<uint64_t>(write.tabletId)};
  out.version = rpc::FromIdl(write.version);
  out.accepted = Expiry(std::chrono::milliseconds(write.tabletTimeMs));
  out.waiting = write.waiting;
  out.repeated = write.repeated;
  for (const idl::KeptEffect& effect : write.effects) out.effects.push_back(FromEffect(effect));
  return out;
}

// All that one server keeps of the table.
Status TakeUnresolved(Runtime& runtime, TableId table, const ServerSummary& server,
                      std::vector<UnresolvedWrite>& writes) {
  if (!server.live) return Error(Code::kUnavailable, server.name + " is not live");
  idl::ListKeptRequest request;
  request.header.tableId = static_cast<int64_t>(table.value);
  request.limit = kUnresolvedPage;
  for (bool more = true; more;) {
    EBLA_ASSIGN(const idl::ListKeptReply reply, runtime.AskServer(server.address, request, ServerTimeout(runtime)));
    if (reply.header.code != idl::Code::OK) return Refusal(reply.header);
    for (const idl::KeptWrite& write : reply.writes) writes.push_back(FromIdl(server.name, write));
    more = reply.more && !reply.writes.empty();
    if (!more) break;
    request.afterTabletId = reply.writes.back().tabletId;
    request.afterVersion = reply.writes.back().version;
  }
  return {};
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
  request.acceptClock = change.accept_clock;
  EBLA_ASSIGN(const idl::SetServerReply reply, runtime_->Ask(std::move(request)));
  if (change.accept_clock && !reply.clockAccepted)
    return Error(Code::kUnavailable, "the leading master's build knows no doubt of clocks: upgrade the masters first");
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

Result<std::vector<ScrubBegun>> Client::Scrub(std::string_view server) const {
  idl::ScrubServersRequest request;
  request.server = server;
  EBLA_ASSIGN(const idl::ScrubServersReply reply, runtime_->Ask(std::move(request)));
  std::vector<ScrubBegun> servers;
  for (const idl::ScrubAnswer& one : reply.servers)
    servers.push_back({one.server, Status(rpc::FromIdl(one.code), one.message)});
  return servers;
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

Result<ClusterVersions> Client::ListVersions() const {
  EBLA_ASSIGN(const idl::ClusterVersionReply reply, runtime_->Ask(idl::ClusterVersionRequest()));
  ClusterVersions versions{.processes = {}, .level = reply.level, .held = reply.held, .features = {}};
  for (const idl::FeatureInfo& feature : reply.features)
    versions.features.push_back({feature.name, feature.level, feature.what});
  for (const idl::ProcessVersion& one : reply.processes) {
    ProcessVersion& process = versions.processes.emplace_back();
    process.role = one.role == idl::ProcessRole::MASTER ? ProcessRole::kMaster : ProcessRole::kTabletServer;
    process.name = one.name;
    process.address = client::AddressOf(one.endpoint);
    process.live = one.live;
    process.leader = one.leader;
    process.version = one.version;
    process.protocol = one.protocol;
    process.store_format = one.storeFormat;
    process.feature_level = one.featureLevel;
  }
  return versions;
}

Status Client::HoldLevel(bool hold) const {
  idl::HoldLevelRequest request;
  request.hold = hold;
  MasterClient::CallOptions call;
  call.mutates = true;
  const auto reply = runtime_->Ask(std::move(request), std::move(call));
  return reply ? Status() : reply.error();
}

Status Client::ChangeAccess(std::vector<AccessChange> changes) const {
  EBLA_ASSIGN(idl::ChangeAccessRequest request, client::ToIdl(changes));
  MasterClient::CallOptions call;
  call.mutates = true;
  const auto reply = runtime_->Ask(std::move(request), std::move(call));
  return reply ? Status() : reply.error();
}

Result<AccessInfo> Client::ListAccess(bool secrets) const {
  idl::ListAccessRequest request;
  request.secrets = secrets;
  EBLA_ASSIGN(const idl::ListAccessReply reply, runtime_->Ask(std::move(request)));
  return client::FromIdl(reply);
}

// ---- asked of tablet servers

Result<ChecksumPage> Client::Checksum(const ServerSummary& server, const TabletSummary& tablet,
                                      std::string_view from) const {
  idl::ChecksumRequest request;
  request.header.tableId = static_cast<int64_t>(tablet.table_id.value);
  request.header.tabletId = static_cast<int64_t>(tablet.id.value);
  request.fromKey = from;
  EBLA_ASSIGN(const idl::ChecksumReply reply,
              runtime_->AskServer(server.address, request, runtime_->admin().deadline()));
  if (reply.header.code != idl::Code::OK) return Error(Refusal(reply.header));
  return ChecksumPage{.range = rpc::FromIdl(reply.range),
                      .applied = static_cast<uint64_t>(reply.appliedLsn),
                      .records = reply.records,
                      .bytes = reply.bytes,
                      .checksum = static_cast<uint32_t>(reply.checksum),
                      .next = reply.nextKey,
                      .done = reply.done};
}

namespace {

idl::SnapshotRequest SnapshotOf(const TabletSummary& tablet, uint64_t snapshot) {
  idl::SnapshotRequest request;
  request.header.tableId = static_cast<int64_t>(tablet.table_id.value);
  request.header.tabletId = static_cast<int64_t>(tablet.id.value);
  request.snapshotId = static_cast<int64_t>(snapshot);
  return request;
}

}  // namespace

void Client::EndSnapshot(const ServerSummary& server, const TabletSummary& tablet, uint64_t snapshot) const {
  idl::SnapshotRequest request = SnapshotOf(tablet, snapshot);
  request.endNow = true;
  // The snapshot ends by itself, so the answer does not matter.
  std::ignore = runtime_->AskServer(server.address, request, runtime_->admin().deadline());
}

Result<SnapshotPage> Client::ReadSnapshot(const ServerSummary& server, const TabletSummary& tablet,
                                          uint64_t snapshot) const {
  const idl::SnapshotRequest request = SnapshotOf(tablet, snapshot);
  EBLA_ASSIGN(idl::SnapshotReply reply, runtime_->AskServer(server.address, request, runtime_->admin().deadline()));
  if (reply.header.code != idl::Code::OK) return Error(Refusal(reply.header));
  SnapshotPage page{.snapshot = static_cast<uint64_t>(reply.snapshotId),
                    .range = rpc::FromIdl(reply.range),
                    .applied = static_cast<uint64_t>(reply.appliedLsn),
                    .rows = {},
                    .done = reply.done};
  page.rows.reserve(reply.records.size());
  for (idl::SnapshotRecord& record : reply.records) {
    Row& row = page.rows.emplace_back();
    row.key = std::move(record.key);
    row.record.value = std::move(record.value);
    row.record.version = rpc::FromIdl(record.version);
    if (record.__isset.expiresAtMs) row.record.expires = Expiry(std::chrono::milliseconds(record.expiresAtMs));
  }
  return page;
}

Result<LogPage> Client::FollowLog(const ServerSummary& server, const FollowLogOptions& options) const {
  idl::FollowLogRequest request;
  request.place = ToIdl(options.place);
  request.keepFrom = ToIdl(options.keep_from);
  for (const TabletId tablet : options.pass_over) request.passOver.push_back(ToIdl(tablet));
  EBLA_ASSIGN(idl::FollowLogReply reply, runtime_->AskServer(server.address, request, runtime_->admin().deadline()));
  if (reply.header.code != idl::Code::OK) return Error(Refusal(reply.header));
  LogPage page{.next = {.log = static_cast<uint64_t>(reply.upTo.logId),
                        .segment = static_cast<uint64_t>(reply.upTo.segment),
                        .offset = reply.upTo.offset,
                        .sequence = static_cast<uint64_t>(reply.upTo.sequence)},
               .lost = reply.lost,
               .at_end = reply.atEnd};
  const auto number = [](int64_t value) { return static_cast<uint64_t>(value); };
  for (const int64_t tablet : reply.waitsFor) page.waits_for.push_back(TabletId{number(tablet)});
  for (const idl::LedTablet& led : reply.led)
    page.led.push_back({TabletId{number(led.tabletId)}, TableId{number(led.tableId)}, number(led.appliedLsn),
                        led.tabletTimeMs, led.timeOfDayMs, Epoch{number(led.epoch)}});
  for (const idl::LoggedStart& from : reply.starts) {
    LoggedStart& start = page.starts.emplace_back();
    start.tablet = TabletId{number(from.tabletId)};
    start.table = TableId{number(from.tableId)};
    start.lsn = number(from.lsn);
    for (const idl::LoggedOrigin& origin : from.origins)
      start.origins.emplace_back(TabletId{number(origin.tabletId)}, number(origin.lsn));
  }
  page.entries.reserve(reply.entries.size());
  for (const idl::LoggedEntry& from : reply.entries) {
    LoggedEntry& entry = page.entries.emplace_back();
    entry.tablet = TabletId{number(from.tabletId)};
    entry.table = TableId{number(from.tableId)};
    entry.version = rpc::FromIdl(from.version);
    entry.time_ms = from.tabletTimeMs;
    for (const idl::KeptEffect& effect : from.effects) entry.effects.push_back(FromEffect(effect));
  }
  return page;
}

Result<UnresolvedWrites> Client::ListUnresolved(std::string_view table) const {
  EBLA_ASSIGN(const TableInfo info, DescribeTable(table));
  EBLA_ASSIGN(std::vector<ServerSummary> servers, ListServers());
  std::ranges::sort(servers, {}, &ServerSummary::name);
  UnresolvedWrites unresolved;
  for (const ServerSummary& server : servers) {
    const Status taken = TakeUnresolved(*runtime_, info.id, server, unresolved.writes);
    // A table without permission must not look like a table without unresolved writes.
    if (taken.code() == Code::kPermissionDenied) return Error(taken);
    if (!taken.ok()) unresolved.unreachable.push_back(server.name);
  }
  return unresolved;
}

Status Client::DiscardUnresolved(std::string_view table, const UnresolvedWrite& write) const {
  EBLA_ASSIGN(const TableInfo info, DescribeTable(table));
  EBLA_ASSIGN(const std::vector<ServerSummary> servers, ListServers());
  const auto named = std::ranges::find(servers, write.server, &ServerSummary::name);
  if (named == servers.end()) return Error(Code::kNotFound, "no server \"" + write.server + "\"");
  idl::ForgetKeptRequest request;
  request.header.tableId = static_cast<int64_t>(info.id.value);
  request.tabletId = static_cast<int64_t>(write.tablet.value);
  request.version = rpc::ToIdl(write.version);
  const Result<idl::ForgetKeptReply> reply = runtime_->AskServer(named->address, request, ServerTimeout(*runtime_));
  if (!reply) return Error(reply.error().code(), write.server + ": " + reply.error().message());
  return {rpc::FromIdl(reply->header.code), reply->header.message};
}

}  // namespace ebla
