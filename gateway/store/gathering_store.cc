#include "gateway/store/gathering_store.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

namespace ebla::gateway {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAlike{50};  // deadlines this near to each other are one
// In one call: as many as a server reads and writes at a stretch.
constexpr size_t kGetsMax = 128, kWritesMax = 128, kWritesExpected = 32;
constexpr size_t kWriteBytesMax = 512 << 10;

bool Alike(Until a, Until b) { return std::chrono::abs(a - b) < kAlike; }

// The gets of a turn at one freshness.
class Gets {
 public:
  explicit Gets(Freshness freshness) : freshness_(freshness) {}

  bool Take(std::string_view key, Until until, Callback<Result<Record>>& done) {
    if (gets_.empty()) until_ = until;
    if (!Alike(until, until_)) return false;
    gets_.push_back({std::string(key), std::move(done)});
    return true;
  }
  void Send(ManyStore& table) {
    auto gets = std::exchange(gets_, {});
    if (gets.size() > kGetsMax) std::ranges::stable_sort(gets, {}, &One::key);
    for (size_t begin = 0; begin < gets.size();) {
      size_t end = std::min(begin + kGetsMax, gets.size());
      // Those of one key stay together, as they are to see the same.
      while (end < gets.size() && gets[end].key == gets[end - 1].key) ++end;
      SendSome(table, std::span(gets).subspan(begin, end - begin));
      begin = end;
    }
  }

 private:
  struct One {
    std::string key;
    Callback<Result<Record>> done;
  };

  void SendSome(ManyStore& table, std::span<One> gets) const {
    if (gets.size() == 1) return table.Get(gets[0].key, freshness_, until_, std::move(gets[0].done));
    std::vector<std::string> keys;
    auto done = std::make_shared<std::vector<Callback<Result<Record>>>>();
    for (One& one : gets) {
      keys.push_back(std::move(one.key));
      done->push_back(std::move(one.done));
    }
    table.GetEach(std::move(keys), freshness_, until_,
                  [done](size_t place, Result<Record> record) { (*done)[place](std::move(record)); });
  }

  const Freshness freshness_;
  Until until_;
  std::vector<One> gets_;
};

// One increment of one or more that are summed up.
struct Summand {
  int64_t delta = 0;
  int64_t through = 0;  // the sum of those before it and of it
  Callback<Result<int64_t>> done;
};

// One key's write and who waits for it.
struct Gathered {
  Callback<Result<Version>> put;  // null: it is increments
  IfNone if_none = IfNone::kMake;
  std::vector<Summand> summands;
};

// The writes of one call. Each is answered once, on any thread.
struct Sent {
  std::shared_ptr<ManyStore> table;
  Until until;
  std::vector<Gathered> writes;
  std::vector<std::string> keys;  // of increments that may have to be done one by one

  void Answer(size_t place, const Result<PartResult>& result) {
    Gathered& write = writes[place];
    if (write.put) return write.put(result ? Result<Version>(result->version) : Error(result.error()));
    // What was refused for the sum of several need not be refused for each.
    const bool each = !result && result.error().code() == Code::kInvalidArgument && write.summands.size() > 1;
    const int64_t whole = write.summands.back().through;
    for (Summand& one : write.summands) {
      if (each) {
        table->Increment(keys[place], one.delta, write.if_none, until, std::move(one.done));
      } else if (result) {
        one.done(result->counter - whole + one.through);
      } else {
        one.done(Error(result.error()));
      }
    }
  }
};

// The plain writes of a turn.
class Writes {
 public:
  bool Full() const { return parts_.size() >= kWritesMax || bytes_ >= kWriteBytesMax; }
  // False: it took nothing of what it was given.
  bool TakePut(std::string_view key, std::string& value, milliseconds ttl, Until until,
               Callback<Result<Version>>& done) {
    if (!Fits(until) || !at_.try_emplace(HashOf(key), parts_.size()).second) return false;
    BatchOptions options;
    options.ttl = ttl;
    Add({Batch::Kind::kPut, std::string(key), std::move(value), 0, options}, until).put = std::move(done);
    return true;
  }
  bool TakeIncrement(std::string_view key, int64_t delta, IfNone if_none, Until until,
                     Callback<Result<int64_t>>& done) {
    if (!Fits(until)) return false;
    const auto [place, added] = at_.try_emplace(HashOf(key), parts_.size());
    if (added) {
      BatchOptions options;
      options.ttl_if_new = milliseconds(0);
      options.if_exists = if_none == IfNone::kRefuse;
      Add({Batch::Kind::kIncrement, std::string(key), {}, 0, options}, until).if_none = if_none;
    }
    Batch::Part& part = parts_[place->second];
    Gathered& gathered = gathered_[place->second];
    int64_t sum = 0;
    // In one direction, no sum between is further away than the last.
    if (gathered.put || part.key != key || gathered.if_none != if_none || (part.delta < 0 && delta > 0) ||
        (part.delta > 0 && delta < 0) || __builtin_add_overflow(part.delta, delta, &sum))
      return false;
    part.delta = sum;
    gathered.summands.push_back({delta, sum, std::move(done)});
    return true;
  }
  void Send(const std::shared_ptr<ManyStore>& table) {
    if (parts_.empty()) return;
    bytes_ = 0;
    at_.clear();
    const auto sent = std::make_shared<Sent>(Sent{table, until_, std::exchange(gathered_, {}), {}});
    sent->keys.resize(parts_.size());
    for (size_t i = 0; i < parts_.size(); ++i) {
      if (sent->writes[i].summands.size() > 1) sent->keys[i] = parts_[i].key;
    }
    table->WriteEach(std::exchange(parts_, {}), until_,
                     [sent](size_t place, const Result<PartResult>& result) { sent->Answer(place, result); });
  }

