#include "tabletserver/service/translate.h"

#include <algorithm>
#include <utility>

#include "common/base/encoding.h"
#include "common/coordination/node_codec.h"
#include "common/rpc/idl_convert.h"
#include "tabletserver/storage/in_memory/in_memory_store.h"

namespace ebla::tabletserver {
namespace {

using rpc::FromIdl;
using rpc::ToIdl;

// The numbers of the two enums are the same.
static_assert(static_cast<int>(ReadLevel::kStrong) == idl::ReadLevel::STRONG);
static_assert(static_cast<int>(ReadLevel::kSession) == idl::ReadLevel::SESSION);
static_assert(static_cast<int>(ReadLevel::kBounded) == idl::ReadLevel::BOUNDED);
static_assert(static_cast<int>(ReadLevel::kEventual) == idl::ReadLevel::EVENTUAL);
static_assert(static_cast<int>(TableCompression::kSnappy) == idl::Compression::SNAPPY);
static_assert(static_cast<int>(TableCompression::kZlib) == idl::Compression::ZLIB);

std::vector<TokenRange> TranslateToken(const idl::SessionToken& token) {
  std::vector<TokenRange> ranges;
  ranges.reserve(token.ranges.size());
  for (const idl::TokenRange& range : token.ranges) {
    TokenRange& to = ranges.emplace_back();
    to.range = FromIdl(range.range);
    to.applied = FromIdl(range.applied);
    for (const idl::Version& version : range.pendingPrimary) to.pending_primary.push_back(FromIdl(version));
  }
  return ranges;
}

MemoryBounds TranslateMemory(const idl::TableOptions& options) {
  MemoryBounds bounds;
  if (options.__isset.memoryLimit) bounds.limit_bytes = options.memoryLimit;
  if (options.eviction == "lru") bounds.eviction = Eviction::kLru;
  if (options.eviction == "lfu") bounds.eviction = Eviction::kLfu;
  if (options.eviction == "ttl") bounds.eviction = Eviction::kTtl;
  return bounds;
}

bool LevelIs(idl::ReadLevel::type level, ReadLevel wanted) {
  return static_cast<int>(level) == static_cast<int>(wanted);
}

}  // namespace

MonotonicTime DeadlineOf(const idl::RequestHeader& header, MonotonicTime now) {
  if (header.deadlineMs == 0) return now + kDefaultDeadline;
  return now + std::min<Duration>(std::chrono::milliseconds(header.deadlineMs), kDeadlineMax);
}

ReadCall TranslateRead(const idl::RequestHeader& header, const idl::ReadOptions& options, MonotonicTime now) {
  ReadCall call;
  call.table = TableId{static_cast<uint64_t>(header.tableId)};
  call.level = static_cast<ReadLevel>(options.level);
  call.deadline = DeadlineOf(header, now);
  if (options.__isset.boundedMs) call.bounded = std::chrono::milliseconds(options.boundedMs);
  const bool may_need_token =
      LevelIs(options.level, ReadLevel::kSession) || LevelIs(options.level, ReadLevel::kDefault);
  if (header.__isset.token && may_need_token) call.token = TranslateToken(header.token);
  return call;
}

size_t BytesOf(const WriteRequest& request) {
  size_t bytes = 0;
  for (const Write& write : request.writes) bytes += write.key.size() + write.value.size();
  return bytes;
}

void FillHint(const TabletView* view, idl::ReplyHeader& header) {
  if (view == nullptr) return;
  idl::Hint hint;
  hint.tabletId = static_cast<int64_t>(view->tablet.value);
  hint.range = ToIdl(view->range);
  hint.epoch = static_cast<int64_t>(view->epoch.value);
  hint.primary = view->primary;
  header.__set_hint(hint);
  header.__set_range(ToIdl(view->range));
}

void FillRefusal(const Status& status, int64_t retry_after_ms, idl::ReplyHeader& header) {
  header.code = ToIdl(status.code());
  if (!status.message().empty()) header.__set_message(status.message());
  if (retry_after_ms >= 0) header.__set_retryAfterMs(static_cast<int32_t>(retry_after_ms));
}

void FillHeader(const ReadAnswer& answer, Belief belief, idl::ReplyHeader& header) {
  FillRefusal(answer.status, answer.retry_after_ms, header);
  if (answer.applied) header.__set_applied(ToIdl(answer.applied));
  if (answer.time) header.__set_tabletTimeMs(static_cast<int64_t>(answer.time.value));
  const TabletView* view = answer.view.get();
  if (view == nullptr) return;
  header.__set_tabletId(static_cast<int64_t>(view->tablet.value));
  header.__set_epoch(static_cast<int64_t>(view->epoch.value));
  const Code code = answer.status.code();
  if (code == Code::kWrongTablet || code == Code::kNotPrimary) {
    FillHint(view, header);
    // After a split, tablet and epoch do not determine the range (PROTOCOL 17).
  } else if (view->last_split != nullptr ||
             (belief.tablet != 0 && (belief.tablet != header.tabletId || belief.epoch != header.epoch))) {
    header.__set_range(ToIdl(view->range));
  }
}

void FillRecord(StoredRecord&& record, idl::Record& to) {
  to.value = std::move(record.value);
  to.version = ToIdl(record.version);
  if (record.expires_at) to.__set_expiresAtMs(static_cast<int64_t>(record.expires_at.value));
}

void FillWriteReply(WriteReply&& reply, const TabletHandle& handle, idl::WriteReply& to) {
  FillRefusal(reply.status, reply.retry_after_ms, to.header);
  if (reply.applied) to.header.__set_applied(ToIdl(reply.applied));
  if (reply.time) to.header.__set_tabletTimeMs(static_cast<int64_t>(reply.time.value));
  if (reply.version) to.__set_version(ToIdl(reply.version));
  if (!reply.counters.empty()) to.__set_counters(reply.counters);
  for (ByteReader in(reply.answers); !in.done();) to.answers.emplace_back(in.Bytes());
  to.__isset.answers = !to.answers.empty();
  if (reply.failed_index >= 0) to.__set_failedIndex(reply.failed_index);
  if (reply.full) to.header.__set_full(true);
  if (reply.range) to.header.__set_range(ToIdl(*reply.range));
  if (reply.epoch) to.header.__set_epoch(static_cast<int64_t>(reply.epoch.value));
  const TabletId tablet = reply.tablet ? reply.tablet : handle.tablet;
  to.header.__set_tabletId(static_cast<int64_t>(tablet.value));
  const Code code = reply.status.code();
  if ((code != Code::kWrongTablet && code != Code::kNotPrimary) || tablet != handle.tablet) return;
  FillHint(handle.view().get(), to.header);
}

idl::AppliedSplit ToIdl(const AppliedSplit& split) {
  idl::AppliedSplit to;
  to.childId = static_cast<int64_t>(split.child.value);
  to.key = split.key;
  to.position = rpc::ToPosition(split.version);
  to.primary = split.primary;
  to.voters = split.voters;
  return to;
}

idl::Merged ToIdl(const Merged& merged) {
  idl::Merged to;
  for (const auto& [part, its] : {std::pair(&merged.left, &to.left), std::pair(&merged.right, &to.right)}) {
    its->tabletId = static_cast<int64_t>(part->tablet.value);
    its->range = rpc::ToIdl(part->range);
    its->freeze = rpc::ToPosition(part->freeze);
  }
  to.position = rpc::ToPosition(merged.position);
  return to;
}

idl::MemoryTableUse ToIdl(const MemoryUse& use) {
  idl::MemoryTableUse to;
  to.tableId = static_cast<int64_t>(use.table.value);
  to.bytes = use.bytes;
  to.records = use.records;
  to.limitBytes = use.limit_bytes;
  to.evicted = use.evicted;
  to.refused = use.refused;
  return to;
}

DecodedSchema TranslateSchema(const idl::TableSchema& schema) {
  const idl::TableOptions& options = schema.options;
  DecodedSchema decoded;
  decoded.tablet.table = TableId{static_cast<uint64_t>(schema.tableId)};
  decoded.tablet.version = schema.schemaVersion;
  if (options.__isset.durability && options.durability == idl::Durability::INTERVAL) {
    decoded.tablet.durability = FlushMode::kInterval;
  }
  if (options.__isset.defaultWriteLevel && options.defaultWriteLevel != idl::WriteLevel::DEFAULT) {
    decoded.tablet.default_level = static_cast<AckLevel>(options.defaultWriteLevel);
  }
  if (options.__isset.defaultReadLevel && options.defaultReadLevel != idl::ReadLevel::DEFAULT) {
    decoded.default_read_level = static_cast<ReadLevel>(options.defaultReadLevel);
  }
  if (options.__isset.defaultBoundedMs) decoded.default_bounded = std::chrono::milliseconds(options.defaultBoundedMs);
  if (options.__isset.defaultTtlMs) decoded.tablet.default_ttl_ms = options.defaultTtlMs;
  if (options.__isset.lastWriteWins) decoded.tablet.last_write_wins = options.lastWriteWins;
  if (options.__isset.compression) decoded.compression = static_cast<TableCompression>(options.compression);
  if (options.__isset.keyGroup) decoded.tablet.key_group = rpc::FromIdl(options.keyGroup);
  if (options.__isset.splitBytes) decoded.split_bytes = options.splitBytes;
  if (options.__isset.memory && options.memory) {
    decoded.tablet.in_memory = true;
    decoded.tablet.durability = FlushMode::kMemory;
    decoded.memory = TranslateMemory(options);
  }
  decoded.tablet.encoded = coordination::EncodeNode(schema);
  return decoded;
}

Result<DecodedSchema> DecodeSchema(const std::string& encoded) {
  EBLA_ASSIGN(const idl::TableSchema schema, coordination::DecodeNode<idl::TableSchema>(encoded, "a replica's schema"));
  return TranslateSchema(schema);
}

Result<std::string> NameOfTable(const std::string& encoded_schema) {
  EBLA_ASSIGN(idl::TableSchema schema,
              coordination::DecodeNode<idl::TableSchema>(encoded_schema, "a replica's schema"));
  return std::move(schema.name);
}

std::string TableName(const TabletView& view) {
  if (view.schema != nullptr) {
    Result<std::string> name = NameOfTable(view.schema->encoded);
    if (name && !name->empty()) return *std::move(name);
  }
  return std::to_string(view.table.value);
}

void SetFlushInterval(TabletStore& store, const idl::TableSchema& schema) {
  const idl::TableOptions& options = schema.options;
  const TableId table{static_cast<uint64_t>(schema.tableId)};
  if (store.InMemory(table)) {
    return store.memory_tables()->Ensure(table, schema.schemaVersion, TranslateMemory(options));
  }
  const bool asks =
      options.__isset.durability && options.durability == idl::Durability::INTERVAL && options.__isset.intervalMs;
  store.SetFlushInterval(table, schema.schemaVersion,
                         asks ? std::chrono::milliseconds(options.intervalMs) : Duration::max());
}

Status PlaceTable(TabletStore& store, const idl::TableSchema& schema) {
  const TableId table{static_cast<uint64_t>(schema.tableId)};
  const DecodedSchema decoded = TranslateSchema(schema);
  if (decoded.tablet.in_memory) {
    if (store.memory_tables() == nullptr) {
      return Error(Code::kInvalidArgument, "this server keeps no tables in memory alone");
    }
    store.memory_tables()->Ensure(table, schema.schemaVersion, decoded.memory);
    return Status::Ok();
  }
  EBLA_TRY(store.EnsureTable(table, decoded.compression));
  SetFlushInterval(store, schema);
  return Status::Ok();
}

Status PlaceTable(TabletStore& store, const std::string& encoded_schema) {
  EBLA_ASSIGN(const idl::TableSchema schema,
              coordination::DecodeNode<idl::TableSchema>(encoded_schema, "a replica's schema"));
  return PlaceTable(store, schema);
}

}  // namespace ebla::tabletserver
