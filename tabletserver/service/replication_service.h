// tabletserver/service/replication_service.h
// The peers' edge. A tablet has one replica in this version, so nothing of a peer's can be meant for this server: each
// call is answered UNAVAILABLE, saying so.
// Threads: any.
#pragma once

#include <functional>

#include "idl/ReplicationService.h"

namespace ebla::tabletserver {

class ReplicationService final : public idl::ReplicationServiceCobSvIf {
 public:
  void append(std::function<void(const idl::AppendReply&)> cob, const idl::AppendRequest&) override { Refuse(cob); }
  void peerHeartbeat(std::function<void(const idl::PeerHeartbeatReply&)> cob, const idl::PeerHeartbeatRequest&) override {
    Refuse(cob);
  }
  void copy(std::function<void(const idl::CopyReply&)> cob, const idl::CopyRequest&) override { Refuse(cob); }
  void deliver(std::function<void(const idl::DeliverReply&)> cob, const idl::DeliverRequest&) override { Refuse(cob); }

 private:
  template <class Reply>
  static void Refuse(const std::function<void(const Reply&)>& cob) {
    Reply reply;
    reply.status.code = idl::Code::UNAVAILABLE;
    reply.status.message = "tablets have one replica in this version; this server takes nothing from peers";
    cob(reply);
  }
};

}  // namespace ebla::tabletserver
