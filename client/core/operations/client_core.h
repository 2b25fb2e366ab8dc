// client/core/operations/client_core.h
// The asynchronous client, whole: tables, operations with their retries, administration. It owns no thread and no
// socket; it runs over I/O contexts (executor, connector), so the same client serves applications over TCP and, in one
// thread, the simulator.
//
//   caller's thread                      the channel's executor
//   Get(): place from the cache,         reply: decode, judge (retry_policy.h):
//          encode, Channel::Call   --->    final: callback
//                                          else: hint or look-up, backoff, encode, Channel::Call again
//
// Place:   client/sdk/runtime.h makes the contexts for applications; client/sdk/table.cc adds waiting; tests and the
//          simulator use this class itself.
// Contract: callbacks run exactly once, on a context's executor or within the call that started the operation. After
//          Close(), and once the contexts' executors have stopped, the operations that their tasks and channels held
//          have ended; only then may the core be destroyed.
// Threads: any. An operation is touched by one thread at a time: the caller's, then whichever brings its next event.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/core/calls/deadline.h"
#include "client/core/calls/once_callback.h"
#include "client/core/operations/write_admission.h"
#include "client/core/routing/master_client.h"
#include "client/core/routing/network.h"
#include "client/core/routing/router.h"
#include "client/core/session/session_state.h"
#include "common/base/mutex.h"
#include "ebla/options.h"
#include "ebla/table.h"

namespace ebla::client {

struct CoreOptions {
  std::vector<rpc::Endpoint> masters;            // at least one
  Duration deadline = std::chrono::seconds(10);  // of operations that set none
  ClientLocation location;                       // reads below STRONG go to the nearest replica
};

// A table as opened by name. Its router is replaced when the table was dropped and made again under the same name.
class TableState {
 public:
  TableState(std::string name, std::shared_ptr<Router> router, Read::Level default_read, Ack default_ack)
      : name_(std::move(name)), default_read_(default_read), default_ack_(default_ack), router_(std::move(router)) {}

  const std::string& name() const { return name_; }
  std::shared_ptr<Router> router() const {
    ReaderLock lock(mutex_);
    return router_;
  }
  void Replace(std::shared_ptr<Router> router) {
    WriterLock lock(mutex_);
    router_ = std::move(router);
  }
  // The table's default levels when it was opened, by which the client chooses replicas for a read or write without a
  // level. Servers know the present defaults, and refuse requests that they may not serve.
  Read::Level default_read() const { return default_read_; }
  Ack default_ack() const { return default_ack_; }
  // The bytes with which functions have answered of late, on average: what is expected of the next one. If two threads
  // note at once, one note is lost, which only makes the guess worse.
  size_t answer_bytes() const { return answers_noted_.load(std::memory_order_relaxed) / kAnswersOfLate; }
  void NoteAnswer(size_t bytes) {
    const size_t noted = answers_noted_.load(std::memory_order_relaxed);
    answers_noted_.store(noted - noted / kAnswersOfLate + bytes, std::memory_order_relaxed);
  }

 private:
  static constexpr size_t kAnswersOfLate = 16;

  const std::string name_;
  const Read::Level default_read_;
  const Ack default_ack_;
  std::atomic<size_t> answers_noted_ = 0;  // so many times the average
  mutable SharedMutex mutex_;
  std::shared_ptr<Router> router_ EBLA_GUARDED_BY(mutex_);
};
using TablePtr = std::shared_ptr<TableState>;

class ClientCore {
 public:
  ClientCore(std::vector<IoContext> io_contexts, CoreOptions options);
  ClientCore(const ClientCore&) = delete;
  ClientCore& operator=(const ClientCore&) = delete;

  // Lets go of channels and of writes that wait for room. New operations after this are refused.
  void Close();

  void OpenTable(std::string name, OnceCallback<Result<TablePtr>> done);

  void Get(TablePtr table, std::string_view key, const GetOptions& options, Callback<Result<Record>> done);
  void Call(TablePtr table, std::string_view key, std::string_view function, std::string arguments,
            const GetOptions& options, Callback<Result<std::string>> done);
  void GetEach(TablePtr table, std::vector<std::string> keys, const GetOptions& options,
               EachCallback<Result<Record>> each);
  void Write(TablePtr table, Batch batch, const WriteOptions& options, Callback<Result<BatchResult>> done);
  void WriteEach(TablePtr table, std::vector<Batch::Part> parts, const WriteOptions& options,
                 EachCallback<Result<PartResult>> each);
  void ScanPage(TablePtr table, ScanOptions options, Callback<Result<ebla::ScanPage>> done);

  // ---- for operations ----
  Network& network() { return network_; }
  MasterClient& masters() { return masters_; }
  WriteAdmission& write_admission() { return write_admission_; }
  Duration DeadlineOr(std::chrono::milliseconds asked) const {
    return asked.count() > 0 ? DeadlineOf(asked) : options_.deadline;
  }
  // The table's id was refused: finds by name what it is now, and answers with the router to go on with.
  void Reopen(TablePtr table, TableId refused, Duration timeout, OnceCallback<Result<std::shared_ptr<Router>>> done);

 private:
  struct Described {
    TableId id;
    Read::Level default_read = Read::Level::kStrong;
    Ack default_ack = Ack::kMajority;
  };
  void Describe(std::string name, Duration timeout, OnceCallback<Result<Described>> done);

  const CoreOptions options_;
  Network network_;
  MasterClient masters_;
  WriteAdmission write_admission_;
};

}  // namespace ebla::client
