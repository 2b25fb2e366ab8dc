#include "tabletserver/service/copy_handler.h"

#include <utility>

#include "common/base/crc32.h"
#include "common/rpc/idl_convert.h"
#include "tabletserver/service/translate.h"
#include "tabletserver/shard/copy_target.h"
#include "tabletserver/storage/row_encoding.h"

namespace ebla::tabletserver {
namespace {

constexpr size_t kDedupKeyBytes = 24;

TabletId TabletOf(const idl::CopyRequest& request) { return TabletId{static_cast<uint64_t>(request.tabletId)}; }
uint64_t CopyOf(const idl::CopyRequest& request) { return static_cast<uint64_t>(request.copyId); }

// A request that does not decode is of another version, or damaged.
Status Malformed(const Status& why) { return Error(Code::kInvalidArgument, "a copy's request: " + why.message()); }

Result<std::vector<DedupRow>> DecodeDedupRows(TabletId tablet, const std::vector<std::string>& rows) {
  std::vector<DedupRow> dedup_window;
  dedup_window.reserve(rows.size());
  for (const std::string_view row : rows) {
    const Result<DedupKeyParts> key = ParseDedupKey(row.substr(0, kDedupKeyBytes));
    if (!key) return std::unexpected(Malformed(key.error()));
    if (key->tablet != tablet) return Error(Code::kInvalidArgument, "a copy's dedup window row is of another tablet");
    Result<DedupRow> decoded = DecodeDedupRow(*key, row.substr(kDedupKeyBytes));
    if (!decoded) return std::unexpected(Malformed(decoded.error()));
    dedup_window.push_back(*std::move(decoded));
  }
  return dedup_window;
}

}  // namespace

Result<CopyBegin> DecodeBegin(const idl::CopyRequest& request) {
  const idl::CopyStart& from = request.first;
  CopyBegin begin;
  begin.tablet = TabletOf(request);
  begin.order.peer = request.header.fromServer;
  begin.order.id = CopyOf(request);
  begin.order.epoch = Epoch{static_cast<uint64_t>(request.epoch)};
  begin.order.start = rpc::FromIdl(from.start);
  begin.order.line = rpc::FromIdl(from.line);
  Result<AppliedState> applied = DecodeAppliedState(from.applied);
  if (!applied) return std::unexpected(Malformed(applied.error()));
  if (applied->applied != begin.order.start) {
    return Error(Code::kInvalidArgument, "a copy's applied state is not that of its start");
  }
  begin.order.history = applied->epoch_starts;
  begin.base.applied = *std::move(applied);
  EBLA_ASSIGN(begin.base.dedup_window, DecodeDedupRows(begin.tablet, from.windowRows));
  if (from.windowRowsBefore < 0)
    return Error(Code::kInvalidArgument, "a copy's dedup window has rows before its first");
  begin.rows_before = static_cast<size_t>(from.windowRowsBefore);
  begin.rows_follow = from.windowRowsFollow;
  begin.schema = TranslateSchema(from.schema).tablet;
  return begin;
}

Result<CopyChunk> DecodeChunk(const idl::CopyRequest& request) {
  const idl::CopyChunk& from = request.chunk;
  CopyChunk chunk;
  chunk.tablet = TabletOf(request);
  chunk.copy = CopyOf(request);
  chunk.interval = rpc::FromIdl(from.interval);
  chunk.records.reserve(from.records.size());
  uint32_t checksum = 0;
  for (const idl::CopyRecord& record : from.records) {
    checksum = Crc32(record.row, Crc32(record.key, checksum));
  }
  if (checksum != from.checksum) return Error(Code::kComeAgain, "the chunk is damaged: its checksum differs");
  for (const idl::CopyRecord& record : from.records) {
    StoredRecord& to = chunk.records.emplace_back(record.key, StoredRecord()).second;
    if (Status status = DecodeRecord(record.row, to); !status.ok()) return std::unexpected(Malformed(status));
  }
  return chunk;
}

void CopyHandler::Take(Cob cob, const idl::CopyRequest& request) {
  ports_.background.Post([this, cob = std::move(cob), request] {
    const auto done = [cob, incarnation = ports_.incarnation](Status status) {
      idl::CopyReply reply;
      reply.status = rpc::ToIdl(status);
      reply.incarnation = static_cast<int64_t>(incarnation.value);
      cob(reply);
    };
    if (Status status = Decode(request, done); !status.ok()) done(std::move(status));
  });
}

Status CopyHandler::Decode(const idl::CopyRequest& request, CopyDone done) {
  if (request.tabletId <= 0 || request.epoch <= 0 || request.copyId <= 0) {
    return Error(Code::kInvalidArgument, "tablet id, epoch and copy id must be positive");
  }
  CopyTarget& target = TargetOf(TabletOf(request));
  if (request.__isset.first) {
    EBLA_ASSIGN(CopyBegin begin, DecodeBegin(request));
    EBLA_TRY(PlaceTable(ports_.store, request.first.schema));
    target.Begin(std::move(begin), std::move(done));
  } else if (request.__isset.chunk) {
    EBLA_ASSIGN(CopyChunk chunk, DecodeChunk(request));
    target.Chunk(std::move(chunk), std::move(done));
  } else if (request.__isset.arrivedUpto) {
    target.End(TabletOf(request), CopyOf(request), Lsn{static_cast<uint64_t>(request.arrivedUpto)}, std::move(done));
  } else {
    return Error(Code::kInvalidArgument, "a copy's request that neither begins the copy nor continues it");
  }
  return Status::Ok();
}

}  // namespace ebla::tabletserver
