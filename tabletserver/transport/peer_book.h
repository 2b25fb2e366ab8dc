// tabletserver/transport/peer_book.h
// The addresses and starts of the other tablet servers, from the master's answers to heartbeats and its orders; and the
// address of that master.
// Place:      heartbeater.h and the control service write into it; each shard's peer_client.h and hint delivery read.
// Invariants: a server's incarnation never falls.
// Threads:    any.
#pragma once

#include <map>
#include <optional>

#include "common/base/ids.h"
#include "common/base/mutex.h"
#include "common/rpc/channel.h"

namespace ebla::tabletserver {

class PeerBook {
 public:
  struct Peer {
    rpc::Endpoint endpoint;
    Incarnation incarnation;  // none: not known
  };

  void Learn(const ServerName& server, const Peer& peer) {
    MutexLock lock(mutex_);
    Peer& known = peers_[server];
    if (peer.incarnation >= known.incarnation) known = peer;
  }
  // Adds an address without a start, which counts only for an unknown server.
  void AddUnconfirmed(const ServerName& server, const rpc::Endpoint& endpoint) {
    MutexLock lock(mutex_);
    peers_.try_emplace(server, Peer{endpoint, {}});
  }
  std::optional<Peer> Find(const ServerName& server) const {
    MutexLock lock(mutex_);
    const auto found = peers_.find(server);
    return found == peers_.end() ? std::nullopt : std::optional(found->second);
  }

  // The last known leading master.
  void LearnMaster(const rpc::Endpoint& endpoint) {
    MutexLock lock(mutex_);
    master_ = endpoint;
  }
  std::optional<rpc::Endpoint> master() const {
    MutexLock lock(mutex_);
    return master_;
  }

 private:
  mutable Mutex mutex_;
  std::map<ServerName, Peer> peers_ EBLA_GUARDED_BY(mutex_);
  std::optional<rpc::Endpoint> master_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::tabletserver
