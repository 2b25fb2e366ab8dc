// common/coordination/zookeeper_calls.h
// The coordinator's calls in the words of ZooKeeper's C client, and its answers in the coordinator's.
// Place:   zookeeper_coordinator.cc has the sessions, and sends each attempt through here.
// Threads: any; `replied` runs once on a thread of the C client's, if the call was sent, and not at all if it was not.
#pragma once

#ifndef THREADED
#define THREADED  // the C client's header: completions on its own threads
#endif
#include <zookeeper/zookeeper.h>

#include <functional>
#include <string>

#include "common/coordination/client_core.h"

namespace ebla::coordination {

// One session's handle, and how nodes are called and made in it.
struct ZooKeeperCalls {
  zhandle_t* zoo = nullptr;
  const std::string& root;  // chroot: put before every path, as the C client does it for only some calls
  const ACL_vector* access = nullptr;

  using Replied = std::function<void(AttemptReply reply)>;
  // ZOK: sent. `watcher` is handed the attempt's id; null: no watch.
  int Send(const Attempt& attempt, watcher_fn watcher, Replied replied) const;
  // Makes a node without data; that it is there already is OK.
  int Make(const std::string& path, Replied replied) const;
};

// Whether the outcome is unknown because the connection broke.
bool IsLost(int rc);
// The result of an attempt that was not sent.
AttemptReply NotSent(int rc);

}  // namespace ebla::coordination
