#include "tabletserver/service/replication_service.h"

#include <memory>
#include <utility>

#include "common/base/key_range.h"
#include "common/base/number_limits.h"
#include "common/coordination/layout.h"
#include "common/rpc/idl_convert.h"
#include "tabletserver/service/gathered.h"
#include "tabletserver/service/request_check.h"
#include "tabletserver/shard/peer_exchange.h"
#include "tabletserver/storage/in_memory/in_memory_store.h"
#include "tabletserver/transport/peer_translate.h"

namespace ebla::tabletserver {

Status ReplicationService::CheckHeader(const idl::PeerHeader& header) const {
  EBLA_TRY(CheckProtocolVersion(header.protocolVersion));
  if (const std::string mine = ports_.cluster_id(); !mine.empty() && header.clusterId != mine) {
    return Error(Code::kInvalidArgument,
                 "this server belongs to cluster " + mine + ", not to " + EscapeBytes(header.clusterId));
  }
  if (header.toServer != ports_.name) {
    return Error(Code::kComeAgain,
                 "this is server \"" + ports_.name + "\", not \"" + EscapeBytes(header.toServer) + "\"");
  }
  if (header.toIncarnation != 0 && header.toIncarnation != static_cast<int64_t>(ports_.incarnation.value)) {
    return Error(Code::kComeAgain, "this server is in its start " + std::to_string(ports_.incarnation.value) +
                                       ", the message is for start " + std::to_string(header.toIncarnation));
  }
  if (header.fromServer.empty() || header.fromServer == ports_.name) {
    return Error(Code::kInvalidArgument, "a message of peers must name the server that sends it");
  }
  // Checked before it reaches a log, because any caller of this port may send any name.
  return coordination::layout::CheckName(header.fromServer, "server name");
}

int64_t ReplicationService::IncarnationFor(const idl::PeerHeader& header) const {
  const std::string cluster = ports_.cluster_id();
  const bool meant = header.toServer == ports_.name && (cluster.empty() || header.clusterId == cluster);
  return meant ? static_cast<int64_t>(ports_.incarnation.value) : 0;
}

int64_t ReplicationService::LatestTime() const { return limits::LatestTime(ports_.background.TimeOfDayMs()); }

void ReplicationService::SubmitToShards(const idl::PeerHeader& header, std::vector<std::vector<PeerCall>> calls) {
  const Incarnation incarnation{static_cast<uint64_t>(header.fromIncarnation)};
  for (size_t i = 0; i < calls.size(); ++i) {
    if (!calls[i].empty()) ports_.shards[i]->Receive(header.fromServer, incarnation, std::move(calls[i]));
  }
}

void ReplicationService::append(Cob<idl::AppendReply> cob, const idl::AppendRequest& request) {
  auto gathered = std::make_shared<Gathered<idl::AppendReply>>(std::move(cob));
  gathered->reply.incarnation = IncarnationFor(request.header);
  if (Status status = CheckHeader(request.header); !status.ok()) {
    gathered->reply.status = rpc::ToIdl(status);
    return;
  }
  const int64_t latest = LatestTime();
  auto& replies = gathered->reply.replies;
  replies.resize(request.appends.size());
  auto calls = PerShard();
  for (size_t i = 0; i < request.appends.size(); ++i) {
    const idl::TabletAppend& one = request.appends[i];
    // The answer if the replica is dropped meanwhile.
    replies[i].tabletId = one.tabletId;
    replies[i].epoch = one.epoch;
    replies[i].result = idl::AppendResult::BUSY;
    Result<AppendMessage> message = FromIdl(one, latest);
    if (!message.has_value()) {
      ports_.refusals.Count(request.header.fromServer, message.error());
      continue;
    }
    const TabletId tablet{static_cast<uint64_t>(one.tabletId)};
    calls[ShardOf(one.tabletId)].push_back(
        {tablet, *std::move(message), [gathered, i, tablet](const PeerAnswer& answer) {
           gathered->reply.replies[i] = ToIdl(tablet, std::get<AppendAnswer>(answer.body));
         }});
  }
  SubmitToShards(request.header, std::move(calls));
}

void ReplicationService::peerHeartbeat(Cob<idl::PeerHeartbeatReply> cob, const idl::PeerHeartbeatRequest& request) {
  auto gathered = std::make_shared<Gathered<idl::PeerHeartbeatReply>>(std::move(cob));
  gathered->reply.incarnation = IncarnationFor(request.header);
  if (Status status = CheckHeader(request.header); !status.ok()) {
    gathered->reply.status = rpc::ToIdl(status);
    return;
  }
  const int64_t latest = LatestTime();
  if (const InMemoryStore* const memory = ports_.store.memory_tables()) {
    for (const MemoryPressure& pressure : memory->Pressures()) gathered->reply.memory.push_back(ToIdl(pressure));
  }
  gathered->reply.tablets.resize(request.tablets.size());
  auto calls = PerShard();
  for (size_t i = 0; i < request.tablets.size(); ++i) {
    const idl::HeartbeatTablet& one = request.tablets[i];
    gathered->reply.tablets[i].tabletId = one.tabletId;
    Result<HeartbeatMessage> message = FromIdl(one, latest);
    if (!message.has_value()) {
      ports_.refusals.Count(request.header.fromServer, message.error());
      continue;
    }
    const TabletId tablet{static_cast<uint64_t>(one.tabletId)};
    calls[ShardOf(one.tabletId)].push_back(
        {tablet, *std::move(message), [gathered, i, tablet](const PeerAnswer& answer) {
           gathered->reply.tablets[i] = ToIdl(tablet, std::get<HeartbeatAnswer>(answer.body));
         }});
  }
  SubmitToShards(request.header, std::move(calls));
}

void ReplicationService::copy(Cob<idl::CopyReply> cob, const idl::CopyRequest& request) {
  Status status = CheckHeader(request.header);
  if (status.ok()) return copies_.Take(std::move(cob), request);
  idl::CopyReply reply;
  reply.status = rpc::ToIdl(status);
  reply.incarnation = IncarnationFor(request.header);
  cob(reply);
}

}  // namespace ebla::tabletserver
