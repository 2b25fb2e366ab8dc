// Redis's protocol before the tables of a cluster.
// Place:      the server makes one for each connection (gateway/server/protocol.h). Its commands ask the session first,
//             then the store of the database that is selected.
// Order:      commands without keys that read or change the database, and those that change the connection, run alone;
//             so a pipeline sees what it has done. Commands of different keys run at the same time. What belongs to a
//             transaction is queued as it is cut, in the order in which it came.
// Threads:    RedisProtocol: its connection's loop. Databases: any.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/executor.h"
#include "ebla/table.h"
#include "gateway/redis/multi.h"
#include "gateway/redis/scan_cursors.h"
#include "gateway/redis/scripts.h"
#include "gateway/redis/session.h"
#include "gateway/redis/wire/request_reader.h"
#include "gateway/server/protocol.h"
#include "gateway/store/store.h"

namespace ebla::gateway::redis {

// A database is a table.
class Databases {
 public:
  virtual ~Databases() = default;

  // By a number, or a table's name; its keys are Redis's (keyed_store.h). NO_SUCH_TABLE: there is none, or it may not be
  // used.
  // `done` is called once, on any thread, perhaps within the call.
  virtual void Open(const std::string& name, const Read& read, Ack ack,
                    Callback<Result<std::shared_ptr<Store>>> done) = 0;
};

class Logins;

// What the connections of a server share.
struct Shared {
  std::shared_ptr<Databases> databases;  // of who has not logged in; null: nobody may
  std::shared_ptr<Logins> logins;        // null: nobody can
  std::shared_ptr<Channels> channels = std::make_shared<Channels>();
  std::shared_ptr<Clients> clients = std::make_shared<Clients>();
  std::shared_ptr<ScanCursors> cursors = std::make_shared<ScanCursors>();
  std::shared_ptr<Publisher> publisher = std::make_shared<Publisher>(channels);
  std::shared_ptr<Scripts> scripts = std::make_shared<Scripts>();
  std::chrono::milliseconds deadline{10'000};  // of a command
  ConnectionOptions options;                   // of a connection, until it says otherwise
};

// Of statistics: each command, and after them what is none.
std::vector<std::string> CommandNames();

class RedisProtocol final : public Protocol {
 public:
  RedisProtocol(std::shared_ptr<const Shared> shared, Executor& executor, const std::string& address,
                std::weak_ptr<Outlet> outlet);

  Taken Take(std::string_view bytes) override;
  void OnClosed() override;
  size_t begun_bytes() const override { return reader_.held_bytes(); }
  size_t held_bytes() const override;

  struct State;

 private:
  std::unique_ptr<Command> Make(Request request);
  std::unique_ptr<Command> MakeTransaction(const CommandInfo& command);
  // `abort`: why nothing of it is done; empty: it is done.
  std::unique_ptr<Command> MakeExec(const CommandInfo& command, std::string abort);
  std::unique_ptr<Command> Fixed(const CommandInfo* command, redis::Reply& reply) const;
  // What is refused breaks the transaction that it was to be part of.
  std::unique_ptr<Command> Refuse(std::string_view text);

  const std::shared_ptr<State> state_;
  MultiQueue queue_;
  RequestReader reader_{{.string_bytes_max = kValueBytesMax}};
};

}  // namespace ebla::gateway::redis
