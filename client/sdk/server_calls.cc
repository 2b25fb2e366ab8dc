// Client's calls to tablet servers themselves: what single replicas hold, and the writes that servers keep beside a
// table, hinted or rolled back (PROTOCOL 22).
#include <algorithm>
#include <utility>

#include "client/sdk/runtime.h"
#include "common/rpc/idl_convert.h"
#include "ebla/client.h"

namespace ebla {

using client::Runtime;

namespace {

constexpr int kUnresolvedPage = 1000;

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

UnresolvedWrite FromIdl(const ServerName& server, const idl::KeptWrite& write) {
  UnresolvedWrite out;
  out.server = server;
  out.tablet = TabletId{static_cast<uint64_t>(write.tabletId)};
  out.version = rpc::FromIdl(write.version);
  out.accepted = Expiry(std::chrono::milliseconds(write.tabletTimeMs));
  out.waiting = write.waiting;
  out.repeated = write.repeated;
  for (const idl::KeptEffect& effect : write.effects) {
    UnresolvedEffect& one = out.effects.emplace_back();
    one.key = effect.key;
    one.is_delete = effect.isDelete;
    one.value = effect.value;
    if (effect.__isset.expiresAtMs) one.expires = Expiry(std::chrono::milliseconds(effect.expiresAtMs));
  }
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

Result<UnresolvedWrites> Client::ListUnresolved(std::string_view table) const {
  EBLA_ASSIGN(const TableInfo info, DescribeTable(table));
  EBLA_ASSIGN(std::vector<ServerSummary> servers, ListServers());
  std::ranges::sort(servers, {}, &ServerSummary::name);
  UnresolvedWrites unresolved;
  for (const ServerSummary& server : servers) {
    const Status taken = TakeUnresolved(*runtime_, info.id, server, unresolved.writes);
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
