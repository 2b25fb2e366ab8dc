#include "master/leader/table_admin.h"

#include <algorithm>
#include <memory>
#include <set>

#include "common/base/features.h"
#include "common/rpc/idl_convert.h"
#include "master/catalog/table_rules.h"
#include "master/cluster/options.h"
#include "master/leader/readiness.h"
#include "master/procedures/clear_table.h"
#include "master/procedures/create_table.h"
#include "master/procedures/drop_table.h"
#include "master/procedures/push_schema.h"

namespace ebla::master {

void TableAdmin::Resume() {
  for (const auto& [name, table] : parts_.image().tables()) {
    if (table.node.state == idl::TableState::CREATING) StartCreate(name);
    if (table.node.state == idl::TableState::DROPPING) StartDrop(name);
  }
}

void TableAdmin::Create(std::string table, idl::TableOptions options, std::vector<std::string> split_points,
                        Duration patience, Done done) {
  const size_t replicas = options.__isset.replicas ? static_cast<size_t>(std::max(options.replicas, 1)) : 1;
  Result<idl::TableOptions> complete = CompleteOptions(std::move(options), parts_.context.options.replicas_default);
  if (!complete) return done(std::move(complete.error()));
  if (complete->__isset.memory && !parts_.features().Has(kMemoryTables))
    return done(Error(Code::kConditionFailed, "tables in memory wait " + UntilFeature(kMemoryTables)));
  if (rpc::FromIdl(complete->keyGroup).all && !parts_.features().Has(kGroupFunctions))
    return done(Error(Code::kConditionFailed, "tables that are one key group wait " + UntilFeature(kGroupFunctions)));
  if (Status status = CheckSplitPoints(split_points, *complete); !status.ok()) return done(std::move(status));
  RequestQueue::Request request;
  request.done = std::move(done);
  request.replicas = replicas;
  request.subject = {.kind = "create", .tablet = {}, .table = table, .server = {}};
  request.decide = [table, options = std::move(*complete), points = std::move(split_points)](const Image& image) {
    return BeginTable(image, table, options, points);
  };
  request.procedure = CreateTableName(table);
  request.start = [this, table] { StartCreate(table); };
  parts_.requests.Submit(std::move(request), patience);
}

void TableAdmin::StartCreate(const std::string& table) {
  auto on_made = [&reconciler = parts_.reconciler](TabletId tablet) { reconciler.Consider(tablet); };
  parts_.runner.Start(CreateTableName(table), std::make_unique<CreateTable>(parts_.context, table, on_made));
}

void TableAdmin::Alter(std::string table, idl::TableOptions options, Duration patience, Done done) {
  if (options.__isset.replicas) {
    const auto replicas = static_cast<size_t>(std::max(options.replicas, 1));
    if (Status status = CheckKnown(parts_.context, replicas); !status.ok()) return done(std::move(status));
  }
  RequestQueue::Request request;
  request.done = std::move(done);
  request.decide = [table, options = std::move(options)](const Image& image) {
    return AlterTable(image, table, options);
  };
  request.procedure = PushSchemaName(table);
  request.start = [this, table] { PushSchemaOf(table); };
  parts_.requests.Submit(std::move(request), patience);
}

void TableAdmin::PushSchemaOf(const std::string& table) {
  if (parts_.runner.Running(PushSchemaName(table))) {
    parts_.runner.Wake(PushSchemaName(table));
  } else {
    parts_.runner.Start(PushSchemaName(table), std::make_unique<PushSchema>(parts_.context, table));
  }
}

void TableAdmin::Drop(std::string table, Duration patience, Done done) {
  RequestQueue::Request request;
  request.done = std::move(done);
  request.decide = [table](const Image& image) { return MarkDropping(image, table); };
  request.procedure = DropTableName(table);
  request.start = [this, table] { StartDrop(table); };
  parts_.requests.Submit(std::move(request), patience);
}

void TableAdmin::StartDrop(const std::string& table) {
  auto on_dropped = [this](TableId id, const std::set<ServerName>& servers) {
    parts_.reconciler.ForgetGone();
    for (const ServerName& server : servers) {
      parts_.runner.Start(ClearTableName(server, id), std::make_unique<ClearTable>(parts_.context, server, id));
    }
  };
  parts_.runner.Start(DropTableName(table), std::make_unique<DropTable>(parts_.context, table, on_dropped));
  parts_.runner.Wake(CreateTableName(table));  // ends a creation that was under way
}

namespace {

// Answers when the last owner, each of which may fill a part, is destroyed.
struct Compactions {
  std::vector<idl::Compaction> servers;
  coordination::Callback<Result<std::vector<idl::Compaction>>> done;
  ~Compactions() { done(std::move(servers)); }
};

void TakeReply(const idl::CompactReply& reply, idl::Compaction& one) {
  const idl::Status& status =
      reply.__isset.outcome && reply.status.code == idl::Code::OK ? reply.outcome : reply.status;
  one.code = status.code;
  one.message = status.message;
  one.running = reply.running;
  one.ageMs = reply.ageMs;
  one.bytesBefore = reply.bytesBefore;
  one.bytesAfter = reply.bytesAfter;
}

}  // namespace

void TableAdmin::Compact(const Compaction& wanted, coordination::Callback<Result<std::vector<idl::Compaction>>> done) {
  const TableEntry* table = parts_.image().Table(wanted.table);
  if (!table || table->node.state == idl::TableState::DROPPING) {
    return done(NoTable(wanted.table));
  }
  std::set<ServerName> holders;
  for (const auto& [start, id] : parts_.image().TabletsOf(table->id())) {
    for (const ServerName& voter : parts_.image().Tablet(id)->node.info.voters) holders.insert(voter);
  }
  if (!wanted.server.empty()) {
    if (!holders.contains(wanted.server)) {
      return done(Error(Code::kNotFound, "server " + wanted.server + " holds no replica of table " + wanted.table));
    }
    holders = {wanted.server};
  }
  auto all = std::make_shared<Compactions>();  // shared by the replies: the last one answers
  all->done = std::move(done);
  all->servers.resize(holders.size());
  idl::CompactRequest request;
  request.tableId = table->node.schema.tableId;
  request.start = wanted.start;
  request.limitS = wanted.limit_s;
  size_t index = 0;
  for (const ServerName& server : holders) {
    all->servers[index].server = server;
    parts_.context.tablet_server_client.Compact(
        server, request, [all, index](const idl::CompactReply& reply) { TakeReply(reply, all->servers[index]); });
    ++index;
  }
}

}  // namespace ebla::master
