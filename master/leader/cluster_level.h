// master/leader/cluster_level.h
// The cluster's feature level (common/base/features.h): kept in the coordinator's /cluster. The leader raises it, to
// the least level of all, once every master and every known tablet server, live or not, has announced a higher level
// for a while. An operator may hold it, so that older builds can return.
// Place:      leader_term.h makes one of what it has loaded; each report that a server makes is a look at it.
// Invariants: 1. Nothing lowers it.
//             2. Every change is one Multi that checks the version of this leader's term and of the node.
// Errors:     of Hold: UNAVAILABLE: not done, or not known; CONDITION_FAILED: this master leads no more.
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <optional>
#include <string>

#include "common/base/features.h"
#include "idl/master_types.h"
#include "master/leader/term_parts.h"

namespace ebla::master {

class ClusterLevel {
 public:
  // `node`: /cluster as it was read, in this version.
  ClusterLevel(const TermParts& parts, idl::ClusterNode node, int version);

  int level() const { return LevelOr1(node_.featureLevel); }
  bool held() const { return node_.levelHeld; }
  // Looks whether all say more, and raises the level where they have for long enough.
  void Consider();
  void Hold(bool hold, coordination::Callback<Status> done);

  // A tablet server's level: from its report, else from the node of its latest start in the coordinator.
  static int LevelOf(const Server& server);

 private:
  int LeastOfServers() const;
  void Raise(int level);
  void Write(idl::ClusterNode node, std::function<void(Status)> done);
  void Read(std::function<void(Status)> done);

  const TermParts parts_;
  idl::ClusterNode node_;
  int version_;
  bool busy_ = false;  // a raise is under way
  // The least level of the servers, if above the present one, and since when.
  int said_ = 0;
  MonotonicTime said_since_;
  MonotonicTime looked_;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
