// client/sdk/runtime.h
// State that a Client's handles share: event loops, connectors, the core, and the waiting that makes calls synchronous.
// Lifetime: held by Client, Table and Scanner, never by operations under way, so dropping the last handle closes the
// client. If that happens within a callback, a separate thread destroys it.
// Threads: any.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/core/admin/admin.h"
#include "client/core/calls/call.h"
#include "client/core/operations/client_core.h"
#include "common/base/mutex.h"
#include "common/rpc/event_loop.h"
#include "common/rpc/pipelined_channel.h"
#include "ebla/client.h"

namespace ebla::client {

class Runtime {
 public:
  static Result<std::shared_ptr<Runtime>> Make(const ClientOptions& options);
  // Over loops of the caller, which are started already, and stopped before the last handle is dropped. Without a
  // connector, over the network.
  using MakeConnector = std::function<std::unique_ptr<rpc::Connector>(rpc::EventLoop&)>;
  static Result<std::shared_ptr<Runtime>> MakeOver(const std::vector<rpc::EventLoop*>& loops, MakeConnector connector,
                                                   const ClientOptions& options);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // UNAVAILABLE: no master answers within the time, which is not asked for where it is zero.
  Status FindMaster(std::chrono::milliseconds timeout);

  ClientCore& core() { return *core_; }
  Admin& admin() { return *admin_; }

  // Starts an operation with the callback given to `start`, and waits for it. T is Status or a Result.
  template <class T, class Start>
  T Wait(Start start) {
    if (OnOwnThread()) return T(Error(BlockedStatus()));
    return WaitFor<T>(std::move(start));
  }
  // Makes one call to the leading master, and waits.
  template <class Request>
  Result<ReplyTo<Request>> Ask(Request request, MasterClient::CallOptions options = {}) {
    using Reply = Result<ReplyTo<Request>>;
    return Wait<Reply>([&](Callback<Reply> done) {
      admin_->Ask(std::move(request), std::move(options), OnceCallback<Reply>(std::move(done)));
    });
  }
  // Makes one call to a tablet server, and waits. Its refusals are the reply's.
  template <class Request>
  Result<ReplyTo<Request>> AskServer(const std::string& address, const Request& request, Duration timeout) {
    EBLA_ASSIGN(const rpc::Endpoint endpoint, rpc::Endpoint::Parse(address));
    using Reply = Result<ReplyTo<Request>>;
    return Wait<Reply>([&](Callback<Reply> done) {
      Call(*core_->network().To(endpoint), request, timeout, OnceCallback<Reply>(std::move(done)));
    });
  }
  // On one of the client's own threads, where nothing may wait.
  bool OnOwnThread() const;
  static Status BlockedStatus() {
    return {Code::kInvalidArgument, "a blocking call from a callback of this client: use the asynchronous one there"};
  }
  template <class T, class Start>
  static T WaitFor(Start start) {
    struct Answer {
      Mutex mutex;
      CondVar come;
      std::optional<T> value EBLA_GUARDED_BY(mutex);
    } answer;
    start(Callback<T>([&answer](T value) {
      // Notified under the lock, so that the waiting thread, which owns `answer`, cannot leave before this thread is
      // done with it.
      MutexLock lock(answer.mutex);
      answer.value.emplace(std::move(value));
      answer.come.NotifyOne();
    }));
    MutexLock lock(answer.mutex);
    while (!answer.value.has_value()) answer.come.Wait(answer.mutex);
    return *std::move(answer.value);
  }

 private:
  Runtime(const ClientOptions& options, std::vector<rpc::Endpoint> masters)
      : options_(options), masters_(std::move(masters)) {}
  static Result<MakeConnector> OverNetwork(const ClientOptions& options);
  static Result<std::vector<rpc::Endpoint>> CheckedMasters(const ClientOptions& options);
  static std::shared_ptr<Runtime> Shared(std::unique_ptr<Runtime> runtime);
  void OpenCore(const std::vector<rpc::EventLoop*>& loops, size_t connections, const MakeConnector& connector);

  const ClientOptions options_;
  const std::vector<rpc::Endpoint> masters_;
  // Destroyed from the last to the first: see ~Runtime.
  std::unique_ptr<ClientCore> core_;
  std::unique_ptr<Admin> admin_;
  std::vector<std::unique_ptr<rpc::EventLoop>> own_loops_;
  std::vector<rpc::EventLoop*> loops_;
  std::vector<std::unique_ptr<rpc::Connector>> connectors_;
};

// The target of a Table.
class TableHandle {
 public:
  TableHandle(std::shared_ptr<Runtime> runtime, TablePtr table)
      : runtime_(std::move(runtime)), table_(std::move(table)) {}

  Runtime& runtime() { return *runtime_; }
  ClientCore& core() { return runtime_->core(); }
  const TablePtr& table() const { return table_; }

 private:
  const std::shared_ptr<Runtime> runtime_;
  const TablePtr table_;
};

class TableAccess {
 public:
  static Table Make(std::shared_ptr<TableHandle> handle) { return Table(std::move(handle)); }
};

}  // namespace ebla::client
