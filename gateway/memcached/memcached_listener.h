// gateway/memcached/memcached_listener.h
// Memcached's protocols before one table.
// Threads: as gateway/server/protocol_listener.h says.
#pragma once

#include "ebla/table.h"
#include "gateway/memcached/environment.h"
#include "gateway/server/protocol_listener.h"
#include "gateway/store/batching_store.h"
#include "gateway/store/table_store.h"

namespace ebla::gateway::memcached {

class MemcachedListener final : public ProtocolListener {
 public:
  MemcachedListener(const ListenerOptions& options, Table table, TableStoreOptions levels);

  std::string name() const override { return "memcached"; }
  const rpc::Endpoint& address() const override { return server_.address(); }
  const Statistics& statistics() const override { return statistics_; }
  Status Start() override;
  Status Ready() const override;
  void Stop(Duration patience) override;
  bool quiet() const override;

 private:
  const Table table_;
  BatchingStore store_;
  Statistics statistics_;
  Environment environment_;
  Server server_;
};

}  // namespace ebla::gateway::memcached
