#include "gateway/redis/commands/coalesced_commands.h"

#include <chrono>
#include <string>
#include <utility>

#include "common/base/clocks.h"
#include "functions/redis/strings/string_commands.h"
#include "gateway/store/items.h"

namespace ebla::gateway::redis {
namespace {

class CoalescedRun : public std::enable_shared_from_this<CoalescedRun> {
 public:
  explicit CoalescedRun(std::vector<StoreCall> calls)
      : calls_(std::move(calls)),
        key_(calls_.front().words[1]),
        allowed_(calls_.front().until - std::chrono::steady_clock::now()) {}

  void Start() {
    const bool coalesces = calls_.front().command.runner.update == Increment ? AddAll() : PutLast();
    if (!coalesces) RunFrom(0);
  }

 private:
  bool AddAll() {
    for (const StoreCall& call : calls_) {
      const std::optional<int64_t> by = IncrementBy(call.words);
      if (!by || !sum_.Add(*by)) return false;
    }
    store().Increment(key_, sum_.sum(), IfNone::kMake, calls_.front().until,
                      [self = shared_from_this()](const Result<int64_t>& whole) { self->OnAdded(whole); });
    return true;
  }
  void OnAdded(const Result<int64_t>& whole) {
    if (!whole) return OnFailure(whole.error());
    for (size_t i = 0; i < calls_.size(); ++i) calls_[i].Number(sum_.After(i, *whole));
  }

  bool PutLast() {
    ItemStep last;
    for (const StoreCall& call : calls_) {
      const std::optional<Value> none;
      Update update(call.words, none, store().NowMs(), call.protocol);
      call.command.runner.update(update);
      if (update.change != Update::Change::kPut) return false;
      last = update.TakeStep();
      replies_.push_back(std::move(update.reply));
    }
    PutItem(store(), key_, std::move(last), Condition::None(), calls_.front().until,
            [self = shared_from_this()](const Result<Version>& put) { self->OnPut(put); });
    return true;
  }
  void OnPut(const Result<Version>& put) {
    if (!put) return OnFailure(put.error());
    for (size_t i = 0; i < calls_.size(); ++i) calls_[i].Answer(replies_[i]);
  }

  // The store may refuse the change of all, and take that of each.
  void OnFailure(const Status& failure) {
    if (failure.code() == Code::kInvalidArgument) return RunFrom(0);
    for (StoreCall& call : calls_) call.Fail(failure);
  }
  // Runs on the connection's loop, where the calls join the loop's batch.
  void RunFrom(size_t at) {
    if (at == calls_.size()) return;
    calls_[at].executor().Post([self = shared_from_this(), at] {
      StoreCall call = std::move(self->calls_[at]);
      call.until = std::chrono::steady_clock::now() + self->allowed_;
      call.done = [self, at, done = std::move(call.done)](std::string reply) mutable {
        done(std::move(reply));
        self->RunFrom(at + 1);
      };
      RunStoreCommand(std::move(call));
    });
  }

  Store& store() const { return *calls_.front().store; }

  std::vector<StoreCall> calls_;
  const std::string key_;
  const std::chrono::steady_clock::duration allowed_;
  SummedIncrements sum_;
  std::vector<Reply> replies_;  // as calls_
};

}  // namespace

Coalescer::Kind Coalescer::KindOf(const CommandInfo& command, const Words& words) {
  if (command.runner.update == Increment) return Kind::kIncrements;
  const bool puts = command.runner.update != nullptr && WritesBlindly(command, words, TimeOfDayMs());
  return puts ? Kind::kPuts : Kind::kNothing;
}

Coalescer::Coalescer(const CommandInfo& first, const Words& words) : kind_(KindOf(first, words)) {
  if (kind_ != Kind::kIncrements) return;
  if (const std::optional<int64_t> by = IncrementBy(words)) sum_.Add(*by);
}

bool Coalescer::Take(const CommandInfo& next, const Words& words) {
  if (kind_ == Kind::kNothing || KindOf(next, words) != kind_) return false;
  if (kind_ == Kind::kPuts) return true;
  const std::optional<int64_t> by = IncrementBy(words);
  return sum_.size() > 0 && by && sum_.Add(*by);
}

void RunCoalesced(std::vector<StoreCall> calls) { std::make_shared<CoalescedRun>(std::move(calls))->Start(); }

}  // namespace ebla::gateway::redis
