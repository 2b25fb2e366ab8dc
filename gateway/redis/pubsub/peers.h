// gateway/redis/pubsub/peers.h
// The other gateways of a cluster that serve Redis's protocol over the same table: finds them, and sends messages to
// their subscribers.
// How:     each gateway keeps a record with its address in the table, at a key that no key of Redis has, while it
//          lives. All gateways read these records once a second, and are clients of each other (peer_client.h). A new
//          gateway tells the rest, which then read at once.
// Delivery: at most once, as in Redis. A message to a gateway out of reach is lost.
// Threads: any, but Start and Stop, which one thread calls, which is no loop's.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "gateway/redis/logins/logins.h"
#include "gateway/redis/pubsub/peer_client.h"
#include "gateway/redis/pubsub/publisher.h"
#include "gateway/store/store.h"

namespace ebla::gateway::redis {

class Peers final : public Publisher {
 public:
  // `records`: by the keys of records. `tls`: for connections to the peers; null: in the clear. `login`: at peers that
  // require one.
  Peers(std::shared_ptr<Channels> channels, std::shared_ptr<Store> records,
        std::shared_ptr<security::TlsCredentials> tls, Credentials login);
  ~Peers() override { Stop(); }

  // `own`: the address for other gateways. Waits until the gateways of the first look are connected, for a second at
  // most.
  void Start(const rpc::Endpoint& own);
  void Stop();

  void Publish(ChannelKind kind, const std::string& channel, const std::string& message, Done done) override;
  void LookSoon() override;

 private:
  void Announce();
  void Look();
  void LookAgain();
  void TakeFound(const Result<ScanPage>& page);
  void LetGoOfTheSlowest();

  // The part that the store's callbacks hold, because they may outlive this.
  struct Alive {
    Mutex mutex;
    Peers* peers EBLA_GUARDED_BY(mutex) = nullptr;
  };
  const std::shared_ptr<Alive> alive_ = std::make_shared<Alive>();
  const std::shared_ptr<Store> records_;
  const std::shared_ptr<security::TlsCredentials> tls_;
  const Credentials login_;
  std::string own_;
  std::atomic<bool> started_ = false;
  std::atomic<bool> look_asked_ = false;
  std::atomic<size_t> peers_ = 0;
  // The loop's:
  rpc::ReadBuffers buffers_;
  std::map<std::string, std::shared_ptr<PeerClient>> by_address_;
  std::shared_ptr<void> first_look_;  // released by every holder once the first look is done
  int looks_ = 0;
  rpc::EventLoop loop_{"redis-peers"};
};

}  // namespace ebla::gateway::redis
