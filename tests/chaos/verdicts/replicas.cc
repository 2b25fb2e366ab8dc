#include "tests/chaos/verdicts/replicas.h"

#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/transport/TBufferTransports.h>
#include <thrift/transport/TSocket.h>

#include <memory>

#include "common/rpc/channel.h"
#include "common/rpc/idl_convert.h"
#include "idl/TabletService.h"

namespace ebla::chaos {
namespace {

namespace thrift = ::apache::thrift;

constexpr int kPatienceMs = 10'000;

Result<std::optional<Record>> ReadAt(const std::string& address, const idl::GetRequest& request) {
  EBLA_ASSIGN(const rpc::Endpoint server, rpc::Endpoint::Parse(address));
  idl::GetReply reply;
  try {
    const auto socket = std::make_shared<thrift::transport::TSocket>(server.host, server.port);
    socket->setConnTimeout(kPatienceMs);
    socket->setRecvTimeout(kPatienceMs);
    const auto transport = std::make_shared<thrift::transport::TFramedTransport>(socket);
    idl::TabletServiceClient client(std::make_shared<thrift::protocol::TBinaryProtocol>(transport));
    transport->open();
    client.get(reply, request);
  } catch (const thrift::TException& problem) {
    return Error(Code::kUnavailable, address + " does not answer: " + problem.what());
  }
  const Code code = rpc::FromIdl(reply.header.code);
  if (code == Code::kNotFound) return std::nullopt;
  if (code != Code::kOk) return Error(Code::kUnavailable, address + " answers: " + reply.header.message);
  return Record{.value = reply.record.value, .version = rpc::FromIdl(reply.record.version)};
}

}  // namespace

Result<std::vector<ReplicaRecord>> ReadEveryReplica(const Client& client, const std::string& table,
                                                    const std::string& key) {
  EBLA_ASSIGN(const TabletPlace place, client.Locate(table, key));
  EBLA_ASSIGN(const TableInfo info, client.DescribeTable(table));
  idl::GetRequest request;
  request.header.tableId = static_cast<int64_t>(info.id.value);
  request.header.deadlineMs = kPatienceMs;
  request.key = key;
  idl::ReadOptions options;
  options.__set_level(idl::ReadLevel::EVENTUAL);
  request.__set_options(options);
  std::vector<ReplicaRecord> records;
  for (const ReplicaPlace& replica : place.replicas) {
    EBLA_ASSIGN(std::optional<Record> record, ReadAt(replica.address, request));
    records.push_back({replica.server, std::move(record)});
  }
  return records;
}

}  // namespace ebla::chaos
