// tabletserver/reads/read_path.h
// Reads of one event loop: finds the tablet, checks that its view allows the level asked for, reads one snapshot of the
// store and judges expiry at tablet time. In the common case all of it happens at once on the loop, without a lock but
// that of the view's pointer, and without an allocation but the reply's.
// Order:      1. The time is taken, then the view with its lease, then the store is read (PROTOCOL 7, 21); whoever
//                holds the view keeps the data from being removed (8).
//             2. What a STRONG read must wait for is waited for through the shard (15). A SESSION read whose token
//                names what its primary has logged and not applied, such as a PRIMARY write without a majority, first
//                asks the shard for what the log holds of its keys, then reads the store, and takes of the former only
//                what lies above the snapshot's applied position (16). No other read looks into the unapplied writes.
//             3. A STRONG read that finds a record expired since the last applied entry answers once an entry of later
//                tablet time is applied (21).
// Disk:       Reads of a tablet whose reads have lately been slow, and large ones, go to the readers' executors, so
//             that those in cache are not held up (SlowReads). The tablet may have been split by when one comes to
//             them: what it covers is judged anew by the view that it is read under.
// Interface:  asynchronous: `done` runs once, inside the call where that is possible, else on this loop later.
// Threads:    one instance per event loop, used on that loop alone. Completions of offloaded reads run on a reader's
//             thread up to the reply, which is handed back to the loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/mailbox.h"
#include "common/base/status.h"
#include "tabletserver/reads/read_waits.h"
#include "tabletserver/reads/tablet_directory.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/tablet/session_token.h"

namespace ebla::tabletserver {

inline constexpr size_t kScanExaminedMax = 10'000;  // records per page
inline constexpr size_t kMultiGetReplyBytesMax = 8 << 20;

// What every read says.
struct ReadCall {
  TableId table;
  ReadLevel level = ReadLevel::kDefault;
  std::vector<TokenRange> token;  // SESSION
  Duration bounded{};             // BOUNDED: how old what is seen may be
  // What has been learnt since the read came, all of `asked`, the tablet that was asked last.
  TabletId asked;
  Epoch confirmed;  // a majority has confirmed this epoch
  // STRONG: the PRIMARY writes of that epoch that are waited for; those acknowledged later are not
  Version awaited;
  std::shared_ptr<const LoggedSlice> logged;  // SESSION: what the log held of its keys; shared, as calls are copied
  bool logged_refused = false;                // it is not to be had
  // an entry of this time is applied since the read met an expiry: what expires later lives
  TabletTime judged_at;
  MonotonicTime deadline = MonotonicTime::Max();

  // What is known of one tablet says nothing of another, though both may be in an epoch of the same number.
  void Ask(TabletId tablet) {
    if (std::exchange(asked, tablet) == tablet) return;
    confirmed = {};
    awaited = {};
    logged.reset();
    logged_refused = false;
    judged_at = {};
  }
};

// What every answer carries.
struct ReadAnswer {
  Status status;                           // OK, NOT_FOUND; else as ReplyHeader.code
  std::shared_ptr<const TabletView> view;  // of who answered; null: no replica here
  ReadLevel level = ReadLevel::kStrong;    // what the read was judged by: DEFAULT resolved
  Version applied;                         // covers everything the read saw; none: nothing applied does
  TabletTime time;
  int64_t retry_after_ms = -1;
};

struct GetCall : ReadCall {
  std::string key;
};
struct GetResult : ReadAnswer {
  std::optional<StoredRecord> record;
};

struct MultiGetCall : ReadCall {
  std::vector<std::string> keys;
};
struct MultiGetResult : ReadAnswer {
  struct Item {
    Code code = Code::kOk;  // OK, NOT_FOUND, INVALID_ARGUMENT, WRONG_TABLET, OVERLOADED
    StoredRecord record;
  };
  std::vector<Item> items;  // as many as keys, when the status is OK
};

struct ScanCall : ReadCall {
  KeyRange range;
  bool reverse = false;
  bool keys_only = false;
  size_t limit = 0;  // 0: none
  size_t page_bytes = 1 << 20;
};
struct ScanResult : ReadAnswer {
  std::vector<std::pair<std::string, StoredRecord>> records;
  KeyRange remaining;
  bool done = false;
};

// Readers' executors, taken in turn, and how many reads they have. Threads: any.
class ReaderPool {
 public:
  ReaderPool(std::vector<Executor*> executors, size_t reads_max)
      : executors_(std::move(executors)), reads_max_(reads_max) {}
  bool empty() const { return executors_.empty(); }
  // A place for one read; false: too many wait already.
  bool Enter();
  // Runs the read that has a place.
  void Run(Task task);
  size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

 private:
  const std::vector<Executor*> executors_;
  const size_t reads_max_;
  std::atomic<size_t> next_{0};
  std::atomic<size_t> waiting_{0};
};

class ReadPath {
 public:
  struct Ports {
    Executor& loop;
    size_t loop_index = 0;
    TaskMailbox& mailbox;  // of this loop
    TabletStore& store;
    const TabletDirectory& directory;
    std::vector<ReadWaits*> shards;  // by TabletHandle::shard
    ReaderPool& readers;
  };

