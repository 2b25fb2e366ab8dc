#include "tabletserver/service/checksum_edge.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "common/base/crc32.h"
#include "common/base/encoding.h"
#include "common/base/mutex.h"
#include "common/rpc/idl_convert.h"
#include "tabletserver/service/translate.h"

namespace ebla::tabletserver {
namespace {

constexpr int64_t kRetryMs = 100;
constexpr Duration kRestMin = std::chrono::milliseconds(1);

// By what a record means rather than by its bytes on disk, whose format may differ between servers of two versions.
uint32_t Sum(std::string_view key, const StoredRecord& record, ByteWriter& scratch, uint32_t before) {
  scratch.Clear();
  scratch.Bytes(key).Bytes(record.value).Varint(record.version.epoch.value).Varint(record.version.lsn.value);
  scratch.Varint(record.expires_at.value).SignedVarint(record.write_time_ms).Bytes(record.writer);
  scratch.Byte(record.tombstone ? 1 : 0);
  return Crc32(scratch.view(), before);
}

Status ReadPage(TabletStore& store, const TabletHandle& handle, const std::string& from, idl::ChecksumReply& reply) {
  // Held throughout: nothing of the replica is removed meanwhile (PROTOCOL 8).
  const std::shared_ptr<const TabletView> view = handle.view();
  if (view == nullptr || view->role == RoleKind::kAbsent)
    return Error(Code::kWrongTablet, "the replica is being removed");
  if (view->incomplete) return Error(Code::kComeAgain, "the replica is being copied");
  const KeyRange rest = KeyRange{from, {}}.Intersect(view->range);
  ByteWriter scratch;
  uint32_t checksum = 0;
  reply.done = true;
  const auto visit = [&](std::string_view key, const StoredRecord& record) {
    if (reply.records == ChecksumEdge::kPageRecords || reply.bytes >= ChecksumEdge::kPageBytes) {
      reply.done = false;
      reply.nextKey = key;
      return false;
    }
    checksum = Sum(key, record, scratch, checksum);
    ++reply.records;
    reply.bytes += static_cast<int64_t>(key.size() + record.value.size());
    return true;
  };
  SnapshotPosition position{handle.tablet, {}};
  if (!rest.Empty()) EBLA_TRY(store.Scan(handle.table, {.range = rest}, visit, &position));
  // A split or merge in between: the range that was read is not what the position speaks of.
  const std::shared_ptr<const TabletView> after = handle.view();
  if (after == nullptr || handle.part_of_another() || after->incomplete || !(after->range == view->range)) {
    return Error(Code::kComeAgain, "the replica has changed its range");
  }
  reply.range = rpc::ToIdl(view->range);
  reply.appliedLsn = static_cast<int64_t>(position.applied.value);
  reply.checksum = checksum;
  reply.header.__set_epoch(static_cast<int64_t>(view->epoch.value));
  return Status::Ok();
}

}  // namespace

// The pages that are asked for, read one after the other.
class ChecksumEdge::Line : public std::enable_shared_from_this<Line> {
 public:
  struct Page {
    std::shared_ptr<TabletHandle> handle;
    std::string from;
    std::function<void(const idl::ChecksumReply&)> done;
  };

  Line(Executor& executor, TabletStore& store) : executor_(executor), store_(store) {}

  // False: too many wait.
  bool Join(Page page) {
    MutexLock lock(mutex_);
    if (unanswered_ >= kWaitingMax) return false;
    ++unanswered_;
    pages_.push_back(std::move(page));
    if (!std::exchange(busy_, true)) executor_.Post([self = shared_from_this()] { self->Read(); });
    return true;
  }

 private:
  void Read() {
    Page page;
    {
      MutexLock lock(mutex_);
      page = std::move(pages_.front());
      pages_.pop_front();
    }
    const MonotonicTime began = executor_.Now();
    idl::ChecksumReply reply;
    if (const Status status = ReadPage(store_, *page.handle, page.from, reply); !status.ok()) {
      reply = {};
      FillRefusal(status, status.code() == Code::kComeAgain ? kRetryMs : -1, reply.header);
    }
    page.handle.reset();
    {
      MutexLock lock(mutex_);
      --unanswered_;
    }
    executor_.After(std::max(executor_.Now() - began, kRestMin), [self = shared_from_this()] { self->Next(); });
    page.done(reply);
  }

  void Next() {
    {
      MutexLock lock(mutex_);
      busy_ = !pages_.empty();
      if (!busy_) return;
    }
    Read();
  }

  Executor& executor_;
  TabletStore& store_;
  Mutex mutex_;
  std::deque<Page> pages_ EBLA_GUARDED_BY(mutex_);  // those that wait
  bool busy_ EBLA_GUARDED_BY(mutex_) = false;       // a reading is posted, under way, or rests
  size_t unanswered_ EBLA_GUARDED_BY(mutex_) = 0;   // those that wait, and one that is being read
};

ChecksumEdge::ChecksumEdge(Executor& executor, TabletStore& store, const TabletDirectory& directory)
    : directory_(directory), line_(std::make_shared<Line>(executor, store)) {}

void ChecksumEdge::Answer(const idl::ChecksumRequest& request, std::function<void(const idl::ChecksumReply&)> done) {
  const auto refuse = [&done](const Status& status, int64_t retry_ms) {
    idl::ChecksumReply reply;
    FillRefusal(status, retry_ms, reply.header);
    done(reply);
  };
  std::shared_ptr<TabletHandle> handle = directory_.snapshot()->Find(
      TableId{static_cast<uint64_t>(request.header.tableId)}, TabletId{static_cast<uint64_t>(request.header.tabletId)});
  if (handle == nullptr) return refuse(Status(Code::kWrongTablet, "no replica of that tablet is here"), -1);
  if (!line_->Join({std::move(handle), request.fromKey, done})) {
    refuse(Status(Code::kOverloaded, "too many replicas are being checked here"), kRetryMs);
  }
}

}  // namespace ebla::tabletserver
