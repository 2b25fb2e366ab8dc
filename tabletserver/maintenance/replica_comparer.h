// tabletserver/maintenance/replica_comparer.h
// Compares each replica of this server with another one, page by page, and so finds records that differ although no
// checksum is wrong. docs/design/storage.md has the consequences.
// How:        in the order of their names, each voter compares itself with the next, the last with the first. If a page
//             differs, it asks all voters. Each replica reports on itself alone: if most voters prove it wrong, its
//             server's heartbeat marks it as damaged, as with a damaged file.
// Place:      the second half of a pass of scrubber.h. page_comparison.h decides; replica_asker.h asks.
// Invariants: 1. A replica is reported only after two looks, a while apart, that each proved a difference.
//             2. A report ends with its replica, or when a pass finds it equal again.
// Errors:     a page that cannot be compared now (its server is away, it is written all the time, a split is on its
//             way) is counted, and looked at again in the next pass.
// Threads:    CompareAll on one thread, which waits for others; the rest from any.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/mutex.h"
#include "tabletserver/maintenance/page_comparison.h"
#include "tabletserver/maintenance/replica_asker.h"
#include "tabletserver/reads/tablet_directory.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

class ReplicaComparer {
 public:
  struct Ports {
    ServerName self;
    TabletStore& store;
    const TabletDirectory& directory;
    // Functions of replica_asker.h.
    std::function<Result<std::vector<ReplicaAsker::Holder>>(TableId, TabletId, const KeyRange&)> voters;
    std::function<Result<RecordPage>(const ReplicaAsker::Holder&, TableId, TabletId, const std::string& from)> ask;
    std::function<bool(Duration)> pause;
  };
  struct Options {
    int looks = 8;  // at a page, in pairs, before it is left for the next pass
    // Between looks at a page that is written: followers learn within 150 ms what is committed.
    Duration rest = std::chrono::milliseconds(200);
    Duration second_look = std::chrono::seconds(2);  // after a difference
  };
  // The findings about a replica.
  struct Verdict {
    bool odd = false;                // the other voters agree that it is wrong
    std::vector<ServerName> others;  // it is not odd: these differ from it, and no majority tells which is right
  };
  struct State {
    uint64_t pages = 0;   // compared
    uint64_t missed = 0;  // pages and tablets that could not be
    uint64_t differences = 0;
    size_t odd = 0;        // replicas now
    size_t undecided = 0;  // replicas now
  };

  ReplicaComparer(Ports ports, Options options) : ports_(std::move(ports)), options_(options) {}

  // Compares all replicas once; ends when `pace` or a pause returns so. Rests by `pace` after each pair of pages, with
  // the bytes of both, because a server is asked as much as it asks.
  Status CompareAll(const TabletStore::ScrubPace& pace);
  // The verdict on the handle's replica with its present view; a replica that is being copied is a new one.
  Verdict Of(const std::shared_ptr<TabletHandle>& handle, const TabletView& view);
  State state() const;

 private:
  struct Found {
    std::weak_ptr<TabletHandle> handle;
    Verdict verdict;
  };
  // One page of one replica.
  struct Page {
    const std::shared_ptr<TabletHandle>& handle;
    const std::vector<ReplicaAsker::Holder>& others;
    std::string from;
    RecordPage mine;  // the latest
  };
  enum class Step : uint8_t { kNext, kTabletDone, kStopped };

  bool Compare(const std::shared_ptr<TabletHandle>& handle, const TabletStore::ScrubPace& pace);
  std::vector<ReplicaAsker::Holder> Others(const TabletHandle& handle, const KeyRange& range);
  Step ComparePage(Page& page, size_t& partner, bool& whole, const TabletStore::ScrubPace& pace);
  // None: to be stopped.
  std::optional<ComparedReplica> LookAt(Page& page, const ReplicaAsker::Holder& other,
                                        const TabletStore::ScrubPace& pace);
  std::optional<Judgement> AskAll(Page& page, const TabletStore::ScrubPace& pace);
  void Note(const Page& page, const Judgement& judgement);
  void Miss(const TabletHandle& handle, const std::string& why);
  void ForgetGone();

  const Ports ports_;
  const Options options_;
  mutable Mutex mutex_;
  State state_ EBLA_GUARDED_BY(mutex_);
  std::map<TabletId, Found> found_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::tabletserver
