// tabletserver/reads/read_attempt.h
// One attempt of a read at a replica. Decides whether the view allows the requested level, which records of the store
// count, or which event the read must wait for first.
// Order:   Admit before the store is read; then Settle and ConfirmLogged. Lives of each record, while the store is read
//          or after that. read_path.h lists the events.
// Threads: one at a time; call, answer and handle outlive it.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/key_range.h"
#include "tabletserver/reads/read_call.h"
#include "tabletserver/reads/tablet_handle.h"

namespace ebla::tabletserver {

inline constexpr int64_t kNotReadyRetryMs = 5;
inline constexpr int64_t kFrozenRetryMs = 5;

// The next step of a read.
struct NextStep {
  enum class Kind : uint8_t {
    kDone,     // the result is final
    kAgain,    // read again at once: the tablet was split meanwhile
    kAwait,    // read again once the tablet has applied `upto`
    kLogged,   // read again with the log up to there
    kConfirm,  // read again once a majority has confirmed that this replica leads
    kPurge,    // read again once an entry of time `reached` is applied
    kOffload,  // read again on a reader's thread
  };
  Kind kind = Kind::kDone;
  Lsn upto;
  Version awaited;  // of the call, from now on
  TabletTime reached;
  std::vector<ExpiredKey> expired;
};

class TabletStore;

class ReadAttempt {
 public:
  // `handle`: null, if no replica is here.
  ReadAttempt(const TabletStore& store, const ReadCall& call, TabletHandle* handle, ReadAnswer& answer)
      : store_(store), call_(call), handle_(handle), answer_(answer) {}

  // Decides what the view allows and fills the answer's common part; true: read now. `now` was taken before. The read
  // is of one key, or of those that it touches.
  bool Admit(std::string_view key, MonotonicTime now) { return Admit(nullptr, key, now); }
  bool Admit(const KeyRange& touched, MonotonicTime now) { return Admit(&touched, {}, now); }

  // The call's slice of the log, where it is to be used; null: it is not.
  const LoggedSlice* logged() const;
  // After the store was read, which said this; false: the answer has its error, or the tablet changed meanwhile.
  bool Settle(Status read);
  // After the store was read with a slice, at that position; false: the replica no longer leads, so part of the slice
  // may have been rolled back before the snapshot, and the answer asks for a retry.
  bool ConfirmLogged(const LoggedSlice& logged, Lsn applied);

  // True: the record is there and lives. Else, where this read has to wait for that to be so, it is the next step.
  bool Lives(std::string_view key, const StoredRecord& record);
  // The record has expired, but no committed entry has a later time yet, so a STRONG read waits for one.
  bool WaitsForPurge(const StoredRecord& record) const;

  NextStep TakeStep() { return std::move(step_); }
  // The store is read anew: earlier records do not count.
  void Restart() { step_ = {}; }

 private:
  bool Admit(const KeyRange* touched, std::string_view key, MonotonicTime now);
  bool AdmitSession(const KeyRange& touched);
  bool AdmitAtPrimary(MonotonicTime now);
  // True: the tablet was split since the answer's view was taken, and is to be read again, by key; or merged, and the
  //       answer asks for a retry.
  bool ChangedMeanwhile();
  Duration bound() const;
  // These are false: not now.
  bool Refuse(Status why, int64_t retry_after_ms = -1);
  bool Postpone(NextStep step);

  const TabletStore& store_;
  const ReadCall& call_;
  TabletHandle* const handle_;
  ReadAnswer& answer_;
  NextStep step_;
};

}  // namespace ebla::tabletserver
