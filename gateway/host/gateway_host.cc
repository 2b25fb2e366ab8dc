#include "gateway/host/gateway_host.h"

#include <glog/logging.h>

#include <algorithm>
#include <thread>

#include "gateway/memcached/memcached_listener.h"
#include "gateway/redis/databases/key_codec.h"
#include "gateway/redis/redis_listener.h"
#include "gateway/server/metrics.h"

namespace ebla::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kMakeTable{30};  // until it serves

Result<Table> OpenOrMake(const Client& client, const std::string& name, bool make, TableOptions options) {
  Result<Table> table = client.OpenTable(name);
  if (table && options.memory.value_or(false)) {
    const Result<TableInfo> there = client.DescribeTable(name);
    if (there && !there->options.memory.value_or(false))
      LOG(WARNING) << "the table \"" << name
                   << "\" is on disk, and stays so: --create_in_memory is for tables that are not there yet";
  }
  if (table || table.error().code() != Code::kNoSuchTable) return table;
  const std::string group = options.key_group ? " --key-group '\\x00'" : "";
  if (!make)
    return Error(Code::kNoSuchTable, "there is no table \"" + name + "\": make it with  ebla table create " + name +
                                         group + "  or have it made with --create_table");
  const Result<TableInfo> made =
      client.CreateTable(name, {.table = std::move(options), .split_points = {}, .deadline = kMakeTable});
  if (!made && made.error().code() != Code::kTableExists) return Error(made.error());
  return client.OpenTable(name);
}

// Made so that the keys of a group stay together, however the table splits.
Result<Table> OpenOrMakeForRedis(const Client& client, const std::string& name, bool make, TableOptions options) {
  options.key_group = TableKeyGroup{.delimiter = redis::kGroupDelimiter};
  EBLA_ASSIGN(Table table, OpenOrMake(client, name, make, std::move(options)));
  const auto info = client.DescribeTable(name);
  if (info && !(info->options.key_group && info->options.key_group->delimiter == redis::kGroupDelimiter))
    LOG(WARNING)
        << "the table \"" << name
        << "\" has no key groups that end at a byte of 0: once it splits, transactions of several keys fail. A "
           "table made with  ebla table create NAME --key-group '\\x00'  keeps them together";
  return table;
}

}  // namespace

Result<std::unique_ptr<GatewayHost>> GatewayHost::Open(const GatewayOptions& options, const Client& client,
                                                       const std::vector<rpc::EventLoop*>& loops) {
  std::unique_ptr<GatewayHost> host(new GatewayHost(options));
  ListenerOptions common{.loops = loops, .deadline = options.deadline};
  common.server.connections_max = options.connections_max;
  common.server.tls = options.tls;
  if (options.memcached_listen) {
    EBLA_ASSIGN(Table table, OpenOrMake(client, options.memcached_table, options.create_tables, options.created));
    common.server.listen = *options.memcached_listen;
    host->listeners_.push_back(
        std::make_unique<memcached::MemcachedListener>(common, std::move(table), options.levels));
  }
  if (options.redis_listen) {
    EBLA_ASSIGN(Table table, OpenOrMakeForRedis(client, options.redis_table, options.create_tables, options.created));
    common.server.listen = *options.redis_listen;
    redis::RedisListener::Options redis{.levels = options.levels,
                                        .makes_databases = options.create_tables,
                                        .transactions = options.redis_transactions,
                                        .advertised = options.redis_advertise,
                                        .logins = nullptr,
                                        .login_required = options.redis_login_required,
                                        .peers_login = options.own_login,
                                        .script_threads = options.redis_script_threads,
                                        .slower_than_micros = options.redis_slower_than_micros};
    if (options.redis_users)
      redis.logins = std::make_shared<redis::ClusterLogins>(*options.redis_users, table.name(), options.levels, loops);
    host->listeners_.push_back(
        std::make_unique<redis::RedisListener>(common, client, std::move(table), std::move(redis)));
  }
  return host;
}

Status GatewayHost::Start() {
  for (const auto& listener : listeners_) EBLA_TRY(listener->Start());
  return {};
}

std::string GatewayHost::Serves() const {
  std::string text;
  for (const auto& listener : listeners_)
    text += (text.empty() ? "" : ", ") + listener->name() + " at " + listener->address().ToString();
  return text;
}

Status GatewayHost::Ready() const {
  for (const auto& listener : listeners_) EBLA_TRY(listener->Ready());
  return {};
}

std::shared_ptr<prometheus::Collectable> GatewayHost::metrics() const {
  std::vector<std::pair<std::string, const Statistics*>> statistics;
  for (const auto& listener : listeners_) statistics.emplace_back(listener->name(), &listener->statistics());
  return std::make_shared<Metrics>(std::move(statistics));
}

bool GatewayHost::Stop() {
  {
    // All at the same time, so that none of them takes clients while another one waits for its own.
    std::vector<std::jthread> threads;
    for (const auto& listener : listeners_) threads.emplace_back([&listener, this] { listener->Stop(patience_); });
  }
  const auto until = steady_clock::now() + patience_;
  while (!std::ranges::all_of(listeners_, [](const auto& listener) { return listener->quiet(); })) {
    if (steady_clock::now() > until) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

}  // namespace ebla::gateway