 private:
  static size_t HashOf(std::string_view key) { return std::hash<std::string_view>()(key); }
  bool Fits(Until until) const { return parts_.empty() || Alike(until, until_); }
  Gathered& Add(Batch::Part part, Until until) {
    if (parts_.empty()) {
      until_ = until;
      parts_.reserve(kWritesExpected);
      gathered_.reserve(kWritesExpected);
    }
    bytes_ += part.key.size() + part.value.size();
    parts_.push_back(std::move(part));
    return gathered_.emplace_back();
  }
  Until until_;
  size_t bytes_ = 0;
  std::vector<Batch::Part> parts_;
  std::vector<Gathered> gathered_;          // as parts_
  absl::flat_hash_map<size_t, size_t> at_;  // of a key's hash, in parts_; what only looks the same goes by itself
};

}  // namespace

// One loop's.
class GatheringStore::Turn final : public rpc::EventLoop::TurnEndHook, public std::enable_shared_from_this<Turn> {
 public:
  Turn(rpc::EventLoop& loop, std::shared_ptr<ManyStore> table) : loop_(loop), table_(std::move(table)) {}

  bool TakeGet(std::string_view key, Freshness freshness, Until until, Callback<Result<Record>>& done) {
    return Keep((freshness == Freshness::kLatest ? latest_ : configured_).Take(key, until, done));
  }
  bool TakePut(std::string_view key, std::string& value, milliseconds ttl, Until until,
               Callback<Result<Version>>& done) {
    if (writes_.Full()) writes_.Send(table_);
    return Keep(writes_.TakePut(key, value, ttl, until, done));
  }
  bool TakeIncrement(std::string_view key, int64_t delta, IfNone if_none, Until until,
                     Callback<Result<int64_t>>& done) {
    if (writes_.Full()) writes_.Send(table_);
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
  const std::shared_ptr<ManyStore> table_;
  std::shared_ptr<Turn> self_;
  Gets configured_{Freshness::kAsConfigured}, latest_{Freshness::kLatest};
  Writes writes_;
};

GatheringStore::GatheringStore(std::shared_ptr<ManyStore> table, const std::vector<rpc::EventLoop*>& loops)
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

void GatheringStore::Put(std::string_view key, std::string value, milliseconds ttl, Condition condition, Until until,
                         Callback<Result<Version>> done) {
  Turn* const turn = condition.kind == Condition::Kind::kNone ? Here() : nullptr;
  if (turn == nullptr || !turn->TakePut(key, value, ttl, until, done))
    table_->Put(key, std::move(value), ttl, condition, until, std::move(done));
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

void GatheringStore::ScanKeys(KeyRange range, uint64_t limit, Until until, Callback<Result<ScanPage>> done) {
  table_->ScanKeys(std::move(range), limit, until, std::move(done));
}

}  // namespace ebla::gateway