  explicit ReadPath(Ports ports);

  // `key` need live only during the call. `done` takes a GetResult.
  template <class Done>
  void Get(const ReadCall& call, std::string_view key, Done done) {
    const std::shared_ptr<TabletHandle>* handle = Find(call.table, key);
    if (handle == nullptr || !ShouldOffload(**handle, 1)) {
      GetResult result;
      Attempt attempt = Read(handle == nullptr ? nullptr : handle->get(), call, key, result);
      if (attempt.next == Next::kDone) return done(std::move(result));
    }
    Serve(GetCall{call, std::string(key)}, std::move_only_function<void(GetResult)>(std::move(done)));
  }
  void MultiGet(MultiGetCall call, std::move_only_function<void(MultiGetResult)> done);
  void Scan(ScanCall call, std::move_only_function<void(ScanResult)> done);

  // The replica here that covers the key; null: none.
  const std::shared_ptr<TabletHandle>* Find(TableId table, std::string_view key) {
    return directory_.Get()->Find(table, key);
  }
  Executor& loop() const { return ports_.loop; }
  size_t loop_index() const { return ports_.loop_index; }

 private:
  enum class Next : uint8_t {
    kDone,     // the result stands
    kAgain,    // read again at once: the tablet was split meanwhile
    kAwait,    // read again once the tablet has applied `upto`
    kLogged,   // read again with what the log holds up to there
    kConfirm,  // read again once a majority has confirmed that this replica leads
    kPurge,    // read again once an entry of time `reached` is applied
  };
  struct Attempt {
    Next next = Next::kDone;
    Lsn upto;
    Version awaited;  // of the call, from now on
    TabletTime reached;
    std::vector<ExpiredKey> expired;
  };

  // Decides what the view allows and fills the answer's common part; true: read now.
  bool Admit(const ReadCall& call, const KeyRange* touched, std::string_view key, TabletHandle* handle,
             ReadAnswer& answer, Attempt& attempt) const;
  bool AdmitSession(const ReadCall& call, const KeyRange& touched, TabletHandle& handle, ReadAnswer& answer,
                    Attempt& attempt) const;
  bool AdmitAtPrimary(const ReadCall& call, const TabletHandle& handle, ReadAnswer& answer, MonotonicTime now,
                      Attempt& attempt) const;
  // These may run on a reader's thread.
  Attempt Read(TabletHandle* handle, const ReadCall& call, std::string_view key, GetResult& result) const;
  Attempt Read(TabletHandle* handle, const GetCall& call, GetResult& result) const {
    return Read(handle, call, call.key, result);
  }
  Attempt Read(TabletHandle* handle, const MultiGetCall& call, MultiGetResult& result) const;
  Attempt Read(TabletHandle* handle, const ScanCall& call, ScanResult& result) const;
  // The record has expired, and no entry that is committed says so yet: a STRONG read waits for one.
  static bool WaitsForPurge(const ReadAnswer& answer, const StoredRecord& record);
  // True: the record is there and lives. Else, where this read has to wait for that to be so, notes it in the attempt.
  static bool Lives(const ReadAnswer& answer, std::string_view key, const StoredRecord& record, Attempt& attempt);
  bool ShouldOffload(const TabletHandle& handle, size_t weight) const;

  // True: the tablet was split since the answer's view was taken, and is to be read again, by key; or merged, and the
  // answer says to retry.
  static bool ChangedMeanwhile(const TabletHandle& handle, ReadAnswer& answer, Attempt& attempt);
  // The call's slice of the log, where it is to be used; null: it is not.
  static const LoggedSlice* LoggedOf(const ReadCall& call, const ReadAnswer& answer);
  // After the store was read with a slice, at that position: that it still leads, so that nothing of the slice can have
  // been rolled back before the snapshot.
  static void ConfirmLogged(const TabletHandle& handle, const LoggedSlice& logged, Lsn applied, ReadAnswer& answer);

  std::shared_ptr<TabletHandle> Locate(const GetCall& call);
  std::shared_ptr<TabletHandle> Locate(const MultiGetCall& call);
  std::shared_ptr<TabletHandle> Locate(const ScanCall& call);

  // The whole course of a read, for those that may not complete at once.
  template <class Call, class Result>
  void Serve(Call call, std::move_only_function<void(Result)> done);
  template <class Call, class Result>
  void Offload(std::shared_ptr<TabletHandle> handle, Call call, std::move_only_function<void(Result)> done);
  template <class Call, class Result>
  void Finish(std::shared_ptr<TabletHandle> handle, Call call, Attempt attempt, Result result,
              std::move_only_function<void(Result)> done);

  Ports ports_;
  PublishedReader<TabletDirectory::Snapshot> directory_;
};

}  // namespace ebla::tabletserver
