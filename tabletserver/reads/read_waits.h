// tabletserver/reads/read_waits.h
// The events that a read may wait for before its tablet answers: a position applied, a majority's confirmation, a slice
// of the log.
// Place:   the tablet's shard does the waiting (shard/read_waiters.h); read_path.h asks for it and reads again
//          afterwards.
// Bounds:  an implementation may refuse with OVERLOADED when too many wait.
// Threads: any thread calls; `done` runs on the event loop that the call names by its index.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "common/base/executor.h"
#include "common/base/status.h"
#include "tabletserver/reads/tablet_handle.h"
#include "tabletserver/tablet/tablet_types.h"

namespace ebla::tabletserver {

class ReadWaits {
 public:
  virtual ~ReadWaits() = default;

  using Done = std::move_only_function<void(Status)>;
  // OK once the tablet has applied `upto`, which it has appended; else the error (a deadline is noticed within a tick).
  virtual void AwaitApplied(std::shared_ptr<TabletHandle> handle, Lsn upto, MonotonicTime deadline, size_t loop,
                            Done done) = 0;
  // The tablet's logged effects in the range, up to `upto`, above its applied position. An error: they are unavailable,
  // and the read has to wait.
  using LoggedDone = std::move_only_function<void(Result<std::shared_ptr<const LoggedSlice>>)>;
  virtual void TakeLogged(std::shared_ptr<TabletHandle> handle, KeyRange range, Lsn upto, size_t records_max,
                          size_t loop, LoggedDone done) = 0;
  // Removes expired records through the log; `done` (may be null) gets OK once an entry with the tablet time `reached`
  // is applied; else the error (a deadline is noticed within a tick).
  virtual void PurgeExpired(std::shared_ptr<TabletHandle> handle, std::vector<ExpiredKey> keys, TabletTime reached,
                            MonotonicTime deadline, size_t loop, Done done) = 0;
  // OK once a majority has confirmed, in a round begun after this call, that the replica still leads; else the error.
  virtual void ConfirmLeadership(std::shared_ptr<TabletHandle> handle, MonotonicTime deadline, size_t loop,
                                 Done done) = 0;
};

}  // namespace ebla::tabletserver
