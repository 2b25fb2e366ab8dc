#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "tabletserver/shard/shard.h"
#include "tabletserver/shard/shard_tablet.h"

namespace ebla::tabletserver {

PeerClient Shard::MakePeerClient() {
  PeerClient::Ports ports{ports_.executor, ports_.connector, ports_.peers, ports_.cluster_id, {}, {}, {}};
  ports.on_reply = [this](TabletId tablet, PeerReply reply) { OnPeerReply(tablet, reply); };
  ports.on_restart = [this](const ServerName& peer) { OnPeerRestart(peer); };
  ports.flush_soon = [this] { PumpSoon(); };
  return {PeerClient::Options{options_.self, options_.incarnation}, std::move(ports)};
}

// ---- what peers ask -------------------------------------------------------------------------------------------------

void Shard::Receive(ServerName from, Incarnation incarnation, std::vector<PeerCall> calls) {
  ports_.executor.Post([this, from = std::move(from), incarnation, calls = std::move(calls)]() mutable {
    const MonotonicTime now = ports_.executor.Now();
    peer_client_.Hear(from, incarnation);
    for (PeerCall& call : calls) {
      if (Find(call.tablet) == nullptr) {
        early_.push_back({from, std::move(call)});
      } else {
        ReceiveOne(from, std::move(call), now);
      }
    }
    PumpSoon();
  });
}

void Shard::ReceiveEarly(const std::function<bool(TabletId)>& wanted) {
  for (EarlyCall& early : std::exchange(early_, {})) {
    if (wanted(early.call.tablet)) {
      ReceiveOne(early.from, std::move(early.call), ports_.executor.Now());
    } else {
      early_.push_back(std::move(early));
    }
  }
}

void Shard::ReceiveOne(const ServerName& from, PeerCall call, MonotonicTime now) {
  const auto tablet = Find(call.tablet);
  if (tablet == nullptr || tablet->removing) {
    const auto departed = departed_.find(call.tablet);
    const Epoch promised = departed == departed_.end() ? Epoch{} : departed->second.promised;
    PeerAnswer answer;
    if (const auto* append = std::get_if<AppendMessage>(&call.body)) {
      answer.body = AppendAnswer{.epoch = append->epoch, .result = AppendResult::kUnknown, .promised = promised};
    } else {
      const auto& heartbeat = std::get<HeartbeatMessage>(call.body);
      answer.body =
          HeartbeatAnswer{.epoch = heartbeat.epoch, .round = heartbeat.round, .promised = promised, .known = false};
    }
    return call.done(answer);
  }
  const RequestToken token = next_token_ = next_token_.Next();
  peer_calls_.emplace(token, std::move(call.done));
  tablet->core->Step(PeerRequest{token, from, std::move(call.body), now});
  const int64_t heard_ns = tablet->core->replica().heard().since_boot.count();
  if (tablet->handle != nullptr && heard_ns != 0) tablet->handle->heard_ns.store(heard_ns, std::memory_order_relaxed);
  Touch(tablet);
}

void Shard::AnswerPeers(Taken& taken) {
  for (const PeerAnswer& answer : taken.output.answers) {
    auto waiting = peer_calls_.extract(answer.token);
    CHECK(!waiting.empty()) << "a peer was answered twice";
    waiting.mapped()(answer);
  }
  for (ConfirmReply& reply : taken.output.confirms) {
    auto waiting = confirms_.extract(reply.token);
    if (waiting.empty()) continue;  // its deadline has passed
    Answer(waiting.mapped().loop, [done = std::move(waiting.mapped().done),
                                   status = std::move(reply.status)]() mutable { done(std::move(status)); });
  }
}

// ---- what is asked of them ------------------------------------------------------------------------------------------

void Shard::SendToPeers(std::vector<Taken>& taken) {
  for (Taken& one : taken) {
    for (PeerMessage& message : one.output.messages) peer_client_.Put(one.tablet->id, std::move(message));
  }
  peer_client_.Flush();
}

void Shard::OnPeerReply(TabletId id, const PeerReply& reply) {
  const auto tablet = Find(id);
  if (tablet == nullptr) return;
  tablet->core->Step(reply);
  Touch(tablet);
}

void Shard::OnPeerRestart(const ServerName& peer) {
  for (const auto& [id, tablet] : tablets_) {
    tablet->core->Step(PeerRestarted{peer});
    Touch(tablet);
  }
}

void Shard::OnHeartbeatTimer() {
  const MonotonicTime now = ports_.executor.Now();
  for (const auto& [id, tablet] : tablets_) {
    if (!tablet->core->replica().Leads()) continue;
    tablet->core->Step(HeartbeatDue{now});
    Touch(tablet);
  }
  Pump();
  heartbeat_ = ports_.executor.After(options_.heartbeat, [this] { OnHeartbeatTimer(); });
}

// A fence that waits for grants to run out should not wait for the next tick too.
void Shard::WakeAt(MonotonicTime at) {
  if (at >= wake_at_) return;
  ports_.executor.Cancel(wake_);
  wake_at_ = at;
  const Duration delay = std::max<Duration>(at - ports_.executor.Now(), std::chrono::milliseconds(1));
  wake_ = ports_.executor.After(delay, [this] {
    wake_at_ = MonotonicTime::Max();
    const MonotonicTime now = ports_.executor.Now();
    for (const auto& [id, tablet] : tablets_) {
      if (tablet->core->replica().wake_at() == MonotonicTime::Max()) continue;
      tablet->core->Step(Tick{now});
      Touch(tablet);
      WakeAt(tablet->core->replica().wake_at());
    }
    Pump();
  });
}

void Shard::ExpireConfirms(MonotonicTime now) {
  for (auto at = confirms_.begin(); at != confirms_.end();) {
    PendingConfirm& one = at->second;
    if (now < one.deadline) {
      ++at;
      continue;
    }
    Answer(one.loop, [done = std::move(one.done)]() mutable {
      done(Error(Code::kDeadlineExceeded, "no majority of the replicas confirmed in time that this one leads"));
    });
    at = confirms_.erase(at);
  }
}

// ---- reads without a lease ------------------------------------------------------------------------------------------

void Shard::ConfirmLeadership(std::shared_ptr<TabletHandle> handle, MonotonicTime deadline, size_t loop,
                              std::move_only_function<void(Status)> done) {
  ports_.executor.Post([this, handle = std::move(handle), deadline, loop, done = std::move(done)]() mutable {
    const auto tablet = Find(handle->tablet);
    Status refusal;
    if (tablet == nullptr || tablet->removing) refusal = Gone(handle->tablet);
    if (confirms_.size() >= options_.queue_items_max)
      refusal = Error(Code::kOverloaded, "too many reads wait for a majority");
    if (!refusal.ok()) return Answer(loop, [done = std::move(done), refusal]() mutable { done(std::move(refusal)); });
    const RequestToken token = next_token_ = next_token_.Next();
    confirms_.emplace(token, PendingConfirm{deadline, loop, std::move(done)});
    tablet->core->Step(tabletserver::ConfirmLeadership{token, ports_.executor.Now()});
    Touch(tablet);
    PumpSoon();
  });
}

}  // namespace ebla::tabletserver
