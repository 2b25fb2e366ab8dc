#include "gateway/redis/folded_commands.h"

#include <string>
#include <utility>

#include "gateway/redis/stored_value.h"
#include "gateway/redis/string_commands.h"

namespace ebla::gateway::redis {
namespace {

class FoldedRun : public std::enable_shared_from_this<FoldedRun> {
 public:
  explicit FoldedRun(std::vector<StoreCall> calls) : calls_(std::move(calls)), key_(calls_.front().words[1]) {}

  void Start() {
    const StoreCall& first = calls_.front();
    const bool folds = FoldOf(*first.command, first.words) == Fold::kIncrements ? AddAll() : PutLast();
    if (!folds) RunEach(0);
  }

 private:
  bool AddAll() {
    int64_t sum = 0;
    for (const StoreCall& call : calls_) {
      const std::optional<int64_t> by = IncrementBy(call);
      // In one direction, no sum between is further away than the last.
      if (!by || (sum < 0 && *by > 0) || (sum > 0 && *by < 0) || __builtin_add_overflow(sum, *by, &sum)) return false;
      through_.push_back(sum);
    }
    Front().store->Increment(key_, sum, IfNone::kMake, Front().until,
                             [self = shared_from_this()](const Result<int64_t>& whole) { self->OnAdded(whole); });
    return true;
  }
  void OnAdded(const Result<int64_t>& whole) {
    if (!whole) return OnFailure(whole.error());
    for (size_t i = 0; i < calls_.size(); ++i) calls_[i].Number(*whole - through_.back() + through_[i]);
  }

  bool PutLast() {
    Value last;
    for (const StoreCall& call : calls_) {
      const std::optional<Value> none;
      Update update(call.words, none, call.store->NowMs(), call.protocol);
      call.command->update(update);
      if (update.change != Update::Change::kPut) return false;
      last = std::move(update.put);
      replies_.push_back(std::move(update.reply));
    }
    PutValue(*Front().store, key_, std::move(last), Condition::None(), Front().until,
             [self = shared_from_this()](const Result<Version>& put) { self->OnPut(put); });
    return true;
  }
  void OnPut(const Result<Version>& put) {
    if (!put) return OnFailure(put.error());
    for (size_t i = 0; i < calls_.size(); ++i) calls_[i].Answer(replies_[i]);
  }

  // What is refused to all of them need not be refused to each.
  void OnFailure(const Status& failure) {
    if (failure.code() == Code::kInvalidArgument) return RunEach(0);
    for (StoreCall& call : calls_) call.Fail(failure);
  }
  void RunEach(size_t at) {
    if (at == calls_.size()) return;
    StoreCall call = std::move(calls_[at]);
    call.done = [self = shared_from_this(), at, done = std::move(call.done)](std::string reply) mutable {
      done(std::move(reply));
      self->RunEach(at + 1);
    };
    RunStoreCommand(std::move(call));
  }

  const StoreCall& Front() const { return calls_.front(); }

  std::vector<StoreCall> calls_;
  const std::string key_;
  // As calls_.
  std::vector<int64_t> through_;  // the sum of those before it and of it
  std::vector<Reply> replies_;
};

}  // namespace

Fold FoldOf(const CommandInfo& command, const Words& words) {
  if (command.update == Increment) return Fold::kIncrements;
  return PutsBlindly(command, words) ? Fold::kPuts : Fold::kNone;
}

void RunFolded(std::vector<StoreCall> calls) { std::make_shared<FoldedRun>(std::move(calls))->Start(); }

}  // namespace ebla::gateway::redis
