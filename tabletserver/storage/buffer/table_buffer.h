// tabletserver/storage/buffer/table_buffer.h
// The applied changes of a table on disk that are in no file yet, and the sorted runs below them. The changes are
// records, and with them the applied states and dedup window rows of the table's tablets.
// Why:        a put that searches the file's b-tree costs several times what a put here does. Overwrites of one key and
//             dedup rows that the next writes erase never reach the disk.
// Place:      ../wiredtiger/wt_record_store.h puts and reads; ../wiredtiger/wt_buffer_writer.h writes generations to
//             the file.
// How:        a list of generations. The latest takes changes. Once it is frozen, nothing changes it, and one
//             transaction writes it.
// Invariants: 1. A generation has the changes of whole Applies: file and states agree after each of them.
//             2. Generations are written in their order. A generation stays readable here until the file has it.
// Threads:    any, but one tablet is changed only from its shard. Lock order: this mutex before WiredTiger's locks.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/encoding.h"
#include "common/base/mutex.h"
#include "tabletserver/storage/buffer/sorted_rows.h"
#include "tabletserver/storage/buffer/unwritten_dedup_rows.h"
#include "tabletserver/storage/in_memory/fair_shared_mutex.h"
#include "tabletserver/storage/records/record_store.h"
#include "tabletserver/storage/runs/run_set.h"

namespace ebla::tabletserver {

// The changes of a tablet's rows beside its records.
struct TabletChanges {
  bool forget = false;                  // all rows of the tablet go first
  std::optional<AppliedState> applied;  // none: unchanged, or forgotten
  UnwrittenDedupRows dedup_window;
};

struct BufferGeneration {
  bool empty() const { return rows.empty() && tablets.empty(); }

  SortedRows rows;
  std::map<TabletId, TabletChanges> tablets;
};

class TableBuffer {
 public:
  using Generations = std::vector<std::shared_ptr<BufferGeneration>>;  // the latest first

  // `bytes` counts all buffers' together.
  explicit TableBuffer(std::atomic<int64_t>& bytes);
  ~TableBuffer();
  TableBuffer(const TableBuffer&) = delete;
  TableBuffer& operator=(const TableBuffer&) = delete;

  // ---- changes -----------------------------------------------------------------------------------------------------
  // All batches are this table's. The generation is frozen once it has generation_bytes_max.
  void Apply(std::span<const ApplyBatch> batches, int64_t generation_bytes_max);
  // Records of a copy, which no tablet has applied.
  void Put(std::span<const std::pair<std::string, StoredRecord>> records, int64_t generation_bytes_max);
  // True if it knows the tablet: then the next generation removes the tablet's rows.
  bool Forget(TabletId tablet);
  int64_t bytes() const;

  // ---- reads -------------------------------------------------------------------------------------------------------
  // Keeps the table as it is for as long as it lives. The runs, and a snapshot of the database that begins meanwhile,
  // agree with the buffer.
  class Reader {
   public:
    explicit Reader(const TableBuffer& buffer) : buffer_(buffer), lock_(buffer.mutex_) {}
    // False: the buffer does not know the tablet; the file has its position.
    bool SetPosition(SnapshotPosition& position) const;
    // None: the runs have the row, if there is one.
    std::optional<SortedRows::Bytes> Find(std::string_view key) const;
    RunSetPtr runs() const;

   private:
    friend class BufferSnapshot;
    const TableBuffer& buffer_;
    const TableReaderLock lock_;
  };

