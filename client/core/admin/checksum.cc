// Pages of what single replicas hold, as numbers: Admin's part in it.
#include <utility>

#include "client/core/admin/admin.h"
#include "client/core/calls/codec.h"
#include "common/rpc/idl_convert.h"
#include "idl/tablet_types.h"

namespace ebla::client {

namespace {

// Codes between client and server become what a caller of the SDK knows.
Status Refusal(const idl::ReplyHeader& header) {
  const Code code = rpc::FromIdl(header.code);
  if (code == Code::kWrongTablet) return {Code::kNotFound, header.message};
  if (code == Code::kComeAgain) return {Code::kUnavailable, header.message};
  return {code, header.message};
}

ChecksumPage FromIdl(const idl::ChecksumReply& reply) {
  return {.range = rpc::FromIdl(reply.range),
          .applied = static_cast<uint64_t>(reply.appliedLsn),
          .records = reply.records,
          .bytes = reply.bytes,
          .checksum = static_cast<uint32_t>(reply.checksum),
          .next = reply.nextKey,
          .done = reply.done};
}

}  // namespace

void Admin::Checksum(std::string address, TableId table, TabletId tablet, std::string from,
                     OnceCallback<Result<ChecksumPage>> done) {
  const auto endpoint = rpc::Endpoint::Parse(address);
  if (!endpoint) return done(Error(endpoint.error()));
  idl::ChecksumRequest request;
  request.header.tableId = static_cast<int64_t>(table.value);
  request.header.tabletId = static_cast<int64_t>(tablet.value);
  request.fromKey = std::move(from);
  network_.To(*endpoint)->Call(EncodeCall("checksum", request), deadline_,
                               [done = std::move(done)](Result<std::string> message) mutable {
                                 if (!message) return done(Error(message.error()));
                                 const auto reply = DecodeReply<idl::ChecksumReply>(*std::move(message));
                                 if (!reply) return done(Error(reply.error()));
                                 if (reply->header.code != idl::Code::OK) return done(Error(Refusal(reply->header)));
                                 done(FromIdl(*reply));
                               });
}

}  // namespace ebla::client
