// gateway/redis/databases/open_tables.h
// Databases as tables of a cluster. Numbered databases are the tables of numbered_tables.h. Any other name is that of a
// table.
// Place:   redis_listener.h makes one.
// Errors:  NO_SUCH_TABLE advises how to make the table. OVERLOADED: too many names are being looked up. Others are the
//          SDK's.
// Threads: any. Looks up each table once at a time, and then answers from memory. A thread of its client may release
//          the last reference, so the destructor waits for nothing, and this class has no thread. Stop() precedes the
//          end of the object that makes its tables.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "common/base/mutex.h"
#include "common/rpc/event_loop.h"
#include "ebla/ebla.h"
#include "gateway/redis/databases/channel_grants.h"
#include "gateway/redis/databases/databases.h"
#include "gateway/redis/databases/numbered_tables.h"
#include "gateway/store/batching_store.h"
#include "gateway/store/table_store.h"

namespace ebla::gateway::redis {

class OpenTables final : public Databases, public std::enable_shared_from_this<OpenTables> {
 public:
  // `table`: database 0. `levels`: of connections that have not set theirs. `loops`: the connections'. `tables`: makes
  // missing tables; null: none is made.
  OpenTables(Client client, std::string table, TableStoreOptions levels, std::vector<rpc::EventLoop*> loops,
             std::shared_ptr<NumberedTables> tables = nullptr);
  ~OpenTables() override { Stop(); }

  // Looks up nothing more, and fails the callers that wait.
  void Stop();
  // Adds an open table.
  void Add(const std::string& name, const Table& table);
  void Open(const std::string& name, const Read& read, Ack ack, Callback<Result<std::shared_ptr<Store>>> done) override;
  // Requires grants of channels from now on.
  void GuardChannels() { grants_ = std::make_shared<ChannelGrants>(); }
  bool guards_channels() const override { return grants_ != nullptr; }
  void MayUse(const ChannelUse& use, Until until, Callback<Status> done) override;

 private:
  using Levels = std::tuple<Read::Level, int64_t, Ack>;
  struct Database {
    std::shared_ptr<Table> table;
    std::map<Levels, std::shared_ptr<Store>> stores;
  };
  struct Waiter {
    Read read;
    Ack ack;
    Callback<Result<std::shared_ptr<Store>>> done;
  };
  // Clients may make up any number of names and levels. So many are kept, and so many looked up at a time; further
  // look-ups are refused.
  static constexpr size_t kDatabasesMax = 1'000, kStoresMax = 100, kLookedUpMax = 32;

  std::shared_ptr<Store> Find(const std::string& name, const Read& read, Ack ack) EBLA_REQUIRES(mutex_);
  std::shared_ptr<Store> RecordsOf(const std::string& name);
  enum class Make : uint8_t { kIfAbsent, kNo };
  void LookUp(const std::string& name, Make make);
  void OnLookedUp(const std::string& name, Make make, Result<Table> opened);

  std::shared_ptr<ChannelGrants> grants_;  // null: no grants are required
  const Client client_;
  const std::string table_;
  const TableStoreOptions levels_;
  const std::vector<rpc::EventLoop*> loops_;
  const std::shared_ptr<NumberedTables> tables_;
  Mutex mutex_;
  std::map<std::string, Database> databases_ EBLA_GUARDED_BY(mutex_);
  bool stopped_ EBLA_GUARDED_BY(mutex_) = false;
  std::map<std::string, std::vector<Waiter>> waiters_ EBLA_GUARDED_BY(mutex_);  // by the name of the table
};

}  // namespace ebla::gateway::redis
