#include "gateway/memcached/memcached_listener.h"

#include "gateway/memcached/protocol.h"

namespace ebla::gateway::memcached {
namespace {

ServerOptions WithRefusal(ServerOptions options) {
  options.refusal = "ERROR Too many open connections\r\n";
  return options;
}

}  // namespace

MemcachedListener::MemcachedListener(const ListenerOptions& options, Table table, TableStoreOptions levels)
    : table_(std::move(table)),
      store_(std::make_shared<TableStore>(table_, levels), options.loops),
      statistics_(CommandNames(), options.loops.size()),
      environment_{.store = store_,
                   .statistics = statistics_,
                   .deadline = options.deadline,
                   .connections_max = options.server.connections_max,
                   .threads = options.loops.size()},
      server_(
          WithRefusal(options.server),
          [this](rpc::EventLoop& loop, const std::string&, const std::weak_ptr<Sink>&) {
            return std::make_unique<MemcachedProtocol>(environment_, loop);
          },
          options.loops, statistics_) {}

Status MemcachedListener::Start() {
  EBLA_TRY(server_.Listen());
  environment_.port = server_.address().port;  // before a client can ask for it
  return server_.Start();
}

Status MemcachedListener::Ready() const { return TableIsReadable(table_); }

void MemcachedListener::Stop(Duration patience) {
  environment_.flusher.Stop();
  server_.Stop(patience);
}

bool MemcachedListener::quiet() const { return statistics_.Sum().in_flight == 0 && environment_.flusher.quiet(); }

}  // namespace ebla::gateway::memcached
