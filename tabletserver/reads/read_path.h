// tabletserver/reads/read_path.h
// Reads of one event loop: finds the tablet, checks that its view allows the level asked for, reads one snapshot of the
// store and judges expiry at tablet time. In the common case the loop does all this at once, with no lock but that of
// the view's pointer, and no allocation but the reply's.
// Order:      1. The time is taken, then the view with its lease, then the store is read (PROTOCOL 7, 21); a held view
//             keeps the data from being removed (PROTOCOL 8).
//             2. A STRONG read waits through the shard (PROTOCOL 15). A SESSION read whose token names what its primary
//                has logged and not applied, such as a PRIMARY write without a majority, first asks the shard for what
//                the log holds of its keys, then reads the store, and takes of the former only what lies above the
//                snapshot's applied position (PROTOCOL 16). No other read looks into the unapplied writes.
//             3. A STRONG read that finds a record expired since the last applied entry answers once an entry of later
//                tablet time is applied (PROTOCOL 21).
// Disk:       Reads of a tablet whose reads have lately been slow, and large ones, go to the readers' executors, so
//             that those in cache are not held up (SlowReads). The tablet may be split before such a read starts, so
//             its range is checked again against the view of then.
// Interface:  asynchronous: `done` runs once, inside the call where that is possible, else on this loop later.
// Threads:    one instance per event loop, used on that loop alone. Completions of offloaded reads run on a reader's
//             thread up to the reply, which is handed back to the loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/mailbox.h"
#include "tabletserver/reads/read_attempt.h"
#include "tabletserver/reads/read_call.h"
#include "tabletserver/reads/read_waits.h"
#include "tabletserver/reads/reader_pool.h"
#include "tabletserver/reads/tablet_directory.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

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
      const NextStep next = Read(handle == nullptr ? nullptr : handle->get(), call, key, result);
      if (next.kind == NextStep::Kind::kDone) return done(std::move(result));
    }
    Serve(GetCall{call, std::string(key)}, std::move_only_function<void(GetResult)>(std::move(done)));
  }
  void MultiGet(MultiGetCall call, std::move_only_function<void(MultiGetResult)> done);
  void Scan(ScanCall call, std::move_only_function<void(ScanResult)> done);
  void Apply(FunctionCall call, std::move_only_function<void(FunctionCallResult)> done);

  // The replica here that covers the key; null: none.
  const std::shared_ptr<TabletHandle>* Find(TableId table, std::string_view key) {
    return directory_.Get()->Find(table, key);
  }
  Executor& loop() const { return ports_.loop; }
  const TabletDirectory& directory() const { return ports_.directory; }
  size_t loop_index() const { return ports_.loop_index; }

 private:
  // These may run on a reader's thread.
  NextStep Read(TabletHandle* handle, const ReadCall& call, std::string_view key, GetResult& result) const;
  NextStep Read(TabletHandle* handle, const GetCall& call, GetResult& result) const {
    return Read(handle, call, call.key, result);
  }
  NextStep Read(TabletHandle* handle, const MultiGetCall& call, MultiGetResult& result) const;
  NextStep Read(TabletHandle* handle, const ScanCall& call, ScanResult& result) const;
  NextStep Read(TabletHandle* handle, const FunctionCall& call, FunctionCallResult& result) const;
  bool ShouldOffload(const TabletHandle& handle, size_t weight) const;

  std::shared_ptr<TabletHandle> Locate(const GetCall& call) { return Locate(call.table, call.key); }
  std::shared_ptr<TabletHandle> Locate(const FunctionCall& call) { return Locate(call.table, call.key); }
  std::shared_ptr<TabletHandle> Locate(TableId table, std::string_view key);
  std::shared_ptr<TabletHandle> Locate(const MultiGetCall& call);
  std::shared_ptr<TabletHandle> Locate(const ScanCall& call);

  // The whole course of a read, for those that may not complete at once.
  template <class Call, class Result>
  void Serve(Call call, std::move_only_function<void(Result)> done);
  template <class Call, class Result>
  void Offload(std::shared_ptr<TabletHandle> handle, Call call, std::move_only_function<void(Result)> done);
  template <class Call, class Result>
  void Finish(std::shared_ptr<TabletHandle> handle, Call call, NextStep next, Result result,
              std::move_only_function<void(Result)> done);

  Ports ports_;
  PublishedReader<TabletDirectory::Snapshot> directory_;
};

}  // namespace ebla::tabletserver
