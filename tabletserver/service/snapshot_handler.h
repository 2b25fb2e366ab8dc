// tabletserver/service/snapshot_handler.h
// Hands out all that a tablet held at one moment, page by page, for backups. One read of the store visits the whole
// tablet, and rests between pages until the next is asked for: what it sees is one snapshot, however long that takes.
// Place:      tablet_service.cc passes requests on that request_check.h has passed.
// Invariants: 1. A snapshot has everything acknowledged before it was begun: it is read at a primary whose lease holds
//                after the read has begun, and a primary acknowledges what it has applied.
//             2. One snapshot is read at a time. An abandoned snapshot ends after kPatience, or after
//                kPatienceWhileOthersWait if another client waits to begin one, and then holds neither store nor
//                tablet.
//             3. At most one page waits to be taken.
// Threads:    Answer and Stop from any. The reading has a thread of its own, the executor's, which waits.
#pragma once

#include <functional>
#include <memory>

#include "common/base/executor.h"
#include "idl/tablet_types.h"
#include "tabletserver/reads/tablet_directory.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

class SnapshotHandler {
 public:
  static constexpr size_t kPageBytes = 1 << 20;
  // The client's pause between pages: a backup puts a file of them into a store that may be far away. Less where
  // another waits.
  static constexpr std::chrono::seconds kPatience{60}, kPatienceWhileOthersWait{10};
  using Done = std::function<void(const idl::SnapshotReply&)>;

  // Without an executor it refuses all.
  SnapshotHandler(Executor* executor, TabletStore& store, const TabletDirectory& directory);
  ~SnapshotHandler() { Stop(); }

  void Answer(const idl::SnapshotRequest& request, Done done);
  // Ends what is being read, and begins nothing more.
  void Stop();

 private:
  class Reading;
  class State;

  const std::shared_ptr<State> state_;  // shared with what runs on the executor
};

}  // namespace ebla::tabletserver
