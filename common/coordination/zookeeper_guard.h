// common/coordination/zookeeper_guard.h
// Walks a ZooKeeper tree and gives every node the access list of new ones, so that a cluster made without a secret, or
// with another one, is closed to all other clients.
// Place:      zookeeper_coordinator.cc, for Coordinator::Guard.
// Invariants: 1. A node gets its list before its children are listed. So a client that the list shuts out adds no child
//             that the walk does not see.
//             2. A node that has its list already costs a read and no write.
//             3. At most kInFlightMax calls wait for ZooKeeper.
//             4. `done` is called once, unless the posted tasks are dropped.
// Errors:     the first one ends it: UNAVAILABLE for a lost connection, PERMISSION_DENIED for a node that is not ours.
//             Nodes with their list by then keep it. Nodes that vanish meanwhile are no error.
// Source:     ZooKeeper Programmer's Guide, "Access Control using ACLs": the scheme "auth" stands for all that the
//             session has shown; the server writes them out. So what a node's list ought to read is asked of the top.
// Threads:    everything on the executor behind `post`, which ZooKeeper's threads post to.
#pragma once

#ifndef THREADED
#define THREADED  // the C client's header: completions on its own threads
#endif
#include <zookeeper/zookeeper.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/executor.h"
#include "common/base/status.h"
#include "common/coordination/coordinator.h"
#include "common/coordination/zookeeper_auth.h"

namespace ebla::coordination {

// The access list of new nodes: everybody, or sessions with this session's secrets.
class ZooKeeperAccessList {
 public:
  explicit ZooKeeperAccessList(const ZooKeeperAuth& auth) {
    if (!auth.secrets.empty()) entries_.push_back(ACL{ZOO_PERM_ALL, ZOO_AUTH_IDS});
    if (auth.secrets.empty() || auth.anyone) entries_.push_back(ACL{ZOO_PERM_ALL, ZOO_ANYONE_ID_UNSAFE});
    list_ = {static_cast<int32_t>(entries_.size()), entries_.data()};
  }
  ZooKeeperAccessList(const ZooKeeperAccessList&) = delete;
  ZooKeeperAccessList& operator=(const ZooKeeperAccessList&) = delete;
  const ACL_vector* get() const { return &list_; }

 private:
  std::vector<ACL> entries_;
  ACL_vector list_{};
};

class ZooKeeperGuard : public std::enable_shared_from_this<ZooKeeperGuard> {
 public:
  static constexpr size_t kInFlightMax = 64;

  struct Ports {
    std::function<zhandle_t*()> handle;  // the present one; null: there is none
    std::function<void(Task)> post;
  };
  // `list` outlives the walk. How many nodes below the top had to be given it.
  ZooKeeperGuard(Ports ports, const ACL_vector& list, Callback<Result<size_t>> done);
  void Start(const std::string& top);

 private:
  // A call that waits for ZooKeeper; handed to the C client and back.
  struct Call {
    std::shared_ptr<ZooKeeperGuard> guard;
    std::function<void(int rc)> then;
    std::vector<std::string> strings;  // what was read: a list, or children's names
  };
  using Then = std::function<void(const std::vector<std::string>& strings)>;

  static void OnVoid(int rc, const void* data);
  static void OnList(int rc, ACL_vector* list, Stat*, const void* data);
  static void OnChildren(int rc, const String_vector* children, const void* data);
  static void Finish(int rc, std::unique_ptr<Call> call);

  void Send(const std::string& path, const std::function<int(zhandle_t*, Call*)>& send, Then then);
  void Give(const std::string& path, Then then);
  void Read(const std::string& path, Then then);
  void Visit(const std::string& path);
  void Expand(const std::string& path);
  void Pump();
  void End(Result<size_t> result);

  const Ports ports_;
  const ACL_vector& list_;
  Callback<Result<size_t>> done_;
  std::vector<std::string> wanted_;  // what a node's list reads once it is given
  std::deque<std::string> waiting_;  // nodes to be visited
  size_t in_flight_ = 0;
  size_t given_ = 0;
  bool ended_ = false;
};

}  // namespace ebla::coordination
