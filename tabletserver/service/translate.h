// tabletserver/service/translate.h
// Between thrift/tablet.thrift and the host's types, for requests that request_check.h has passed. request_check.h
// itself translates writes.
// Threads: functions of their arguments.
#pragma once

#include <string>

#include "idl/master_types.h"
#include "idl/tablet_types.h"
#include "tabletserver/reads/read_path.h"
#include "tabletserver/shard/shard_types.h"
#include "tabletserver/storage/in_memory/memory_bounds.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

inline constexpr Duration kDefaultDeadline = std::chrono::seconds(10);
// The longest time for which a request may hold resources here, even if its caller allows more (thrift/tablet.thrift).
inline constexpr Duration kDeadlineMax = std::chrono::seconds(60);

// Host types from requests. `now` is when the request arrived.
MonotonicTime DeadlineOf(const idl::RequestHeader& header, MonotonicTime now);
ReadCall TranslateRead(const idl::RequestHeader& header, const idl::ReadOptions& options, MonotonicTime now);
size_t BytesOf(const WriteRequest& request);

// Which tablet and epoch the client believes in; 0: none.
struct Belief {
  int64_t tablet = 0;
  int64_t epoch = 0;
};

// Replies from host types.
void FillHeader(const ReadAnswer& answer, Belief belief, idl::ReplyHeader& header);
void FillRecord(StoredRecord&& record, idl::Record& to);
void FillRefusal(const Status& status, int64_t retry_after_ms, idl::ReplyHeader& header);
// The hint of a refusal to the right server, as far as `view` (may be null) knows it.
void FillHint(const TabletView* view, idl::ReplyHeader& header);
void FillWriteReply(WriteReply&& reply, const TabletHandle& handle, idl::WriteReply& to);

idl::AppliedSplit ToIdl(const AppliedSplit& split);
idl::Merged ToIdl(const Merged& merged);

// The whole schema as replicas keep it, and back.
DecodedSchema TranslateSchema(const idl::TableSchema& schema);
Result<DecodedSchema> DecodeSchema(const std::string& encoded);
Result<std::string> NameOfTable(const std::string& encoded_schema);
// For people: the number of a table that has no schema here yet.
std::string TableName(const TabletView& view);
// Makes the schema's table in the store where it is missing, and tells the store what it asks of it.
Status PlaceTable(TabletStore& store, const idl::TableSchema& schema);
Status PlaceTable(TabletStore& store, const std::string& encoded_schema);
idl::MemoryTableUse ToIdl(const MemoryUse& use);
// For a table in the store.
void SetFlushInterval(TabletStore& store, const idl::TableSchema& schema);

}  // namespace ebla::tabletserver
