// Databases as tables of a cluster: number 0 is the table that the gateway was given, number 7 the one of that name with
// "-7" behind it, and any other name the table itself.
// Place:   main.cc.
// Errors:  NO_SUCH_TABLE says how to make it; others are the SDK's.
// Threads: any. Tables are looked up on a thread of its own; once found, they are answered from memory.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "common/base/mutex.h"
#include "common/rpc/event_loop.h"
#include "ebla/ebla.h"
#include "gateway/redis/redis_protocol.h"
#include "gateway/store/table_store.h"

namespace ebla::gateway::redis {

class TableDatabases final : public Databases {
 public:
  // `levels`: of connections that have said nothing of theirs.
  TableDatabases(Client client, std::string table, TableStoreOptions levels);
  ~TableDatabases() override;

  void Open(const std::string& name, const Read& read, Ack ack, Callback<Result<std::shared_ptr<Store>>> done) override;

 private:
  using Levels = std::tuple<Read::Level, int64_t, Ack>;
  struct Database {
    std::shared_ptr<Table> table;
    std::map<Levels, std::shared_ptr<Store>> stores;
  };
  // Beyond these, names are looked up anew: a client may make up any number of them.
  static constexpr size_t kDatabasesMax = 1'000;

  std::string TableOf(const std::string& name) const;
  std::shared_ptr<Store> Find(const std::string& name, const Read& read, Ack ack);
  Result<std::shared_ptr<Store>> Look(const std::string& name, const Read& read, Ack ack);

  Client client_;
  const std::string table_;
  const TableStoreOptions levels_;
  Mutex mutex_;
  std::map<std::string, Database> databases_ EBLA_GUARDED_BY(mutex_);
  rpc::EventLoop opener_{"redis-tables"};
};

}  // namespace ebla::gateway::redis
