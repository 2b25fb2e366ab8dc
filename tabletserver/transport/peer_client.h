// tabletserver/transport/peer_client.h
// A shard's client of the other tablet servers. Collects its tablets' messages for each peer, sends them as one message
// of appends and one of heartbeats, and returns each tablet's answer.
// Gathering:  appends are sent at once to a peer that has answered the last message. Otherwise they wait for that
//             answer, at most kGather after that message, so that appends of that time share a message, a flush at the
//             peer, and the wake-up of each thread on the way. A near peer answers sooner; a far one has more messages
//             under way. A large append, which brings a peer up to date, does not wait, and no gathered one waits for
//             it.
// Place:      peer_exchange.h owns it. service/replication_service.h is the other end.
// Invariants: 1. Every message put is answered by exactly one reply (empty when it was lost), unless this is destroyed.
//             2. Answers of an earlier incarnation of a peer never arrive; the shard learns of a new one first.
// Bounds:     messages of about kMessageBytes; how many are in flight is the cores' affair (leadership.h).
// Threads:    the shard's executor.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/refusals.h"
#include "common/rpc/channel.h"
#include "idl/ReplicationService.h"
#include "tabletserver/replication/replica_types.h"
#include "tabletserver/storage/in_memory/memory_bounds.h"
#include "tabletserver/transport/peer_book.h"

namespace ebla::tabletserver {

class PeerClient {
 public:
  static constexpr size_t kMessageBytes = 4 << 20;
  static constexpr size_t kMuch = 64 << 10;  // bytes
  static constexpr Duration kGather = std::chrono::microseconds(500);

  struct Options {
    ServerName self;
    Incarnation incarnation;
    // Messages without an answer by then count as lost. A little more than a lease, within which nothing else would
    // help.
    Duration timeout = std::chrono::milliseconds(1500);
  };
  struct Ports {
    Executor& executor;
    rpc::Connector& connector;
    const PeerBook& book;
    std::function<std::string()> cluster_id;
    std::function<void(TabletId, PeerReply)> on_reply;
    std::function<void(const ServerName&)> on_restart;  // the peer is in another start than before
    std::function<void()> flush_soon;                   // after the replies of one message, and when it is time to
    Refusals& refusals;
    // Gets each answer to a heartbeat; none: unused.
    std::function<void(const ServerName&, const std::vector<MemoryPressure>&)> on_memory = {};
  };
  PeerClient(Options options, Ports ports) : options_(std::move(options)), ports_(std::move(ports)) {}

  void Put(TabletId tablet, PeerMessage message);
  // Sends what was put, but for what is still gathered: to be called after answers, too.
  void Flush();
  // Notes the start in which the peer sent a message of its own.
  void NoteIncarnation(const ServerName& peer, Incarnation incarnation);
  // For copies; null while the server's address is unknown. With the header that its requests need.
  std::shared_ptr<idl::ReplicationServiceCobSvIf> Stub(const ServerName& server, idl::PeerHeader& header);

 private:
  struct Sent {
    TabletId tablet;
    uint64_t number = 0;
    MonotonicTime sent;
  };
  template <class Request>
  struct Batch {
    Request request;
    std::vector<Sent> sent;
    size_t bytes = 0;
    Incarnation meant;  // the start of the peer that it was begun for: another's clock may have begun anew
  };
  struct Peer {
    rpc::Endpoint endpoint;
    Incarnation incarnation;
    std::shared_ptr<idl::ReplicationServiceCobSvIf> stub;
    Batch<idl::AppendRequest> appends;
    Batch<idl::PeerHeartbeatRequest> heartbeats;
    uint64_t messages = 0;  // of appends
    bool answered = true;   // the last of them
    MonotonicTime last_sent;
    bool waiting = false;  // in waiting_
  };

  void Add(Peer& peer, TabletId tablet, const PeerMessage& message, const AppendMessage& append);
  void Add(Peer& peer, TabletId tablet, const PeerMessage& message, const HeartbeatMessage& heartbeat);
  const std::string& Encoded(const EntryPtr& entry);
  // When the messages that wait for the peer are sent; the past: now.
  MonotonicTime DueOf(const Peer& peer) const;
  void FlushAt(MonotonicTime due, MonotonicTime now);
  bool Reach(const ServerName& name, Peer& peer);
  // False, and answered so: what it is made of cannot go to the peer as it is now.
  template <class Request>
  bool ReachFor(const ServerName& name, Peer& peer, Batch<Request>& batch);
  void FillHeader(const ServerName& name, const Peer& peer, idl::PeerHeader& header) const;
  void SendAppends(const ServerName& name, Peer& peer);
  void SendHeartbeats(const ServerName& name, Peer& peer);
  // Whether this incarnation of the peer counts; 0: unknown.
  bool Counts(const ServerName& name, int64_t incarnation);
  // The peer's answer; none, as if it were lost, if no honest peer can have sent it.
  template <class Answer>
  PeerReply ReplyOf(const ServerName& name, const Sent& sent, MonotonicTime now, Result<Answer> answer);
  void Lose(const ServerName& name, std::vector<Sent> sent);
  void TakeMemory(const ServerName& name, const idl::PeerHeartbeatReply& reply);

  const Options options_;
  const Ports ports_;
  std::map<ServerName, Peer> peers_;
  std::vector<ServerName> waiting_;  // have something to be sent
  TimerId timer_;                    // ends at due_, when the first of them is due
  MonotonicTime due_ = MonotonicTime::Max();
  std::map<const LogEntry*, std::string> encoded_;  // of this round: each entry is sent to several peers
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace ebla::tabletserver
