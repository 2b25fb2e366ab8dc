#include "gateway/store/batching_store.h"

#include <utility>

#include "gateway/store/batched_calls.h"

namespace ebla::gateway {

using std::chrono::milliseconds;

// One loop's.
class BatchingStore::Turn final : public rpc::EventLoop::TurnEndHook, public std::enable_shared_from_this<Turn> {
 public:
  Turn(rpc::EventLoop& loop, std::shared_ptr<ManyStore> table) : loop_(loop), table_(std::move(table)) {}

  bool TakeGet(std::string& key, Freshness freshness, Until until, Callback<Result<Record>>& done) {
    return Keep((freshness == Freshness::kLatest ? latest_ : configured_).Take(key, until, done));
  }
  bool TakePut(std::string& key, std::string& value, const Lifetime& lifetime, Until until,
               Callback<Result<Version>>& done) {
    if (writes_.Full()) writes_.Send(table_);
    return Keep(writes_.TakePut(key, value, lifetime, until, done));
  }
  bool TakeIncrement(std::string& key, int64_t delta, IfNone if_none, Until until, Callback<Result<int64_t>>& done) {
    if (writes_.Full()) writes_.Send(table_);
    return Keep(writes_.TakeIncrement(key, delta, if_none, until, done));
  }

  bool TakeApply(std::string& key, std::string_view function, std::string& arguments, Until until,
                 Callback<Result<PartResult>>& done) {
    if (writes_.Full()) writes_.Send(table_);
    return Keep(writes_.TakeApply(key, function, arguments, until, done));
  }

  void OnTurnEnd() override {
    const auto self = std::exchange(self_, nullptr);
    configured_.Send(*table_);
    latest_.Send(*table_);
    writes_.Send(table_);
  }

 private:
  // Keeps this turn until its end while calls wait for that.
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
  BatchedGets configured_{Freshness::kAsConfigured}, latest_{Freshness::kLatest};
  BatchedWrites writes_;
};

BatchingStore::BatchingStore(std::shared_ptr<ManyStore> table, const std::vector<rpc::EventLoop*>& loops)
    : table_(std::move(table)) {
  for (rpc::EventLoop* loop : loops) turns_.emplace_back(loop, std::make_shared<Turn>(*loop, table_));
}

BatchingStore::Turn* BatchingStore::CurrentTurn() const {
  const rpc::EventLoop* const current = rpc::EventLoop::Current();
  for (const auto& [loop, turn] : turns_) {
    if (loop == current) return turn.get();
  }
  return nullptr;
}

void BatchingStore::Get(std::string key, Freshness freshness, Until until, Callback<Result<Record>> done) {
  Turn* const turn = CurrentTurn();
  if (turn == nullptr || !turn->TakeGet(key, freshness, until, done))
    table_->Get(std::move(key), freshness, until, std::move(done));
}

void BatchingStore::MultiGet(std::vector<std::string> keys, Freshness freshness, Until until,
                             Callback<std::vector<Result<Record>>> done) {
  table_->MultiGet(std::move(keys), freshness, until, std::move(done));
}

void BatchingStore::Put(std::string key, std::string value, Lifetime lifetime, Condition condition, Until until,
                        Callback<Result<Version>> done) {
  Turn* const turn = condition.kind == Condition::Kind::kNone ? CurrentTurn() : nullptr;
  if (turn == nullptr || !turn->TakePut(key, value, lifetime, until, done))
    table_->Put(std::move(key), std::move(value), lifetime, condition, until, std::move(done));
}

void BatchingStore::Delete(std::string key, Condition condition, Until until, Callback<Status> done) {
  table_->Delete(std::move(key), condition, until, std::move(done));
}

void BatchingStore::Increment(std::string key, int64_t delta, IfNone if_none, Until until,
                              Callback<Result<int64_t>> done) {
  Turn* const turn = CurrentTurn();
  if (turn == nullptr || !turn->TakeIncrement(key, delta, if_none, until, done))
    table_->Increment(std::move(key), delta, if_none, until, std::move(done));
}

void BatchingStore::Apply(std::string key, std::string_view function, std::string arguments, Until until,
                          Callback<Result<PartResult>> done) {
  Turn* const turn = CurrentTurn();
  if (turn == nullptr || !turn->TakeApply(key, function, arguments, until, done))
    table_->Apply(std::move(key), function, std::move(arguments), until, std::move(done));
}

void BatchingStore::Commit(std::vector<Batch::Part> parts, Until until, Callback<Status> done) {
  table_->Commit(std::move(parts), until, std::move(done));
}

void BatchingStore::ScanKeys(KeyRange range, uint64_t limit, Until until, Callback<Result<ScanPage>> done) {
  table_->ScanKeys(std::move(range), limit, until, std::move(done));
}

}  // namespace ebla::gateway
