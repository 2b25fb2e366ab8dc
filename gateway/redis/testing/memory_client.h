// gateway/redis/testing/memory_client.h
// A client of Redis's commands over a store in memory, for tests without a socket.
// Threads: a client's one at a time; databases' any.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/base/mutex.h"
#include "common/testing/sim_executor.h"
#include "gateway/redis/redis_protocol.h"
#include "gateway/redis/testing/reply_length.h"
#include "gateway/testing/memory_store.h"

namespace ebla::gateway::redis {

// The request as clients send it.
std::string Encode(const Words& words);

// The databases 0 to 15, each in memory.
class MemoryDatabases final : public Databases {
 public:
  void Open(const std::string& name, const Read& read, Ack ack, Callback<Result<std::shared_ptr<Store>>> done) override;
  MemoryStore& store(const std::string& name);
  // The read level of the last Open().
  Read read() const;

 private:
  struct Database {
    std::shared_ptr<MemoryStore> records;
    std::shared_ptr<Store> store;  // over the records, with Redis's keys
  };
  Database& Find(const std::string& name) EBLA_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::map<std::string, Database> databases_ EBLA_GUARDED_BY(mutex_);
  Read read_ EBLA_GUARDED_BY(mutex_);
};

class MemoryClient {
 public:
  // With `other`: a second connection to the same gateway.
  explicit MemoryClient(const MemoryClient* other = nullptr);
  std::string Answer(const Words& words);
  MemoryDatabases& databases() { return *databases_; }
  // How the connection was ended; empty: it was not.
  const std::string& ended() const { return sink_->ended; }
  // The bytes that were pushed since the last call.
  std::string TakePushed() { return std::exchange(sink_->bytes, {}); }

 private:
  struct Pushed final : Sink {
    bool Push(std::shared_ptr<const std::string> more, Wanted) override {
      bytes += *more;
      return true;
    }
    void End() override { ended = "at once"; }
    ConnectionVitals vitals() const override { return {.fd = 5, .local = "127.0.0.1:6379"}; }
    std::string bytes, ended;
  };

  testing::SimScheduler scheduler_{1};
  testing::SimExecutor executor_{scheduler_};
  const std::shared_ptr<MemoryDatabases> databases_;
  const std::shared_ptr<const Shared> shared_;
  const std::shared_ptr<Pushed> sink_ = std::make_shared<Pushed>();
  std::unique_ptr<RedisProtocol> protocol_;
};

}  // namespace ebla::gateway::redis
