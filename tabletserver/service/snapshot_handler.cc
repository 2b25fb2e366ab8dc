#include "tabletserver/service/snapshot_handler.h"

#include <optional>
#include <utility>

#include "common/base/mutex.h"
#include "common/rpc/idl_convert.h"
#include "tabletserver/service/translate.h"

namespace ebla::tabletserver {
namespace {

constexpr int64_t kAgainMs = 200;

void Refuse(const SnapshotHandler::Done& done, Code code, const std::string& why) {
  idl::SnapshotReply reply;
  FillRefusal(Error(code, why), code == Code::kComeAgain ? kAgainMs : -1, reply.header);
  done(reply);
}

// Why what a read that has begun shows is not all that was acknowledged; OK: it is.
Status CheckLeads(const TabletHandle& handle, const KeyRange& range, MonotonicTime now) {
  const std::shared_ptr<const TabletView> view = handle.view();
  if (view == nullptr || handle.part_of_another() || !(view->range == range))
    return Error(Code::kComeAgain, "the tablet has changed its range");
  if (view->role != RoleKind::kPrimary) return Error(Code::kNotPrimary, "this replica is not the tablet's primary");
  if (!view->barrier_applied || view->lease_until <= now)
    return Error(Code::kComeAgain, "the tablet's primary is not sure yet that it is");
  return {};
}

}  // namespace

// One snapshot, under a number that is unlikely to repeat, even in another start. Its reader makes pages, and requests
// take them.
class SnapshotHandler::Reading {
 public:
  Reading(int64_t id, Done first) : id_(id), asking_(std::move(first)) {}

  int64_t id() const { return id_; }

  // False: another call of it waits already.
  bool Ask(Done done) {
    MutexLock lock(mutex_);
    if (asking_) return false;
    if (!ready_) {
      asking_ = std::move(done);
      return true;
    }
    done(*ready_);
    ready_.reset();
    changed_.NotifyAll();
    return true;
  }
  // Waits until there is room for the page; false: the client has gone.
  bool Give(idl::SnapshotReply page) {
    page.snapshotId = id_;
    MutexLock lock(mutex_);
    AwaitEmpty();
    if (ready_ || stopped_) return false;
    if (asking_) {
      std::exchange(asking_, nullptr)(page);
    } else {
      ready_ = std::move(page);
      ready_since_ = std::chrono::steady_clock::now();
    }
    return true;
  }
  // Until the last page is taken.
  void AwaitTaken() {
    MutexLock lock(mutex_);
    AwaitEmpty();
  }
  // The ready page has not been requested for so long.
  bool LeftAlone(std::chrono::milliseconds least) {
    MutexLock lock(mutex_);
    return ready_ && std::chrono::steady_clock::now() >= ready_since_ + least;
  }
  void Stop(const std::string& why) {
    MutexLock lock(mutex_);
    stopped_ = true;
    if (asking_) Refuse(std::exchange(asking_, nullptr), Code::kUnavailable, why);
    changed_.NotifyAll();
  }

 private:
  void AwaitEmpty() EBLA_REQUIRES(mutex_) {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (ready_ && !stopped_) {
      if (!changed_.WaitUntil(mutex_, until)) return;
    }
  }

  const int64_t id_;
  Mutex mutex_;
  CondVar changed_;
  Done asking_ EBLA_GUARDED_BY(mutex_);
  std::optional<idl::SnapshotReply> ready_ EBLA_GUARDED_BY(mutex_);
  std::chrono::steady_clock::time_point ready_since_ EBLA_GUARDED_BY(mutex_){};
  bool stopped_ EBLA_GUARDED_BY(mutex_) = false;
};

class SnapshotHandler::State : public std::enable_shared_from_this<State> {
 public:
  State(Executor* executor, TabletStore& store, const TabletDirectory& directory)
      : executor_(executor), store_(store), directory_(directory) {}

  void Begin(const idl::RequestHeader& header, Done done) {
    const std::shared_ptr<TabletHandle> handle = directory_.snapshot()->Find(
        TableId{static_cast<uint64_t>(header.tableId)}, TabletId{static_cast<uint64_t>(header.tabletId)});
    if (handle == nullptr) return Refuse(done, Code::kWrongTablet, "the tablet is not on this server");
    // Its records change under one lock, which a snapshot of a whole tablet would hold for minutes.
    if (store_.InMemory(handle->table)) {
      return Refuse(done, Code::kInvalidArgument, "a table in memory has no snapshots: it cannot be backed up");
    }
    std::shared_ptr<Reading> reading, other;
    {
      MutexLock lock(mutex_);
      other = reading_;
      if (!stopped_ && executor_ != nullptr && reading_ == nullptr)
        reading = reading_ = std::make_shared<Reading>(static_cast<int64_t>(executor_->Random() >> 2) + 1, done);
    }
    // Its reader may have ended. A client that wants another one retries, and finds none.
    if (other != nullptr && other->LeftAlone(kPatienceWhileOthersWait)) other->Stop("another snapshot is wanted");
    if (reading == nullptr) return Refuse(done, Code::kComeAgain, "this server reads another snapshot, or is stopping");
    executor_->Post([self = shared_from_this(), reading, handle] {
      self->Read(*reading, *handle);
      MutexLock lock(self->mutex_);
      self->reading_.reset();
    });
  }

