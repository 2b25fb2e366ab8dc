// tabletserver/maintenance/replica_asker.h
// Asks the master for the servers of a tablet's replicas, and these for pages of numbers; waits for each answer.
// Place:      replica_comparer.h asks through it, on the scrubber's thread.
// Errors:     UNAVAILABLE and others of channel.h; errors of the asked server. CONDITION_FAILED: Stop() was called.
// Bounds:     one question at a time, kPatience each.
// Threads:    one that may wait asks; `executor` takes the answers, and is another. Stop from any.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/executor.h"
#include "common/rpc/channel.h"
#include "idl/MasterService.h"
#include "idl/TabletService.h"
#include "tabletserver/reads/record_page.h"
#include "tabletserver/transport/peer_book.h"

namespace ebla::tabletserver {

class ReplicaAsker {
 public:
  static constexpr Duration kPatience = std::chrono::seconds(10);

  struct Holder {
    ServerName server;
    rpc::Endpoint endpoint;
  };
  // All outlive this.
  ReplicaAsker(Executor& executor, rpc::Connector& connector, const PeerBook& peers);

  // The voters of a tablet, as the catalog has them now; none: it has another tablet there.
  Result<std::vector<Holder>> Voters(TableId table, TabletId tablet, const KeyRange& range);
  Result<RecordPage> Ask(const Holder& holder, TableId table, TabletId tablet, const std::string& from);
  // Whether it was over before Stop().
  bool Pause(Duration duration);
  void Stop();

 private:
  struct Waiting;
  template <class Reply, class Stub, class Request>
  Result<Reply> Call(Stub& stub, void (Stub::*method)(std::function<void(const Reply&)>, const Request&),
                     const Request& request);
  Result<idl::LocateReply> Locate(const rpc::Endpoint& master, const idl::LocateRequest& request);

  Executor& executor_;
  rpc::Connector& connector_;
  const PeerBook& peers_;
  const std::shared_ptr<Waiting> waiting_;                                       // shared with answers on their way
  std::map<rpc::Endpoint, std::shared_ptr<idl::TabletServiceCobSvIf>> servers_;  // the asking thread's
  std::map<rpc::Endpoint, std::shared_ptr<idl::MasterServiceCobSvIf>> masters_;
};

}  // namespace ebla::tabletserver
