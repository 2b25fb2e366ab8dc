// gateway/store/transaction_view.h
// A transaction's view of a store: what was loaded of some keys, and over it what was written since. Nothing of it is seen
// elsewhere before Commit(), which succeeds only if nobody has written meanwhile what was loaded: so what is decided on
// what it shows holds when it takes effect.
// Place:      over any Store, for keys of one group. Who loses a race begins anew with another one.
// Invariants: 1. Calls of the port answer within the call. Of a key that was not loaded, only what needs no knowledge of
//                it can be asked: a put or delete without a condition, and from then on everything.
//             2. Its clock stands still from Load() on.
// Errors:     INVALID_ARGUMENT for what is more than one commit takes; INTERNAL where a key would have had to be loaded. ScanKeys and Commit of the port are none of a transaction's.
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
  // As it was loaded, whatever was written since; null: there was none.
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
  // INVALID_ARGUMENT, always: whoever asks does it by Get and Put then.
  void Increment(std::string key, int64_t delta, IfNone if_none, Until until, Callback<Result<int64_t>> done) override;
  // As Increment.
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
  // What its commit asks for: a check, where it is only to be as it was.
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
