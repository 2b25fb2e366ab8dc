// The writes that servers keep beside a table, hinted or rolled back (PROTOCOL 22), asked of each of them: Admin's part in it.
#include <algorithm>
#include <memory>
#include <utility>

#include "client/core/admin/admin.h"
#include "client/core/calls/codec.h"
#include "common/rpc/idl_convert.h"
#include "idl/tablet_types.h"

namespace ebla::client {

namespace {

// One silent server must not use up the time of all.
Duration CallTimeout(Duration deadline) { return std::max<Duration>(deadline / 4, std::chrono::milliseconds(500)); }

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

}  // namespace

struct Admin::UnresolvedPages {
  TableId table;
  std::vector<ServerSummary> servers;  // still to be asked; the last one is being asked
  idl::ListKeptRequest request;        // of it
  UnresolvedWrites unresolved;
  OnceCallback<Result<UnresolvedWrites>> done;
};

void Admin::TableAndServers(
    std::string table, std::move_only_function<void(Result<std::pair<TableId, std::vector<ServerSummary>>>)> done) {
  DescribeTable(std::move(table),
                OnceCallback<Result<TableInfo>>([this, done = std::move(done)](Result<TableInfo> info) mutable {
                  if (!info) return done(Error(info.error()));
                  using Servers = Result<std::vector<ServerSummary>>;
                  ListServers(OnceCallback<Servers>([id = info->id, done = std::move(done)](Servers servers) mutable {
                    if (!servers) return done(Error(servers.error()));
                    done(std::pair(id, *std::move(servers)));
                  }));
                }));
}

void Admin::ListUnresolved(std::string table, OnceCallback<Result<UnresolvedWrites>> done) {
  TableAndServers(std::move(table), [this, done = std::move(done)](auto found) mutable {
    if (!found) return done(Error(found.error()));
    auto pages = std::make_shared<UnresolvedPages>(
        UnresolvedPages{found->first, std::move(found->second), {}, {}, std::move(done)});
    std::ranges::sort(pages->servers, std::greater<>(), &ServerSummary::name);
    NextUnresolved(std::move(pages));
  });
}

void Admin::NextUnresolved(std::shared_ptr<UnresolvedPages> pages) {
  if (pages->servers.empty()) return pages->done(std::move(pages->unresolved));
  const ServerSummary& server = pages->servers.back();
  const auto endpoint = rpc::Endpoint::Parse(server.address);
  if (!server.live || !endpoint) {
    pages->unresolved.unreachable.push_back(server.name);
    pages->servers.pop_back();
    return NextUnresolved(std::move(pages));
  }
  pages->request.header.tableId = static_cast<int64_t>(pages->table.value);
  pages->request.limit = 1000;
  network_.To(*endpoint)->Call(EncodeCall("listKept", pages->request), CallTimeout(deadline_),
                               [this, pages](Result<std::string> message) mutable {
                                 Result<idl::ListKeptReply> reply =
                                     message ? DecodeReply<idl::ListKeptReply>(*std::move(message))
                                             : std::unexpected(message.error());
                                 const ServerName server = pages->servers.back().name;
                                 if (!reply || reply->header.code != idl::Code::OK) {
                                   pages->unresolved.unreachable.push_back(server);
                                 } else {
                                   for (const idl::KeptWrite& write : reply->writes)
                                     pages->unresolved.writes.push_back(FromIdl(server, write));
                                   if (reply->more && !reply->writes.empty()) {
                                     pages->request.afterTabletId = reply->writes.back().tabletId;
                                     pages->request.afterVersion = reply->writes.back().version;
                                     return NextUnresolved(std::move(pages));
                                   }
                                 }
                                 pages->request = {};
                                 pages->servers.pop_back();
                                 NextUnresolved(std::move(pages));
                               });
}

void Admin::DiscardUnresolved(std::string table, ServerName server, TabletId tablet, Version version,
                              OnceCallback<Status> done) {
  TableAndServers(std::move(table), [this, server, tablet, version, done = std::move(done)](auto found) mutable {
    if (!found) return done(found.error());
    const auto named = std::ranges::find(found->second, server, &ServerSummary::name);
    if (named == found->second.end()) return done(Error(Code::kNotFound, "no server \"" + server + "\""));
    const auto endpoint = rpc::Endpoint::Parse(named->address);
    if (!endpoint) return done(endpoint.error());
    idl::ForgetKeptRequest request;
    request.header.tableId = static_cast<int64_t>(found->first.value);
    request.tabletId = static_cast<int64_t>(tablet.value);
    request.version = rpc::ToIdl(version);
    network_.To(*endpoint)->Call(
        EncodeCall("forgetKept", request), CallTimeout(deadline_),
        [server, done = std::move(done)](Result<std::string> message) mutable {
          if (!message) return done(Error(message.error().code(), server + ": " + message.error().message()));
          const auto reply = DecodeReply<idl::ForgetKeptReply>(*std::move(message));
          if (!reply) return done(reply.error());
          done(Status(rpc::FromIdl(reply->header.code), reply->header.message));
        });
  });
}

}  // namespace ebla::client
