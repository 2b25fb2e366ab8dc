// tabletserver/service/tablet_service.h
// The request handler for clients: checks each request, translates it, passes reads to the receiving loop's ReadPath
// and writes to the tablet's shard or, at level ANY, to HintedWrites, and translates the answers back.
// Place:   registered with the Dispatcher; one for all event loops.
// Threads: calls on the event loops alone; replies leave on the loop that took the request.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "common/base/features.h"
#include "idl/TabletService.h"
#include "idl/access_types.h"
#include "tabletserver/hints/hint_delivery.h"
#include "tabletserver/hints/hinted_writes.h"
#include "tabletserver/reads/read_path.h"
#include "tabletserver/service/checksum_handler.h"
#include "tabletserver/service/log_feed_handler.h"
#include "tabletserver/service/operation_stats.h"
#include "tabletserver/service/snapshot_handler.h"
#include "tabletserver/service/translate.h"

namespace ebla::tabletserver {

class Shard;

class TabletService final : public idl::TabletServiceCobSvIf {
 public:
  struct Ports {
    std::vector<ReadPath*> loops;
    std::vector<Shard*> shards;        // by TabletHandle::shard
    const std::atomic<bool>& serving;  // false: the server is not registered (yet)
    const Features& features;
    const Functions* functions;  // null: there are none
    OperationStats& stats;
    std::function<Duration()> slow_operation;  // what takes longer is logged
    HintedWrites& hinted_writes;
    HintDelivery& hint_delivery;
    ChecksumHandler checksums;
    SnapshotHandler& snapshots;
    LogFeedHandler log_feed;
  };

  explicit TabletService(Ports ports) : ports_(std::move(ports)) {}

  template <class Reply>
  using Cob = std::function<void(const Reply&)>;

  void get(Cob<idl::GetReply> cob, const idl::GetRequest& request) override;
  void multiGet(Cob<idl::MultiGetReply> cob, const idl::MultiGetRequest& request) override;
  void write(Cob<idl::WriteReply> cob, const idl::WriteRequest& request) override;
  void scan(Cob<idl::ScanReply> cob, const idl::ScanRequest& request) override;
  void call(Cob<idl::CallReply> cob, const idl::CallRequest& request) override;
  void listKept(Cob<idl::ListKeptReply> cob, const idl::ListKeptRequest& request) override;
  void forgetKept(Cob<idl::ForgetKeptReply> cob, const idl::ForgetKeptRequest& request) override;
  void checksum(Cob<idl::ChecksumReply> cob, const idl::ChecksumRequest& request) override;
  void snapshot(Cob<idl::SnapshotReply> cob, const idl::SnapshotRequest& request) override;
  void followLog(Cob<idl::FollowLogReply> cob, const idl::FollowLogRequest& request) override;
  void echo(Cob<idl::EchoReply> cob, const idl::EchoRequest& request) override;

 private:
  // To the tablet's shard, or at level ANY to the hinted writes. An error: neither has taken it.
  Status Submit(WriteCall& call);
  ReadPath& LoopReadPath() const;
  // OK, or why no request is served now or this one never.
  template <class Request>
  Status Check(const Request& request) const;
  // Like Check, and also checks that the caller has the grant for all of `what`: a key or a range.
  template <class Request, class What>
  Status Check(const Request& request, idl::Permission::type permission, const What& what) const;
  template <class Request, class Keys>
  Status CheckKeys(const Request& request, idl::Permission::type permission, const Keys& keys) const;
  const Function* FunctionNamed(const std::string& name) const;  // null: there is none
  const Function* FunctionOf(const idl::Write& write) const {    // null: it applies none that is known
    return write.kind == idl::WriteKind::APPLY ? FunctionNamed(write.functionName) : nullptr;
  }
  // Refuses features that some process of the cluster lacks.
  Status CheckFeatures(const idl::WriteRequest& request) const;
  // A function of a group may read and change all of it, so its caller needs both grants for the group.
  Status CheckGroups(const idl::WriteRequest& request, const TabletHandle& handle) const;
  // The call of a function that reads, once its caller may read the group.
  Result<FunctionCall> ParseCall(const idl::CallRequest& request, ReadPath& path, MonotonicTime now) const;
  // To a handler that answers by itself.
  template <class Reply, class Request, class Handler>
  void Forward(Cob<Reply> cob, const Request& request, Handler& handler) const;
  // A request, for its figures and for the log.
  struct RequestSummary {
    Operation operation;
    uint8_t level;  // a number of thrift/types.thrift
    int64_t table;
    std::string user;  // empty: everybody is trusted
  };
  // The summary of the request whose handler runs now.
  static RequestSummary Summary(Operation operation, int level, int64_t table);
  void Finished(const RequestSummary& asked, const idl::ReplyHeader& header, MonotonicTime begun,
                MonotonicTime now) const;

  Ports ports_;
};

}  // namespace ebla::tabletserver
