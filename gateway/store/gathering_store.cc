#include "gateway/store/gathering_store.h"

#include <optional>
#include <unordered_map>
#include <utility>

namespace ebla::gateway {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAlike{50};  // deadlines this near to each other are one
constexpr size_t kGetsMax = 1'000, kWritesMax = 256;
constexpr size_t kWriteBytesMax = 1 << 20;

bool Alike(Until a, Until b) { return std::chrono::abs(a - b) < kAlike; }

// The gets of a turn at one freshness.
class Gets {
 public:
  explicit Gets(Freshness freshness) : freshness_(freshness) {}

  bool Take(std::string_view key, Until until, Callback<Result<Record>>& done) {
    if (keys_.empty()) until_ = until;
    if (!Alike(until, until_) || keys_.size() == kGetsMax) return false;
    keys_.emplace_back(key);
    done_.push_back(std::move(done));
    return true;
  }
  void Send(Store& table) {
    if (keys_.empty()) return;
    const auto keys = std::exchange(keys_, {});
    auto done = std::exchange(done_, {});
    if (keys.size() == 1) return table.Get(keys[0], freshness_, until_, std::move(done[0]));
    table.MultiGet(keys, freshness_, until_, [done = std::move(done)](std::vector<Result<Record>> records) mutable {
      for (size_t i = 0; i < records.size(); ++i) done[i](std::move(records[i]));
    });
  }

 private:
  const Freshness freshness_;
  Until until_;
  std::vector<std::string> keys_;
  std::vector<Callback<Result<Record>>> done_;
};

// One increment of one or more that are summed up.
struct Summand {
  int64_t delta = 0;
  int64_t through = 0;  // the sum of those before it and of it
  Callback<Result<int64_t>> done;
};

// One key's write and who waits for it.
struct Gathered {
  Callback<Result<Version>> put;
  IfNone if_none = IfNone::kMake;
  std::vector<Summand> summands;
};

// The plain writes of a turn.
class Writes {
 public:
  bool TakePut(std::string_view key, std::string_view value, milliseconds ttl, Until until,
               Callback<Result<Version>>& done) {
    if (!HasRoom(key.size() + value.size(), until) || !at_.try_emplace(std::string(key), parts_.size()).second)
      return false;
    BatchOptions options;
    options.ttl = ttl;
    parts_.push_back({Batch::Kind::kPut, std::string(key), std::string(value), 0, options});
    gathered_.push_back({.put = std::move(done), .summands = {}});
    return true;
  }
  bool TakeIncrement(std::string_view key, int64_t delta, IfNone if_none, Until until,
                     Callback<Result<int64_t>>& done) {
    if (!HasRoom(key.size(), until)) return false;
    const auto [place, added] = at_.try_emplace(std::string(key), parts_.size());
    if (added) {
      BatchOptions options;
      options.ttl_if_new = milliseconds(0);
      options.if_exists = if_none == IfNone::kRefuse;
      parts_.push_back({Batch::Kind::kIncrement, std::string(key), {}, 0, options});
      gathered_.push_back({.put = nullptr, .if_none = if_none, .summands = {}});
    }
    Gathered& gathered = gathered_[place->second];
    const int64_t before = parts_[place->second].delta;
    int64_t sum = 0;
    // In one direction, no sum between is further away than the last.
    if (gathered.put || gathered.if_none != if_none || (before < 0 && delta > 0) || (before > 0 && delta < 0) ||
        __builtin_add_overflow(before, delta, &sum))
      return false;
    parts_[place->second].delta = sum;
    gathered.summands.push_back({delta, sum, std::move(done)});
    return true;
  }
  void Send(const std::shared_ptr<Store>& table) {
    bytes_ = 0;
    at_.clear();
    if (parts_.empty()) return;
    const auto parts = std::exchange(parts_, {});
    auto gathered = std::exchange(gathered_, {});
    table->WriteEach(parts, until_,
                     [table, parts, until = until_,
                      gathered = std::move(gathered)](const std::vector<Result<PartResult>>& results) mutable {
                       for (size_t i = 0; i < results.size(); ++i)
                         Answer(*table, parts[i].key, until, std::move(gathered[i]), results[i]);
                     });
  }

 private:
  bool HasRoom(size_t bytes, Until until) {
    if (parts_.empty()) until_ = until;
    if (!Alike(until, until_) || parts_.size() == kWritesMax || bytes_ + bytes > kWriteBytesMax) return false;
    bytes_ += bytes;
    return true;
  }
  static void Answer(Store& table, const std::string& key, Until until, Gathered gathered,
                     const Result<PartResult>& result) {
    if (gathered.put) return gathered.put(result ? Result<Version>(result->version) : Error(result.error()));
    // What was refused for the sum of several need not be refused for each.
    const bool each = !result && result.error().code() == Code::kInvalidArgument && gathered.summands.size() > 1;
    for (Summand& one : gathered.summands) {
      if (each) {
        table.Increment(key, one.delta, gathered.if_none, until, std::move(one.done));
      } else if (result) {
        one.done(result->counter - gathered.summands.back().through + one.through);
      } else {
        one.done(Error(result.error()));
      }
    }
  }

