// client/core/admin/admin.h
// An operator's requests to the master, for callers that cannot wait. Ask() makes one call of any method; the simulator
// uses the remaining functions, too. Functions that may wait are in client/sdk/admin_calls.cc.
// Place:   Client (client/sdk) waits for the answers; admin_convert.h makes Thrift's structs into the types of
//          client/include/ebla/admin.h.
// Threads: any; callbacks as in client_core.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/core/calls/once_callback.h"
#include "client/core/routing/master_client.h"
#include "ebla/admin.h"

namespace ebla::client {

// The server works until the deadline, and its answer then reports its progress.
MasterClient::CallOptions Patient();

class Admin {
 public:
  Admin(MasterClient& masters, Network& network, Duration deadline)
      : masters_(masters), network_(network), deadline_(deadline) {}

  // One call to the leading master; `options.deadline` of zero is the client's.
  template <class Request>
  void Ask(Request request, MasterClient::CallOptions options, OnceCallback<Result<ReplyTo<Request>>> done) {
    if (options.deadline <= Duration(0)) options.deadline = deadline_;
    masters_.Call(std::move(request), std::move(options),
                  [done = std::move(done)](Result<MasterClient::Answer<ReplyTo<Request>>> answer) mutable {
                    answer ? done(std::move(answer->reply)) : done(Error(std::move(answer.error())));
                  });
  }
  Duration deadline() const { return deadline_; }

  void CreateTable(std::string name, CreateTableOptions options, OnceCallback<Result<TableInfo>> done);
  void AlterTable(std::string name, TableOptions changes, OnceCallback<Result<TableInfo>> done);
  void DropTable(std::string name, OnceCallback<Status> done);
  void ListTables(OnceCallback<Result<std::vector<TableInfo>>> done);
  void DescribeTable(std::string name, OnceCallback<Result<TableInfo>> done);
  void TransferTablet(std::string table, std::string key, std::string to, OnceCallback<Status> done);
  void SplitTablet(std::string table, std::string key, OnceCallback<Result<TabletSplit>> done);
  void MergeTablets(std::string table, std::string key, OnceCallback<Result<TabletMerge>> done);
  void MoveTablet(std::string table, std::string key, TabletMove move, OnceCallback<Status> done);

 private:
  void AwaitServing(std::string name, MonotonicTime end, OnceCallback<Result<TableInfo>> done);

  MasterClient& masters_;
  Network& network_;
  const Duration deadline_;
};

// Notes whether an attempt's reply was lost: what "exists already" or "is not there" afterwards may be one's own doing.
class LostReply {
 public:
  void Watch(MasterClient::CallOptions& options) const;
  explicit operator bool() const { return *lost_; }

 private:
  std::shared_ptr<bool> lost_ = std::make_shared<bool>(false);  // shared with the call's note
};

}  // namespace ebla::client
