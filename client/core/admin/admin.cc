#include "client/core/admin/admin.h"

#include <algorithm>
#include <utility>

#include "client/core/admin/admin_convert.h"
#include "client/core/calls/deadline.h"
#include "common/rpc/idl_convert.h"

namespace ebla::client {

namespace {

constexpr Duration kPollFirst = std::chrono::milliseconds(20);

// Whether a table that exists after a lost reply may be the very one asked for.
bool LooksLike(const TableInfo& info, const CreateTableOptions& asked) {
  const TableOptions& a = asked.table;
  const TableOptions& b = info.options;
  const auto fits = [](const auto& wanted, const auto& got) { return !wanted || wanted == got; };
  return info.tablets == static_cast<int>(asked.split_points.size()) + 1 && fits(a.replicas, b.replicas) &&
         fits(a.compression, b.compression) && fits(a.durability, b.durability) &&
         fits(a.last_write_wins, b.last_write_wins) && fits(a.default_ttl, b.default_ttl);
}

template <class Reply, class Function>
OnceCallback<Result<Reply>> Then(Function function) {
  return OnceCallback<Result<Reply>>(std::move(function));
}

}  // namespace

MasterClient::CallOptions Patient() {
  MasterClient::CallOptions call;
  call.quick = false;
  return call;
}

void LostReply::Watch(MasterClient::CallOptions& options) const {
  options.note = [lost = lost_](const Status& cause) {
    if (cause.code() == Code::kUnknownOutcome || cause.code() == Code::kDeadlineExceeded) *lost = true;
  };
}

void Admin::CreateTable(std::string name, CreateTableOptions options, OnceCallback<Result<TableInfo>> done) {
  idl::CreateTableRequest request;
  request.name = name;
  request.options = ToIdl(options.table);
  request.splitPoints = options.split_points;
  MasterClient::CallOptions call = Patient();
  call.deadline = options.deadline.count() > 0 ? DeadlineOf(options.deadline) : deadline_;
  call.mutates = true;
  const MonotonicTime end = network_.Now() + call.deadline;
  const LostReply lost_reply;
  lost_reply.Watch(call);
  Ask(std::move(request), std::move(call),
      Then<idl::CreateTableReply>([this, name, end, lost_reply, options = std::move(options),
                                   done = std::move(done)](Result<idl::CreateTableReply> reply) mutable {
        if (!reply && (reply.error().code() != Code::kTableExists || !lost_reply)) return done(Error(reply.error()));
        // Made now, or by an earlier attempt whose reply was lost.
        const Status refusal = reply ? Status() : reply.error();
        AwaitServing(name, end,
                     Then<TableInfo>([refusal, options = std::move(options),
                                      done = std::move(done)](Result<TableInfo> info) mutable {
                       if (info && !refusal.ok() && !LooksLike(*info, options)) return done(Error(refusal));
                       done(std::move(info));
                     }));
      }));
}

void Admin::AwaitServing(std::string name, MonotonicTime end, OnceCallback<Result<TableInfo>> done) {
  const MonotonicTime now = network_.Now();
  DescribeTable(name, Then<TableInfo>([this, name, end, now, done = std::move(done)](Result<TableInfo> info) mutable {
                  if (!info || info->tablets_serving >= info->tablets) return done(std::move(info));
                  if (now + kPollFirst >= end) {
                    return done(Error(Code::kDeadlineExceeded, "table \"" + name + "\" is made, but only " +
                                                                   std::to_string(info->tablets_serving) + " of its " +
                                                                   std::to_string(info->tablets) +
                                                                   " tablets serve yet; it continues by itself"));
                  }
                  network_.executor().After(kPollFirst, [this, name, end, done = std::move(done)]() mutable {
                    AwaitServing(std::move(name), end, std::move(done));
                  });
                }));
}

void Admin::AlterTable(std::string name, TableOptions changes, OnceCallback<Result<TableInfo>> done) {
  idl::AlterTableRequest request;
  request.name = name;
  request.options = ToIdl(changes);
  MasterClient::CallOptions call = Patient();
  call.mutates = true;
  Ask(std::move(request), std::move(call),
      Then<idl::AlterTableReply>([this, name, done = std::move(done)](Result<idl::AlterTableReply> reply) mutable {
        if (!reply) return done(Error(reply.error()));
        DescribeTable(std::move(name), std::move(done));
      }));
}

void Admin::DropTable(std::string name, OnceCallback<Status> done) {
  idl::DropTableByNameRequest request;
  request.name = name;
  MasterClient::CallOptions call = Patient();
  call.mutates = true;
  const LostReply lost_reply;
  lost_reply.Watch(call);
  Ask(std::move(request), std::move(call),
      Then<idl::DropTableByNameReply>(
          [lost_reply, done = std::move(done)](Result<idl::DropTableByNameReply> reply) mutable {
            if (reply || (reply.error().code() == Code::kNoSuchTable && lost_reply)) return done(Status());
            done(reply.error());
          }));
}

void Admin::ListTables(OnceCallback<Result<std::vector<TableInfo>>> done) {
  Ask(idl::ListTablesRequest(), {},
      Then<idl::ListTablesReply>([done = std::move(done)](Result<idl::ListTablesReply> reply) mutable {
        if (!reply) return done(Error(reply.error()));
        std::vector<TableInfo> tables;
        for (const idl::TableSummary& table : reply->tables) tables.push_back(FromIdl(table));
        done(std::move(tables));
      }));
}

void Admin::DescribeTable(std::string name, OnceCallback<Result<TableInfo>> done) {
  idl::DescribeTableRequest request;
  request.name = std::move(name);
  Ask(std::move(request), {},
      Then<idl::DescribeTableReply>([done = std::move(done)](Result<idl::DescribeTableReply> reply) mutable {
        if (!reply) return done(Error(reply.error()));
        done(FromIdl(reply->table));
      }));
}

void Admin::TransferTablet(std::string table, std::string key, std::string to, OnceCallback<Status> done) {
  idl::TransferTabletRequest request;
  request.table = std::move(table);
  request.key = std::move(key);
  request.toServer = std::move(to);
  Ask(std::move(request), {},
      Then<idl::TransferTabletReply>([done = std::move(done)](Result<idl::TransferTabletReply> reply) mutable {
        done(reply ? Status() : reply.error());
      }));
}

// A tablet that was split a moment ago is settled only with its next report. After a deadline before that, the caller
// would not know whether the split continues.
void Admin::SplitTablet(std::string table, std::string key, OnceCallback<Result<TabletSplit>> done) {
  idl::SplitTabletRequest request;
  request.table = std::move(table);
  request.key = std::move(key);
  Ask(std::move(request), Patient(),
      Then<idl::SplitTabletReply>([done = std::move(done)](Result<idl::SplitTabletReply> reply) mutable {
        if (!reply) return done(Error(reply.error()));
        done(TabletSplit{TabletId{static_cast<uint64_t>(reply->tablet.tabletId)}, rpc::FromIdl(reply->tablet.range),
                         TabletId{static_cast<uint64_t>(reply->child.tabletId)}, rpc::FromIdl(reply->child.range)});
      }));
}

void Admin::MergeTablets(std::string table, std::string key, OnceCallback<Result<TabletMerge>> done) {
  idl::MergeTabletsRequest request;
  request.table = std::move(table);
  request.key = std::move(key);
  Ask(std::move(request), Patient(),
      Then<idl::MergeTabletsReply>([done = std::move(done)](Result<idl::MergeTabletsReply> reply) mutable {
        if (!reply) return done(Error(reply.error()));
        done(TabletMerge{TabletId{static_cast<uint64_t>(reply->tablet.tabletId)}, rpc::FromIdl(reply->tablet.range)});
      }));
}

void Admin::MoveTablet(std::string table, std::string key, TabletMove move, OnceCallback<Status> done) {
  idl::MoveTabletRequest request;
  request.table = std::move(table);
  request.key = std::move(key);
  request.fromServer = std::move(move.from);
  request.toServer = std::move(move.to);
  request.cancel = move.cancel;
  Ask(std::move(request), Patient(),
      Then<idl::MoveTabletReply>([done = std::move(done)](Result<idl::MoveTabletReply> reply) mutable {
        done(reply ? Status() : reply.error());
      }));
}

}  // namespace ebla::client
