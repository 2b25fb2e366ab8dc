// tabletserver/tablet/logged_records.h
// The records as a batch of writes finds them: its own effects so far, then the log's unapplied writes, then the store
// (PROTOCOL 29).
// Place:      write_evaluator.cc makes one for each batch; group_rows.h shows it to functions.
// Invariants: 1. A batch has one effect per key.
//             2. Scans need no snapshot over several calls: evaluation and append are one step of the core, and
//                nothing is applied meanwhile.
// Errors:     the store's: nothing is known, and nothing may be logged.
// Threads:    thread-compatible.
#pragma once

#include <absl/container/btree_set.h>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tabletserver/tablet/tablet_types.h"
#include "tabletserver/tablet/unapplied_writes.h"

namespace ebla::tabletserver {

// Reads of the store's applied records, expired or not.
struct RecordReaders {
  // The first ones of these keys, one at least, in their order.
  std::function<Result<std::vector<std::optional<StoredRecord>>>(std::span<const std::string_view> keys)> get;
  // In order, until the visitor returns false.
  std::function<Status(const ScanBounds& bounds, const RecordStore::Visitor& visitor)> scan;
  std::function<MonotonicTime()> now;  // bounds how long functions read; null: nothing does
};

// The effects of a batch so far.
class BatchEffects {
 public:
  // Whether several writes may change one key; else nothing looks for an earlier effect.
  BatchEffects(bool keys_repeat, size_t expected) : keys_repeat_(keys_repeat), index_(Order{&effects_}) {
    effects_.reserve(expected);
  }
  BatchEffects(const BatchEffects&) = delete;
  BatchEffects& operator=(const BatchEffects&) = delete;

  // The key's effect, to be filled in: a new one, or the earlier one, emptied.
  Effect& On(std::string key);
  const Effect* Find(std::string_view key) const;  // null: the batch has not changed it
  // The effect on the first changed key of the range, or on the last one; null: none.
  const Effect* Next(const KeyRange& range, bool reverse) const;
  size_t size() const { return effects_.size(); }
  std::vector<Effect> Take() { return std::move(effects_); }

 private:
  struct Order {
    using is_transparent = void;
    const std::vector<Effect>* effects;
    std::string_view KeyOf(size_t at) const { return (*effects)[at].key; }
    std::string_view KeyOf(std::string_view key) const { return key; }
    bool operator()(const auto& a, const auto& b) const { return KeyOf(a) < KeyOf(b); }
  };

  const bool keys_repeat_;
  std::vector<Effect> effects_;
  absl::btree_set<size_t, Order> index_;  // places in effects_, in the order of keys; empty unless keys repeat
};

// A record that lives, as a write finds it.
struct PresentRecord {
  std::string value;
  Version version;  // none: made by this very batch
  TabletTime expires_at;
};

struct SeenRecord {
  std::optional<PresentRecord> live;
  WriteStamp stamp;  // of the newest write, expired or a delete or not
};

class LoggedRecords {
 public:
  LoggedRecords(const BatchEffects& effects, UnappliedWrites& unapplied, const RecordReaders& readers, TabletTime now)
      : effects_(effects), unapplied_(unapplied), readers_(readers), now_(now) {}

  // To be asked for, in this order, by Next: the store is then asked for several at a time. The keys outlive it.
  void Expect(std::string_view key);
  Result<SeenRecord> Next(std::string_view key);
  Result<SeenRecord> Get(std::string_view key);
  // In order, until the visitor returns false. `live`: null if the record has expired, or is deleted
  // and still remembered. Valid during the visit only.
  struct Row {
    std::string_view value;
    Version version;
    TabletTime expires_at;
  };
  using Visitor = std::function<bool(std::string_view key, const Row* live)>;
  Status Scan(const ScanBounds& bounds, const Visitor& visitor);

 private:
  class NewerRows;

  bool Expired(TabletTime expires_at) const { return expires_at && expires_at <= now_; }
  bool SeesUnapplied() const;
  // OVERLOADED: the batch has read for so long that a shard would hold up all other tablets. Never logged.
  Status CheckTime();
  // None: only the store knows.
  std::optional<UnappliedWrites::Item> Newer(std::string_view key);
  SeenRecord See(const UnappliedWrites::Item& newer) const;
  SeenRecord See(std::optional<StoredRecord>&& stored) const;
  // The next of those that are expected of the store.
  Result<std::optional<StoredRecord>*> NextStored();

  const BatchEffects& effects_;
  UnappliedWrites& unapplied_;
  const RecordReaders& readers_;
  const TabletTime now_;
  std::vector<std::string_view> expected_;  // of the store
  size_t asked_ = 0;                        // of these
  std::vector<std::optional<StoredRecord>> read_;
  size_t taken_ = 0;  // of those read
  std::optional<MonotonicTime> reads_end_;
};

}  // namespace ebla::tabletserver
