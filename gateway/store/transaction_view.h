// gateway/store/transaction_view.h
// A transaction's view of a store: the records that it has loaded, and its own writes over them. No other client sees
// these before Commit(), which succeeds only if the loaded records are unchanged. So every decision on the view's
// records holds when it takes effect.
// Place:      over any Store, for keys of one group. After a lost race the transaction starts again with a new view.
// Invariants: 1. Calls of the port answer within the call. An unloaded key accepts only a put or delete without a
//                condition, and everything after that.
//             2. Its clock does not advance after the construction.
// Errors:     INVALID_ARGUMENT if a commit would be too large; INTERNAL for a key that had to be loaded, and for the
//             port's ScanKeys and Commit.
// Threads:    one at a time.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/store/store.h"

namespace ebla::gateway {

class TransactionView final : public Store, public std::enable_shared_from_this<TransactionView> {
 public:
  explicit TransactionView(std::shared_ptr<Store> base) : base_(std::move(base)), now_ms_(base_->NowMs()) {}

  // Reads these keys. OVERLOADED: their values are larger than kLoadBytesMax together.
  static constexpr size_t kLoadBytesMax = 64 << 20;
  void Load(std::vector<std::string> keys, Until until, Callback<Status> done);
  // The record as loaded, whatever was written since; null: there was none.
  const Record* Loaded(const std::string& key) const;
  size_t loaded_bytes() const { return loaded_bytes_; }  // of values
  // All that was written, if what was loaded is still the same; else CONDITION_FAILED, and nothing has happened.
  void Commit(Until until, Callback<Status> done);

  void Get(std::string key, Freshness freshness, Until until, Callback<Result<Record>> done) override;
  void MultiGet(std::vector<std::string> keys, Freshness freshness, Until until,
                Callback<std::vector<Result<Record>>> done) override;
  void Put(std::string key, std::string value, Lifetime lifetime, Condition condition, Until until,
           Callback<Result<Version>> done) override;
  void Delete(std::string key, Condition condition, Until until, Callback<Status> done) override;
  // Always INVALID_ARGUMENT, after which the caller uses Get and Put.
  void Increment(std::string key, int64_t delta, IfNone if_none, Until until, Callback<Result<int64_t>> done) override;
  // Like Increment.
  void Apply(std::string key, std::string_view function, std::string arguments, Until until,
             Callback<Result<PartResult>> done) override;
  void Commit(std::vector<Batch::Part> parts, Until until, Callback<Status> done) override;
  void ScanKeys(KeyRange range, uint64_t limit, Until until, Callback<Result<ScanPage>> done) override;
  int64_t NowMs() const override { return now_ms_; }

 private:
  struct Entry {
    bool loaded = false;
    bool written = false;
    std::optional<Record> base;  // as loaded
    std::optional<Record> now;   // once it was written
    bool counts_down = false;    // `now`, to a moment of this clock, which means nothing to the servers' clocks

    const std::optional<Record>& record() const { return written ? now : base; }
  };

  Status TakeLoaded(const std::string& key, Result<Record> record);
  Result<Entry*> Known(std::string_view key);
  // The entry, if the condition holds.
  Result<Entry*> Check(std::string_view key, const Condition& condition);
  // Whether that is how long something lives that was put for some time, and is kept now or moved to another key.
  bool CountsDown(const std::optional<Expiry>& expires) const;
  // The part of the commit for an entry: a check, if the entry is only to be unchanged.
  static Batch::Part PartOf(const std::string& key, const Entry& entry, int64_t now_ms);

  const std::shared_ptr<Store> base_;
  const int64_t now_ms_;
  std::map<std::string, Entry, std::less<>> entries_;
  size_t loaded_bytes_ = 0;
  size_t written_bytes_ = 0;  // of keys and values, as they are now
  bool too_large_ = false;    // what was refused for that
  uint64_t writes_ = 0;
};

}  // namespace ebla::gateway
