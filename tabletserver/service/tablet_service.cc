#include "tabletserver/service/tablet_service.h"

#include <glog/logging.h>

#include <algorithm>
#include <set>
#include <type_traits>
#include <utility>

#include "common/rpc/idl_convert.h"
#include "common/rpc/spendable.h"
#include "common/security/caller.h"
#include "tabletserver/service/request_check.h"
#include "tabletserver/service/unresolved_handler.h"
#include "tabletserver/shard/shard.h"

namespace ebla::tabletserver {
namespace {

constexpr int64_t kNotServingRetryMs = 50;
constexpr int32_t kEchoBytesMax = 8 << 20;

Belief BeliefOf(const idl::RequestHeader& header) { return {header.tabletId, header.epoch}; }

void FillEarlyRefusal(const Status& status, idl::ReplyHeader& header) {
  FillRefusal(status, status.code() == Code::kComeAgain ? kNotServingRetryMs : -1, header);
}

}  // namespace

ReadPath& TabletService::LoopReadPath() const {
  for (ReadPath* path : ports_.loops) {
    if (path->loop().InThread()) return *path;
  }
  LOG(FATAL) << "a request arrived on a thread that is no event loop of this server";
}

template <class Request>
Status TabletService::Check(const Request& request) const {
  if (!ports_.serving.load(std::memory_order_acquire)) {
    return Error(Code::kComeAgain, "this server has not joined its cluster yet");
  }
  if constexpr (std::is_same_v<Request, idl::WriteRequest>) {
    return CheckFeatures(request);
  } else {
    return CheckRequest(request);
  }
}

template <class Request, class What>
Status TabletService::Check(const Request& request, idl::Permission::type permission, const What& what) const {
  EBLA_TRY(security::CallerScope::May(permission, request.header.tableId, what));
  return Check(request);
}

template <class Request, class Keys>
Status TabletService::CheckKeys(const Request& request, idl::Permission::type permission, const Keys& keys) const {
  for (const auto& one : keys) {
    if constexpr (requires { one.key; }) {
      EBLA_TRY(security::CallerScope::May(permission, request.header.tableId, std::string_view(one.key)));
      // A function's answer tells what is there.
      if (one.kind == idl::WriteKind::APPLY)
        EBLA_TRY(security::CallerScope::May(idl::Permission::READ, request.header.tableId, std::string_view(one.key)));
    } else {
      EBLA_TRY(security::CallerScope::May(permission, request.header.tableId, std::string_view(one)));
    }
  }
  return Check(request);
}

const Function* TabletService::FunctionNamed(const std::string& name) const {
  return ports_.functions == nullptr ? nullptr : ports_.functions->Find(name);
}

// Only a server that has joined knows the cluster's features.
Status TabletService::CheckFeatures(const idl::WriteRequest& request) const {
  for (const idl::Write& write : request.writes) {
    if (write.kind != idl::WriteKind::APPLY) continue;
    const Function* const function = FunctionOf(write);
    const bool of_group = function != nullptr && function->scope != FunctionScope::kRecord;
    const Feature& needed = of_group ? kGroupFunctions : kRecordFunctions;
    if (!ports_.features.Has(needed)) {
      const char* const kind = of_group ? "functions of key groups wait " : "functions of records wait ";
      return {Code::kInvalidArgument, kind + UntilFeature(needed)};
    }
  }
  if (ports_.features.Has(kGroupFunctions)) return {};
  std::set<std::string_view> keys;
  for (const idl::Write& write : request.writes) {
    if (write.kind == idl::WriteKind::APPLY && !keys.insert(write.key).second)
      return {Code::kInvalidArgument, "several functions on one key wait " + UntilFeature(kGroupFunctions)};
  }
  return {};
}

Status TabletService::CheckGroups(const idl::WriteRequest& request, const TabletHandle& handle) const {
  for (const idl::Write& write : request.writes) {
    const Function* const function = FunctionOf(write);
    if (function == nullptr || function->scope == FunctionScope::kRecord) continue;
    const auto view = handle.view();
    if (view == nullptr || view->schema == nullptr) return NoReplicaHere();
    const KeyRange group = view->schema->key_group.RangeOf(write.key);
    EBLA_TRY(security::CallerScope::May(idl::Permission::READ, request.header.tableId, group));
    EBLA_TRY(security::CallerScope::May(idl::Permission::WRITE, request.header.tableId, group));
  }
  return {};
}

TabletService::RequestSummary TabletService::Summary(Operation operation, int level, int64_t table) {
  const security::Session* caller = security::CallerScope::SessionNow();
  return {operation, static_cast<uint8_t>(level), table, caller == nullptr ? std::string() : caller->identity.name};
}

// At INFO, so that the line is in one file. The log itself limits lines of one place (common/process/log_files.h).
void TabletService::Finished(const RequestSummary& asked, const idl::ReplyHeader& header, MonotonicTime begun,
                             MonotonicTime now) const {
  const Duration took = now - begun;
  ports_.stats.Count(asked.operation, asked.level, rpc::FromIdl(header.code), took);
  if (took <= ports_.slow_operation()) return;
  const TableId table{static_cast<uint64_t>(asked.table)};
  const auto handle =
      ports_.loops.front()->directory().snapshot()->Find(table, TabletId{static_cast<uint64_t>(header.tabletId)});
  const auto view = handle == nullptr ? nullptr : handle->view();
  LOG(INFO) << "slow " << kOperationNames[static_cast<size_t>(asked.operation)] << ": "
            << std::chrono::duration_cast<std::chrono::milliseconds>(took).count() << " ms, table "
            << (view == nullptr ? std::to_string(asked.table) : TableName(*view)) << ", tablet " << header.tabletId
            << ", user " << (asked.user.empty() ? "-" : asked.user) << ", answered "
            << CodeName(rpc::FromIdl(header.code));
}

void TabletService::get(Cob<idl::GetReply> cob, const idl::GetRequest& request) {
  ReadPath& path = LoopReadPath();
  const MonotonicTime begun = path.loop().Now();
  const RequestSummary asked = Summary(Operation::kGet, request.options.level, request.header.tableId);
  idl::GetReply reply;
  if (Status status = Check(request, idl::Permission::READ, std::string_view(request.key)); !status.ok()) {
    FillEarlyRefusal(status, reply.header);
    Finished(asked, reply.header, begun, begun);
    return cob(reply);
  }
  path.Get(TranslateRead(request.header, request.options, begun), request.key,
           [this, &path, begun, asked, belief = BeliefOf(request.header), cob = std::move(cob)](GetResult result) {
             rpc::Spendable<idl::GetReply> reply;
             FillHeader(result, belief, reply.header);
             if (result.record) {
               FillRecord(*std::move(result.record), reply.record);
               reply.__isset.record = true;
             }
             Finished(asked, reply.header, begun, path.loop().Now());
             cob(reply);
           });
}

void TabletService::multiGet(Cob<idl::MultiGetReply> cob, const idl::MultiGetRequest& request) {
  ReadPath& path = LoopReadPath();
  const MonotonicTime begun = path.loop().Now();
  const RequestSummary asked = Summary(Operation::kMultiGet, request.options.level, request.header.tableId);
  if (Status status = CheckKeys(request, idl::Permission::READ, request.keys); !status.ok()) {
    idl::MultiGetReply reply;
    FillEarlyRefusal(status, reply.header);
    Finished(asked, reply.header, begun, begun);
    return cob(reply);
  }
  MultiGetCall call{TranslateRead(request.header, request.options, begun), request.keys};
  path.MultiGet(std::move(call), [this, &path, begun, asked, belief = BeliefOf(request.header),
                                  cob = std::move(cob)](MultiGetResult result) {
    rpc::Spendable<idl::MultiGetReply> reply;
    FillHeader(result, belief, reply.header);
    if (result.status.ok()) {
      reply.results.resize(result.items.size());
      for (size_t i = 0; i < result.items.size(); ++i) {
        reply.results[i].code = rpc::ToIdl(result.items[i].code);
        if (result.items[i].code != Code::kOk) continue;
        FillRecord(std::move(result.items[i].record), reply.results[i].record);
        reply.results[i].__isset.record = true;
      }
    }
    Finished(asked, reply.header, begun, path.loop().Now());
    cob(reply);
  });
}

void TabletService::scan(Cob<idl::ScanReply> cob, const idl::ScanRequest& request) {
  ReadPath& path = LoopReadPath();
  const MonotonicTime begun = path.loop().Now();
  const RequestSummary asked = Summary(Operation::kScan, request.options.level, request.header.tableId);
  if (Status status = Check(request, idl::Permission::READ, rpc::FromIdl(request.range)); !status.ok()) {
    idl::ScanReply reply;
    FillEarlyRefusal(status, reply.header);
    Finished(asked, reply.header, begun, begun);
    return cob(reply);
  }
  ScanCall call{TranslateRead(request.header, request.options, begun)};
  call.range = rpc::FromIdl(request.range);
  call.reverse = request.reverse;
  call.keys_only = request.keysOnly;
  call.limit = static_cast<size_t>(request.limit);
  call.page_bytes = static_cast<size_t>(request.pageBytes == 0 ? kPageBytesDefault : request.pageBytes);
  path.Scan(std::move(call),
            [this, &path, begun, asked, belief = BeliefOf(request.header), cob = std::move(cob)](ScanResult result) {
              rpc::Spendable<idl::ScanReply> reply;
              FillHeader(result, belief, reply.header);
              // A replica that does not know of a split answers for, and judges a session by, a larger range than the
              // client expects.
              const bool judged = result.status.ok() || result.status.code() == Code::kLostWrite;
              if (judged && result.view != nullptr) reply.header.__set_range(rpc::ToIdl(result.view->range));
              if (result.status.ok()) {
                reply.records.resize(result.records.size());
                for (size_t i = 0; i < result.records.size(); ++i) {
                  reply.records[i].key = std::move(result.records[i].first);
                  FillRecord(std::move(result.records[i].second), reply.records[i].record);
                }
                reply.remaining = rpc::ToIdl(result.remaining);
                reply.done = result.done;
              }
              Finished(asked, reply.header, begun, path.loop().Now());
              cob(reply);
            });
}

Result<FunctionCall> TabletService::ParseCall(const idl::CallRequest& request, ReadPath& path,
                                              MonotonicTime now) const {
  EBLA_TRY(Check(request, idl::Permission::READ, std::string_view(request.key)));
  FunctionCall call{TranslateRead(request.header, request.options, now)};
  call.key = request.key;
  call.arguments = request.arguments;
  if (!ports_.features.Has(kGroupFunctions))
    return Error(Code::kInvalidArgument, "functions of key groups wait " + UntilFeature(kGroupFunctions));
  call.function = FunctionNamed(request.functionName);
  if (call.function == nullptr)
    return Error(Code::kInvalidArgument, "this server has no function \"" + EscapeBytes(request.functionName) + "\"");
  if (call.function->scope != FunctionScope::kReadGroup)
    return Error(Code::kInvalidArgument,
                 "the function \"" + request.functionName + "\" may change records: apply it by a write");
  const auto* handle = path.Find(call.table, call.key);
  const auto view = handle == nullptr ? nullptr : (*handle)->view();
  if (view == nullptr || view->schema == nullptr) return Error(NoReplicaHere());
  call.group = view->schema->key_group.RangeOf(call.key);
  EBLA_TRY(security::CallerScope::May(idl::Permission::READ, request.header.tableId, call.group));
  return call;
}

void TabletService::call(Cob<idl::CallReply> cob, const idl::CallRequest& request) {
  ReadPath& path = LoopReadPath();
  const MonotonicTime begun = path.loop().Now();
  const RequestSummary asked = Summary(Operation::kCall, request.options.level, request.header.tableId);
  Result<FunctionCall> call = ParseCall(request, path, begun);
  if (!call) {
    idl::CallReply reply;
    FillEarlyRefusal(call.error(), reply.header);
    Finished(asked, reply.header, begun, begun);
    return cob(reply);
  }
  path.Apply(*std::move(call), [this, &path, begun, asked, belief = BeliefOf(request.header),
                                cob = std::move(cob)](FunctionCallResult result) {
    rpc::Spendable<idl::CallReply> reply;
    FillHeader(result, belief, reply.header);
    reply.answer = std::move(result.answer);
    Finished(asked, reply.header, begun, path.loop().Now());
    cob(reply);
  });
}

void TabletService::write(Cob<idl::WriteReply> cob, const idl::WriteRequest& request) {
  ReadPath& path = LoopReadPath();
  const MonotonicTime begun = path.loop().Now();
  const RequestSummary asked = Summary(Operation::kWrite, request.level, request.header.tableId);
  const auto refuse = [&](const Status& status, int64_t retry_after_ms) {
    idl::WriteReply reply;
    FillRefusal(status, retry_after_ms, reply.header);
    Finished(asked, reply.header, begun, begun);
    cob(reply);
  };
  if (Status status = CheckKeys(request, idl::Permission::WRITE, request.writes); !status.ok()) {
    return refuse(status, status.code() == Code::kComeAgain ? kNotServingRetryMs : -1);
  }
  Result<WriteRequest> parsed = ParseWrite(request, begun, path.loop());
  if (!parsed) return refuse(parsed.error(), -1);
  WriteCall call;
  call.request = *std::move(parsed);
  const auto* handle = path.Find(TableId{static_cast<uint64_t>(request.header.tableId)}, call.request.writes[0].key);
  if (handle == nullptr) return refuse(NoReplicaHere(), -1);
  if (const Status status = CheckGroups(request, **handle); !status.ok()) return refuse(status, -1);
  call.handle = *handle;
  call.bytes = BytesOf(call.request);
  call.loop = path.loop_index();
  call.flow = security::CallerScope::Flow();
  call.done = [this, &path, begun, asked, handle = *handle, cob](WriteReply result) {
    idl::WriteReply reply;
    FillWriteReply(std::move(result), *handle, reply);
    Finished(asked, reply.header, begun, path.loop().Now());
    cob(reply);
  };
  if (Status status = Submit(call); !status.ok()) refuse(status, status.code() == Code::kOverloaded ? 20 : -1);
}

Status TabletService::Submit(WriteCall& call) {
  AckLevel level = call.request.level;
  if (level == AckLevel::kDefault) {
    const auto view = call.handle->view();
    if (view != nullptr && view->schema != nullptr) level = view->schema->default_level;
  }
  return level == AckLevel::kAny ? ports_.hinted_writes.Admit(call) : ports_.shards[call.handle->shard]->Admit(call);
}

// Answers come on the hint delivery's executor, and leave from there: nothing of them belongs to this loop.
void TabletService::listKept(Cob<idl::ListKeptReply> cob, const idl::ListKeptRequest& request) {
  if (Status status = Check(request); !status.ok()) {
    idl::ListKeptReply reply;
    FillEarlyRefusal(status, reply.header);
    return cob(reply);
  }
  ListUnresolved(ports_.hint_delivery, request, cob);
}

void TabletService::forgetKept(Cob<idl::ForgetKeptReply> cob, const idl::ForgetKeptRequest& request) {
  if (Status status = Check(request); !status.ok()) {
    idl::ForgetKeptReply reply;
    FillEarlyRefusal(status, reply.header);
    return cob(reply);
  }
  DiscardUnresolved(ports_.hint_delivery, request, cob);
}

// Answers leave from the handler's thread, as those about what is kept do from theirs.
template <class Reply, class Request, class Handler>
void TabletService::Forward(Cob<Reply> cob, const Request& request, Handler& handler) const {
  if (Status status = Check(request); !status.ok()) {
    Reply reply;
    FillEarlyRefusal(status, reply.header);
    return cob(reply);
  }
  handler.Answer(request, std::move(cob));
}

void TabletService::checksum(Cob<idl::ChecksumReply> cob, const idl::ChecksumRequest& request) {
  Forward(std::move(cob), request, ports_.checksums);
}

void TabletService::snapshot(Cob<idl::SnapshotReply> cob, const idl::SnapshotRequest& request) {
  Forward(std::move(cob), request, ports_.snapshots);
}

void TabletService::followLog(Cob<idl::FollowLogReply> cob, const idl::FollowLogRequest& request) {
  Forward(std::move(cob), request, ports_.log_feed);
}

void TabletService::echo(Cob<idl::EchoReply> cob, const idl::EchoRequest& request) {
  idl::EchoReply reply;
  if (request.replyBytes > kEchoBytesMax) {
    FillRefusal(Error(Code::kInvalidArgument, "an echo answers at most 8 MiB"), -1, reply.header);
  } else if (request.replyBytes >= 0) {
    reply.payload.assign(static_cast<size_t>(request.replyBytes), 'e');
  } else {
    reply.payload = request.payload;
  }
  cob(reply);
}

}  // namespace ebla::tabletserver