  // ---- writing to the file -----------------------------------------------------------------------------------------
  // One thread at a time writes generations.
  Mutex& write_mutex() EBLA_RETURN_CAPABILITY(write_mutex_) { return write_mutex_; }
  // All frozen generations, the oldest first.
  Generations Frozen() const EBLA_REQUIRES(write_mutex_);
  // Freezes the latest one, too.
  Generations ToWrite() EBLA_REQUIRES(write_mutex_);
  // The generation is in these runs.
  void Written(const BufferGeneration& generation, RunSetPtr runs) EBLA_REQUIRES(write_mutex_);
  RunSetPtr runs() const;
  // The runs change only under write_mutex(), and hold the same rows afterwards, but for holes.
  void SetRuns(RunSetPtr runs) EBLA_REQUIRES(write_mutex_);
  bool AnyIn(const KeyRange& range) const;

 private:
  friend class BufferSnapshot;
  friend class BufferScan;
  BufferGeneration& Latest() EBLA_REQUIRES(mutex_) { return *generations_.front(); }
  ChangeNumber BeginChange() EBLA_REQUIRES(mutex_);
  void EndChange(int64_t generation_bytes_max) EBLA_REQUIRES(mutex_);
  void Put(const ApplyBatch& batch, ChangeNumber scanned) EBLA_REQUIRES(mutex_);
  void Freeze() EBLA_REQUIRES(mutex_);
  void Count() EBLA_REQUIRES(mutex_);

  std::atomic<int64_t>& all_bytes_;
  Mutex write_mutex_;
  mutable FairSharedMutex mutex_;
  Generations generations_ EBLA_GUARDED_BY(mutex_);
  RunSetPtr runs_ EBLA_GUARDED_BY(mutex_) = std::make_shared<const RunSet>();
  std::unordered_map<TabletId, Lsn> applied_ EBLA_GUARDED_BY(mutex_);  // 0: forgotten
  ChangeNumber change_ EBLA_GUARDED_BY(mutex_) = 0;
  int64_t counted_ EBLA_GUARDED_BY(mutex_) = 0;  // of it in all_bytes_
  ByteWriter scratch_ EBLA_GUARDED_BY(mutex_);
  mutable Mutex scans_mutex_;  // after mutex_
  mutable std::multiset<ChangeNumber> scans_ EBLA_GUARDED_BY(scans_mutex_);
};

// The rows of a buffer as they were when it was made. It keeps the versions that its reads may need.
// Threads: thread-compatible.
class BufferSnapshot {
 public:
  // `reader` is the buffer's own, and may end before the snapshot.
  explicit BufferSnapshot(const TableBuffer::Reader& reader);
  ~BufferSnapshot();
  BufferSnapshot(const BufferSnapshot&) = delete;
  BufferSnapshot& operator=(const BufferSnapshot&) = delete;

  // None: the runs have the row, if there is one. Valid as long as the snapshot.
  std::optional<SortedRows::Bytes> Find(std::string_view key) const;

 private:
  friend class BufferScan;
  const TableBuffer& buffer_;
  const ChangeNumber change_;
  const TableBuffer::Generations generations_;
};

// The rows of a snapshot in order, which outlives the scan.
// Threads: thread-compatible.
class BufferScan {
 public:
  BufferScan(const BufferSnapshot& snapshot, const KeyRange& range, bool reverse);
  BufferScan(const BufferScan&) = delete;
  BufferScan& operator=(const BufferScan&) = delete;

  bool valid() const { return at_ != nullptr; }
  // Only while valid(); the views are valid as long as the scan.
  std::string_view key() const;
  SortedRows::Bytes row() const;
  void Next();

 private:
  struct Source {
    const BufferGeneration& generation;
    KeyRange rest;  // what is not in the page yet
    // Few at first, because a short scan takes most rows from the runs.
    size_t page_rows = 4;
    SortedRows::Page page = {};
    size_t next = 0;  // of the page
    bool valid() const { return next < page.rows.size(); }
    std::string_view key() const { return page.rows[next].key; }
  };
  void Choose();
  void Advance(Source& source);

  const BufferSnapshot& snapshot_;
  const bool reverse_;
  std::vector<Source> sources_;  // the latest generation first
  Source* at_ = nullptr;
};

}  // namespace ebla::tabletserver