  void Continue(int64_t id, bool end, Done done) {
    const std::shared_ptr<Reading> reading = Current();
    if (reading == nullptr || reading->id() != id)
      return Refuse(done, Code::kNotFound, "this server reads no such snapshot any more: begin one");
    if (end) {
      reading->Stop("the snapshot was ended");
      return done({});
    }
    if (!reading->Ask(done)) Refuse(done, Code::kInvalidArgument, "a page of this snapshot is asked for already");
  }

  void Stop() {
    std::shared_ptr<Reading> reading;
    {
      MutexLock lock(mutex_);
      stopped_ = true;
      reading = reading_;
    }
    if (reading != nullptr) reading->Stop("the server is stopping");
  }

 private:
  std::shared_ptr<Reading> Current() {
    MutexLock lock(mutex_);
    return reading_;
  }

  void Read(Reading& reading, const TabletHandle& handle) {
    // Held throughout: nothing of the replica is removed meanwhile (PROTOCOL 8).
    const std::shared_ptr<const TabletView> view = handle.view();
    Status failure = view == nullptr ? Error(Code::kWrongTablet, "the replica is being removed")
                                     : CheckLeads(handle, view->range, executor_->Now());
    if (!failure.ok()) return Fail(reading, failure);
    SnapshotPosition position{handle.tablet, {}};
    idl::SnapshotReply page;
    size_t bytes = 0;
    bool begun = false, taken = true;
    // The store's snapshot is taken by now. A primary that still has a lease had all acknowledged writes.
    const auto begin = [&] {
      failure = CheckLeads(handle, view->range, executor_->Now());
      return failure.ok();
    };
    const auto give = [&](bool done) {
      page.range = rpc::ToIdl(view->range);
      page.appliedLsn = static_cast<int64_t>(position.applied.value);
      page.done = done;
      page.header.__set_epoch(static_cast<int64_t>(view->epoch.value));
      bytes = 0;
      return reading.Give(std::exchange(page, {}));
    };
    const auto visit = [&](std::string_view key, const StoredRecord& record) {
      if (!std::exchange(begun, true) && !begin()) return false;
      if (record.tombstone) return true;
      if (bytes >= kPageBytes && !(taken = give(false))) return false;
      idl::SnapshotRecord& to = page.records.emplace_back();
      to.key = key;
      to.value = record.value;
      to.version = rpc::ToIdl(record.version);
      if (record.expires_at) to.__set_expiresAtMs(static_cast<int64_t>(record.expires_at.value));
      bytes += key.size() + record.value.size() + 32;
      return true;
    };
    const Status read = store_.Scan(handle.table, {.range = view->range, .read_once = true}, visit, &position);
    if (!taken) return;
    if (!begun && read.ok()) begin();
    if (!read.ok()) failure = read;
    if (!failure.ok()) return Fail(reading, failure);
    if (give(true)) reading.AwaitTaken();
  }

  static void Fail(Reading& reading, const Status& why) {
    idl::SnapshotReply reply;
    FillRefusal(why, why.code() == Code::kComeAgain ? kAgainMs : -1, reply.header);
    if (reading.Give(std::move(reply))) reading.AwaitTaken();
  }

  Executor* const executor_;
  TabletStore& store_;
  const TabletDirectory& directory_;
  Mutex mutex_;
  std::shared_ptr<Reading> reading_ EBLA_GUARDED_BY(mutex_);
  bool stopped_ EBLA_GUARDED_BY(mutex_) = false;
};

SnapshotHandler::SnapshotHandler(Executor* executor, TabletStore& store, const TabletDirectory& directory)
    : state_(std::make_shared<State>(executor, store, directory)) {}

void SnapshotHandler::Answer(const idl::SnapshotRequest& request, Done done) {
  if (request.snapshotId == 0) return state_->Begin(request.header, std::move(done));
  state_->Continue(request.snapshotId, request.endNow, std::move(done));
}

void SnapshotHandler::Stop() { state_->Stop(); }

}  // namespace ebla::tabletserver
