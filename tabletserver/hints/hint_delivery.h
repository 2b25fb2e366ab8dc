// tabletserver/hints/hint_delivery.h
// Settles the stored acknowledged writes that are in no table here (PROTOCOL 22): writes of level ANY, and PRIMARY
// writes that a failover rolled back.
//
//   unresolved write                       becomes
//   puts and deletes with a stamp          delivered, effect by effect, to the key's primary, pass after pass, until
//     (last_write_wins)                    each is committed there or has lost; then forgotten. An effect too old to
//                                          be accepted stays as a conflict record
//   others, and those without a stamp      a conflict record, forgotten by itself only when the history applied here
//                                          has its version after all
//   any, of a dropped table                removed with the table's data, when the master orders that; the answer
//                                          NO_SUCH_TABLE counts only after the data is removed
//
// Passes:     in the order of the unresolved writes, a page at a time; each effect at most once in a pass. If a pass
//             leaves effects undelivered, another follows, after a delay that grows while passes deliver nothing; new
//             work starts one at once.
// Place:      shards store rolled-back writes, hinted_writes.h stores clients' ANY writes; tabletserver_host.h owns
//             this. A crash at any moment at most repeats a delivery, which changes nothing because equal stamps are
//             one write.
// Bounds:     entries and effects under way; the writers of unresolved entries bound their number.
// Threads:    Wake, List and Forget from any thread, figures() too; the rest on its executor. Destroyed when that runs
//             nothing any more.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "tabletserver/hints/delivery_route.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

// Whether an entry is to be delivered: puts and deletes of a last_write_wins table are. The result of a condition or an
// increment must not replace another history's record, so it stays as a conflict record.
bool Deliverable(const LogEntry& entry);

class HintDelivery {
 public:
  struct Options {
    Duration look = std::chrono::milliseconds(500);  // between looks whether anything is unresolved
    Duration backoff_first = std::chrono::milliseconds(100);
    Duration backoff_max = std::chrono::seconds(5);
    Duration conflicts = std::chrono::seconds(10);  // between passes over conflict records alone
    size_t entries_at_once = 256;
    size_t bytes_at_once = 16 << 20;
    size_t effects_at_once = 256;
    DeliveryRoute::Options route;
  };
  // Threads: any.
  struct Figures {
    std::atomic<int64_t> delivered{0};  // entries, since the start
    std::atomic<int64_t> dropped{0};    // entries whose table is gone
    // entries to be delivered, and conflict records, as the last pass left them
    std::atomic<int64_t> waiting{0};
    std::atomic<int64_t> conflicts{0};
    std::atomic<int64_t> oldest_age_ms{0};  // of what waits
  };
  struct Unresolved {
    UnresolvedLogEntry entry;
    bool waiting = false;   // to be delivered; else a conflict record
    bool repeated = false;  // the tablet's dedup window here knows the client's write under another version
  };

  HintDelivery(Options options, TabletStore& store, DeliveryRoute::Ports ports);

  void Start();
  // New work exists.
  void Wake();
  // A table's, after a place, as many as UnresolvedWrites::List lists; `done` runs on the executor.
  void List(TableId table, UnresolvedPosition after, size_t entries_max, size_t bytes_max,
            std::move_only_function<void(Result<std::vector<Unresolved>>)> done);
  // NOT_FOUND when it is not there.
  void Forget(TableId table, UnresolvedPosition place, std::move_only_function<void(Status)> done);
  const Figures& figures() const { return figures_; }

 private:
  struct Entry {
    UnresolvedLogEntry unresolved;
    size_t left = 0;  // effects without a verdict
    bool again = false;
    bool stuck = false;
    bool gone = false;
  };
  struct Job {
    std::shared_ptr<Entry> entry;
    size_t effect = 0;
  };
  struct Pass {
    UnresolvedPosition place;
    size_t open = 0;  // entries of the page under way
    int64_t waiting = 0;
    int64_t conflicts = 0;
    TabletTime oldest;
    bool progress = false;
  };

  void Look();
  void Begin();
  void NextPage();
  void Consider(UnresolvedLogEntry unresolved);
  void Pump();
  void OnEffect(const std::shared_ptr<Entry>& entry, const Status& status);
  void Settle(Entry& entry);
  void End();
  std::shared_ptr<TabletHandle> HistoryOf(const UnresolvedLogEntry& unresolved) const;
  bool InHistory(const UnresolvedLogEntry& unresolved) const;
  bool TableGoneHere(TableId table) const;
  bool ForgetNow(const UnresolvedLogEntry& unresolved);
  void MarkRepeated(std::shared_ptr<std::vector<Unresolved>> listed,
                    std::move_only_function<void(Result<std::vector<Unresolved>>)> done);

  const Options options_;
  TabletStore& store_;
  const DeliveryRoute::Ports ports_;
  DeliveryRoute route_;
  Figures figures_;

  // Executor only.
  bool under_way_ = false;
  bool woken_ = false;
  Pass pass_;
  std::deque<Job> jobs_;
  size_t sending_ = 0;
  std::set<std::pair<TabletId, Version>> stuck_;  // too old to be taken, as the primary said in this life
  Duration backoff_{0};
  MonotonicTime next_;  // pass, unless woken
};

}  // namespace ebla::tabletserver