  Until until_;
  size_t bytes_ = 0;
  std::vector<Batch::Part> parts_;
  std::vector<Gathered> gathered_;              // as parts_
  std::unordered_map<std::string, size_t> at_;  // of a key, in parts_
};

}  // namespace

// One loop's.
class GatheringStore::Turn final : public rpc::EventLoop::TurnEndHook, public std::enable_shared_from_this<Turn> {
 public:
  Turn(rpc::EventLoop& loop, std::shared_ptr<Store> table) : loop_(loop), table_(std::move(table)) {}

  bool TakeGet(std::string_view key, Freshness freshness, Until until, Callback<Result<Record>>& done) {
    return Keep((freshness == Freshness::kLatest ? latest_ : configured_).Take(key, until, done));
  }
  bool TakePut(std::string_view key, std::string_view value, milliseconds ttl, Until until,
               Callback<Result<Version>>& done) {
    return Keep(writes_.TakePut(key, value, ttl, until, done));
  }
  bool TakeIncrement(std::string_view key, int64_t delta, IfNone if_none, Until until,
                     Callback<Result<int64_t>>& done) {
    return Keep(writes_.TakeIncrement(key, delta, if_none, until, done));
  }

  void OnTurnEnd() override {
    const auto self = std::exchange(self_, nullptr);
    configured_.Send(*table_);
    latest_.Send(*table_);
    writes_.Send(table_);
  }

 private:
  // As long as something waits for the turn's end, so does this.
  bool Keep(bool taken) {
    if (taken && self_ == nullptr) {
      self_ = shared_from_this();
      loop_.AtTurnEnd(this);
    }
    return taken;
  }

  rpc::EventLoop& loop_;
  const std::shared_ptr<Store> table_;
  std::shared_ptr<Turn> self_;
  Gets configured_{Freshness::kAsConfigured}, latest_{Freshness::kLatest};
  Writes writes_;
};

GatheringStore::GatheringStore(std::shared_ptr<Store> table, const std::vector<rpc::EventLoop*>& loops)
    : table_(std::move(table)) {
  for (rpc::EventLoop* loop : loops) turns_.emplace_back(loop, std::make_shared<Turn>(*loop, table_));
}

GatheringStore::Turn* GatheringStore::Here() const {
  const rpc::EventLoop* const current = rpc::EventLoop::Current();
  for (const auto& [loop, turn] : turns_) {
    if (loop == current) return turn.get();
  }
  return nullptr;
}

void GatheringStore::Get(std::string_view key, Freshness freshness, Until until, Callback<Result<Record>> done) {
  Turn* const turn = Here();
  if (turn == nullptr || !turn->TakeGet(key, freshness, until, done))
    table_->Get(key, freshness, until, std::move(done));
}

void GatheringStore::MultiGet(std::vector<std::string> keys, Freshness freshness, Until until,
                              Callback<std::vector<Result<Record>>> done) {
  table_->MultiGet(std::move(keys), freshness, until, std::move(done));
}

void GatheringStore::Put(std::string_view key, std::string_view value, milliseconds ttl, Condition condition,
                         Until until, Callback<Result<Version>> done) {
  Turn* const turn = condition.kind == Condition::Kind::kNone ? Here() : nullptr;
  if (turn == nullptr || !turn->TakePut(key, value, ttl, until, done))
    table_->Put(key, value, ttl, condition, until, std::move(done));
}

void GatheringStore::Delete(std::string_view key, Condition condition, Until until, Callback<Status> done) {
  table_->Delete(key, condition, until, std::move(done));
}

void GatheringStore::Increment(std::string_view key, int64_t delta, IfNone if_none, Until until,
                               Callback<Result<int64_t>> done) {
  Turn* const turn = Here();
  if (turn == nullptr || !turn->TakeIncrement(key, delta, if_none, until, done))
    table_->Increment(key, delta, if_none, until, std::move(done));
}

void GatheringStore::Commit(std::vector<Batch::Part> parts, Until until, Callback<Status> done) {
  table_->Commit(std::move(parts), until, std::move(done));
}

void GatheringStore::WriteEach(std::vector<Batch::Part> parts, Until until,
                               Callback<std::vector<Result<PartResult>>> done) {
  table_->WriteEach(std::move(parts), until, std::move(done));
}

void GatheringStore::ScanKeys(KeyRange range, uint64_t limit, Until until, Callback<Result<ScanPage>> done) {
  table_->ScanKeys(std::move(range), limit, until, std::move(done));
}

}  // namespace ebla::gateway
