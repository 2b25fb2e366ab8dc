// gateway/redis/connections/connection_state.h
// The state that the connections of a server share, and that of one connection: its owner, its settings, and the
// channels and keys that it watches.
// Place:   redis_protocol.h has one for each connection; its commands refer to it.
// Threads: Shared: any. ConnectionState: the connection's loop, unless a comment tells otherwise.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/executor.h"
#include "gateway/redis/commands/store_commands.h"
#include "gateway/redis/connections/error_counts.h"
#include "gateway/redis/connections/info.h"
#include "gateway/redis/connections/scan_cursors.h"
#include "gateway/redis/connections/session.h"
#include "gateway/redis/connections/watched_key.h"
#include "gateway/redis/databases/databases.h"
#include "gateway/redis/databases/numbered_tables.h"
#include "gateway/redis/pubsub/publisher.h"
#include "gateway/redis/pubsub/subscriptions.h"
#include "gateway/redis/scripts/scripts.h"
#include "gateway/server/protocol.h"
#include "gateway/server/statistics.h"
#include "gateway/store/table_flusher.h"

namespace ebla::gateway::redis {

class Logins;

struct Shared {
  std::shared_ptr<Databases> databases;    // without a login; null: a login is required
  std::shared_ptr<Logins> logins;          // null: no logins
  std::shared_ptr<NumberedTables> tables;  // null: unknown
  std::shared_ptr<Channels> channels = std::make_shared<Channels>();
  std::shared_ptr<Clients> clients = std::make_shared<Clients>();
  std::shared_ptr<ScanCursors> cursors = std::make_shared<ScanCursors>();
  std::shared_ptr<Publisher> publisher = std::make_shared<Publisher>(channels);
  std::shared_ptr<Scripts> scripts = std::make_shared<Scripts>();
  const Statistics* statistics = nullptr;                           // the server's, which outlives this; may be null
  std::shared_ptr<RateMeter> rate = std::make_shared<RateMeter>();  // of commands
  std::shared_ptr<CountsSinceReset> counts = std::make_shared<CountsSinceReset>();
  std::shared_ptr<ErrorCounts> errors = std::make_shared<ErrorCounts>();
  std::chrono::milliseconds deadline{10'000};  // of a command
  // For FLUSHDB: the deadline of each of its calls to the store. The whole flush has none.
  std::shared_ptr<TableFlushes> flushes = std::make_shared<TableFlushes>(std::chrono::seconds(10));
  ConnectionOptions options;  // of a new connection
};

// A pointer with a count of its own to a shared object, so that loops that often copy it do not contend for the line of
// memory with the common count.
template <class T>
std::shared_ptr<T> WithOwnCount(std::shared_ptr<T> held_by_many) {
  T* const pointer = held_by_many.get();
  if (pointer == nullptr) return nullptr;
  return {pointer, [held_by_many = std::move(held_by_many)](T*) {}};
}

// The store of a connection's last command, because the next one mostly needs the same.
class OpenedStore {
 public:
  // Null: the last one was another, or there was none.
  std::shared_ptr<Store> Find(const std::string& database, const Read& read, Ack ack) const {
    const bool same =
        database == database_ && read.level() == read_.level() && read.bound() == read_.bound() && ack == ack_;
    return same ? store_ : nullptr;
  }
  std::shared_ptr<Store> Note(const std::string& database, const Read& read, Ack ack, std::shared_ptr<Store> store) {
    database_ = database;
    read_ = read;
    ack_ = ack;
    store_ = WithOwnCount(std::move(store));
    return store_;
  }
  void Forget() { store_ = nullptr; }

 private:
  std::string database_;
  Read read_;
  Ack ack_ = Ack::kDefault;
  std::shared_ptr<Store> store_;
};

struct ConnectionState {
  ConnectionState(std::shared_ptr<const Shared> shared_by_all, Executor& loop, const std::string& peer,
                  std::weak_ptr<Sink> sink)
      : shared(WithOwnCount(std::move(shared_by_all))),
        address(peer),
        executor(loop),
        session(*shared, peer, sink),
        subscriptions(shared->channels, std::move(sink)),
        databases_(WithOwnCount(shared->databases)) {}

  // The databases of the user, or those without a login; null: a login is required.
  const std::shared_ptr<Databases>& databases() const { return databases_; }
  void Use(std::shared_ptr<Databases> databases) {
    databases_ = WithOwnCount(std::move(databases));
    caller_ = nullptr;
    opened.Forget();
  }
  const std::shared_ptr<const Caller>& caller() {
    if (caller_ == nullptr || caller_->databases != databases_ || caller_->owner != session.owner())
      caller_ = std::make_shared<const Caller>(Caller{shared, databases_, session.owner(), &executor, gone});
    return caller_;
  }
  bool NobodyIsIn() const { return databases_ == nullptr; }
  std::vector<WatchedKey> TakeWatched() {
    watched_bytes = 0;
    return std::exchange(watched, {});
  }

  const std::shared_ptr<const Shared> shared;
  const std::string address;
  Executor& executor;
  OpenedStore opened;
  const std::shared_ptr<std::atomic<bool>> gone = std::make_shared<std::atomic<bool>>(false);  // with its connection
  Session session;
  Subscriptions subscriptions;
  std::vector<WatchedKey> watched;        // since WATCH, which may run elsewhere
  std::atomic<size_t> watched_bytes = 0;  // of them
  std::string watched_database;

 private:
  std::shared_ptr<Databases> databases_;
  std::shared_ptr<const Caller> caller_;  // once a command has needed it
};

inline constexpr std::string_view kNotLoggedIn = "NOAUTH Authentication required.";

}  // namespace ebla::gateway::redis
